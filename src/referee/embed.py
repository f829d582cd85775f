#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the page and the script of the referee as C: what referee/embedded.h declares.

usage: embed.py PAGE SCRIPT
"""
import sys


def c_string(line):
    return '    "' + line.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


def main():
    print("/* SPDX-License-Identifier: MIT */")
    print("/* Made by embed.py of page.html and page.js. */")
    print('#include "referee/embedded.h"')
    for name, path in zip(("page", "script"), sys.argv[1:]):
        with open(path, encoding="ascii") as f:
            lines = "\n".join(c_string(line) for line in f)
        print(f"\nstatic const char {name}[] =\n{lines};")
        print(f"const struct span referee_{name} = {{(const uint8_t *){name}, sizeof({name}) - 1}};")


main()
