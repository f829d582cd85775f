# SPDX-License-Identifier: MIT
"""What is not redirected goes on to where the site lives, and its answer comes back: piece by
piece, both ways, with nothing left of how it came."""

import hashlib
import os
import resource
import signal
import socket
import time

import pytest
from detourlib import SLACK, Closed, fill, free_port, process_stat, wait_until
from originlib import Answer, Client, Origin, answering
from test_origin_names import Names

CONFIG = """
origins:
  app: {url: "http://127.0.0.1:$ORIGIN", connect_timeout: 1s, response_timeout: $PATIENCE, idle_timeout: $PATIENCE}
sites:
  - {name: a, hosts: [a.example], routes: [{path: /away, to: "https://b.example/"}], default: {origin: app}}
"""
OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def pair(detour):
    """pair(SERVE) gives a Detour and the origin behind it."""
    origins = []

    def make(serve, config=CONFIG, late="10s", **kwargs):
        origin = Origin(serve)
        origins.append(origin)
        return detour(config, ORIGIN=origin.port, PATIENCE=late, workers=1, **kwargs), origin

    yield make
    for origin in origins:
        origin.close()


def test_what_is_sent_on_is_written_anew(pair):
    server, origin = pair(answering(OK))
    with Client(server) as c:
        c.ask("GET", "/a//b/../%7Ec?x=1&y=%20", [
            "Accept: */*", "Connection: close-not, X-Private, keep-alive", "X-Private: 1", "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive", "TE: gzip", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ",
            "X-Forwarded-For: 6.6.6.6", "x_forwarded_for: 6.6.6.6", "X-Forwarded-Proto: https", "X-Real-IP: 6.6.6.6",
            "X-Forwarded-Host: evil.example", "X-Forwarded-Prefix: /evil", "Forwarded: for=6.6.6.6;proto=https",
            "Cookie: a=1", "Cookie: b=2", "X-Kept: yes"])
    head = origin.heads[0]
    assert head.first == "GET /a//b/../%7Ec?x=1&y=%20 HTTP/1.1"
    assert head.fields == [
        ("Host", "a.example"), ("Accept", "*/*"), ("Cookie", "a=1; b=2"), ("X-Kept", "yes"),
        ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "http"), ("X-Forwarded-Host", "a.example"),
        ("Forwarded", 'for=127.0.0.1;host="a.example";proto=http'), ("Via", "1.1 detour")]


def test_what_trusted_proxies_say_goes_on(pair):
    server, origin = pair(answering(OK), "trusted_proxies: [127.0.0.0/8]\nforwarded_header: X-Forwarded-For\n" + CONFIG)
    with Client(server) as c:
        c.ask("GET", "/", ["X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-Proto: https",
                           "X-Forwarded-Host: a.example:8443", "X-Real-IP: 192.0.2.7", "Forwarded: for=6.6.6.6"])
    head = origin.heads[0]
    assert head.get("X-Forwarded-For") == "192.0.2.7, 127.0.0.1"
    assert head.get("X-Forwarded-Proto") == "https"
    assert head.get("X-Forwarded-Host") == "a.example:8443"
    assert head.get("Forwarded") == 'for=192.0.2.7;host="a.example:8443";proto=https, for=127.0.0.1'
    assert head.get("X-Real-IP") == "192.0.2.7"


@pytest.mark.parametrize("raw, method, status, body", [
    (OK, "GET", 200, b"ok"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n3\r\n!!!\r\n0\r\n\r\n", "GET", 200, b"ok!!!"),
    ("HTTP/1.1 204 No Content\r\n\r\n", "GET", 204, b""),
    ("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", "GET", 304, b""),
    ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD", 200, b""),
    ("HTTP/1.1 404 Gone Fishing\r\nContent-Length: 0\r\n\r\n", "GET", 404, b""),
    ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, "GET", 200, b"ok"),
])
def test_answers_come_back(pair, raw, method, status, body):
    server, origin = pair(answering(raw, OK), log=True)
    with Client(server) as c:
        answer = c.ask(method, "/x")
        assert (answer.status, answer.body) == (status, body)
        if "103" in raw:
            assert answer.interim[0].get("Link") == "</a>"
        if method == "HEAD":
            assert answer.get("Content-Length") == "7"
        assert c.ask().body == b"ok", "the client's connection goes on"
    assert origin.connections == 1, "and so does the origin's"
    line = server.wait_log(2)[0]
    assert (line["status"], line["origin_status"], line["origin"]) == (status, status, "app")
    assert (line["rule"], line["bytes_received"], line["origin_ended"]) == ("a/default", len(body), None)


def test_an_answer_that_ends_with_its_connection(pair):
    def serve(origin, stream):
        origin.head(stream)
        stream.send("HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello ").send("world")

    server, origin = pair(serve)
    with Client(server) as c:
        answer = c.ask()
        assert (answer.body, answer.get("X-A")) == (b"hello world", "b")
        assert c.ask().body == b"hello world"
    assert origin.connections == 2


def test_trailers_go_both_ways(pair):
    seen = []

    def serve(origin, stream):
        assert origin.head(stream).get("TE") == "trailers"
        seen.append(stream.chunks())
        stream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                    "2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n")

    server, _ = pair(serve)
    with Client(server) as c:
        answer = c.ask("POST", "/", ["Transfer-Encoding: chunked", "TE: trailers", "Connection: TE"],
                       b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Digest: q\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert (answer.body, answer.trailers) == (b"ok", ["X-Sum: 7"])
    assert seen == [(b"abcde", ["X-Digest: q"])]


def test_100_continue(pair):
    """The client's content is not asked for before the origin asks for it."""
    go = []

    def serve(origin, stream):
        assert origin.head(stream).get("Expect") == "100-continue"
        wait_until(lambda: go)
        stream.send("HTTP/1.1 100 Continue\r\n\r\n")
        assert stream.exactly(5) == b"hello"
        stream.send(OK)

    server, origin = pair(serve)
    with Client(server) as c:
        c.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        wait_until(lambda: origin.heads)
        c.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            c.fill()
        c.sock.settimeout(20)
        go.append(True)
        assert c.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        c.send("hello")
        assert Answer(c).body == b"ok"


def test_an_early_answer_to_an_upload(pair):
    def serve(origin, stream):
        origin.head(stream)
        stream.exactly(1000)
        stream.send("HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
        stream.sock.shutdown(socket.SHUT_WR)
        stream.everything()

    server, _ = pair(serve)
    with Client(server) as c:
        c.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4000000\r\n\r\n")
        c.send(b"x" * 4000000)
        answer = Answer(c)
        assert (answer.status, answer.body) == (413, b"no!")


BAD = [
    "HELLO\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "HTTP/1.1 700 What\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: " + "a" * 40000,
    "HTTP/1.1 200 OK\r\n" + "a: b\r\n" * 101 + "\r\n",
    "HTTP/1.1 102 Wait\r\n\r\n" * 17,
    "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
]


def test_an_answer_that_is_none(pair):
    turn = iter(BAD)

    def serve(origin, stream):
        origin.head(stream)
        stream.send(next(turn))
        assert stream.everything() == b"", "closed, and nothing more was asked"

    server, origin = pair(serve, log=True, metrics=True)
    for raw in BAD:
        with Client(server) as c:
            answer = c.ask()
            assert answer.status == 502, raw[:80]
            assert answer.get("Content-Type") == "application/problem+json"
            assert b'"status":502' in answer.body
    assert origin.connections == len(BAD)
    assert {line["origin_ended"] for line in server.wait_log(len(BAD))} == {"bad answer"}
    metrics = server.metrics()
    assert metrics.sum("detour_origin_requests_total", ended="bad answer") == len(BAD)
    assert metrics.sum("detour_origin_requests_total") == len(BAD)
    assert metrics.sum("detour_origin_connections_total") == len(BAD)
    assert metrics.sum("detour_requests_total", status="502") == len(BAD)


@pytest.mark.parametrize("raw", [
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n",
])
def test_an_answer_that_breaks_off(pair, raw):
    """The client cannot take it for whole."""
    def serve(origin, stream):
        origin.head(stream)
        stream.send(raw)

    server, _ = pair(serve, log=True)
    with Client(server) as c:
        with pytest.raises((Closed, ConnectionResetError)):
            c.ask()
    line = server.wait_log(1)[0]
    assert (line["status"], line["origin_ended"]) == (200, "bad answer" if "xyz" in raw else "broken off")


def test_nobody_there(pair):
    server, origin = pair(answering(OK), log=True)
    origin.deaf()
    with Client(server) as c:
        answer = c.ask(fields=["Accept: text/html"])
        assert answer.status == 502
        assert answer.get("Content-Type") == "text/html; charset=utf-8"
        assert c.ask("POST", fields=["Content-Length: 3"], content=b"abc").status == 502
    assert server.wait_log(2)[0]["origin_ended"] == "unreached"
    assert "no connection to the origin app: Connection refused" in server.stderr()


def test_silence_is_504(pair):
    def serve(origin, stream):
        origin.head(stream)
        stream.everything()

    server, _ = pair(serve, late="300ms", log=True)
    began = time.monotonic()
    with Client(server) as c:
        assert c.ask().status == 504
    assert time.monotonic() - began < 0.7 * SLACK
    assert server.wait_log(1)[0]["origin_ended"] == "late"


def test_silence_in_the_middle(pair):
    def serve(origin, stream):
        origin.head(stream)
        stream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        stream.everything()

    server, _ = pair(serve, late="300ms")
    with Client(server) as c, pytest.raises((Closed, ConnectionResetError)):
        c.ask()


def test_a_kept_connection_that_has_gone(pair):
    """What is idempotent is tried once more; the rest is the client's to repeat."""
    asked = []

    def serve(origin, stream):
        for method in ("GET", "GET", "POST"):
            head = origin.head(stream)
            asked.append(head.first.split(" ")[0])
            if len(asked) in (2, 5):  # it closes when it is asked
                stream.exactly(int(head.get("Content-Length") or 0))
                return
            stream.send(OK)

    server, origin = pair(serve, log=True)
    with Client(server) as c:
        assert c.ask().status == 200
        assert c.ask().status == 200, "on another connection"
        assert c.ask().status == 200
        assert c.ask("POST", fields=["Content-Length: 3"], content=b"abc").status == 502
    assert asked == ["GET", "GET", "GET", "GET", "POST"]
    assert origin.connections == 2


def test_bytes_that_nobody_asked_for(pair):
    """They are no answer to the next request."""
    server, origin = pair(answering(OK + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    with Client(server) as c:
        for _ in range(3):
            assert c.ask().body == b"ok"
    assert origin.connections == 3


def test_an_answer_before_its_question(pair):
    """Both are there when the worker looks: it may well look at the question first."""
    server, origin = pair(answering(OK))
    worker = server.worker_pids()[0]
    with Client(server) as c:
        for _ in range(5):
            assert c.ask().body == b"ok"
            kept = next(stream for stream in origin.streams if stream.sock.fileno() >= 0)
            os.kill(worker, signal.SIGSTOP)
            try:
                wait_until(lambda: process_stat(worker)[0] == "T", what="the worker to stop")
                kept.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                c.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            finally:
                os.kill(worker, signal.SIGCONT)
            assert Answer(c).body == b"ok"
            wait_until(lambda: kept.sock.fileno() < 0, what="the end of that connection")


def test_a_client_that_goes(pair):
    ended = []

    def serve(origin, stream):
        origin.head(stream)
        stream.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc")
        try:
            while True:
                time.sleep(0.01)
                stream.send("more")
        except ConnectionError:
            ended.append(True)

    server, _ = pair(serve, log=True)
    with Client(server) as c:
        c.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        c.until(b"abc")
    wait_until(lambda: ended, what="the end of the origin's connection")
    assert server.wait_log(1)[0]["origin_ended"] == "client gone"


def test_too_many_wait_their_turn(pair):
    config = CONFIG.replace("connect_timeout: 1s", "connect_timeout: 1s, connections: 2")
    go = []

    def serve(origin, stream):
        while True:
            origin.head(stream)
            wait_until(lambda: go)
            stream.send(OK)

    server, origin = pair(serve, config)
    clients = [Client(server) for _ in range(6)]
    for c in clients:
        c.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    wait_until(lambda: len(origin.heads) == 2)
    go.append(True)
    assert [Answer(c).body for c in clients] == [b"ok"] * 6
    assert origin.connections == 2
    for c in clients:
        c.close()


def test_few_descriptors(detour):
    """Idle connections to one origin give way to those that another one needs."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))  # of which clients and origins get ten each

    def serve(origin, stream):
        while True:
            origin.head(stream)
            wait_until(lambda: len(origin.heads) % 8 == 0)  # all at the same time
            stream.send(OK)

    here, there = Origin(serve), Origin(serve)
    server = detour("origins:\n"
                    "  here: {url: 'http://127.0.0.1:$HERE', keep_alive: 60s, connect_timeout: 1s}\n"
                    "  there: {url: 'http://127.0.0.1:$THERE', keep_alive: 60s, connect_timeout: 1s}\n"
                    "sites: [{name: a, hosts: [a.example], routes: [{path: /a, origin: here}], default: {origin: there}}]\n",
                    HERE=here.port, THERE=there.port, workers=1, prepare=limit)
    clients = [Client(server) for _ in range(8)]
    for target in ("/a", "/b", "/a"):
        for c in clients:
            c.send(f"GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert [Answer(c).body for c in clients] == [b"ok"] * 8
    for one in (*clients, here, there):
        one.close()


def test_two_names_for_one_place(pair):
    """Each has timeouts, and a name in the log, of its own."""
    def serve(origin, stream):
        if origin.head(stream).first.startswith("GET /slow"):
            stream.everything()
        stream.send(OK)

    config = CONFIG.replace("sites:", '  other: {url: "http://127.0.0.1:$ORIGIN", response_timeout: 200ms}\nsites:')
    server, _ = pair(serve, config.replace("routes: [", "routes: [{path: /slow, origin: other}, "), log=True)
    for _ in range(2):
        with Client(server) as c:
            assert c.ask(target="/slow").status == 504
            assert c.ask(target="/x").status == 200
        server.reload()
        wait_until(lambda: "generation 2 is in use by all workers" in server.stderr())
    assert [line["origin"] for line in server.wait_log(4)] == ["other", "app"] * 2


def test_another_address(detour, folder):
    """Nobody listens at the others; from then on the good one is asked at once."""
    names = Names(folder)
    names.say("127.0.0.8", "127.0.0.1", "127.0.0.9")
    origin = Origin(answering(OK.replace("OK", "OK\r\nConnection: close")))
    server = detour("sites: [{name: a, hosts: [a.example], default: {origin: 'http://shop.internal:$FAR'}}]\n",
                    FAR=origin.port, workers=1, metrics=True, prepare=names.mount)
    with Client(server) as c:
        for _ in range(3):
            assert c.ask().body == b"ok"
    assert server.metrics().sum("detour_origin_connections_total") in (3, 4, 5), "at most two in vain"
    assert origin.heads[0].get("Host") == "a.example"
    origin.close()


def test_an_exchange_ends_where_it_began(pair):
    """Its origin is no longer in the configuration when its answer comes."""
    go = []

    def serve(origin, stream):
        origin.head(stream)
        stream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        wait_until(lambda: go)
        stream.send("world")
        assert stream.everything() == b""

    server, origin = pair(serve)
    with Client(server) as c:
        c.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert c.until(b"\r\n\r\n")
        server.reload("sites: [{name: a, hosts: [a.example], default: {to: 'https://b.example/'}}]\n")
        wait_until(lambda: "generation 2 is in use by all workers" in server.stderr())
        assert server.get("/").status == 307
        go.append(True)
        assert c.exactly(10) == b"helloworld"
    assert origin.connections == 1


def test_a_tunnel(pair):
    """Bytes both ways after 101, and each side ends by itself."""
    def serve(origin, stream):
        head = origin.head(stream)
        assert (head.get("Upgrade"), head.get("Connection")) == ("websocket", "upgrade")
        assert head.get("Sec-WebSocket-Key") == "k"
        stream.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: a\r\n\r\nhello")
        assert stream.everything() == b"from the client" * 1000, "and then its end"
        stream.send("bye")

    server, _ = pair(serve, log=True)
    with Client(server) as c:
        answer = c.ask(fields=["Upgrade: h2c, websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: k"])
        assert (answer.status, answer.get("Upgrade"), answer.get("Sec-WebSocket-Accept")) == (101, "websocket", "a")
        assert c.exactly(5) == b"hello"
        c.send(b"from the client" * 1000)
        c.sock.shutdown(socket.SHUT_WR)
        assert c.everything() == b"bye"
    line = server.wait_log(1)[0]
    assert (line["status"], line["bytes_sent"], line["bytes_received"]) == (101, 15000, 8)


def test_a_slow_reader_holds_the_origin_back(pair):
    sent = [0]

    def serve(origin, stream):
        origin.head(stream)
        stream.send(f"HTTP/1.1 200 OK\r\nContent-Length: {64 << 20}\r\n\r\n")
        for _ in range(64):
            stream.send(b"x" * (1 << 20))
            sent[0] += 1

    server, _ = pair(serve)
    with Client(server) as c:
        c.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        c.until(b"\r\n\r\n")

        def stands():
            before = sent[0]
            time.sleep(0.2)
            return before > 0 and before == sent[0]

        wait_until(stands, what="an origin that has to wait")
        assert sent[0] < 40, "sockets hold some of it, and nobody else does"
        assert c.digest(64 << 20, hashlib.sha1()) == hashlib.sha1(b"x" * (64 << 20)).hexdigest()


def test_a_redirect_beside_it(pair):
    server, origin = pair(answering(OK))
    with Client(server) as c:
        assert c.ask(target="/away").get("Location") == "https://b.example/"
        assert c.ask(target="/stay").body == b"ok"
        assert c.ask(target="/away").status == 307
    assert [head.first for head in origin.heads] == ["GET /stay HTTP/1.1"]


def test_a_circle_ends(detour):
    """Two that pass on to each other."""
    config = 'sites: [{name: a, hosts: ["*"], default: {origin: "http://127.0.0.1:$THERE"}}]\n'
    here = detour(config, THERE=free_port(), workers=1)
    there = detour(config, THERE=here.port, workers=1)
    here.reload(fill(config, THERE=there.port))
    wait_until(lambda: "generation 2 is in use" in here.stderr())
    with Client(here) as c:
        assert c.ask().status == 508
