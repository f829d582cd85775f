# SPDX-License-Identifier: MIT
"""The client's policy: nanoseconds and instructions for a hop."""
import pathlib
import re
import statistics
import subprocess

HOPS = 3
LIMIT_NS = 1_000


def instructions(binary, chains):
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(binary),
         str(chains)], text=True, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def policy(bench, build):
    """Two numbers of chains, so that what starting costs falls out."""
    binary = pathlib.Path(build) / "test" / "bench" / "policy"
    chains = 20_000 if bench.quick else 100_000
    runs = [float(subprocess.run([str(binary), str(chains)], text=True, check=True,
                                 stdout=subprocess.PIPE).stdout) for _ in range(9)]
    few, many = 200, 1_200
    count = (instructions(binary, many) - instructions(binary, few)) / (many - few) / HOPS
    median = statistics.median(runs)
    bench.report.table("The client's policy, a hop in a chain of three, its beginning included",
                       ["CPU ns", "least", "instructions", "asked", "reached"],
                       [[f"{median:.0f}", f"{min(runs):.0f}", f"{count:,.0f}", f"≤ {LIMIT_NS} ns",
                         bench.report.verdict(median, LIMIT_NS)]])
