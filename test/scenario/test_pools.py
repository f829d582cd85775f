# SPDX-License-Identifier: MIT
"""Pools: everybody gets the share that was asked for, a key stays with its server, and a
server that leaves takes only its own keys along."""

from collections import Counter

import pytest
from detourlib import SLACK, wait_until

CONFIG = """
workers: 1
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: weighted, path: "/weighted/*", pool: weighted}
      - {name: turns, path: "/turns/*", pool: turns}
      - {name: empty, path: "/empty/*", pool: empty}
      - {name: spare, path: "/spare/*", pool: spare}
      - {name: fallback, path: "/fallback/*", pool: fallback}
      - {name: nobody, path: "/nobody/*", pool: nobody}
pools:
  weighted:
    balance: weighted
    servers:
      - {name: a, url: "https://a.example.net", weight: 5}
      - {name: b, url: "https://b.example.net", weight: 2}
      - {name: c, url: "https://c.example.net", weight: 1}
      - {name: z, url: "https://z.example.net", weight: 0}
  turns:
    balance: round-robin
    servers:
      - {name: a, url: "https://a.example.net"}
      - {name: b, url: "https://b.example.net"}
      - {name: c, url: "https://c.example.net"}
  empty:
    balance: weighted
    servers: [{name: a, url: "https://a.example.net", family: ipv6}]
    fallback: {status: 503, retry_after: 30s}
  spare:
    balance: weighted
    servers:
      - {name: a, url: "https://a.example.net", weight: 0}
      - {name: b, url: "https://b.example.net", weight: 1, priority: 2}
  fallback:
    balance: weighted
    servers: [{name: a, url: "https://a.example.net", family: ipv6}]
    fallback: {to: "https://spare.example.net{+path}"}
  nobody:
    balance: weighted
    servers: [{name: a, url: "https://a.example.net", family: ipv6}]
"""

CONFIG_HASH = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", pool: hashed}
pools:
  hashed:
    balance: hash
    servers: [$SERVERS]
"""
NAMES = ["a", "b", "c", "d", "e"]


def servers(names):
    return ", ".join(f'{{name: {n}, url: "https://{n}.example.net"}}' for n in names)


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG, workers=1)


def ask(server, target, count):
    """Which servers `count` requests on one connection are sent to, in order."""
    out = []
    with server.connect() as c:
        for i in range(count):
            c.send(f"GET {target}{i} HTTP/1.1\r\nHost: a.example\r\n\r\n")
            location = c.response().location
            assert location.endswith(f"{target}{i}")
            out.append(location[len("https://")])
    return out


def test_weighted_is_exact_over_full_cycles(server):
    for cycles in [1, 10, 100]:
        got = Counter(ask(server, "/weighted/", 8 * cycles))
        assert got == {"a": 5 * cycles, "b": 2 * cycles, "c": cycles}


def test_weighted_is_smooth(server):
    """No server gets its share in one block."""
    got = "".join(ask(server, "/weighted/", 80))
    assert "aaaaa" not in got * 2
    assert "bb" not in got


def test_round_robin(server):
    got = ask(server, "/turns/", 300)
    assert Counter(got) == {"a": 100, "b": 100, "c": 100}
    assert all(len(set(got[i : i + 3])) == 3 for i in range(0, 300, 3))


def test_fallback_when_nobody_is_left(server):
    r = server.get("/empty/x")
    assert (r.status, r["Retry-After"]) == (503, "30")
    assert server.get("/nobody/x").status == 503
    assert server.get("/fallback/x?y").location == "https://spare.example.net/fallback/x?y"


def test_the_next_priority_when_the_first_has_nobody(server):
    assert server.get("/spare/x").location == "https://b.example.net/spare/x"


def placed(server, keys=400):
    with server.connect() as c:
        out = {}
        for i in range(keys):
            c.send(f"GET /key/{i} HTTP/1.1\r\nHost: a.example\r\n\r\n")
            out[i] = c.response().location.split("/")[2]
        return out


def test_hash_is_stable_and_moves_only_the_keys_of_who_left(detour):
    server = detour(CONFIG_HASH, SERVERS=servers(NAMES))
    before = placed(server)
    assert placed(server) == before
    spread = Counter(before.values())
    assert len(spread) == 5 and min(spread.values()) > 400 / 5 / 3
    server.values["SERVERS"] = servers([n for n in NAMES if n != "c"])
    server.reload(CONFIG_HASH)
    wait_until(lambda: "c.example.net" not in placed(server).values(), 1 * SLACK)
    after = placed(server)
    moved = {k for k in before if before[k] != after[k]}
    assert moved == {k for k in before if before[k] == "c.example.net"}
    server.values["SERVERS"] = servers(reversed(NAMES))
    server.reload(CONFIG_HASH)
    wait_until(lambda: placed(server) == before, 1 * SLACK, "the old places, whatever the order in the file")


def test_hash_is_the_same_in_every_worker_and_after_a_restart(detour):
    first = detour(CONFIG_HASH, SERVERS=servers(NAMES), workers=3)
    second = detour(CONFIG_HASH, SERVERS=servers(NAMES), workers=1)
    assert placed(first, 50) == placed(first, 50) == placed(second, 50)
