# SPDX-License-Identifier: MIT
"""Promise: a redirect never breaks an upload. The answer leaves at the end of the head, what
comes after it is thrown away within bounds, and no reset is sent before the client could
read. Resets are counted by nft: Linux keeps bytes that came before one readable, so a 307
that was received proves nothing alone."""

import contextlib
import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import conftest
import h2.errors
import pytest
from detourlib import FOREVER, SANDBOX, SLACK, Probe, Target, free_port, parse_all, request_bytes, wait_until
from test_hostile import many_descriptors
from uploadlib import HTTP1, HTTP2, HTTP2_CLEAR, PIECE, TLS, Resets, Sealed, make_certificate

MB = 1_000_000
SIZE = 50 * MB
MANY = 100
VERY_MANY = 1000

CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$TLS_PORT"]
tls: {certificates: [{cert: $FILES/cert.pem, key: $FILES/key.pem}]}
limits: {lingering: $LINGERING}
sites:
  - name: a
    hosts: [a.example, 127.0.0.1, localhost]
    routes:
      - {name: rest, path: "/r/*", to: "https://b.example/{+0}"}
      - {name: follow, path: "/f/*", to: "$TARGET/{+0}"}
      - {name: back, path: /back, to: "http://localhost:$PORT/gone"}
      - {name: gone, path: /gone, respond: {status: 410}}
"""

WIRES = [HTTP1, TLS, HTTP2, HTTP2_CLEAR]
STREAMS = [wire for wire in WIRES if not wire.h2]  # no frames: a body ends where the next head begins
FOLLOWED = [wire for wire in WIRES if wire != HTTP2_CLEAR]  # curl would ask the target in the same way

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
framed_wire = pytest.mark.parametrize("wire", [HTTP2, HTTP2_CLEAR], ids=lambda wire: wire.name)
followed_wire = pytest.mark.parametrize("wire", FOLLOWED, ids=lambda wire: wire.name)
every_stream = pytest.mark.parametrize("wire", STREAMS, ids=lambda wire: wire.name)


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A file of 50 MB that takes no room."""
    path = tmp_path_factory.mktemp("upload") / "50mb"
    with open(path, "wb") as file:
        file.truncate(SIZE)
    return path


@pytest.fixture(scope="module")
def arrived():
    target = Target()
    yield target
    target.close()


@pytest.fixture(scope="module")
def start(shared_detour, arrived, tmp_path_factory):
    files = tmp_path_factory.mktemp("tls")
    make_certificate(files)

    def start(lingering="{}"):
        values = {"TARGET": arrived.url, "FILES": files, "TLS_PORT": free_port(), "LINGERING": lingering}
        return shared_detour(CONFIG, metrics=True, **values)

    return start


@pytest.fixture(scope="module")
def server(start):
    return start()


@pytest.fixture(scope="module")
def tight(start):
    return start("{bytes: 4MiB, time: 2s, idle: 1s}")


class NotCounted:
    """Without a network namespace of one's own."""

    @staticmethod
    def count():
        return 0


@contextlib.contextmanager
def resets_of(server):
    if not conftest.OWN_NETWORK:
        yield NotCounted
        return
    resets = Resets(server.port, server.values["TLS_PORT"])
    try:
        yield resets
    finally:
        resets.end()


@contextlib.contextmanager
def no_reset(server):
    with resets_of(server) as resets:
        yield resets
        assert resets.count() == 0, "the server has sent a reset"


OUTCOMES = ("not sent", "drained", "cut")


def bodies(server):
    metrics = server.metrics()
    return {outcome: metrics.sum("bodies_total", outcome=outcome) for outcome in OUTCOMES}


@contextlib.contextmanager
def outcome(server, **expected):
    """What becomes of bodies in this block, by outcome; `not_sent` for the one with a space."""
    before = bodies(server)
    yield
    wanted = {name: expected.get(name.replace(" ", "_"), 0) for name in OUTCOMES}

    def counted():
        now = bodies(server)
        return {name: now[name] - before[name] for name in OUTCOMES}

    with contextlib.suppress(AssertionError):
        wait_until(lambda: counted() == wanted, 2 * SLACK)
    assert counted() == wanted


def at_end(c, timeout=FOREVER):
    """The server has half-closed, over TLS with close_notify, and nothing else came."""
    c.assert_closed(timeout)


# --- By curl -----------------------------------------------------------------------------


def curl(server, wire, *arguments, path="/r/x", **kwargs):
    command = ["curl", "-q", "-sS", *wire.curl, "-m", str(FOREVER), "-o", "/dev/null"]
    command += ["-w", "%{http_code} %{redirect_url}", *map(str, arguments), wire.url(server, path)]
    done = subprocess.run(command, capture_output=True, timeout=2 * FOREVER, check=False, **kwargs)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


ANSWER = (0, "307 https://b.example/x", "")


def many_by_curl(server, wire, big, times):
    """Half of them send from memory, half from a file."""
    ways = [("--data-binary", f"@{big}"), ("-X", "POST", "-T", big)]
    with no_reset(server), Probe(server) as probe:
        got = [curl(server, wire, "-H", "Expect:", *ways[i % 2]) for i in range(times)]
    others = [answer for answer in got if answer != ANSWER]
    assert not others, f"{len(others)} of {times} without their answer: {others[:3]}"
    probe.assert_healthy()


@every_wire
def test_50_mb_by_curl_without_expect(server, wire, big):
    many_by_curl(server, wire, big, MANY)


@pytest.mark.slow
@every_wire
def test_50_mb_by_curl_without_expect_a_thousand_times(server, wire, big):
    many_by_curl(server, wire, big, VERY_MANY)


@every_wire
def test_50_mb_by_curl_on_a_slow_line(server, wire, big):
    """The answer comes when most of the body is still to be sent."""
    with no_reset(server):
        for _ in range(3):
            assert curl(server, wire, "-H", "Expect:", "--limit-rate", "20M", "--data-binary", f"@{big}") == ANSWER


@every_wire
def test_50_mb_by_curl_with_expect(server, wire, big):
    with no_reset(server):
        for _ in range(20):
            assert curl(server, wire, "-H", "Expect: 100-continue", "-X", "PUT", "-T", big) == ANSWER


@every_wire
def test_a_body_of_unknown_length_by_curl(server, wire, big):
    with no_reset(server):
        for _ in range(20):
            with open(big, "rb") as file:
                assert curl(server, wire, "-H", "Expect:", "-X", "POST", "-T", "-", stdin=file) == ANSWER


# --- By clients that write everything before they read -------------------------------------


@every_wire
def test_all_is_written_before_the_answer_is_read(server, wire):
    with no_reset(server):
        for _ in range(10):
            with wire.connect(server) as c:
                c.begin(SIZE).end(SIZE)
                assert c.status() == 307
                c.assert_open()


@every_wire
def test_every_byte_of_a_body_is_counted(server, wire):
    before = server.metrics().sum("body_bytes")
    with outcome(server, drained=1), wire.connect(server) as c:
        c.begin(MB + 1).end(MB + 1)
        assert c.status() == 307
        c.assert_open()
    assert server.metrics().sum("body_bytes") - before == MB + 1


@every_wire
def test_it_lies_unread_for_a_while(server, wire):
    with no_reset(server), wire.connect(server) as c:
        c.begin(SIZE).data(SIZE // 2)
        time.sleep(0.5)
        c.end(SIZE - SIZE // 2)
        time.sleep(0.5)
        assert c.status() == 307


@every_wire
def test_the_answer_does_not_wait_for_the_body(server, wire):
    with wire.connect(server) as c:
        assert c.begin(SIZE).status(timeout=1 * SLACK) == 307


@every_stream
def test_1_gib_is_drained_and_counted(server, wire):
    size = 1 << 30
    memory = memory_kib(server)
    before = server.metrics().sum("body_bytes")
    with no_reset(server), outcome(server, drained=1), wire.connect(server) as c:
        c.begin(size).end(size)
        assert c.status() == 307
        c.assert_open()
    assert server.metrics().sum("body_bytes") - before == size
    if SANDBOX == "kill":  # the sanitizers keep what was freed
        assert memory_kib(server) - memory < 2048


def memory_kib(server):
    return sum(
        int(re.search(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
        for pid in server.worker_pids()
    )


@framed_wire
def test_an_open_stream_is_reset_late_and_without_blame(server, wire):
    """Earlier some clients would lose the answer by it, and without it others wait for ever."""
    with no_reset(server), outcome(server, cut=1), wire.connect(server) as c:
        c.begin(SIZE).data(30_000)
        begin = time.monotonic()
        assert c.status() == 307
        while c.reset is None:
            c.take()
        moment, code = c.reset
        assert 0.19 < moment - begin < 0.2 * SLACK
        assert code == h2.errors.ErrorCodes.NO_ERROR
        c.assert_open()


# --- Expect: 100-continue ------------------------------------------------------------------

EXPECT = {"Expect": "100-continue"}


@every_stream
def test_expect_is_answered_at_once_and_finally(server, wire):
    """307 and nothing before it, then the end of our side; nothing has to be sent."""
    with no_reset(server), outcome(server, not_sent=1), wire.connect(server) as c:
        r = c.begin(SIZE, headers=EXPECT).response(timeout=1 * SLACK)
        assert r.status == 307 and r.closes
        at_end(c, 1 * SLACK)


@every_stream
def test_expect_and_the_body_comes_all_the_same(server, wire):
    """RFC 9110, 10.1.1 lets a client do so."""
    with no_reset(server), outcome(server, drained=1), wire.connect(server) as c:
        c.begin(SIZE, headers=EXPECT).end(SIZE)
        assert c.status() == 307
        at_end(c)


@every_stream
def test_expect_and_the_body_comes_after_the_answer(server, wire):
    with no_reset(server), outcome(server, drained=1), wire.connect(server) as c:
        assert c.begin(SIZE, headers=EXPECT).status() == 307
        at_end(c)
        c.data(SIZE)


@every_stream
def test_expect_and_nothing_of_it_is_a_request(server, wire):
    smuggled = request_bytes("GET", "/r/smuggled")
    with no_reset(server), wire.connect(server) as c:
        c.begin(len(smuggled), headers=EXPECT).send(smuggled * 3)
        assert [r.location for r in parse_all(c.rest())] == ["https://b.example/x"]


# --- Bounds ----------------------------------------------------------------------------------


# What the kernel takes on both sides of a loopback connection before a writer has to wait.
SOCKET_BUFFERS = 16 << 20


def send_for_ever(c, rate=None):
    """Until the server has had enough. Gives how many bytes went, and how long it took."""
    begin, sent = time.monotonic(), 0
    piece = PIECE if rate is None else PIECE[: rate // 10]
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLZeroReturnError):
        while time.monotonic() - begin < FOREVER:
            c.send(piece)
            sent += len(piece)
            if rate is not None:
                time.sleep(0.1)
    return sent, time.monotonic() - begin


@every_stream
def test_a_body_that_is_said_to_be_too_large(tight, wire):
    """The connection ends after the answer; how much is drained is bounded all the same."""
    with resets_of(tight) as resets, outcome(tight, cut=1), wire.connect(tight) as c:
        r = c.begin(1 << 40).response()
        assert r.status == 307 and r.closes
        at_end(c)
        assert resets.count() == 0
        sent, seconds = send_for_ever(c)
        assert (4 << 20) <= sent < (4 << 20) + SOCKET_BUFFERS
        assert seconds < 1 * SLACK


@every_stream
def test_a_body_of_unknown_length_is_too_large(tight, wire):
    """Where its end is known only when it comes, the end of our side comes at the bound."""
    with resets_of(tight) as resets, outcome(tight, cut=1), wire.connect(tight) as c:
        c.begin().send(b"7fffffff\r\n").data(5 << 20)
        r = c.response()
        assert r.status == 307 and not r.closes
        at_end(c)
        assert resets.count() == 0
        sent, seconds = send_for_ever(c)
        assert sent < (4 << 20) + SOCKET_BUFFERS
        assert seconds < 1 * SLACK


@every_stream
def test_a_body_that_stops(tight, wire):
    with no_reset(tight), outcome(tight, cut=1), wire.connect(tight) as c:
        c.begin(3 * MB).data(MB)
        begin = time.monotonic()
        assert c.status() == 307
        at_end(c)
        assert 0.9 < time.monotonic() - begin < 1 * SLACK
        c.half_close()


@every_stream
def test_a_body_that_goes_on_for_ever_after_the_half_close(tight, wire):
    """It makes progress, so that only the time ends it."""
    with resets_of(tight) as resets, outcome(tight, cut=1), wire.connect(tight) as c:
        assert c.begin(SIZE, headers=EXPECT).status() == 307
        at_end(c)
        assert resets.count() == 0
        _, seconds = send_for_ever(c, rate=20_000)
        assert 1.8 < seconds < 2 * SLACK


@every_stream
def test_a_body_that_goes_on_slowly_is_never_cut(tight, wire):
    """1 kB a second is more than the least progress; no time is set for the whole."""
    pieces = 25
    with no_reset(tight), outcome(tight, drained=1), wire.connect(tight) as c:
        c.begin(pieces * 100)
        for _ in range(pieces):
            c.send(PIECE[:100])
            time.sleep(0.1)
        assert c.status() == 307
        c.assert_open()


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["body", "after the end"])
def test_a_record_that_takes_long_is_progress(start, headers):
    """A TLS record of 16 KiB, of which some bytes come now and then."""
    server = start("{time: 10s, idle: 1s}")
    size = 16_000
    with no_reset(server), outcome(server, drained=1), Sealed(server) as c:
        c.send(c.seal(request_bytes("POST", "/r/x", {"Content-Length": str(size), **headers})))
        record = c.seal(PIECE[:size])
        for i in range(0, len(record), 500):
            c.send(record[i : i + 500])
            time.sleep(0.1)
        assert b"HTTP/1.1 307" in c.open()


@every_stream
@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["body", "after the end"])
def test_a_fast_body_that_becomes_slow_is_never_cut(start, wire, headers):
    """The kernel gathers what is fast; what is too little for that is progress all the same."""
    server = start("{time: 10s, idle: 1s}")
    trickle = 20
    with no_reset(server), outcome(server, drained=1), wire.connect(server) as c:
        c.begin(16 * MB + trickle * 2000, headers=headers).data(8 * MB)
        for _ in range(trickle):
            c.send(PIECE[:2000])
            time.sleep(0.1)
        c.data(8 * MB)
        assert c.status() == 307
        if headers:
            at_end(c)
        else:
            c.assert_open()


@every_stream
def test_a_body_below_the_least_progress_is_cut_within_10_s(server, wire):
    """Some bytes all the time, but too few: what a slow attack does."""
    with no_reset(server), outcome(server, cut=1), wire.connect(server) as c:
        assert c.begin(SIZE).status() == 307
        begin = time.monotonic()
        c.sock.settimeout(0.1)
        while time.monotonic() - begin < 10 * SLACK:
            with contextlib.suppress(TimeoutError):
                assert c.sock.recv(1) == b""
                break
            c.sock.sendall(b"0123456789")
        assert 4.9 < time.monotonic() - begin < 10
        c.half_close()


def test_5000_bodies_that_stop_leave_the_others_healthy(start):
    count = 5000
    many_descriptors(count + 500)
    server, slow = start("{idle: 3s}"), []
    try:
        with no_reset(server), outcome(server, cut=count), Probe(server) as probe:
            for _ in range(count):
                slow.append(HTTP1.connect(server).begin(1000).send(b"abc"))
            for c in slow:
                assert c.status() == 307
                at_end(c, 10 * SLACK)
                c.half_close()
        probe.assert_healthy()
    finally:
        for c in slow:
            c.close()


# --- Ends --------------------------------------------------------------------------------------


@every_stream
def test_a_half_closed_client_has_its_answer_and_then_the_end(server, wire):
    for size in [0, 1, 100_000, SIZE]:
        with no_reset(server), wire.connect(server) as c:
            c.begin(size).data(size).half_close()
            assert c.status() == 307
            at_end(c)


@every_stream
def test_half_closed_in_the_middle_of_a_body(server, wire):
    with no_reset(server), outcome(server, cut=1), wire.connect(server) as c:
        c.begin(SIZE).data(MB).half_close()
        assert c.status() == 307
        at_end(c)


REFUSED = {
    400: {"Content-Length": "1", "Transfer-Encoding": "chunked"},
    431: {"A": "x" * 20_000},
}


@every_stream
@pytest.mark.parametrize("status", REFUSED)
def test_a_refusal_is_closed_as_gently(server, wire, status):
    """What follows a head that could not be read is a body to its sender."""
    with no_reset(server), wire.connect(server) as c:
        c.send(request_bytes("POST", "/r/x", REFUSED[status])).data(SIZE)
        r = c.response()
        assert r.status == status and r.closes
        at_end(c)


@every_wire
def test_a_body_for_a_place_that_is_not_there(server, wire):
    with no_reset(server), wire.connect(server) as c:
        c.begin(SIZE, target="/nowhere").end(SIZE)
        assert c.status() == 404
        c.assert_open()


@every_stream
def test_connection_close_and_a_body(server, wire):
    with no_reset(server), outcome(server, drained=1), wire.connect(server) as c:
        c.begin(SIZE, headers={"Connection": "close"}).data(SIZE)
        r = c.response()
        assert r.status == 307 and r.closes
        at_end(c)


@every_wire
def test_the_server_stops_in_the_middle_of_an_upload(start, wire):
    server = start()
    with no_reset(server), wire.connect(server) as c:
        c.begin(SIZE).data(SIZE // 2)
        server.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in server.stderr(), what="the drain")
        c.end(SIZE - SIZE // 2)
        assert c.status() == 307
        if not wire.h2:
            at_end(c)
    server.process.wait(FOREVER)


@every_stream
def test_a_client_that_is_gone(server, wire):
    """It reads nothing and resets: what comes of that is the client's alone."""
    with outcome(server, cut=20), Probe(server) as probe:
        for _ in range(20):
            with wire.connect(server) as c:
                c.begin(SIZE).data(MB)
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    probe.assert_healthy()


# --- Going on ------------------------------------------------------------------------------------


@every_wire
def test_the_connection_goes_on_after_each_body(server, wire):
    count = 30
    with no_reset(server), outcome(server, drained=count), wire.connect(server) as c:
        for i in range(count):
            c.begin(i * 7919 + 1).end(i * 7919 + 1)
            assert c.status() == 307
        c.assert_open()


@every_stream
def test_the_next_request_in_the_same_write(server, wire):
    after = request_bytes("GET", "/r/after")
    for size in [1, 1000, 65536, 70_000, 300_000]:
        with no_reset(server), wire.connect(server) as c:
            c.send(request_bytes("POST", "/r/x", body=PIECE[:size]) + after)
            assert c.response().location == "https://b.example/x"
            assert c.response().location == "https://b.example/after"


def chunks(body, size):
    return b"".join(
        b"%x\r\n%b\r\n" % (len(body[i : i + size]), body[i : i + size]) for i in range(0, len(body), size)
    )


@every_stream
@pytest.mark.parametrize("size", [1, 7, 4000, 65536, 1 << 20])
def test_chunks_of_every_size(server, wire, size):
    body = chunks(PIECE[: min(100_000 * size, len(PIECE))], size)
    with no_reset(server), outcome(server, drained=1), wire.connect(server) as c:
        c.begin().send(body + b"0\r\nTrailer: x\r\n\r\n")
        assert c.status() == 307
        c.assert_open()


@every_stream
def test_large_chunks_with_the_next_request_behind_the_last(server, wire):
    with no_reset(server), outcome(server, drained=1), wire.connect(server) as c:
        c.begin()
        for _ in range(10):
            c.send(b"500000\r\n").data(5 << 20).send(b"\r\n")
        c.send(b"0\r\n\r\n" + request_bytes("GET", "/r/after"))
        assert c.response().location == "https://b.example/x"
        assert c.response().location == "https://b.example/after"


@every_stream
def test_a_broken_chunk_after_the_answer(server, wire):
    """The answer has gone; there is no second one, and no reset either."""
    with no_reset(server), outcome(server, cut=1), wire.connect(server) as c:
        c.begin().send(b"5\r\nhello\r\nx\r\n").data(SIZE)
        assert c.status() == 307
        at_end(c)


def test_many_uploads_at_once(server):
    def one():
        with HTTP1.connect(server) as c:
            c.begin(SIZE).end(SIZE)
            done.append(c.status())

    done = []
    with no_reset(server), outcome(server, drained=30), Probe(server) as probe:
        threads = [threading.Thread(target=one, daemon=True) for _ in range(30)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(3 * FOREVER)
    assert done == [307] * 30
    probe.assert_healthy()


# --- Clients that follow ---------------------------------------------------------------------------


def arrival(arrived, path):
    (found,) = [(method, len(body)) for method, at, body, _ in arrived.seen if at == path]
    arrived.seen.clear()
    return found


FILE_WAYS = [("--data-binary", "POST"), ("-T", "PUT")]


@followed_wire
@pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"])
@pytest.mark.parametrize("way, method", FILE_WAYS)
def test_curl_follows_and_all_arrives(server, wire, big, arrived, way, method, expect):
    for _ in range(3):
        with no_reset(server):
            source = f"@{big}" if way == "--data-binary" else big
            got = curl(server, wire, "-L", "-H", expect, way, source, path="/f/curl")
        assert got[0] == 0 and got[1].startswith("200"), got
        assert arrival(arrived, "/curl") == (method, SIZE)


def test_curl_follows_at_its_leisure(server, big):
    """Some versions, when they follow, send the first body to its end without reading. To
    another host, since curl 7.88 cannot use such a connection twice."""
    ways = [["-T", str(big)], ["--data-binary", f"@{big}"], ["-T", str(big), "--limit-rate", "50M"]]
    with no_reset(server):
        for way in ways * 4:
            got = curl(server, HTTP2_CLEAR, "-L", "-H", "Expect:", *way, path="/back")
            assert got[0] == 0 and got[1].startswith("410"), got


def test_python_follows_and_all_arrives(server, arrived):
    """http.client sends everything before it looks for an answer."""
    with no_reset(server):
        first = http.client.HTTPConnection("127.0.0.1", server.port, timeout=FOREVER)
        first.request("POST", "/f/python", body=bytes(SIZE), headers={"Host": "a.example"})
        r = first.getresponse()
        assert r.status == 307
        r.read()
        first.close()
    second = http.client.HTTPConnection("127.0.0.1", arrived.port, timeout=FOREVER)
    second.request("POST", r.getheader("Location").removeprefix(arrived.url), body=bytes(SIZE))
    assert second.getresponse().status == 200
    second.close()
    assert arrival(arrived, "/python") == ("POST", SIZE)


def node(script, *arguments):
    done = subprocess.run(
        ["node", "-e", script, *map(str, arguments)], capture_output=True, text=True, timeout=3 * FOREVER, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# Not a Buffer itself: Node 20 loses it at its own first sending, whoever answers 307.
NODE_BUFFER = """
fetch(process.argv[1], {method: 'POST', body: new Blob([Buffer.alloc(+process.argv[2])])})
    .then(async r => console.log(JSON.stringify([r.status, r.redirected, await r.text()])));
"""

# A stream cannot be sent twice, so the answer is asked for and the rest is up to the caller.
NODE_STREAM = """
const piece = new Uint8Array(65536);
const size = +process.argv[2];
const body = () => { let left = size; return new ReadableStream({type: 'bytes', pull(c) {
    const n = Math.min(left, piece.length);
    if (n > 0) { c.enqueue(piece.slice(0, n)); left -= n; }
    if (left === 0) { c.close(); }
}}); };
const ask = (url) => fetch(url, {method: 'POST', duplex: 'half', redirect: 'manual', body: body()});
ask(process.argv[1]).then(async first => {
    const second = first.status === 307 ? await ask(first.headers.get('location')) : first;
    console.log(JSON.stringify([first.status, second.status]));
});
"""


def test_node_follows_with_a_buffer(server, arrived):
    with no_reset(server):
        status, redirected, _ = node(NODE_BUFFER, HTTP1.url(server, "/f/buffer"), SIZE)
    assert (status, redirected) == (200, True)
    assert arrival(arrived, "/buffer") == ("POST", SIZE)


def test_node_sends_a_stream(server, arrived):
    with no_reset(server):
        assert node(NODE_STREAM, HTTP1.url(server, "/f/stream"), SIZE) == [307, 200]
    assert arrival(arrived, "/stream") == ("POST", SIZE)


# --- The count itself ---------------------------------------------------------------------------------


def test_resets_are_seen(own_network):
    """What all the others rely on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resets = Resets(listener.getsockname()[1])
        with socket.create_connection(listener.getsockname()) as c:
            peer, _ = listener.accept()
            c.sendall(b"unread")
            time.sleep(0.05)
            assert resets.count() == 0
            peer.close()
            assert resets.count() == 1
        resets.end()
