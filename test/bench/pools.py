# SPDX-License-Identifier: MIT
"""Choosing a server of a pool: nanoseconds, with few servers and with a thousand, some of them down."""
import pathlib
import statistics
import subprocess

LIMIT_NS = 150
SIZES = (10, 1000)
# What is asked of all but `nearest`, which has a figure of its own: half of weighted's rate.
KINDS = {"weighted": LIMIT_NS, "hash": LIMIT_NS, "nearest": LIMIT_NS, "nearest-cold": None}


def choose(binary, kind, servers, down, choices):
    runs = [float(subprocess.run([str(binary), kind, str(servers), str(down), str(choices)], text=True,
                                 check=True, stdout=subprocess.PIPE).stdout) for _ in range(5)]
    return statistics.median(runs)


def pools(bench, build):
    binary = pathlib.Path(build) / "test" / "bench" / "pools"
    choices = 200_000 if bench.quick else 1_000_000
    rows = []
    for kind, limit in KINDS.items():
        for servers in SIZES:
            for down in (0, 10):
                ns = choose(binary, kind, servers, down, choices)
                asked = f"≤ {limit} ns" if limit else ""
                rows.append([f"{kind}, {servers:,} servers, {down} % down", f"{ns:.0f}", asked,
                             bench.report.verdict(ns, limit) if limit else ""])
    bench.report.table("Choosing a server", ["pool", "CPU ns", "asked", "reached"], rows)
