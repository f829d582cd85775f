#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures Detour beside a floor, nginx, HAProxy and h2o, on one core each, in one run.

Prints tables and keeps them in doc/bench/DATE.md and doc/bench/latest.md. A lost figure is
in them like a reached one.
"""
import argparse
import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import contestants as c  # noqa: E402: a neighbour, not a package
import measure  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = ["keepalive64", "pipelined16", "newconn", "routes10k", "idle9000", "instructions"]
IDLE_CONNECTIONS = 9_000
INSTRUCTION_REQUESTS = 4_000

# Stands for Detour's answer where Detour does not take part.
SAMPLE = (b"HTTP/1.1 307 Temporary Redirect\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
          b"Location: https://new.example.com/a/b\r\nContent-Length: 0\r\n\r\n")

METHOD = """\
CPU is user and system time of all of a server's processes, as the scheduler counts it,
divided by requests. Servers run on core {server}, the load generator on core {load}. Bursts of about
0.2 s alternate A B B A with the floor's, {pairs} pairs; a figure is the median, the interval in
brackets holds the true median in 95 of 100 cases; the ratio is the median of the pairs' ratios.
The floor sends the very bytes of Detour's answer and looks for nothing but the end of each head.
Every answer's status was checked. nginx and HAProxy keep the path (the cheapest redirect they
have), h2o and Detour take the matched prefix away. No server writes an access log.
"""


class Report:
    def __init__(self):
        self.lines = []
        self.missed = 0
        self.asked = 0

    def say(self, text=""):
        print(text, flush=True)
        self.lines.append(text)

    def table(self, title, head, rows):
        self.say(f"\n## {title}\n")
        widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
        for row in (head, ["-" * width for width in widths], *rows):
            self.say("| " + " | ".join(str(cell).ljust(width)
                                       for cell, width in zip(row, widths)) + " |")

    def failed(self, kind, error):
        """A server that did not get through is a row of the table, too."""
        print(f"{kind.name}: {error}", file=sys.stderr)
        if kind is c.Detour:
            self.asked += 1
            self.missed += 1
            return "NO: it failed"
        return "failed"

    def verdict(self, value, limit):
        self.asked += 1
        if value <= limit:
            return "yes"
        self.missed += 1
        return "NO"


class Bench:
    def __init__(self, options, folder):
        self.quick = options.quick
        self.pairs = options.pairs or (6 if options.quick else 20)
        self.folder = folder
        self.report = Report()
        self.detour = "detour" not in options.without
        known = [c.Detour, c.Nginx, c.Haproxy, c.H2o]
        self.kinds = [kind for kind in known if kind.name not in options.without]

    def fetch_answers(self):
        """The floor's answers are Detour's, byte by byte."""
        c.Floor.answer = SAMPLE
        c.Floor.answer_to_close = SAMPLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        if self.detour:
            server = c.Detour(self.folder).start()
            c.Floor.answer = server.ask("/old/a/b")
            c.Floor.answer_to_close = server.ask("/old/a/b", close=True)
            server.stop()

    def against_floor(self, title, connections, depth, limit):
        floor = c.Floor(self.folder, close=depth == 0).start()
        base = measure.Load(floor, "/old/a/b", connections, depth)
        rows = []
        floors = []
        try:
            # The floor beside itself comes first: it says how far chance goes.
            for kind in [c.Floor, *self.kinds]:
                options = {"close": depth == 0} if kind is c.Floor else {}
                server = kind(self.folder, **options)
                try:
                    server.start()
                    load = measure.Load(server, "/old/a/b", connections, depth)
                    found = measure.compare(load, base, self.pairs)
                    load.close()
                except (OSError, RuntimeError) as error:
                    rows.append([kind.name, "", "", "", "", self.report.failed(kind, error)])
                    continue
                finally:
                    server.stop()
                floors.append(found.base_us)
                ours = kind is c.Detour
                rows.append([kind.name + (" again" if kind is c.Floor else ""),
                             found.cost_us.text(2), f"{found.user_share:.0%}",
                             found.ratio.text(2), f"≤ {limit:.2f}" if ours else "",
                             self.report.verdict(found.ratio.median, limit) if ours else ""])
            base.close()
        finally:
            floor.stop()
        rows.insert(0, ["floor", floors[0].text(2), "", "1", "", ""])
        self.report.table(title, ["server", "CPU µs a request", "user", "× floor", "asked",
                                  "reached"], rows)

    def keepalive64(self):
        self.against_floor("HTTP/1.1 keep-alive, 64 connections", 64, 1, 1.08)

    def pipelined16(self):
        self.against_floor("HTTP/1.1, 16 pipelined, 64 connections", 64, 16, 1.6)

    def newconn(self):
        self.against_floor("New connection for each request, 64 at a time", 64, 0, 1.15)

    def routes10k(self):
        rows = []
        # h2o knows neither patterns nor exact paths; its 10,000 are all prefixes.
        plan = [(kind, route) for kind in self.kinds for route in c.KINDS
                if not (kind is c.H2o and route != "star")
                and not (self.quick and kind not in (c.Detour, c.Nginx))]
        for kind, route in plan:
            path = c.request_path(route)
            one = kind(self.folder, routes=route)
            many = kind(self.folder, routes="all")
            try:
                one.start(path)
                many.start(path)
                base = measure.Load(one, path, 64, 1)
                load = measure.Load(many, path, 64, 1)
                pairs = self.pairs if kind is c.Detour else min(self.pairs, 10)
                found = measure.compare(load, base, pairs)
                load.close()
                base.close()
            except (OSError, RuntimeError) as error:
                rows.append([kind.name, route, "", "", "", "", self.report.failed(kind, error)])
                continue
            finally:
                one.stop()
                many.stop()
            ours = kind is c.Detour
            rows.append([kind.name, route, found.base_us.text(2), found.cost_us.text(2),
                         found.ratio.text(2), "≤ 1.20" if ours else "",
                         self.report.verdict(found.ratio.median, 1.2) if ours else ""])
        self.report.table("10,000 routes, the last of each kind hit (the very last is `*`)",
                          ["server", "last", "one route, µs", "10,000 routes, µs",
                           "× one route", "asked", "reached"], rows)

    def idle9000(self):
        rows = []
        for kind in self.kinds:
            server = kind(self.folder)
            try:
                server.start()
                start, each = measure.idle_bytes(server, "/old/a/b", IDLE_CONNECTIONS)
            except (OSError, RuntimeError) as error:
                rows.append([kind.name, "", "", "", self.report.failed(kind, error), ""])
                continue
            finally:
                server.stop()
            ours = kind is c.Detour
            rows.append([kind.name, f"{start / 2**20:.1f} MiB", f"{each:.0f} B",
                         "≤ 400 B" if ours else "",
                         self.report.verdict(each, 400) if ours else "", kind.memory_note])
        self.report.table(f"{IDLE_CONNECTIONS:,} idle connections, user memory (PSS)",
                          ["server", "before", "each connection", "asked", "reached", "note"],
                          rows)

    def instructions(self):
        requests = INSTRUCTION_REQUESTS // (4 if self.quick else 1)
        counts = {}
        rows = []
        for kind in self.kinds:
            try:
                counts[kind.name] = measure.instructions(kind(self.folder), "/old/a/b", 64, 1,
                                                         requests)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                rows.append([kind.name, "", "", "", self.report.failed(kind, error)])
        nginx = counts.get("nginx")
        for name, count in counts.items():
            ours = name == "detour" and nginx
            rows.append([name, f"{count:.0f}", f"{count / nginx:.2f}" if nginx else "",
                         "≤ 0.50" if ours else "",
                         self.report.verdict(count / nginx, 0.5) if ours else ""])
        self.report.table("User instructions for a keep-alive request (callgrind)",
                          ["server", "instructions", "× nginx", "asked", "reached"], rows)

    def head(self):
        say = self.report.say
        say(f"# Benchmark of {datetime.date.today().isoformat()}\n")
        for key, value in measure.machine().items():
            say(f"- {key}: {value}")
        for kind in self.kinds:
            say(f"- {kind.name}: {kind.version()}")
        say()
        say(METHOD.format(server=c.SERVER_CORE, load=c.LOAD_CORE, pairs=self.pairs))

    def run(self, parts):
        started = time.monotonic()
        self.fetch_answers()
        self.head()
        for part in parts:
            getattr(self, part)()
        report = self.report
        report.say(f"\n{report.asked - report.missed} of {report.asked} figures reached, in "
                   f"{time.monotonic() - started:.0f} s, load after "
                   f"{os.getloadavg()[0]:.2f}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--quick", action="store_true", help="few pairs: two minutes")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--without", action="append", default=[],
                        choices=["detour", "nginx", "haproxy", "h2o"])
    parser.add_argument("--keep", action=argparse.BooleanOptionalAction, default=None,
                        help="write doc/bench; by default only a full run does")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    options = parser.parse_args()
    if os.cpu_count() < 2:
        print("the benchmarks want two cores: one for the server, one for the load",
              file=sys.stderr)
        return 2
    build = options.build.resolve()
    c.Detour.binary = build / "detour"
    c.Floor.binary = build / "test" / "bench" / "floor"
    measure.Load.binary = build / "test" / "bench" / "load"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="detour-bench-"))
    bench = Bench(options, folder)
    try:
        bench.run(options.parts or PARTS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    full = not options.quick and not options.parts and not options.without
    if options.keep or (options.keep is None and full):
        target = ROOT / "doc" / "bench"
        target.mkdir(parents=True, exist_ok=True)
        text = "\n".join(bench.report.lines) + "\n"
        for name in (f"{datetime.date.today().isoformat()}.md", "latest.md"):
            (target / name).write_text(text)
        print(f"kept in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
