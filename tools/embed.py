#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the script and the style of the wait page as C: what page/embedded.h declares.

usage: embed.py SCRIPT STYLE

Lines that are comments, and the white space before each line, are left out.
"""
import base64
import hashlib
import sys


def shortened(path):
    with open(path, encoding="ascii") as f:
        lines = [line.strip() for line in f]
    return "".join(line + "\n" for line in lines if line and not line.startswith("//"))


def c_string(text):
    lines = text.splitlines(keepends=True)
    quoted = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in lines]
    return "\n".join(f'    "{line}"' for line in quoted)


def main():
    print("/* SPDX-License-Identifier: MIT */")
    print("/* Made by tools/embed.py of src/page/wait.js and wait.css. */")
    print('#include "page/embedded.h"')
    for name, path in zip(("script", "style"), sys.argv[1:]):
        text = shortened(path)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        print(f"\nstatic const char {name}[] =\n{c_string(text)};")
        print(f"const struct span wait_{name} = {{(const uint8_t *){name}, sizeof({name}) - 1}};")
        print(f'static const char {name}_hash[] = "sha256-{digest}";')
        print(f"const struct span wait_{name}_hash = {{(const uint8_t *){name}_hash,\n"
              f"    sizeof({name}_hash) - 1}};")


main()
