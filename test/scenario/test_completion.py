# SPDX-License-Identifier: MIT
"""Completion in shells: what is offered is what the program knows."""

import re
import shutil
import subprocess

import pytest
from detourlib import BINARY, ROOT, environment, run
from fakeadmin import FakeAdmin

FILES = ROOT / "doc" / "completion"
HARNESS = """
source "$1"
shift
compopt() { :; }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_detour detour
printf '%s\\n' "${COMPREPLY[@]}"
"""


def commands():
    return re.findall(r"^  ([a-z]+) ", run("--help").stdout, re.M)


@pytest.fixture
def offered(folder, monkeypatch):
    """offered("on", "--re"): what bash offers for the last word."""
    (folder / "detour").symlink_to(BINARY)
    monkeypatch.setenv("DETOUR_ADMIN", f"{folder}/admin.sock")

    def ask(*words):
        env = environment()
        env["PATH"] = f"{folder}:{env['PATH']}"
        done = subprocess.run(["bash", "-c", HARNESS, "bash", FILES / "detour.bash", "detour", *words], cwd=folder,
                              env=env, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout.split()

    return ask


def test_commands(offered):
    assert offered("") == [*commands(), "--help", "--version"]
    assert offered("ex") == ["explain", "extend", "export"]
    assert offered("help", "o") == ["on", "off"]


def test_options_of_each_command(offered):
    for command in commands():
        if command == "help":
            continue
        usage = run(command, "--help").stdout
        wanted = set(re.findall(r"^ +(?:-[a-zA-Z], )?(--[a-z0-9.-]*[a-z0-9])", usage, re.M))
        assert wanted <= set(offered(command, "-")), command
        assert "--help" in offered(command, "--he") or command == "uri"


def test_values(offered, folder):
    (folder / "new.yaml").write_text("")
    assert offered("token", "") == ["add", "remove", "list"]
    assert offered("token", "add", "x", "--scope", "") == ["read", "write"]
    assert offered("diff", "-c", "ne") == ["new.yaml"]
    assert offered("off", "") == []  # nobody to ask


def test_names_of_detours(offered, folder):
    fake = FakeAdmin(folder / "admin.sock")
    try:
        fake.answers["GET /v1/detours"] = {"detours": [
            {"site": "shop", "name": name, "state": "active", "detour": {"name": "no", "reason": "r"}}
            for name in ["checkout", "cart"]]}
        assert offered("off", "") == ["checkout", "cart"]
        assert offered("extend", "ca") == ["cart"]
    finally:
        fake.close()


@pytest.mark.parametrize("shell, file", [("bash", "detour.bash"), ("zsh", "_detour"), ("fish", "detour.fish")])
def test_each_shell_reads_its_file(shell, file):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not here")
    done = subprocess.run([shell, "-n", FILES / file], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and done.stderr == "", done.stderr
