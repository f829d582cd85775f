# SPDX-License-Identifier: MIT
"""What pools promise of whom clients are sent to: shares, keys that stay, and how soon nobody is sent to a server
that has died."""
import collections
import pathlib
import re
import socket
import time

import contestants as c

REQUESTS, AT_ONCE, CONNECTIONS, KEYS = 100_000, 500, 20, 10_000
WEIGHTS = (10, 1, 7, 3, 5, 5, 2, 20, 4, 8)
LIMIT_SHARE = 1.0  # per cent of its weight
FALL, INTERVAL_S, TIMEOUT_S = 2, 0.5, 0.2
LIMIT_DEAD_S = FALL * INTERVAL_S + TIMEOUT_S + INTERVAL_S / 10 + 0.2
DEATHS = 5
NAMED = re.compile(rb"\r\nLocation: https?://([^/\r]+)/")


class Pooled(c.Detour):
    """A pool on three workers; servers: as the file lists them."""

    def __init__(self, folder, keys, servers):
        super().__init__(folder)
        self.keys, self.servers = keys, servers

    def command(self):
        command = super().command()
        file = pathlib.Path(command[-1])
        lines = file.read_text().replace("workers: 1", "workers: 3").splitlines()[:-1]
        lines += ['      - {name: old, path: "/old/*", pool: p}', "pools:", "  p:", f"    {self.keys}",
                  "    servers:", *(f"      - {server}" for server in self.servers)]
        file.write_text("\n".join(lines) + "\n")
        return command


def stream(port, paths):
    """Whom each of them is sent to, on one connection."""
    hosts = []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
        for begin in range(0, len(paths), AT_ONCE):
            batch = paths[begin:begin + AT_ONCE]
            peer.sendall("".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in batch).encode())
            data, found = b"", []
            while len(found) < len(batch):
                got = peer.recv(1 << 20)
                if not got:
                    raise RuntimeError("detour closed the connection")
                data += got
                if data.count(b"\r\nLocation: ") >= len(batch):
                    found = NAMED.findall(data)
            hosts += found
    return hosts


def worst_share(bench):
    """How far the server is off that is farthest off its weight, in per cent of it."""
    servers = [f'{{url: "https://s{i}.example", weight: {w}}}' for i, w in enumerate(WEIGHTS)]
    server = Pooled(bench.folder, "health: off", servers).start()
    try:
        got = collections.Counter()
        for _ in range(CONNECTIONS):
            got.update(stream(server.port, ["/old/a"] * (REQUESTS // CONNECTIONS)))
    finally:
        server.stop()
    wanted = {f"s{i}.example".encode(): REQUESTS * w / sum(WEIGHTS) for i, w in enumerate(WEIGHTS)}
    return max(abs(got[host] - count) / count * 100 for host, count in wanted.items())


def moved_keys(bench):
    """Of the keys of nine servers, how many move when the tenth leaves; one of ten has left another node."""
    servers = [f'"https://s{i}.example"' for i in range(10)]
    found = []
    for these in (servers, servers[:3] + servers[4:]):
        server = Pooled(bench.folder, "balance: hash\n    health: off", these).start()
        try:
            found.append(stream(server.port, [f"/old/{i}" for i in range(KEYS)]))
        finally:
            server.stop()
    return sum(a != b and a != b"s3.example" for a, b in zip(*found))


def last_sent_s(bench):
    """How long after its death a server still receives somebody."""
    health = (f"health: {{path: /old/a, expect: {{status: 307}}, interval: {int(INTERVAL_S * 1000)}ms, "
              f"timeout: {int(TIMEOUT_S * 1000)}ms, fall: {FALL}, rise: 1}}")
    first, other = (c.Nginx(bench.folder).start() for _ in range(2))
    server = Pooled(bench.folder, health, [f'"http://127.0.0.1:{each.port}"' for each in (first, other)]).start()
    try:
        time.sleep(4 * INTERVAL_S)
        dead = f"127.0.0.1:{first.port}".encode()
        died = last = time.monotonic()
        first.stop()
        while time.monotonic() < died + 2 * LIMIT_DEAD_S:
            now = time.monotonic()
            last = now if dead in stream(server.port, ["/old/a"] * 20) else last
        return last - died
    finally:
        server.stop()
        other.stop()


def promises(bench):
    share, moved = worst_share(bench), moved_keys(bench)
    dead_s = max(last_sent_s(bench) for _ in range(1 if bench.quick else DEATHS))
    verdict = bench.report.verdict
    bench.report.table("Whom a pool sends clients to, three workers", ["", "measured", "asked", "reached"], [
        [f"{REQUESTS:,} requests, ten servers: the largest error of a share", f"{share:.2f} % of its weight",
         f"≤ {LIMIT_SHARE:.0f} %", verdict(share, LIMIT_SHARE)],
        [f"hash, {KEYS:,} keys: one of ten leaves, keys of others that move", moved, "0", verdict(moved, 0)],
        [f"a server dies, and the last client is sent there (fall {FALL}, interval {INTERVAL_S} s, "
         f"timeout {TIMEOUT_S} s)", f"{dead_s:.2f} s", f"≤ {LIMIT_DEAD_S:.2f} s", verdict(dead_s, LIMIT_DEAD_S)]])
