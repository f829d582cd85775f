#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes a manual page whose source shows files of examples/: manual.py PAGE.scd SCDOC.

A line "@NAME@" stands for the file examples/NAME, so that a page and what is tested are one."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def example(match):
    return (ROOT / "examples" / match[1]).read_text(encoding="utf-8").rstrip("\n")


def main():
    page, scdoc = sys.argv[1:]
    text = pathlib.Path(page).read_text(encoding="utf-8")
    text = re.sub(r"^@([\w./-]+)@$", example, text, flags=re.M)
    return subprocess.run([scdoc], input=text.encode(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
