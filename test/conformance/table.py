#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes what the clients of this machine make of redirects: doc/conformance.md, and the table alone as a
page of the manual.

usage: table.py PROGRAM MARKDOWN MANUAL
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

MANUAL_WORDS = {"standard": "yes", "allowed": "may", "wrong": "NO", "unseen": "-"}
MANUAL_HEAD = """detour-clients(7)

# NAME

detour-clients - what curl, Python, Node, Chromium and libdetour make of redirects

# DESCRIPTION

What *detour conformance* saw of these clients: _yes_, as the standard says; _may_, the standard leaves it
to the client; _NO_, wrong; -, not tried, or not to be told from the server's side. *detour conformance*
says what is right in each case, and what the client did.

"""
MANUAL_TAIL = """
*curl* is run as people run it: *-L*, and *-X* for methods other than GET, HEAD and POST. *web* and *rfc*
are the two modes of *libdetour*(3), as *detour trace* runs them, with a store.

# SEE ALSO

*detour-conformance*(1), *detour-trace*(1), *libdetour*(3)
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


def manual(found):
    """A terminal has 80 columns, and man takes 11 of them."""
    heads = ["curl", "urllib", "requests", "Node", "Chrom", "web", "rfc"]
    clients_named = "; ".join(f"*{head}* is {report['client']}" for head, report in zip(heads, found, strict=True))
    cases = [case["id"] for case in found[0]["cases"]]
    verdicts = [[MANUAL_WORDS[case["verdict"]] for case in report["cases"]] for report in found]
    columns = [["", *cases], *([head, *words] for head, words in zip(heads, verdicts, strict=True))]
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    lines = "".join("  ".join(cells).rstrip() + "\n" for cells in zip(*padded, strict=True))
    return f"{clients_named}.\n\n```\n{lines}```\n"


def details(report):
    out = f"\n## {report['client']}\n\n"
    for case in report["cases"]:
        if case["verdict"] in ("wrong", "allowed"):
            out += f"- {'**no**' if case['verdict'] == 'wrong' else 'allowed'}, {case['title']}: {case['saw']}\n"
    return out


def main():
    program, markdown, page = sys.argv[1:]
    found = list(reports(program))
    if None in found:
        sys.exit("table.py: no Chromium; see tools/browser.sh")
    Path(markdown).write_text(HEAD + "\n" + table(found) + "".join(map(details, found)), encoding="utf-8")
    Path(page).write_text(MANUAL_HEAD + manual(found) + MANUAL_TAIL, encoding="utf-8")


main()
