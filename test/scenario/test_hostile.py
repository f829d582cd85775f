# SPDX-License-Identifier: MIT
"""Promise 9: hostile bytes get a clear 4xx at a bounded cost, and the next request is served."""

import json
import random
import re
import resource
import socket
import threading
import time

import pytest
from detourlib import SLACK, Probe, parse_all, request_bytes, resets_sent, wait_until
from test_location import check_location

CONFIG = """
limits: {header_timeout: 1s, idle_timeout: 2s, write_timeout: 2s}
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: rest, path: "/r/*", to: "https://b.example/{+0}"}
      - {name: backtrack, path: "/back/:x((?:a+)+b)", to: "https://b.example/{+x}"}
"""


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG, log=True, metrics=True)


@pytest.mark.parametrize(
    "host",
    ["a@evil", "a/evil", 'a"b', "a\\evil", "a?b", "a#b", "a b", "a%2fevil", "%61.example", "a:80:80",
     "a:-1", "a\x00b", "\xe3\x80\x82", "a..example", "[::1", "::1", "[v1.x]@e", "a,b", "*", ""],
)
def test_a_host_that_is_none_is_400(server, host):
    with server.connect() as c:
        c.send(f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert c.response().status == 400


def test_every_control_byte_in_every_place(server):
    """CR, LF, NUL and their like, raw: refused in the head, and never seen in an answer."""
    for byte in [*range(0x21), 0x7F]:
        for place in ["/r/a%sb", "/x?a%sb"]:
            with server.connect() as c:
                c.send(b"GET " + (place % chr(byte)).encode("latin-1") + b" HTTP/1.1\r\nHost: a.example\r\n\r\n")
                assert c.response().status == 400, (byte, place)


def test_10000_pipelined_requests_in_one_write(server):
    count = 10_000
    data = b"".join(request_bytes("GET", f"/r/{i}") for i in range(count))
    with Probe(server) as probe, server.connect() as c:
        writer = threading.Thread(target=c.send, args=(data,), daemon=True)
        writer.start()
        for i in range(count):
            assert c.response().location == f"https://b.example/{i}"
        writer.join(20)
    probe.assert_healthy()


def test_pipelining_without_reading_is_bounded(server):
    """A client that writes for ever and never reads is stopped; memory stays small."""
    worst = memory(server)
    with Probe(server) as probe, server.connect() as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.sock.settimeout(0.5)
        sent = 0
        data = request_bytes("GET", "/r/x") * 1000
        try:
            while sent < 200 * len(data):
                sent += c.sock.send(data)
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        assert memory(server) - worst < 64 * 1024, "KiB more than before"
    probe.assert_healthy()


def memory(server):
    """Resident KiB of all workers."""
    total = 0
    for pid in server.worker_pids():
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


def test_slow_header_is_408_within_bounds(server):
    with server.connect() as c:
        begin = time.monotonic()
        c.send(b"GET /r/x HTTP/1.1\r\nHost: a.exa")
        r = c.response()
        assert r.status == 408 and r.closes
        c.assert_closed()
        assert 0.5 < time.monotonic() - begin < 1 * SLACK


def test_a_header_that_trickles_is_cut_all_the_same(server):
    with server.connect() as c:
        begin, seen = time.monotonic(), b""
        c.send(b"GET /r/x HTTP/1.1\r\nHost: a.example\r\n")
        c.sock.settimeout(0.05)
        while time.monotonic() - begin < 1 * SLACK:
            try:
                c.sock.send(b"A: b\r\n"[:3])
                seen += c.sock.recv(4096)
                break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
        assert time.monotonic() - begin < 1 * SLACK
        assert seen.startswith(b"HTTP/1.1 4"), seen


def test_an_idle_connection_is_closed_without_a_word(server):
    with server.connect() as c:
        assert c.send(request_bytes("GET", "/r/x")).response().status == 307
        begin = time.monotonic()
        c.assert_closed()
        assert 1 < time.monotonic() - begin < 2 * SLACK


def test_a_body_without_progress_is_cut(server):
    with server.connect() as c:
        c.send(b"POST /r/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\nabc")
        assert c.response().status == 307
        begin = time.monotonic()
        assert all(r.status == 408 for r in parse_all(c.rest()))
        assert time.monotonic() - begin < 10 * SLACK


SLOW = 5000
CONFIG_SLOW = CONFIG.replace("header_timeout: 1s", "header_timeout: 4s")


def many_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"{count} descriptors are more than the hard limit of {hard}")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def test_5000_slow_headers_leave_the_others_healthy(detour):
    """They come within less time than one is given, so that all are there at once."""
    many_descriptors(SLOW + 500)
    server = detour(CONFIG_SLOW, metrics=True)
    server.get("/r/x")
    before, slow = memory(server), []
    try:
        with Probe(server) as probe:
            for _ in range(SLOW):
                slow.append(server.connect().send(b"GET /r/x HTTP/1.1\r\nHo"))
            wait_until(lambda: server.metrics().sum("connections_active") >= SLOW, 1 * SLACK, "all of them")
            each = (memory(server) - before) / SLOW
            begin = time.monotonic()
            for c in slow:
                assert c.response().status == 408
                c.assert_closed()
            assert time.monotonic() - begin < 4 * SLACK
        probe.assert_healthy()
        assert server.metrics().sum("timeouts", kind="header") == SLOW
        assert each < 8, f"{each:.1f} KiB for each of them"
    finally:
        for c in slow:
            c.close()


def test_backtracking_expressions_are_bounded(server):
    with Probe(server) as probe:
        begin = time.monotonic()
        r = server.get("/back/" + "a" * 3000 + "c")
        assert r.status in (404, 503), r
        assert time.monotonic() - begin < 0.1 * SLACK
        for _ in range(50):
            assert server.get("/back/" + "a" * 3000 + "c").status in (404, 503)
    probe.assert_healthy()
    assert server.get("/back/aaab").location == "https://b.example/aaab"


def test_random_bytes_get_a_4xx_or_nothing(server):
    rng = random.Random(307)
    seeds = [request_bytes("POST", "/r/x?y", {"Cookie": "a=b", "Accept": "*/*"}, b"body")] * 3
    # The first is cut off: whole, it begins HTTP/2, and the answer is no text.
    seeds += [b"PRI * HTTP/2.0\r\n\r\nSM\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 50]
    with Probe(server) as probe:
        for _ in range(400):
            data = bytearray(rng.choice(seeds))
            for _ in range(rng.randrange(1, 6)):
                at = rng.randrange(len(data))
                data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            for r in server.raw(bytes(data)):
                assert r.status in (307, 400, 404, 405, 408, 414, 417, 421, 431, 501, 505), (data, r)
                if r.location:
                    check_location(r.location)
    probe.assert_healthy()


def test_log_stays_json_with_ansi_and_control_bytes(detour):
    server = detour(CONFIG, log=True)
    agent = "\x1b[31mred\x1b[0m \"quoted\" \\ \xff\xfe \xe2\x80\xa8 \x9b31m".encode("latin-1")
    targets = ["/r/%1b[2J", "/r/\"quoted\"", "/r/\\", "/r/\xff\xc0\xaf", "/r/\xe2\x80\xa8", "/r/%00%0d%0a"]
    for target in targets:
        with server.connect() as c:
            c.send(b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\nHost: a.example\r\nUser-Agent: " + agent + b"\r\n\r\n")
            c.response()
    with server.connect() as c:
        c.send(b"\x1b[2J\x00\xff\r\n\r\n")
        c.response()
    lines = server.wait_log(len(targets) + 1)
    assert len(lines) == len(targets) + 1
    raw = server.log_path.read_bytes()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw)
    raw.decode("utf-8")
    for line in raw.splitlines():
        json.loads(line)


def test_none_of_this_was_answered_by_a_reset(detour, own_network):
    server = detour(CONFIG)
    before = resets_sent()
    for data in [b"GET /x HTTP/1.1\nHost: a\n\n", b"G" * 30000, b"GET /" + b"x" * 60000]:
        with server.connect() as c:
            c.send(data)
            assert 400 <= c.response().status < 600
            c.assert_closed()
    with server.connect() as c:
        c.send(request_bytes("PUT", "/r/x", {"Expect": "100-continue"}, b"y" * 500_000))
        assert c.response().status == 307
        c.assert_closed()
    assert resets_sent() == before
