# SPDX-License-Identifier: MIT
"""What is probed may answer anything: without an end, one byte at a time, nonsense, or somewhere else. Each is what
its answers say, the others are not kept waiting, and control does not grow."""

import contextlib
import itertools
import socket
import threading
import time
from pathlib import Path

from detourlib import SANDBOX, free_port, wait_until
from healthlib import given, pools

CONFIG = """
admin: {listen: "unix:$DIR/admin.sock"}
sites:
  - name: a
    hosts: [a.example]
    routes: [{name: any, path: "/*", pool: p}]
pools:
  p:
    health: {$HEALTH}
    servers: [$SERVERS]
"""
FAST = "path: /, interval: 300ms, timeout: 250ms, fall: 1, rise: 1"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def forever(begin, piece):
    return itertools.chain([begin], itertools.repeat(piece))


def slowly(text):
    for byte in text:
        yield bytes([byte])
        time.sleep(0.05)


# name: (what it sends, whether that is an answer of a server that is well, or why not)
ANSWERS = {
    "well": (lambda: [OK + b"Content-Length: 4\r\n\r\nwell"], None),
    "endless": (lambda: forever(OK + b"\r\nwell", b"x" * 65536), None),
    "endless chunks": (lambda: forever(OK + CHUNKED + b"4\r\nwell\r\n", b"1\r\nx\r\n" * 4096), None),
    "endless and wrong": (lambda: forever(OK + b"\r\n", b"x" * 65536), "does not hold"),
    "late": (lambda: forever(OK + b"\r\n" + b"x" * 100000, b"well"), "does not hold"),
    "one byte at a time": (lambda: slowly(OK + b"Content-Length: 4\r\n\r\nwell"), "timed out"),
    "less than it says": (lambda: [OK + b"Content-Length: 999999999999\r\n\r\nwell", None], "timed out"),
    "elsewhere": (lambda: [b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n"], "302"),
    "endless head": (lambda: forever(OK, b"X: y\r\n" * 4096), "head"),
    "endless line": (lambda: forever(OK + b"X: ", b"y" * 65536), ""),
    "endless 100": (lambda: forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1024), ""),
    "nonsense": (lambda: [b"well, well, well\n" * 100], ""),
    "binary": (lambda: [bytes(range(256)) * 16], ""),
    "nothing": (lambda: [], ""),
    "silent": (lambda: [None], "timed out"),
    "no status": (lambda: [b"HTTP/1.1 999999 OK\r\n\r\nwell"], ""),
    "bad chunks": (lambda: [OK + CHUNKED + b"-5\r\nwell"], ""),
    "two lengths": (lambda: [OK + b"Content-Length: 4\r\nContent-Length: -4\r\n\r\nwell"], ""),
}
# What an agent says: what the server is then, and its share; None: nothing has changed.
AGENTS = {
    "75%\n": ("up", 75), "1000%\n": ("up", 100), "0%\n": ("up", 0), "-5%\n": None, "7.5%\n": None, "%\n": None,
    "99999999999999999999%\n": ("up", 100), "": None, "\n": None, "UP 50%\r\n": ("up", 50),
    "drain 20%": ("drain", 20), "\x00\x01\x02\n": None, "up down maint nonsense\n": None, "x" * 100000: None,
    "down # " + "y" * 100000 + "\n": ("down", 100), "ready\ndown\n": ("up", 100), "\x1b[2Jup\n": None,
}


class Peer:
    """Sends each connection what it is told to; None: nothing more, and waits."""

    def __init__(self, address, port, pieces, head=True):
        self.pieces, self.head, self.open = pieces, head, True
        self.asked = 0
        self.socket = socket.create_server((address, port), backlog=64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.answer, args=(self.socket.accept()[0],), daemon=True).start()

    def answer(self, conn):
        self.asked += 1
        with conn, contextlib.suppress(OSError):
            if self.head:
                conn.recv(65536)
            for piece in self.pieces():
                if piece is None:
                    conn.settimeout(5)
                    conn.recv(1)
                    return
                conn.sendall(piece)
                if not self.open:
                    return

    def close(self):
        self.open = False
        self.socket.close()


def memory_kb(pid):
    return int(next(line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                    if line.startswith("VmRSS")))


def test_answers(detour):
    port = free_port()
    peers = [Peer(f"127.0.0.{n}", port, pieces) for n, (pieces, _) in enumerate(ANSWERS.values(), 2)]
    servers = ", ".join(f'{{name: "s{i}", url: "http://127.0.0.{i + 2}:{port}"}}' for i in range(len(peers)))
    server = detour(CONFIG, HEALTH=FAST + ", expect: {body: well}", SERVERS=servers, workers=1)
    try:
        wait_until(lambda: all(s["health"]["probes"] >= 2 for s in pools(server).values()), what="answers")
        before = memory_kb(server.control_pid())
        asked = pools(server)
        wait_until(lambda: all(s["health"]["probes"] >= asked[n]["health"]["probes"] + 4
                               for n, s in pools(server).items()), what="more answers")
        for seen, (name, (_, why)) in zip(pools(server).values(), ANSWERS.items()):
            error = seen["health"]["error"]
            assert (seen["state"] == "up") == (why is None), (name, error)
            assert (error is None) == (why is None) and (why or "") in (error or ""), (name, error)
        sanitized = SANDBOX == "off"  # then memory says nothing
        assert sanitized or memory_kb(server.control_pid()) - before < 20000
        assert set(given(server)) == {"127.0.0.2", "127.0.0.3", "127.0.0.4"}
    finally:
        for peer in peers:
            peer.close()


def test_agents(detour):
    port, agent_port = free_port(), free_port()
    peers, agents = [], []
    for n, line in enumerate(AGENTS, 2):
        peers.append(Peer(f"127.0.0.{n}", port, ANSWERS["well"][0]))
        agents.append(Peer(f"127.0.0.{n}", agent_port, lambda line=line: [line.encode()], head=False))
    hangs = Peer(f"127.0.0.{len(AGENTS) + 2}", agent_port, lambda: [None], head=False)
    peers.append(Peer(f"127.0.0.{len(AGENTS) + 2}", port, ANSWERS["well"][0]))
    servers = ", ".join(f'{{name: "s{i}", url: "http://127.0.0.{i + 2}:{port}"}}' for i in range(len(peers)))
    server = detour(CONFIG, HEALTH=f"{FAST}, agent: {agent_port}", SERVERS=servers, workers=1)
    try:
        wait_until(lambda: hangs.asked >= 3 and all(a.asked >= 2 for a in agents), what="agents")
        seen = wait_until(lambda: (now := list(pools(server).values())) and all(
            s["health"]["agent"]["error"] or s["health"]["agent"]["says"] for s in now) and now)
        for view, (line, wanted) in zip(seen, AGENTS.items()):
            agent = view["health"]["agent"]
            assert (view["state"], view["share"]) == (wanted or ("up", 100)), (line[:40], view)
            assert (agent["error"] is not None) == (wanted is None), (line[:40], agent)
            assert all(" " <= c < "\x7f" for c in agent["says"])
        assert seen[-1]["state"] == "up" and "in time" in seen[-1]["health"]["agent"]["error"]
    finally:
        for peer in [*peers, *agents, hangs]:
            peer.close()
