#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the linters, as many at a time as there are cores. The last line is `N passed, N failed`.

Each file counts as one check of each linter that looks at it.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What clang's analyzer may go through of one function of src/, and four times what it may of one of
# test/. Its own default is 225000, which takes four times as long; `make lint NODES=225000` gives
# it all of that.
ANALYZER_NODES = 60000


def listed(*patterns):
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT,
                          text=True, stdout=subprocess.PIPE, check=True)
    return sorted(name for name in set(done.stdout.split()) if (ROOT / name).exists())


def compiled(build):
    """The C files that the build knows, each once, with a folder that holds their flags."""
    entries = json.loads((build / "compile_commands.json").read_text())
    names = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
             for entry in entries}
    return sorted(name for name in names if not name.startswith("..") and (ROOT / name).exists())


def without_gcc_flags(build, folder):
    """A copy of the compile commands in folder, without what only gcc understands, and each file
    once: what is compiled for the library, too, need not be looked at twice."""
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        entry["command"] = re.sub(r"-mmem(?:set|cpy)-strategy=\S+", "", entry["command"])
        entries.setdefault(os.path.normpath(os.path.join(entry["directory"], entry["file"])), entry)
    (folder / "compile_commands.json").write_text(json.dumps(list(entries.values())))
    return folder


def jobs(build, only, folder, nodes):
    c_files = compiled(build)
    commands = without_gcc_flags(build, folder)
    if "clang-tidy" in only:
        # The longest first, so that no core waits at the end.
        for name in sorted(c_files, key=lambda name: -(ROOT / name).stat().st_size):
            most = nodes if name.startswith("src/") else nodes // 4
            budget = [f"--extra-arg={word}" for option in ("-analyzer-config", f"max-nodes={most}")
                      for word in ("-Xclang", option)]
            yield f"clang-tidy {name}", ["clang-tidy", "--quiet", "-p", str(commands), *budget, name]
    if "clang-format" in only:
        for name in listed("*.c", "*.h"):
            yield f"clang-format {name}", ["clang-format", "--dry-run", "-Werror", name]
    if "cppcheck" in only:
        for name in c_files:
            if name.startswith("src/"):
                yield f"cppcheck {name}", [
                    "cppcheck", "--quiet", "--std=c17", "--language=c", "--error-exitcode=1",
                    "--enable=warning,performance,portability", "--inline-suppr",
                    "--max-configs=1", "-Isrc", "-D_GNU_SOURCE", '-DDETOUR_VERSION="0"',
                    "-D__x86_64__", name]
    if "shellcheck" in only:
        for name in [*listed("*.sh"), ".ci/run"]:
            yield f"shellcheck {name}", ["shellcheck", name]
    if "layers" in only:
        yield "layers", ["/usr/bin/python3", "tools/layers.py", "--headers"]
    if "python" in only:
        for name in listed("*.py"):
            yield f"python {name}", ["/usr/bin/python3", "-W", "error", "-c",
                                     "import ast, sys; ast.parse(open(sys.argv[1]).read())", name]


def run(job):
    name, command = job
    done = subprocess.run(command, cwd=ROOT, text=True, errors="replace", check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return name, done.returncode, done.stdout


def main():
    linters = ["clang-tidy", "clang-format", "cppcheck", "shellcheck", "layers", "python"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=linters)
    parser.add_argument("--nodes", default=ANALYZER_NODES, type=int)
    parser.add_argument("--match", default="", help="only files with this in their name")
    options = parser.parse_args()
    started = time.monotonic()
    failed = 0
    with (tempfile.TemporaryDirectory() as folder,
          concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool):
        work = [job for job in jobs(options.build.resolve(), options.only or linters,
                                    pathlib.Path(folder), options.nodes) if options.match in job[0]]
        for name, returncode, output in pool.map(run, work):
            if returncode:
                failed += 1
                print(f"FAIL {name}\n{output}")
    print(f"{len(work)} checks in {time.monotonic() - started:.0f} s")
    print(f"{len(work) - failed} passed, {failed} failed")
    return 1 if failed or not work else 0


if __name__ == "__main__":
    sys.exit(main())
