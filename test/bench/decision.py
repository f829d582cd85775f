# SPDX-License-Identifier: MIT
"""A question of a proxy beside the redirect itself: the same route, asked about and asked for."""
import pathlib
import subprocess

import contestants as c
import measure

PREFIX = "/.well-known/detour/decide"
LIMIT = 1.05
# What each form says of the original, and where.
FORMS = {
    "X-Forwarded-Uri": ("/decide", ("X-Forwarded-Method: GET", "X-Forwarded-Proto: http", "X-Forwarded-Host: localhost",
                                    "X-Forwarded-Uri: /old/a/b", "X-Forwarded-For: 192.0.2.1")),
    "X-Original-URL": ("/", ("X-Original-Method: GET", "X-Original-URL: http://localhost/old/a/b",
                             "X-Forwarded-For: 192.0.2.1")),
    "path": (PREFIX + "/old/a/b", ("X-Forwarded-Proto: http", "X-Forwarded-For: 192.0.2.1")),
}


class Asked(c.Detour):
    def __init__(self, folder, original, **rest):
        super().__init__(folder, **rest)
        self.original = original
        self.path, self.fields = FORMS[original]

    def command(self):
        command = super().command()
        file = pathlib.Path(command[-1])
        first, rest = file.read_text().split("\n", 1)
        address = first.split(" ", 1)[1]
        file.write_text(f"listen: {{address: {address}, answer: decision, original: {self.original}}}\n"
                        "trusted_proxies: [127.0.0.0/8]\nforwarded_header: X-Forwarded-For\n" + rest)
        return command


def decision(bench):
    times(bench)
    instructions(bench)


def times(bench):
    rows = []
    redirect = c.Detour(bench.folder).start()
    try:
        base = measure.Load(redirect, "/old/a/b", 64, 1)
        for original in FORMS:
            asked = Asked(bench.folder, original)
            try:
                asked.start(asked.path)
                load = measure.Load(asked, asked.path, 64, 1)
                found = measure.compare(load, base, bench.pairs)
                load.close()
            except (OSError, RuntimeError) as error:
                rows.append([original, "", "", "", "", bench.report.failed(Asked, error)])
                continue
            finally:
                asked.stop()
            rows.append([original, found.base_us.text(2), found.cost_us.text(2), found.ratio.text(2),
                         f"≤ {LIMIT:.2f}", bench.report.verdict(found.ratio.median, LIMIT)])
        base.close()
    finally:
        redirect.stop()
    bench.report.table("Asked by a proxy about a request, keep-alive, 64 connections",
                       ["the original is in", "a redirect, µs", "a decision, µs", "× a redirect", "asked", "reached"], rows)


def instructions(bench):
    requests = 4_000 // (4 if bench.quick else 1)
    rows = []
    plain = None
    for original in [None, *FORMS]:
        server = Asked(bench.folder, original) if original else c.Detour(bench.folder)
        try:
            count = measure.instructions(server, server.path if original else "/old/a/b", 64, 1, requests)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            rows.append([original or "a redirect", "", bench.report.failed(c.Detour, error)])
            continue
        plain = plain or count
        rows.append([original or "a redirect", f"{count:,.0f}", f"{count / plain:.3f}"])
    bench.report.table("Asked by a proxy, user instructions for a keep-alive request (callgrind)",
                       ["the original is in", "instructions", "× a redirect"], rows)
