# SPDX-License-Identifier: MIT
"""Promises 4 and 9: no input turns a Location elsewhere or adds a field; hostile bytes get
a clear 4xx at a bounded cost, and the next request is served."""

import json
import re
import resource
import socket
import threading
import time
import urllib.parse

import pytest
from detourlib import SLACK, Probe, parse_all, request_bytes, resets_sent, wait_until

CONFIG = """
limits: {header_timeout: 1s, idle_timeout: 2s, write_timeout: 2s}
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: path, path: "/p/*", to: "https://b.example:8443{+path}"}
      - {name: rest, path: "/r/*", to: "https://b.example:8443/{+0}"}
      - {name: coded, path: "/c/*", to: "https://b.example:8443/{0}"}
      - {name: bare, path: "/b/*", to: "https://b.example:8443/deep{+0}"}
      - {name: name, path: "/n/:x/:y", to: "https://b.example:8443/{+x}/z/{y}"}
      - {name: regex, path: "/v/:x(.*)", to: "https://b.example:8443/{+x}"}
      - {name: inquery, path: "/q/*", to: "https://b.example:8443/?u={0}&v={+0}"}
      - {name: infragment, path: "/f/*", to: "https://b.example:8443/{#0}"}
      - {name: prefix, path_prefix: /x, to: "https://b.example:8443{+path}"}
      - {name: query, path: /y, to: "https://b.example:8443/z"}
      - {name: pool, path: "/o/*", pool: one}
      - {name: strip, path: "/s/*", pool: stripped}
      - {name: label, path: "/l/:region/*", to: "https://{region}.b.example:8443/{+0}", labels: {region: [eu, us]}}
      - {name: backtrack, path: "/back/:x((?:a+)+b)", to: "https://b.example:8443/{+x}"}
      - {name: lines, path: "/lines", to: "https://b.example:8443/", headers: {X-Where: kept}}
  - name: all
    hosts: ["*"]
    routes:
      - {name: any, path: "/*", to: "https://b.example:8443{+path}"}
pools:
  one: {balance: round-robin, servers: [{name: s, url: "https://b.example:8443/base"}]}
  stripped: {balance: hash, path: strip, servers: [{name: s, url: "https://b.example:8443"}]}
"""

SHAPES = ["/p/", "/r/", "/c/", "/b/", "/n/", "/v/", "/q/", "/f/", "/x/", "/y?", "/o/", "/s/", "/l/eu/", "/", ""]

EVIL = [
    "/evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\evil.example",
    "\\\\evil.example", "%2fevil.example", "%2f%2fevil.example", "%5cevil.example",
    "%5c%5cevil.example", "/%2fevil.example", "/%5cevil.example", "/.//evil.example",
    "/..//evil.example", "..//evil.example", "../../evil.example", "%2e%2e/%2e%2e/evil.example",
    "%2e%2e%2f%2e%2e%2fevil.example", "@evil.example", "a@evil.example", "a:b@evil.example",
    "%40evil.example", ":80@evil.example", ":1234", ".evil.example", "evil.example",
    "https://evil.example/", "https:evil.example", "http://evil.example", "javascript:alert(1)",
    "data:text/html,x", "?@evil.example", "%3f@evil.example", "%23@evil.example", ";@evil.example",
    "\xe3\x80\x82evil.example", "%e3%80%82evil.example", "b.example\xe3\x80\x82evil",
    "b\xc3\xbccher.example", "%ef%bc%8f%ef%bc%8fevil.example", "%c0%afevil.example",
    "%0d%0aLocation:%20https://evil.example", "%0d%0aSet-Cookie:%20a=b", "%0aSet-Cookie:a=b",
    "%0dSet-Cookie:a=b", "%e5%98%8d%e5%98%8aSet-Cookie:a=b", "%00", "%00evil.example", "%09evil.example",
    "%20evil.example", "%7f", "%1b[31m", "%", "%%", "%2", "%zz", "%u002fevil", "%252f%252fevil.example",
    "%250d%250aSet-Cookie:a=b", "a\"b", "a'b", "a<b>c", "a`b", "a{b}c", "a|b", "a^b", "[::1]", "[evil",
    "\xff\xfe", "\xc0\xaf", "\x80", "a/../../../evil", "a/%2e%2e/%2e./evil", "..", ".", "%2e", "../",
]

BYTES = re.compile(r"[!#$%&'()*+,/:;=?@\[\]A-Za-z0-9._~-]*")


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG, log=True, metrics=True)


def check_location(location, authority="b.example:8443"):
    """As a stranger reads it: Python's and a browser's idea of where it leads."""
    assert BYTES.fullmatch(location), location
    assert "\\" not in location
    assert re.match(r"https://([a-z0-9.-]+(?::[0-9]+)?)(?=[/?#]|$)", location), location
    parts = urllib.parse.urlsplit(location)
    assert parts.scheme == "https"
    assert parts.netloc in (authority, "eu." + authority, "us." + authority), location
    for escape in re.findall("%(..?)?", location):
        assert re.fullmatch("[0-9A-Fa-f]{2}", escape), location


@pytest.mark.parametrize("shape", SHAPES)
def test_location_leads_where_it_was_declared(server, shape):
    with server.connect() as c:
        for evil in EVIL:
            target = shape + evil
            if not target.startswith("/"):
                target = "/" + target
            c.send(request_bytes("GET", target))
            r = c.response()
            names = sorted(n.lower() for n, _ in r.fields)
            assert "set-cookie" not in names, (target, r)
            if r.status in (307, 308):
                check_location(r.location)
            else:
                assert r.status in (400, 404, 414, 503), (target, r)
                assert r.location is None
            if r.closes:
                c.assert_closed()
                c.close()
                c.__init__(server.address)


@pytest.mark.parametrize("shape", ["/p/x?", "/y?", "/x?", "/o/x?", "/q/x?"])
def test_query_cannot_leave_the_query(server, shape):
    for evil in EVIL:
        with server.connect() as c:
            r = c.send(request_bytes("GET", shape + evil.replace(" ", "%20"))).response()
            if r.status == 307:
                check_location(r.location)
            else:
                assert r.status == 400, (shape + evil, r)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "b.example", "a.example.evil.example", "evil.example:99", "127.0.0.1", "[::1]",
     "xn--evil", "EVIL.example."],
)
def test_host_does_not_choose_the_location(server, host):
    r = server.get("/some/path", host=host)
    check_location(r.location)
    assert r.location == "https://b.example:8443/some/path"


@pytest.mark.parametrize(
    "host",
    ["a@evil", "a/evil", 'a"b', "a\\evil", "a?b", "a#b", "a b", "a%2fevil", "%61.example", "a:80:80",
     "a:-1", "a\x00b", "\xe3\x80\x82", "a..example", "[::1", "::1", "[v1.x]@e", "a,b", "*", ""],
)
def test_a_host_that_is_none_is_400(server, host):
    with server.connect() as c:
        c.send(f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert c.response().status in ((400,) if host != "a..example" else (400, 307))


@pytest.mark.parametrize("region", ["evil", "eu.evil", "eu%2eevil", "eu/", "EU", "eu%00", "%65u", "-", ""])
def test_a_label_comes_from_its_list_or_not_at_all(server, region):
    r = server.get(f"/l/{region}/x")
    if r.location:
        assert re.match("(?i)https://(eu|us)[.]b[.]example:8443/", r.location), r
    else:
        assert r.status in (400, 404), r


def test_every_control_byte_in_every_place(server):
    """CR, LF, NUL and their like, raw: refused in the head, and never seen in an answer."""
    for byte in [*range(0x21), 0x7F]:
        for place in ["/r/a%sb", "/x?a%sb"]:
            with server.connect() as c:
                c.send(b"GET " + (place % chr(byte)).encode("latin-1") + b" HTTP/1.1\r\nHost: a.example\r\n\r\n")
                assert c.response().status == 400, (byte, place)


def test_escaped_control_bytes_stay_escaped(server):
    for byte in [*range(0x20), 0x7F]:
        for shape in ["/p/", "/r/", "/c/", "/v/", "/q/", "/f/", "/o/", "/y?"]:
            r = server.get(f"{shape}a%{byte:02x}b")
            if r.status == 307:
                check_location(r.location)
                assert f"%{byte:02X}" in r.location.upper()


def test_10000_pipelined_requests_in_one_write(server):
    count = 10_000
    data = b"".join(request_bytes("GET", f"/r/{i}") for i in range(count))
    with Probe(server) as probe, server.connect() as c:
        writer = threading.Thread(target=c.send, args=(data,), daemon=True)
        writer.start()
        for i in range(count):
            assert c.response().location == f"https://b.example:8443/{i}"
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
    assert server.get("/back/aaab").location == "https://b.example:8443/aaab"


def test_random_bytes_get_a_4xx_or_nothing(server):
    import random

    rng = random.Random(307)
    seeds = [request_bytes("POST", "/r/x?y", {"Cookie": "a=b", "Accept": "*/*"}, b"body")] * 3
    seeds += [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 50]
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
