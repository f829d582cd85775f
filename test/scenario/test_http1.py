# SPDX-License-Identifier: MIT
"""HTTP/1.1 as RFC 9110 and 9112 ask for it: every MUST that concerns this server is a test
of its own, on raw bytes."""

import time

import pytest
from detourlib import SLACK, Closed, Conn, imf_seconds, parse_all, request_bytes, wait_until

CONFIG = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: tea, path: /tea, respond: {status: 410, body: gone}}
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
  - name: c
    hosts: [c.example]
    routes:
      - {name: any, path: "/*", to: "https://d.example/{+0}"}
"""

GET = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: a.example\r\n\r\n"


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG)


def head(*lines):
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


# RFC 9112, 2.2: the message's shape


def test_2_2_leading_crlf_is_skipped(server):
    with server.connect() as c:
        assert c.send(b"\r\n" + GET).response().status == 307
        assert c.send(b"\r\n\r\n" + GET).response().status == 307


BAD = {
    "2.2 bare LF after the request line": b"GET /x HTTP/1.1\nHost: a.example\r\n\r\n",
    "2.2 bare LF after a field": b"GET /x HTTP/1.1\r\nHost: a.example\nA: b\r\n\r\n",
    "2.2 bare LF as the empty line": b"GET /x HTTP/1.1\r\nHost: a.example\r\n\n",
    "2.2 only LF": b"GET /x HTTP/1.1\nHost: a.example\n\n",
    "2.2 bare CR in a value": b"GET /x HTTP/1.1\r\nHost: a.example\r\nA: b\rc\r\n\r\n",
    "2.2 bare CR in the target": b"GET /x\ry HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "2.2 CR CR LF": b"GET /x HTTP/1.1\r\nHost: a.example\r\r\n\r\n",
    "2.2 white space before the first field": b"GET /x HTTP/1.1\r\n Host: a.example\r\n\r\n",
    "3 no method": b" /x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3 no target": b"GET HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3 two spaces": b"GET  /x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3 tab for a space": b"GET\t/x\tHTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3 space in the target": b"GET /x y HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3 space at the end": b"GET /x HTTP/1.1 \r\nHost: a.example\r\n\r\n",
    "3 method is no token": b"G(T /x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3 NUL in the target": b"GET /x\0y HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3 no version": b"GET /x\r\nHost: a.example\r\n\r\n",
    "3 version in lower case": b"GET /x http/1.1\r\nHost: a.example\r\n\r\n",
    "3 version with too many digits": b"GET /x HTTP/1.10\r\nHost: a.example\r\n\r\n",
    "3.2 a fragment in the target": b"GET /x#y HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3.2 target is no path": b"GET x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3.2 no Host": b"GET /x HTTP/1.1\r\n\r\n",
    "3.2 two Hosts": b"GET /x HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n",
    "3.2 two different Hosts": b"GET /x HTTP/1.1\r\nHost: a.example\r\nHost: c.example\r\n\r\n",
    "3.2 empty Host": b"GET /x HTTP/1.1\r\nHost:\r\n\r\n",
    "3.2 Host with userinfo": b"GET /x HTTP/1.1\r\nHost: a@evil\r\n\r\n",
    "3.2 Host with a path": b"GET /x HTTP/1.1\r\nHost: a/evil\r\n\r\n",
    "3.2 Host with a quote": b'GET /x HTTP/1.1\r\nHost: a"b\r\n\r\n',
    "3.2 Host with a space": b"GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
    "3.2 Host with a comma": b"GET /x HTTP/1.1\r\nHost: a.example, c.example\r\n\r\n",
    "3.2 Host with a bad port": b"GET /x HTTP/1.1\r\nHost: a.example:99999\r\n\r\n",
    "3.2 Host with a port of letters": b"GET /x HTTP/1.1\r\nHost: a.example:80x\r\n\r\n",
    "3.2 a host confusion": b"GET /x HTTP/1.1\r\nHost: [::1%25.foo.com]\r\n\r\n",
    "3.2 absolute-form and no Host": b"GET http://a.example/x HTTP/1.1\r\n\r\n",
    "3.2 a bad Host beside absolute-form": b"GET http://a.example/x HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "4.2.1 absolute-form with an empty host": b"GET http:///x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "4.2.4 absolute-form with userinfo": b"GET http://a@c.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "3.2 asterisk-form with GET": b"GET * HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "5 no colon": b"GET /x HTTP/1.1\r\nHost: a.example\r\nA\r\n\r\n",
    "5 empty field name": b"GET /x HTTP/1.1\r\nHost: a.example\r\n: b\r\n\r\n",
    "5.1 space before the colon": b"GET /x HTTP/1.1\r\nHost : a.example\r\n\r\n",
    "5.1 tab before the colon": b"GET /x HTTP/1.1\r\nHost: a.example\r\nA\t: b\r\n\r\n",
    "5.1 field name is no token": b"GET /x HTTP/1.1\r\nHost: a.example\r\nA(b: c\r\n\r\n",
    "5.2 obs-fold": b"GET /x HTTP/1.1\r\nHost: a.example\r\nA: b\r\n c\r\n\r\n",
    "5.2 obs-fold of Host": b"GET /x HTTP/1.1\r\nHost: a.example\r\n\t.evil\r\n\r\n",
    "9110 5.5 NUL in a value": b"GET /x HTTP/1.1\r\nHost: a.example\r\nA: b\0c\r\n\r\n",
    "9110 5.5 control byte in a value": b"GET /x HTTP/1.1\r\nHost: a.example\r\nA: b\x01c\r\n\r\n",
    "9110 5.5 DEL in a value": b"GET /x HTTP/1.1\r\nHost: a.example\r\nA: b\x7fc\r\n\r\n",
}

SMUGGLING = {
    "6.1 CL.TE": ["Content-Length: 4", "Transfer-Encoding: chunked"],
    "6.1 TE.CL": ["Transfer-Encoding: chunked", "Content-Length: 4"],
    "6.1 TE not chunked": ["Transfer-Encoding: identity"],
    "6.1 unknown coding": ["Transfer-Encoding: xchunked"],
    "6.3 chunked not final": ["Transfer-Encoding: chunked, gzip"],
    "6.3 chunked twice": ["Transfer-Encoding: chunked, chunked"],
    "6.3 chunked in two fields": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "6.3 empty TE": ["Transfer-Encoding:"],
    "6.3 TE with a vertical tab": ["Transfer-Encoding: \x0bchunked"],
    "6.3 two lengths": ["Content-Length: 4", "Content-Length: 5"],
    "6.3 the same length twice": ["Content-Length: 4", "Content-Length: 4"],
    "6.3 length as a list": ["Content-Length: 4, 4"],
    "6.3 length with a sign": ["Content-Length: +4"],
    "6.3 negative length": ["Content-Length: -4"],
    "6.3 length in hex": ["Content-Length: 0x4"],
    "6.3 length with space inside": ["Content-Length: 4 4"],
    "6.3 empty length": ["Content-Length:"],
    "6.3 length of letters": ["Content-Length: four"],
    "6.3 length beyond 64 bits": ["Content-Length: 18446744073709551617"],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_head_is_400_and_close(server, name):
    server.bad(BAD[name] + SECOND)


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling_is_400_and_close_without_a_second_answer(server, name):
    data = head("POST /x HTTP/1.1", "Host: a.example", *SMUGGLING[name])
    server.bad(data + b"0\r\n\r\n" + SECOND)


def test_6_1_transfer_encoding_on_1_0(server):
    data = head("POST /x HTTP/1.0", "Host: a.example", "Transfer-Encoding: chunked")
    server.bad(data + b"0\r\n\r\n" + SECOND)


CHUNKS = {
    "LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "LF after the data": b"5\r\nhello\n0\r\n\r\n",
    "LF at the end": b"5\r\nhello\r\n0\n\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "negative size": b"-1\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "size beyond 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "data longer than the size": b"3\r\nhello\r\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "extensions without end": b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
    "extensions of 4 KiB together": (b"1;" + b"a" * 500 + b"\r\nx\r\n") * 12 + b"0\r\n\r\n",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_bad_chunks_end_the_connection_without_a_second_answer(server, name):
    """The 307 may already be out; but what follows is never read as a request."""
    data = head("POST /x HTTP/1.1", "Host: a.example", "Transfer-Encoding: chunked")
    with server.connect() as c:
        c.send(data + CHUNKS[name] + SECOND)
        answers = parse_all(c.rest())
    assert [r.status for r in answers] in ([400], [307], [307, 400]), answers
    assert all("second" not in (r.location or "") for r in answers)


def test_chunked_body_is_skipped(server):
    body = b'5;a=b;c="d e"\r\nhello\r\n1\r\nx\r\n000A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n'
    data = head("POST /x HTTP/1.1", "Host: a.example", "Transfer-Encoding: Chunked")
    with server.connect() as c:
        c.send(data + body + SECOND)
        assert c.response().location == "https://b.example/x"
        assert c.response().location == "https://b.example/second"


def test_a_body_that_looks_like_a_request_is_none(server):
    with server.connect() as c:
        c.send(request_bytes("POST", "/x", body=SECOND) + GET)
        assert c.response().location == "https://b.example/x"
        assert c.response().location == "https://b.example/x"
        c.send(SECOND)
        assert c.response().location == "https://b.example/second"


def test_a_body_in_small_pieces_is_skipped(server):
    with server.connect() as c:
        for byte in request_bytes("POST", "/x", body=b"0123456789") + SECOND:
            c.send(bytes([byte]))
        assert c.response().location == "https://b.example/x"
        assert c.response().location == "https://b.example/second"


def test_the_answer_does_not_wait_for_the_body(server):
    with server.connect() as c:
        c.send(head("POST /x HTTP/1.1", "Host: a.example", "Content-Length: 100"))
        assert c.response().status == 307
        c.send(b"x" * 100 + SECOND)
        assert c.response().location == "https://b.example/second"


# RFC 9112, 3: the request line


def test_3_target_of_8000_octets(server):
    path = "/" + "a" * 7999
    assert server.get(path).location == "https://b.example" + path


def test_3_long_target_is_414(server):
    server.bad(b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a.example\r\n\r\n", 414)


def test_3_target_without_end_is_414(server):
    with server.connect() as c:
        c.send(b"GET /" + b"a" * 20000)
        assert c.response().status == 414
        c.assert_closed()


def test_3_long_method_is_501(server):
    server.bad(b"A" * 200 + b" /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 501)


def test_3_unknown_method_is_redirected_too(server):
    assert server.request("BREW", "/x").status == 307


def test_2_3_other_version_is_505(server):
    for version in [b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9"]:
        server.bad(b"GET /x " + version + b"\r\nHost: a.example\r\n\r\n" + SECOND, 505)


def test_2_3_higher_minor_is_served(server):
    with server.connect() as c:
        assert c.send(b"GET /x HTTP/1.2\r\nHost: a.example\r\n\r\n").response().status == 307


def test_3_2_case_port_and_dot_of_host_do_not_matter(server):
    for host in ["A.Example", "a.example.", "a.example:80", f"a.example:{server.port}", "A.EXAMPLE.:80"]:
        assert server.get("/x", host=host).location == "https://b.example/x", host


def test_3_2_2_absolute_form_wins_over_host(server):
    with server.connect() as c:
        c.send(b"GET http://c.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert c.response().location == "https://d.example/x?y"
        c.send(b"GET HTTP://C.EXAMPLE HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert c.response().location == "https://d.example/"
        c.send(b"GET http://c.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert c.response().location == "https://d.example/?q"


def test_3_2_3_connect_is_refused(server):
    with server.connect() as c:
        c.send(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert c.response().status == 501


def test_3_2_4_options_asterisk(server):
    with server.connect() as c:
        c.send(b"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n" + GET)
        r = c.response()
        assert r.status == 204 and "OPTIONS" in r["Allow"]
        assert c.response().status == 307


def test_9110_7_4_https_that_was_not(server):
    with server.connect() as c:
        c.send(b"GET https://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert c.response().status == 421


def test_unknown_host_is_421(server):
    assert server.get("/x", host="unknown.example").status == 421


# RFC 9110: semantics


def test_6_6_1_date_is_right(server):
    r = server.get("/x")
    assert abs(imf_seconds(r["Date"]) - time.time()) <= 2 * SLACK


@pytest.mark.parametrize("target", ["/x", "/tea"])
def test_9_3_2_head_has_the_same_fields_and_no_content(server, target):
    with server.connect() as c:
        c.send(request_bytes("GET", target))
        get = c.response()
        c.send(request_bytes("HEAD", target) + SECOND)
        got = c.response(head_only=True)
        assert got.status == get.status

        def without_date(r):
            return [f for f in r.fields if f[0] != "Date"]

        assert without_date(got) == without_date(get)
        assert int(got["Content-Length"]) == len(get.body) > 0
        assert c.response().location == "https://b.example/second"


def test_note_is_escaped_hypertext_with_the_link(server):
    r = server.get("/a&b'c?d=%22%3Ce")
    assert r["Content-Type"].startswith("text/html")
    body = r.body.decode()
    assert 'href="' in body
    assert "/a&amp;b" in body and "/a&b" not in body
    inside = body.split('href="')[1].split('"')[0]
    assert "<" not in inside and "'" not in inside.replace("&#39;", "")


def test_10_1_1_expect_gets_the_final_answer_at_once(server):
    with server.connect() as c:
        c.send(head("PUT /x HTTP/1.1", "Host: a.example", "Content-Length: 1000000", "Expect: 100-continue"))
        r = c.response(timeout=1 * SLACK)
        assert r.status == 307 and r.closes
        c.assert_closed()


def test_10_1_1_expect_with_the_body_sent_all_the_same(server):
    with server.connect() as c:
        c.send(head("PUT /x HTTP/1.1", "Host: a.example", "Content-Length: 100000", "Expect: 100-Continue"))
        c.send(b"x" * 100000)
        assert c.response().status == 307
        c.assert_closed()


def test_10_1_1_after_expect_nothing_is_read_as_a_request(server):
    with server.connect() as c:
        c.send(head("PUT /x HTTP/1.1", "Host: a.example", "Content-Length: 10", "Expect: 100-continue"))
        c.send(SECOND + SECOND)
        assert [r.location for r in parse_all(c.rest())] == ["https://b.example/x"]


def test_10_1_1_expect_without_content_is_ignored(server):
    with server.connect() as c:
        c.send(head("GET /x HTTP/1.1", "Host: a.example", "Expect: 100-continue"))
        r = c.response()
        assert r.status == 307 and not r.closes
        assert c.send(SECOND).response().status == 307


def test_10_1_1_expect_on_1_0_is_ignored(server):
    with server.connect() as c:
        c.send(head("POST /x HTTP/1.0", "Host: a.example", "Content-Length: 1", "Expect: 100-continue") + b"x")
        assert c.response().status == 307
        c.assert_closed()


def test_10_1_1_unknown_expectation(server):
    with server.connect() as c:
        c.send(head("PUT /x HTTP/1.1", "Host: a.example", "Content-Length: 1", "Expect: coffee") + b"x")
        assert c.response().status == 417


def test_15_2_no_1xx_ever(server):
    for version in ["1.0", "1.1"]:
        with server.connect() as c:
            c.send(request_bytes("PUT", "/x", {"Expect": "100-continue"}, b"x", version=version))
            assert c.response().status == 307


# RFC 9112, 9: connections


def test_9_3_keep_alive(server):
    with server.connect() as c:
        for i in range(50):
            r = c.send(f"GET /{i} HTTP/1.1\r\nHost: a.example\r\n\r\n").response()
            assert r.location == f"https://b.example/{i}" and not r.closes


def test_9_3_2_pipelined_answers_in_order(server):
    with server.connect() as c:
        parts = []
        for i in range(200):
            if i % 3 == 0:
                parts.append(request_bytes("POST", f"/{i}", body=b"y" * i))
            else:
                parts.append(request_bytes("GET", f"/{i}"))
        c.send(b"".join(parts))
        assert [c.response().location for _ in range(200)] == [
            f"https://b.example/{i}" for i in range(200)
        ]


def test_9_6_close_is_honoured_and_nothing_more_is_processed(server):
    with server.connect() as c:
        c.send(head("GET /x HTTP/1.1", "Host: a.example", "Connection: Close") + SECOND)
        assert c.response().closes
        c.assert_closed()


def test_9_6_close_in_a_list(server):
    with server.connect() as c:
        c.send(head("GET /x HTTP/1.1", "Host: a.example", "Connection: foo, close, bar") + SECOND)
        assert c.response().closes
        c.assert_closed()


def test_9_3_http_1_0_closes(server):
    with server.connect() as c:
        assert c.send(b"GET /x HTTP/1.0\r\nHost: a.example\r\n\r\n").response().status == 307
        c.assert_closed()


def test_9_3_http_1_0_keep_alive(server):
    with server.connect() as c:
        for _ in range(3):
            r = c.send(head("GET /x HTTP/1.0", "Host: a.example", "Connection: keep-alive")).response()
            assert (r.status, r["Connection"]) == (307, "keep-alive")


def test_http_1_0_without_host(server):
    with server.connect() as c:
        assert c.send(b"GET /x HTTP/1.0\r\n\r\n").response().status == 421


def test_half_closed_client_gets_the_answer_then_fin(server):
    with server.connect() as c:
        c.send(GET).half_close()
        assert c.response().status == 307
        c.assert_closed(timeout=5 * SLACK)


def test_half_closed_in_the_middle_of_a_head(server):
    with server.connect() as c:
        c.send(GET[:20]).half_close()
        assert [r.status for r in parse_all(c.rest())] in ([], [400], [408])


def test_a_head_in_single_bytes(server):
    with server.connect() as c:
        for byte in GET:
            c.send(bytes([byte]))
        assert c.response().status == 307


def test_no_reset_while_the_answer_is_unread(server):
    """A client that writes everything before it reads still has its answer."""
    for size in [1000, 200_000, 3_000_000]:
        with server.connect() as c:
            c.send(request_bytes("POST", "/x", body=b"z" * size))
            assert c.response().status == 307


# Limits


def test_header_of_16_kib_is_431(server):
    fields = "".join(f"A{i}: {'x' * 1000}\r\n" for i in range(40))
    server.bad(f"GET /x HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n".encode(), 431)


def test_header_without_end_is_431(server):
    with server.connect() as c:
        c.send(b"GET /x HTTP/1.1\r\nHost: a.example\r\nA: " + b"x" * 30000)
        assert c.response().status == 431
        c.assert_closed()


def test_5000_tiny_fields_are_431(server):
    server.bad(b"GET /x HTTP/1.1\r\nHost: a.example\r\n" + b"a:\r\n" * 5000 + b"\r\n", 431)


def test_100_fields_are_served_and_101_are_not(server):
    for count, status in [(100, 307), (101, 431)]:
        data = b"GET /x HTTP/1.1\r\nHost: a.example\r\n" + b"a: b\r\n" * (count - 1) + b"\r\n"
        with server.connect() as c:
            assert c.send(data).response().status == status


def test_the_next_connection_is_served_after_all_that(server):
    assert server.get("/x").status == 307
    assert wait_until(lambda: len(server.worker_pids()) == 2)


def test_unix_socket(detour):
    config = 'listen: ["http://127.0.0.1:$PORT", "http://unix:$DIR/s.sock"]\n' + CONFIG
    server = detour(config)
    with Conn(server.folder / "s.sock") as c:
        assert c.send(GET).response().location == "https://b.example/x"


def test_ipv6(detour):
    server = detour('listen: ["http://127.0.0.1:$PORT", "http://[::1]:$PORT"]\n' + CONFIG)
    with Conn(("::1", server.port)) as c:
        assert c.send(GET).response().location == "https://b.example/x"


def test_closed_is_said_when_nothing_comes(server):
    with server.connect() as c:
        c.half_close()
        with pytest.raises(Closed):
            c.response()
