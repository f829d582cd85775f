# SPDX-License-Identifier: MIT
"""The figures of pools, on real servers: shares over all workers, keys that move, servers that flap."""

import re
import time
from collections import Counter

import pytest
from detourlib import FOREVER, Conn, wait_until
from healthlib import Farm, pools

REQUESTS, AT_ONCE = 100_000, 500
WEIGHTS = [10, 1, 7, 3, 5, 5, 2, 20, 4, 8]
SHARES = """
sites:
  - name: a
    hosts: [a.example]
    routes: [{name: any, path: "/*", pool: p}]
pools:
  p:
    health: off
    servers: [$SERVERS]
"""
KEYED = """
admin: {listen: "unix:$DIR/admin.sock"}
sites:
  - name: a
    hosts: [a.example]
    routes: [{name: any, path: "/*", pool: p}]
pools:
  p:
    balance: {hash: path}
    health: {$HEALTH}
    servers: [$SERVERS]
"""
FAST = "path: /healthz, interval: 100ms, timeout: 100ms, fall: 2, rise: 1"


def stream(server, targets):
    """Which hosts they are sent to, asked on one connection, many at a time."""
    hosts = []
    with Conn(server.address) as c:
        for begin in range(0, len(targets), AT_ONCE):
            batch = targets[begin : begin + AT_ONCE]
            c.send("".join(f"GET {t} HTTP/1.1\r\nHost: a.example\r\n\r\n" for t in batch))
            data, found = b"", []
            while len(found) < len(batch):
                got = c.sock.recv(1 << 20)
                assert got, data[-500:]
                data += got
                if data.count(b"\r\nLocation: ") >= len(batch):
                    found = re.findall(rb"\r\nLocation: https?://([^/:]+)", data)
            hosts += [host.decode() for host in found]
    assert len(hosts) == len(targets)
    return hosts


def test_shares_are_exact_over_every_worker(detour):
    """Within 1 % of each weight, however unevenly the kernel spreads connections over workers."""
    servers = ", ".join(f'{{url: "https://s{i}.example", weight: {w}}}' for i, w in enumerate(WEIGHTS))
    server = detour(SHARES, SERVERS=servers, workers=3, metrics=True)
    got = Counter()
    for _ in range(20):
        got.update(stream(server, ["/x"] * (REQUESTS // 20)))
    for i, weight in enumerate(WEIGHTS):
        wanted = REQUESTS * weight / sum(WEIGHTS)
        assert abs(got[f"s{i}.example"] - wanted) <= wanted / 100, (i, got, wanted)


@pytest.fixture
def farm(folder):
    farm = Farm(folder)
    yield farm
    farm.close()


def test_one_of_ten_leaves(detour, farm):
    """Two nodes and all of their workers send each key to the same server, and when one dies, moves no other."""
    for _ in range(10):
        farm.add()
    nodes = [detour(KEYED, HEALTH=FAST, SERVERS=farm.stanza(), workers=n) for n in (3, 2)]
    targets = [f"/key/{i}" for i in range(2000)]
    gone = farm.servers[3]

    def placed():
        """The same for each connection to each node, or nothing."""
        found = [stream(node, targets) for node in nodes for _ in range(4)]
        return found[0] if all(one == found[0] for one in found) else None

    before = placed()
    assert before and 100 < min(Counter(before).values()) and len(set(before)) == 10
    gone.kill()
    after = wait_until(lambda: (now := placed()) and gone.address not in now and now, FOREVER)
    assert {k for k in range(2000) if before[k] != after[k]} == {k for k in range(2000) if before[k] == gone.address}
    gone.start()
    wait_until(lambda: placed() == before, FOREVER, "all keys are where they were")


@pytest.mark.slow
def test_two_flaps_a_second_for_a_minute(detour, farm):
    """Up at most once in a hold-down."""
    hold_down_s, minute_s = 10, 60
    first, _ = farm.add(), farm.add()
    server = detour(KEYED, HEALTH=f"path: /healthz, interval: 100ms, fall: 1, rise: 1, hold_down: {hold_down_s}s",
                    SERVERS=farm.stanza(), workers=1)
    wait_until(lambda: pools(server)["s0"]["health"]["checked"])
    end = time.monotonic() + minute_s
    while time.monotonic() < end:
        first.mark("sick")
        time.sleep(0.25)
        first.unmark("sick")
        time.sleep(0.25)
    ups = server.stderr().count("server p/s0 is up")
    assert 1 <= ups <= minute_s / hold_down_s, server.stderr()
