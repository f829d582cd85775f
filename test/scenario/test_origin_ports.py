# SPDX-License-Identifier: MIT
"""A configuration with other ports of origins: workers are replaced by others that may connect
there, and no client notices."""

import socket
import time

import pytest
from detourlib import FOREVER, SANDBOX, Probe, request_bytes, wait_until

CONFIG = """
sites:
  - {name: a, hosts: [a.example], routes: [{path: /far, origin: "http://127.0.0.1:$FAR"}],
     default: {to: "https://b.example{+path}"}}
"""
WITHOUT = """
sites:
  - {name: a, hosts: [a.example], default: {to: "https://b.example{+path}"}}
"""

confined = pytest.mark.skipif(SANDBOX == "off", reason="the sanitizers need more than the sandbox leaves")


def ports(server):
    """What the workers were started with."""
    found = set()
    for pid in server.worker_pids():
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            found.add(file.read().split(b"\0")[2].decode().rsplit(":", 1)[1])
    return found


def replaced(server, before, listed):
    def done():
        now = server.worker_pids()
        return len(now) == server.workers and not set(now) & set(before) and ports(server) == {listed}

    wait_until(done, what=f"workers that may connect to {listed or 'nothing'}")


@confined
def test_workers_are_replaced_for_another_port(detour):
    server = detour(WITHOUT, metrics=True)
    assert ports(server) == {""}
    before = server.worker_pids()
    served = server.metrics().sum("detour_requests_total")
    with Probe(server, status=307) as probe:
        for far, listed in (("1001", "1001"), ("1002", "1002")):
            server.reload(CONFIG.replace("$FAR", far))
            replaced(server, before, listed)
            before = server.worker_pids()
        server.reload(WITHOUT)
        replaced(server, before, "")
        before = server.worker_pids()
    probe.assert_healthy()
    assert server.metrics().sum("detour_workers") == server.workers
    assert server.metrics().sum("detour_restarts_total") == 0, "nobody died"
    assert server.metrics().sum("detour_requests_total") > served, "what was counted stays counted"
    wait_until(lambda: "generation 4 is in use by all workers" in server.stderr(), what="the acknowledgement")
    # The same ports: nobody is replaced.
    server.reload(WITHOUT.replace("b.example", "c.example"))
    wait_until(lambda: "generation 5 is in use by all workers" in server.stderr(), what="the last one")
    assert server.worker_pids() == before


@confined
def test_who_is_in_the_middle_of_a_request_may_finish(detour):
    server = detour(WITHOUT, workers=1, metrics=True)
    before = server.worker_pids()
    with server.connect() as conn:
        head = request_bytes("POST", "/slow", body=b"0123456789")
        conn.send(head[:20])
        wait_until(lambda: server.metrics().sum("detour_connections_active") >= 1, what="the connection")
        time.sleep(0.1)  # nothing shows that its bytes were read
        server.reload(CONFIG.replace("$FAR", "1001"))
        wait_until(lambda: set(server.worker_pids()) - set(before), what="a successor")
        wait_until(lambda: "goes on as process" in server.stderr(), what="the hand-over")
        assert server.get("/new").status == 307
        conn.send(head[20:])
        answer = conn.response()
        assert answer.status == 307
        assert answer.closes
    replaced(server, before, "1001")


@confined
def test_who_has_just_connected_may_ask(detour):
    """Nobody repeats the first request of a new connection."""
    server = detour(WITHOUT, workers=1, metrics=True)
    before = server.worker_pids()
    known = server.metrics().sum("detour_connections_accepted_total")
    with server.connect() as conn:
        wait_until(lambda: server.metrics().sum("detour_connections_accepted_total") > known, what="the connection")
        server.reload(CONFIG.replace("$FAR", "1001"))
        wait_until(lambda: "goes on as process" in server.stderr(), what="the hand-over")
        assert server.get("/new").status == 307
        conn.send(request_bytes("GET", "/slow"))
        answer = conn.response()
        assert answer.status == 307
        assert answer.closes
    replaced(server, before, "1001")


@confined
def test_a_successor_that_dies_is_replaced(detour):
    server = detour(WITHOUT)
    before = server.worker_pids()
    server.reload(CONFIG.replace("$FAR", "1001"))
    replaced(server, before, "1001")
    server.kill_one("_worker")
    wait_until(lambda: len(server.worker_pids()) == server.workers and ports(server) == {"1001"},
               what="another one")
    assert server.get("/x").status == 307


SLOW = """
sites:
  - {name: a, hosts: [a.example], default: {origin: "http://127.0.0.1:$ORIGIN"}$MORE}
"""


@confined
def test_an_answer_that_flows_is_not_cut(detour):
    """The worker that passes it on is replaced in the middle of it."""
    with socket.create_server(("127.0.0.1", 0)) as origin:
        server = detour(SLOW, workers=1, ORIGIN=origin.getsockname()[1], MORE="")
        before = server.worker_pids()
        with server.connect() as conn:
            conn.send(request_bytes("GET", "/large"))
            upstream, _ = origin.accept()
            with upstream:
                while b"\r\n\r\n" not in upstream.recv(65536):
                    pass
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
                wait_until(lambda: b"01234" in (conn.buffer or peek(conn)), what="its first half")
                server.values["MORE"] = ', routes: [{path: /far, origin: "http://127.0.0.1:1001"}]'
                server.reload(SLOW)
                wait_until(lambda: "goes on as process" in server.stderr(), what="the hand-over")
                upstream.sendall(b"56789")
                answer = conn.response()
        assert (answer.status, answer.body) == (200, b"0123456789")
        replaced(server, before, ",".join(sorted(["1001", str(origin.getsockname()[1])], key=int)))


def peek(conn):
    conn.sock.settimeout(FOREVER)
    return conn.sock.recv(65536, socket.MSG_PEEK)
