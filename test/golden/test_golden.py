# SPDX-License-Identifier: MIT
"""Golden transcripts: each command in transcripts/*.txt is run, and what it prints and how it
exits is compared with what stands there. After a wanted change, DETOUR_GOLDEN=update writes
them anew; read the diff before it is committed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scenario"))
from detourlib import BINARY, SANITIZER, environment  # noqa: E402: it is a neighbour, not a package


def commands(text):
    """The lines that begin with "$ ", in order; comments and blank lines before them are kept."""
    out, preface = [], []
    in_output = False
    for line in text.splitlines():
        if line.startswith("$ "):
            out.append(("\n".join(preface), line[2:]))
            preface, in_output = [], True
        elif line.startswith("#") or (not line and not in_output):
            preface.append(line)
            in_output = False
        elif not line:
            in_output = False
    return out


def transcript(text):
    """The same commands with what they print now."""
    blocks = []
    for preface, command in commands(text):
        words = shlex.split(command)
        assert words[0] == "detour", command
        done = subprocess.run(
            [str(BINARY), *words[1:]], cwd=HERE / "config", env=environment({"TZ": "UTC"}), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20,
        )
        assert not SANITIZER.search(done.stderr), done.stderr.decode()
        block = preface + "\n" if preface else ""
        block += f"$ {command}\n"
        for mark, data in (("", done.stdout), ("! ", done.stderr)):
            for line in data.decode().splitlines():
                block += (mark + line if line else mark + "·").rstrip() + "\n"
        if done.returncode:
            block += f"[{done.returncode}]\n"
        blocks.append(block)
    return "\n".join(blocks)


@pytest.mark.parametrize("path", sorted((HERE / "transcripts").glob("*.txt")), ids=lambda p: p.stem)
def test_transcript(path):
    expected = path.read_text()
    got = transcript(expected)
    if os.environ.get("DETOUR_GOLDEN") == "update":
        path.write_text(got)
    assert got == path.read_text()
