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
import audit  # noqa: E402: a neighbour, not a package
import changes  # noqa: E402: a neighbour, not a package
import contestants as c  # noqa: E402
import decision  # noqa: E402
import measure  # noqa: E402
import passing  # noqa: E402
import policy  # noqa: E402
import pools  # noqa: E402
import probes  # noqa: E402
import promises  # noqa: E402
import uploads  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = ["keepalive64", "pipelined16", "newconn", "h2clear32", "h2tls32", "tlskeepalive64",
         "tlsfull", "tlsresumed", "uploads", "drain1g", "routes10k", "idle9000", "instructions",
         "detours", "changes", "decision", "origin", "audit", "policy", "pools", "promises",
         "probes"]
IDLE_CONNECTIONS = 9_000
INSTRUCTION_REQUESTS = 4_000

# Stands for Detour's answer where Detour does not take part.
SAMPLE = (b"HTTP/1.1 307 Temporary Redirect\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
          b"Location: https://new.example.com/a/b\r\nContent-Length: 0\r\n\r\n")

METHOD = """\
CPU is user and system time of all of a server's processes, as the scheduler counts it,
divided by requests. Servers run on core {server}, the load generator on core {load}. Bursts of
about 0.2 s alternate A B B A with the floor's, {pairs} pairs; a figure is the median, the interval in
brackets holds the true median in 95 of 100 cases; the ratio is the median of the pairs' ratios.
The floor sends the very bytes of Detour's answer and looks for nothing but the end of each head;
for HTTP/2 it is nghttp2 with its defaults, which sends the same fields. For TLS both have plain
OpenSSL; it is 1.3 with ECDSA P-256, X25519 and TLS_AES_128_GCM_SHA256. Where connections are opened
for one request, what is counted is both, and the handshake's kind was checked, too.
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

    def against_floor(self, title, connections, depth, limit=None, ahead=False, speaks=c.CLEAR,
                      handshake="full"):
        """limit: of the ratio to the floor. ahead: of the three others, too."""
        floor_kind = c.FloorH2 if speaks in (c.H2, c.H2TLS) else c.Floor
        load_options = {"connections": connections, "depth": depth, "handshake": handshake}
        floor = floor_kind(self.folder, close=depth == 0, speaks=speaks).start()
        base = measure.Load(floor, "/old/a/b", **load_options)
        found = {}
        failed = {}
        try:
            # The floor beside itself comes first: it says how far chance goes.
            for kind in [floor_kind, *self.kinds]:
                options = {"close": depth == 0} if kind is floor_kind else {}
                server = kind(self.folder, speaks=speaks, **options)
                try:
                    server.start()
                    load = measure.Load(server, "/old/a/b", **load_options)
                    found[kind] = measure.compare(load, base, self.pairs)
                    load.close()
                except (OSError, RuntimeError) as error:
                    failed[kind] = self.report.failed(kind, error)
                finally:
                    server.stop()
            base.close()
        finally:
            floor.stop()
        self.floor_table(title, limit, ahead, floor_kind, found, failed)

    def floor_table(self, title, limit, ahead, floor_kind, found, failed):
        others = [each.ratio.median for kind, each in found.items()
                  if kind not in (floor_kind, c.Detour)]
        bound = min([limit] * (limit is not None) + others * ahead, default=None)
        rows = [[floor_kind.name, each.base_us.text(2), "", "1", "", ""]
                for each in list(found.values())[:1]]
        for kind in [floor_kind, *self.kinds]:
            if kind in failed:
                rows.append([kind.name, "", "", "", "", failed[kind]])
                continue
            each = found[kind]
            asked = reached = ""
            if kind is c.Detour and bound is not None:
                asked = f"≤ {bound:.2f}"
                reached = self.report.verdict(each.ratio.median, bound)
            rows.append([kind.name + (" again" if kind is floor_kind else ""),
                         each.cost_us.text(2), f"{each.user_share:.0%}", each.ratio.text(2),
                         asked, reached])
        self.report.table(title, ["server", "CPU µs a request", "user", "× floor", "asked",
                                  "reached"], rows)
        if floor_kind is c.FloorH2 and c.Detour in found and c.H2o in found:
            ratio = found[c.Detour].ratio.median / found[c.H2o].ratio.median
            self.report.say(f"\nDetour takes {ratio:.2f} times the CPU of h2o.")

    def keepalive64(self):
        self.against_floor("HTTP/1.1 keep-alive, 64 connections", 64, 1, 1.08)

    def pipelined16(self):
        self.against_floor("HTTP/1.1, 16 pipelined, 64 connections", 64, 16, 1.6)

    def newconn(self):
        self.against_floor("New connection for each request, 64 at a time", 64, 0, 1.15)

    def h2clear32(self):
        self.against_floor("HTTP/2 with prior knowledge, 16 connections of 32 streams",
                           16, 32, 1.15, speaks=c.H2)

    def h2tls32(self):
        self.against_floor("HTTP/2 over TLS 1.3, 16 connections of 32 streams",
                           16, 32, 1.15, speaks=c.H2TLS)

    def tlskeepalive64(self):
        self.against_floor("HTTP/1.1 keep-alive over TLS 1.3, 64 connections",
                           64, 1, ahead=True, speaks=c.TLS)

    def tlsfull(self):
        self.against_floor("TLS 1.3, a full handshake for each request, 64 at a time",
                           64, 0, 1.15, ahead=True, speaks=c.TLS)

    def tlsresumed(self):
        self.against_floor("TLS 1.3, a resumed handshake for each request, 64 at a time",
                           64, 0, 1.15, ahead=True, speaks=c.TLS, handshake="resumed")

    def uploads(self):
        uploads.uploads(self)

    def drain1g(self):
        uploads.drain1g(self)

    def detours(self):
        changes.detours(self)

    def changes(self):
        changes.changes(self)

    def decision(self):
        decision.decision(self)

    def origin(self):
        passing.passing(self)

    def audit(self):
        audit.audit(self)

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
        self.keepalive_instructions(requests)
        self.floor_instructions("a request over HTTP/2 in clear", requests, 1.15,
                                c.FloorH2, 16, 32, c.H2)
        self.floor_instructions("a full TLS 1.3 handshake and its request", requests // 10, 1.15,
                                c.Floor, 16, 0, c.TLS)
        self.floor_instructions("a resumed TLS 1.3 handshake and its request", requests // 10,
                                1.15, c.Floor, 16, 0, c.TLS, "resumed")

    def floor_instructions(self, title, requests, limit, floor_kind, connections, depth, speaks,
                           handshake="full"):
        counts = {}
        rows = []
        for kind in [floor_kind, *self.kinds]:
            options = {"close": depth == 0} if kind is floor_kind else {}
            try:
                counts[kind] = measure.instructions(
                    kind(self.folder, speaks=speaks, **options), "/old/a/b", connections, depth,
                    requests, handshake)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                rows.append([kind.name, "", "", "", self.report.failed(kind, error)])
        for kind, count in counts.items():
            ratio = count / counts[floor_kind] if floor_kind in counts else 0
            ours = kind is c.Detour and ratio > 0
            rows.append([kind.name, f"{count:,.0f}", f"{ratio:.2f}",
                         f"≤ {limit:.2f}" if ours else "",
                         self.report.verdict(ratio, limit) if ours else ""])
        self.report.table(f"User instructions for {title} (callgrind)",
                          ["server", "instructions", "× floor", "asked", "reached"], rows)

    def keepalive_instructions(self, requests):
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

    def policy(self):
        policy.policy(self, c.Detour.binary.parent)

    def pools(self):
        pools.pools(self, c.Detour.binary.parent)

    def promises(self):
        promises.promises(self)

    def probes(self):
        probes.probes(self)

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
    uploads.Reader.binary = build / "test" / "bench" / "reader"
    measure.Load.binary = build / "test" / "bench" / "load"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="detour-bench-"))
    bench = Bench(options, folder)
    try:
        c.make_certificate(folder)
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
