# SPDX-License-Identifier: MIT
"""Who the client is: Forwarded and X-Forwarded-* only from trusted proxies and from right to
left; the PROXY protocol only where the listener says so."""

import socket
import struct

import pytest
from detourlib import Closed, Conn, free_port, request_bytes, wait_until

CONFIG = """
trusted_proxies: [127.0.0.1/32, 198.51.100.0/24]
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: v6, path: /who, clients: ["2001:db8::/32"], to: "https://b.example/six"}
      - {name: inside, path: /who, clients: [203.0.113.0/24], to: "https://b.example/inside"}
      - {name: evil, path: /who, clients: [192.0.2.0/24], to: "https://b.example/evil"}
      - {name: proxy, path: /who, clients: [198.51.100.0/24], to: "https://b.example/proxy"}
      - {name: local, path: /who, clients: [127.0.0.0/8], to: "https://b.example/local"}
      - {name: other, path: /who, to: "https://b.example/other"}
      - {name: scheme, path: /scheme, to: "https://b.example/{scheme}/{host}"}
      - {name: port, path: /port, to: "https://b.example/{scheme}/{port}"}
  - name: public
    hosts: [public.example]
    https_redirect: true
    routes:
      - {name: any, path: "/*", to: "https://b.example/public"}
"""
CONFIG_PROXY = (
    'listen: ["http://127.0.0.1:$PORT", {address: "http://127.0.0.1:$SECOND", proxy_protocol: true}]\n' + CONFIG
)


@pytest.fixture(scope="module")
def second_port():
    return free_port()


@pytest.fixture(scope="module")
def server(shared_detour, second_port):
    return shared_detour(CONFIG_PROXY, SECOND=second_port, log=True)


def who(server, headers, source="127.0.0.1"):
    return server.get("/who", headers, source=source).location.rsplit("/", 1)[1]


FIELDS = [
    ({}, "local"),
    ({"X-Forwarded-For": "203.0.113.5"}, "inside"),
    ({"X-Forwarded-For": "2001:db8::5"}, "six"),
    # From right to left, up to the first that is not trusted: what stands left of it is a claim.
    ({"X-Forwarded-For": "192.0.2.1, 203.0.113.5"}, "inside"),
    ({"X-Forwarded-For": "192.0.2.1, 203.0.113.5, 198.51.100.7"}, "inside"),
    ({"X-Forwarded-For": "203.0.113.5, 198.51.100.7, 198.51.100.8"}, "inside"),
    ({"X-Forwarded-For": "203.0.113.5, 192.0.2.1"}, "evil"),
    # All of them trusted: the leftmost.
    ({"X-Forwarded-For": "198.51.100.9"}, "proxy"),
    # A malformed element ends the walk.
    ({"X-Forwarded-For": "203.0.113.5, nonsense"}, "local"),
    ({"X-Forwarded-For": "203.0.113.5, nonsense, 198.51.100.7"}, "proxy"),
    ({"X-Forwarded-For": ""}, "local"),
    ({"X-Forwarded-For": "203.0.113.5:1234"}, "inside"),
    ({"Forwarded": "for=203.0.113.5"}, "inside"),
    ({"Forwarded": 'for="[2001:db8::5]:1234"'}, "six"),
    ({"Forwarded": "For=192.0.2.1, FOR=203.0.113.5;proto=https;by=198.51.100.7"}, "inside"),
    ({"Forwarded": "for=203.0.113.5, for=198.51.100.7"}, "inside"),
    ({"Forwarded": "for=unknown"}, "local"),
    ({"Forwarded": "for=203.0.113.5, for=_hidden"}, "local"),
    # Both, as long as nobody has said which of them the proxies write: they must agree.
    ({"Forwarded": "for=203.0.113.5", "X-Forwarded-For": "192.0.2.1, 203.0.113.5"}, "inside"),
]


@pytest.mark.parametrize("headers, expected", FIELDS)
def test_from_a_trusted_proxy(server, headers, expected):
    assert who(server, headers) == expected


@pytest.mark.parametrize("headers, expected", FIELDS)
def test_from_anybody_else_nothing_is_believed(server, headers, expected):
    assert who(server, headers, source="127.0.0.9") == "local"


# What a client adds to what its proxy writes: (the proxy's, the client's).
ADDED = [
    ({"X-Forwarded-For": "203.0.113.5"}, {"Forwarded": "for=192.0.2.1"}),
    ({"X-Forwarded-For": "203.0.113.5"}, {"Forwarded": "for=203.0.113.5;host=public.example"}),
    ({"X-Forwarded-For": "203.0.113.5"}, {"Forwarded": "for=203.0.113.5;proto=https"}),
    ({"X-Forwarded-For": "203.0.113.5"}, {"Forwarded": "nonsense"}),
    ({"X-Forwarded-For": "203.0.113.5"}, {"Forwarded": ""}),
    ({"Forwarded": "for=203.0.113.5"}, {"X-Forwarded-For": "192.0.2.1"}),
    ({"Forwarded": "for=203.0.113.5"}, {"X-Forwarded-Host": "public.example"}),
    ({"Forwarded": "for=203.0.113.5"}, {"X-Forwarded-Proto": "https"}),
    ({"Forwarded": "for=203.0.113.5"}, {"X-Forwarded-Port": "81"}),
]


@pytest.mark.parametrize("written, added", ADDED)
def test_two_families_that_differ_are_refused(server, written, added):
    r = server.get("/who?differ", written | added)
    assert r.status == 400
    assert r["Cache-Control"] == "no-store"
    assert who(server, written | added, source="127.0.0.9") == "local"
    wait_until(lambda: [x for x in server.log_lines()
                        if x["path"] == "/who?differ" and x["why"] == "Forwarded and X-Forwarded differ"])


@pytest.fixture(scope="module", params=["X-Forwarded-For", "Forwarded"])
def one_family(request, shared_detour):
    return request.param, shared_detour(f"forwarded_header: {request.param}\n" + CONFIG)


@pytest.mark.parametrize("written, added", ADDED)
def test_the_family_that_the_proxies_do_not_write_is_ignored(one_family, written, added):
    family, server = one_family
    if not any(name.startswith(family.removesuffix("-For")) for name in written):
        written, added = added, written
    alone = {path: server.get(path, written, host="a.example:8307").location for path in ["/who", "/scheme", "/port"]}
    assert alone == {path: server.get(path, written | added, host="a.example:8307").location for path in alone}


def test_nothing_of_the_other_family_is_believed(one_family):
    family, server = one_family
    other = {"X-Forwarded-For": {"Forwarded": "for=203.0.113.5;host=public.example;proto=https"},
             "Forwarded": {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Host": "public.example",
                           "X-Forwarded-Proto": "https", "X-Forwarded-Port": "81"}}[family]
    assert who(server, other) == "local"
    assert server.get("/scheme", other).location.endswith("/http/a.example")
    assert server.get("/port", other, host="a.example:8307").location.endswith("/http/8307")


def test_several_fields_are_one_list(server):
    with server.connect() as c:
        c.send(b"GET /who HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n")
        assert c.response().location.endswith("/inside")


def test_proto_and_host(server):
    trusted = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.example", "X-Forwarded-For": "203.0.113.5"}
    assert server.get("/x", trusted).location == "https://b.example/public"
    assert server.get("/scheme", {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.5"}).location.endswith("/https/a.example")
    assert server.get("/scheme", {"Forwarded": "for=203.0.113.5;proto=https"}).location.endswith("/https/a.example")
    # Without proto= the site insists on https; a stranger's word does not count.
    assert server.get("/x", host="public.example").location == "https://public.example/x"
    r = server.get("/x", {"X-Forwarded-Proto": "https"}, host="public.example", source="127.0.0.9")
    assert r.location == "https://public.example/x"
    assert server.get("/scheme", trusted, source="127.0.0.9").location.endswith("/http/a.example")


PORTS = [
    ({"X-Forwarded-Host": "a.example:8443"}, "http/8443"),
    ({"X-Forwarded-Host": "a.example:8443", "X-Forwarded-Port": "81"}, "http/8443"),
    ({"X-Forwarded-Host": "a.example", "X-Forwarded-Port": "81"}, "http/81"),
    ({"X-Forwarded-Host": "a.example", "X-Forwarded-Proto": "https"}, "https/443"),
    ({"X-Forwarded-Port": "8443", "X-Forwarded-Proto": "https"}, "https/8443"),
    ({"X-Forwarded-Port": "nonsense"}, "http/8307"),
    ({"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Port": "1, 8443"}, "http/8443"),
    ({"Forwarded": 'for=203.0.113.5;host="a.example:8443";proto=https'}, "https/8443"),
]


@pytest.mark.parametrize("headers, expected", PORTS)
def test_the_port_is_the_clients(server, headers, expected):
    def seen(source):
        r = server.get("/port", headers, host="a.example:8307", source=source)
        return r.location.removeprefix("https://b.example/")

    assert seen("127.0.0.1") == expected
    assert seen("127.0.0.9") == "http/8307"


@pytest.mark.parametrize("host", ["evil@x", "a/b", "a b", "a.example\x0b", '"a.example"'])
def test_a_forwarded_host_that_is_none(server, host):
    assert server.get("/scheme", {"X-Forwarded-Host": host, "X-Forwarded-For": "203.0.113.5"}).status == 400


def test_an_empty_forwarded_host_says_nothing(server):
    assert server.get("/scheme", {"X-Forwarded-Host": ""}).location.endswith("/http/a.example")


def test_the_log_names_the_client(server):
    server.get("/who?logged", {"X-Forwarded-For": "203.0.113.77"})
    lines = wait_until(lambda: [x for x in server.log_lines() if x["path"] == "/who?logged"])
    assert lines[0]["client"].startswith("203.0.113.77")


# The PROXY protocol

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(source, command=1, family=None, extra=b""):
    if family is None:
        family = 0x11 if "." in source else 0x21
    kind = socket.AF_INET if "." in source else socket.AF_INET6
    there = "198.51.100.1" if kind == socket.AF_INET else "2001:db8::9"
    body = socket.inet_pton(kind, source) + socket.inet_pton(kind, there) + struct.pack("!HH", 1234, 80) + extra
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(body)) + body


HEADERS = {
    "v1 TCP4": (b"PROXY TCP4 203.0.113.5 198.51.100.1 1234 80\r\n", "inside"),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::5 2001:db8::9 1234 80\r\n", "six"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", "local"),
    "v2 TCP4": (v2("203.0.113.5"), "inside"),
    "v2 TCP6": (v2("2001:db8::5"), "six"),
    "v2 with TLVs": (v2("203.0.113.5", extra=b"\x04\x00\x05hello"), "inside"),
    "v2 LOCAL": (v2("203.0.113.5", command=0, family=0), "local"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_proxy_protocol(server, second_port, name):
    data, expected = HEADERS[name]
    with Conn(("127.0.0.1", second_port)) as c:
        c.send(data + request_bytes("GET", "/who"))
        assert c.response().location.endswith("/" + expected)
        # The header stands for the whole connection.
        assert c.send(request_bytes("GET", "/who")).response().location.endswith("/" + expected)


@pytest.mark.parametrize("name", ["v1 TCP4", "v2 TCP4"])
def test_proxy_protocol_in_single_bytes(server, second_port, name):
    with Conn(("127.0.0.1", second_port)) as c:
        for byte in HEADERS[name][0] + request_bytes("GET", "/who"):
            c.send(bytes([byte]))
        assert c.response().location.endswith("/inside")


@pytest.mark.parametrize("name", HEADERS)
def test_it_is_never_guessed(server, name):
    with server.connect() as c:
        c.send(HEADERS[name][0] + request_bytes("GET", "/who"))
        assert c.response().status == 400
        c.assert_closed()


BAD_HEADERS = {
    "missing": b"",
    "v1 without a port": b"PROXY TCP4 203.0.113.5 198.51.100.1 1234\r\n",
    "v1 with a bad address": b"PROXY TCP4 999.0.113.5 1.1.1.1 1 2\r\n",
    "v1 with a bare LF": b"PROXY TCP4 203.0.113.5 198.51.100.1 1234 80\n",
    "v1 without end": b"PROXY " + b"x" * 200,
    "v1 of another family": b"PROXY TCP5 a b c d\r\n",
    "v2 of another version": SIGNATURE + b"\x31\x11\x00\x0c" + b"\0" * 12,
    "v2 too short": SIGNATURE + b"\x21\x11\x00\x02ab",
    "v2 with a bad signature": SIGNATURE[:-1] + b"X" * 20,
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_a_header_that_is_missing_or_bad_ends_the_connection(server, second_port, name):
    with Conn(("127.0.0.1", second_port)) as c:
        c.send(BAD_HEADERS[name] + request_bytes("GET", "/who"))
        with pytest.raises(Closed):
            c.response()
    with Conn(("127.0.0.1", second_port)) as c:
        assert c.send(HEADERS["v1 TCP4"][0] + request_bytes("GET", "/who")).response().status == 307
