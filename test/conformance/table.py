#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes doc/conformance.md: what the clients of this machine make of redirects.

usage: table.py PROGRAM OUTPUT
"""
import sys
from pathlib import Path

import clients

WORDS = {"standard": "yes", "allowed": "allowed", "wrong": "**no**", "unseen": "–"}
HEAD = """# What clients make of redirects

Made by `make conformance`, which runs `detour conformance` and these clients against it. `yes`: as the
standard says. `allowed`: the standard leaves it to the client. `no`: wrong. `–`: not tried, or not to be
told from the server's side. What was seen where it was wrong or allowed stands below the table.

curl is run as people run it: `-L`, and `-X` for methods other than GET, HEAD and POST, which is what
makes it keep PUT and DELETE on 303. libdetour is run as `detour trace`, with a store.
How it works: [internals/conformance.md](internals/conformance.md); how to judge another client:
`man detour-conformance`.
"""


def reports(program):
    python = ".".join(str(n) for n in sys.version_info[:3])
    with clients.Referee(program) as referee:
        base = referee.base
        yield clients.run(base, "curl", clients.curl_name(), clients.curl)
        yield clients.run(base, "urllib", f"Python {python}, urllib", clients.urllib_request)
        yield clients.run(base, "requests", f"requests {requests_version()}", clients.requests)
        yield clients.node(base, "node")
        yield clients.chromium(base, "chromium")
        for mode in "browser", "rfc":
            yield clients.run(base, mode, f"libdetour, {mode} mode", clients.trace(program, mode))


def requests_version():
    import requests  # pylint: disable=import-outside-toplevel

    return requests.__version__


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def table(found):
    out = row(["case", "right", *[r["client"] for r in found]]) + row(["---"] * (len(found) + 2))
    for i, case in enumerate(found[0]["cases"]):
        out += row([case["title"], f"{case['right']} ({case['section']})",
                    *[WORDS[r["cases"][i]["verdict"]] for r in found]])
    sums = [f"{r['standard']} / {r['allowed']} / {r['wrong']} / {r['unseen']}" for r in found]
    return out + row(["**yes / allowed / no / –**", "", *sums])


def details(report):
    out = f"\n## {report['client']}\n\n"
    for case in report["cases"]:
        if case["verdict"] in ("wrong", "allowed"):
            out += f"- {'**no**' if case['verdict'] == 'wrong' else 'allowed'}, {case['title']}: {case['saw']}\n"
    return out


def main():
    program, output = sys.argv[1:]
    found = [r for r in reports(program) if r is not None]
    Path(output).write_text(HEAD + "\n" + table(found) + "".join(map(details, found)), encoding="utf-8")


main()
