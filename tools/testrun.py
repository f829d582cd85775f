#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs every test of a build: the compiled ones by meson, the others by pytest.

Prints what failed, and as its last line `N passed, N failed`. A cmocka program counts as
many tests as it has test functions, a fuzz driver as many as its corpus has files, a
program that says nothing about itself as one.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPILED = ["unit", "property", "fuzz", "stress", "lint"]
SCRIPTED = ["scenario", "golden"]
ALONE_MAX = 10  # more failures than that are no accident
TAP_LINE = re.compile(r"^(not )?ok \d+(.*)$", re.MULTILINE)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def tally_program(name, result, returncode, output):
    """Counts one compiled program by the TAP lines it printed."""
    tally = Tally()
    for bad, rest in TAP_LINE.findall(output):
        if re.search(r"# *skip", rest, re.IGNORECASE):  # cmocka writes "not ok 8 # SKIP"
            tally.skipped += 1
        elif bad:
            tally.failed += 1
        else:
            tally.passed += 1
    good = result in ("OK", "EXPECTEDFAIL")
    if result == "SKIP":
        tally.skipped += 1
    elif good and tally.passed + tally.failed + tally.skipped == 0:
        tally.passed = 1
    elif not good and tally.failed == 0:
        tally.failed = 1  # it crashed, hung, or a sanitizer ended it
    elif good and tally.failed:
        print(f"{name}: exit {returncode}, but {tally.failed} tests failed")
    return tally


def run_compiled(build, suites, timeout_factor):
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    log = build / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["/usr/bin/meson", "test", "-C", str(build), "--quiet", "-t", str(timeout_factor)]
    for suite in suites:
        command += ["--suite", suite]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    tally = Tally()
    if not log.exists():
        if "No suitable tests" in done.stdout:
            return tally
        print(done.stdout)
        tally.failed = 1
        return tally
    for line in log.read_text(errors="replace").splitlines():
        entry = json.loads(line)
        output = entry.get("stdout") or ""
        one = tally_program(entry["name"], entry["result"], entry["returncode"], output)
        tally.add(one)
        mark = "FAIL" if one.failed else "ok"
        skipped = f", {one.skipped} skipped" if one.skipped else ""
        print(f"{mark:5}{entry['name']:34}{one.passed:5} passed{skipped}"
              + (f", {one.failed} failed" if one.failed else ""))
        if one.failed:
            print(output[-6000:])
            print((entry.get("stderr") or "")[-6000:])
    return tally


def pytest_command(report, extra, places):
    return ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider",
            "--durations=20", "--durations-min=2",
            f"--junitxml={report}", "-o", "junit_family=xunit2", *extra, *map(str, places)]


def tally_report(report):
    """Counts the tests of a report, and gives the places of those that passed and failed."""
    tally = Tally()
    passed, failed = [], []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        outcomes = {child.tag for child in case}
        place = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        if outcomes & {"failure", "error"}:
            failed.append(place)
        elif "skipped" in outcomes:
            tally.skipped += 1
        else:
            passed.append(place)
    tally.passed, tally.failed = len(passed), len(failed)
    return tally, passed, failed


def run_alone(places, folder, report, env, extra):
    """Runs what failed among others once more, one by one, and gives how many passed now. A
    scenario looks at a real server from outside, and beside others on two cores it may look
    too early; what fails alone as well is a failure."""
    print(f"{len(places)} failed among others; alone:", flush=True)
    report.unlink(missing_ok=True)
    command = pytest_command(report, extra, [folder / place for place in places])
    subprocess.run(command, env=env, cwd=ROOT, check=False)
    passed = tally_report(report)[1] if report.exists() else []
    for place in passed:
        print(f"passed alone, after it failed among others: {place}")
    return len(passed)


def run_pytest(build, program, folder, jobs, extra):
    report = build / f"{folder.name}.xml"
    report.unlink(missing_ok=True)
    env = dict(os.environ, DETOUR_BIN=str(program), PYTHONDONTWRITEBYTECODE="1")
    command = pytest_command(report, extra, [folder])
    if jobs > 1:
        command += ["-n", str(jobs), "--dist", "loadfile"]  # each in a network of its own
    done = subprocess.run(command, env=env, cwd=ROOT, check=False)
    tally = Tally()
    if not report.exists():
        print(f"pytest ended with {done.returncode} and wrote no report")
        tally.failed = 1
        return tally
    tally, _, failed = tally_report(report)
    if 0 < len(failed) <= ALONE_MAX and jobs > 1:
        passed_now = run_alone(failed, folder, build / f"{folder.name}-alone.xml", env, extra)
        tally.passed += passed_now
        tally.failed -= passed_now
    elif done.returncode not in (0, 5) and tally.failed == 0:
        print(f"pytest ended with {done.returncode}")
        tally.failed = 1
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path,
                        help="what the scenarios drive; BUILD/detour when it is not given")
    parser.add_argument("--timeout-factor", default="1")
    parser.add_argument("--jobs", type=int, default=4,
                        help="scenarios at a time; they wait more than they work")
    parser.add_argument("--pytest", default=[], action="append",
                        help="one more argument for pytest")
    parser.add_argument("parts", nargs="*", choices=[*COMPILED, *SCRIPTED, []],
                        help="only these; all when none is named")
    options = parser.parse_args()
    build = options.build.resolve()
    parts = options.parts or [*COMPILED, *SCRIPTED]

    total = Tally()
    compiled = [part for part in COMPILED if part in parts]
    if compiled:
        total.add(run_compiled(build, compiled, options.timeout_factor))
    folders = [ROOT / "test" / part for part in SCRIPTED if part in parts]
    folders = [folder for folder in folders if any(folder.glob("**/test_*.py"))]
    for folder in folders:
        sys.stdout.flush()
        program = (options.program or build / "detour").resolve()
        jobs = options.jobs if folder.name == "scenario" else 1
        total.add(run_pytest(build, program, folder, jobs, options.pytest))
    if total.skipped:
        print(f"{total.skipped} skipped")
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
