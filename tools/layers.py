#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Holds the shape of the sources: who may include whom, and how long things may grow.

Runs before every build and fails it. With --headers it also compiles each header alone.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A folder of src/ may include itself and these. Small libraries that read bottom-up:
# nobody includes a folder that stands below it here.
MAY_INCLUDE = {
    "base": [],
    "uri": ["base"],
    "http": ["base", "uri"],
    "net": ["base"],
    "tls": ["base"],
    "store": ["base"],
    "sandbox": ["base"],
    "page": ["base", "uri", "http", "tls"],
    "signing": ["base", "uri", "tls"],
    "shared": ["base", "uri", "http"],
    "schedule": ["base"],
    "geo": ["base"],
    "config": ["base", "uri", "http", "net", "schedule", "geo"],
    "snapshot": ["base", "uri", "http", "net"],
    "compile": ["base", "uri", "http", "net", "page", "signing", "schedule", "geo", "config",
                "snapshot"],
    "pool": ["base", "uri", "shared", "geo", "snapshot"],
    "decide": ["base", "uri", "http", "tls", "page", "signing", "shared", "geo", "snapshot",
               "pool"],
    "serve": ["base", "uri", "http", "net", "tls", "shared"],
    "origin": ["base", "uri", "http", "net", "tls", "shared", "snapshot", "serve"],
    "admin": ["base", "uri", "http", "net", "serve"],
    "worker": [
        "base", "uri", "http", "net", "tls", "page", "signing", "sandbox", "shared", "geo",
        "snapshot", "pool", "decide", "serve", "origin",
    ],
    "logger": ["base", "net", "sandbox", "shared"],
    "fetch": ["base"],
    "events": ["base", "tls", "schedule", "fetch"],
    "health": ["base", "shared", "fetch"],
    "exists": ["base", "uri", "signing", "shared", "fetch"],
    "control": [
        "base", "uri", "http", "net", "tls", "sandbox", "shared", "schedule", "geo", "config",
        "snapshot", "compile", "serve", "admin", "fetch", "events", "health", "exists", "store",
        "page", "signing",
    ],
    "supervisor": ["base", "net", "sandbox", "shared"],
    "client": ["base", "uri", "http"],
    "walk": ["base", "http", "client"],
    "audit": ["base", "http", "client", "walk"],
    "referee": ["base", "http", "net", "serve", "tls"],
}
MAY_INCLUDE["cli"] = list(MAY_INCLUDE)

# Only these folders may name a library's header; everybody else goes through them.
LIBRARY_HOME = {
    "ev.h": ["serve", "origin", "worker", "control", "events", "fetch", "health", "exists", "walk",
             "audit", "referee"],
    "yaml.h": ["config"],
    "pcre2.h": ["uri"],
    "idn2.h": ["uri"],
    "curl/curl.h": ["fetch", "walk", "cli"],
    "jansson.h": ["admin", "audit", "cli", "config", "control", "referee"],
    "lmdb.h": ["client", "store"],
    "maxminddb.h": ["geo"],
    "nghttp2/nghttp2.h": ["http"],
    "openssl/core_names.h": ["tls"],
    "openssl/crypto.h": ["store", "tls"],
    "openssl/err.h": ["tls"],
    "openssl/evp.h": ["store", "tls"],
    "openssl/ocsp.h": ["tls"],
    "openssl/pem.h": ["tls"],
    "openssl/rand.h": ["tls"],
    "openssl/sha.h": ["tls"],
    "openssl/ssl.h": ["tls"],
    "openssl/x509v3.h": ["tls"],
    "seccomp.h": ["sandbox"],
}

LICENCE = "SPDX-License-Identifier: MIT"
COLUMNS_MAX = 100
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def sources():
    for folder in ("src", "test"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".c", ".h"):
                yield path


def check_includes(path, lines):
    parts = path.relative_to(ROOT).parts
    if parts[0] != "src":
        return
    module = parts[1]
    if module not in MAY_INCLUDE:
        yield 1, f"the folder src/{module} is not in the table of tools/layers.py"
        return
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        mark, name = found.groups()
        if mark == "<":
            homes = LIBRARY_HOME.get(name)
            if homes and module not in homes:
                yield number, f"<{name}> belongs to {', '.join(homes)}"
            continue
        other = name.split("/")[0]
        if not (ROOT / "src" / name).exists():
            yield number, f'"{name}": no such file in src/; includes are relative to it'
        elif other != module and other not in MAY_INCLUDE[module]:
            yield number, f"{module} may not include {other}"


def first_include(lines):
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if found:
            return number, found.group(2)
    return 1, ""


def check_own_header_first(path, lines):
    """A private header that begins with the own one may stand for it."""
    own = path.with_suffix(".h")
    if path.suffix != ".c" or not own.exists() or path.relative_to(ROOT).parts[0] != "src":
        return
    own_name = str(own.relative_to(ROOT / "src"))
    number, name = first_include(lines)
    private = ROOT / "src" / name
    if name != own_name and private.is_file() and private.parent == path.parent:
        _, name = first_include(private.read_text().splitlines())
    if name != own_name:
        yield number, f"the own header, {own.name}, comes first"


def check_functions(lines):
    """The layout puts a function's braces, and only those, into column 0."""
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin is not None:
            length = number - begin - 1
            if length > FUNCTION_LINES_MAX:
                yield begin, f"a function of {length} lines; at most {FUNCTION_LINES_MAX}"
            begin = None


def check_text(path, lines):
    if not lines or LICENCE not in lines[0]:
        yield 1, f"the first line is /* {LICENCE} */"
    if len(lines) < 2 or not lines[1].startswith("/* "):
        yield 2, "the second line says what the file is for"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield 1, "a header says #pragma once"
    if len(lines) > FILE_LINES_MAX:
        yield FILE_LINES_MAX, f"a file of {len(lines)} lines; at most {FILE_LINES_MAX}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns; at most {COLUMNS_MAX}"
        if UNFINISHED.search(line):
            yield number, "unfinished: " + line.strip()


def check_headers():
    packages = ["libpcre2-8", "libidn2", "yaml-0.1", "jansson", "libxxhash"]
    flags = subprocess.run(["pkg-config", "--cflags", *packages], text=True, check=True,
                           stdout=subprocess.PIPE).stdout.split()

    def compile_one(path):
        done = subprocess.run(
            [os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall",
             "-Wextra", "-Werror", "-Wno-unused-parameter", "-I", "src", "-I", "include", *flags,
             "-x", "c", "-include", str(path.relative_to(ROOT / "src")), "/dev/null"],
            cwd=ROOT, text=True, stderr=subprocess.PIPE, check=False)
        return path, done.returncode, done.stderr

    headers = sorted((ROOT / "src").rglob("*.h"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, returncode, errors in pool.map(compile_one, headers):
            if returncode:
                yield path, 1, "does not compile alone:\n" + errors


def check_table():
    order = list(MAY_INCLUDE)
    for module, others in MAY_INCLUDE.items():
        for other in others:
            if module != "cli" and order.index(other) >= order.index(module):
                yield ROOT / "tools/layers.py", 1, f"{module} stands above {other} in the table"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--headers", action="store_true", help="compile each header alone, too")
    options = parser.parse_args()
    problems = list(check_table())
    for path in sources():
        lines = path.read_text().splitlines()
        for check in (check_text(path, lines), check_functions(lines),
                      check_includes(path, lines), check_own_header_first(path, lines)):
            problems += [(path, number, text) for number, text in check]
    if options.headers:
        problems += check_headers()
    for path, number, text in problems:
        print(f"{path.relative_to(ROOT)}:{number}: {text}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
