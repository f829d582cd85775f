# SPDX-License-Identifier: MIT
"""FAULTS, HTTP/2: floods, bombs and streams that stand still cost little and harm nobody. Each
is ended within its figure while a probe on the side sees no error."""

import itertools
import re
import socket
import time
from pathlib import Path

import pytest
from detourlib import SANDBOX, SLACK, Closed, Probe, wait_until
from h2lib import (
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, INITIAL_WINDOW_SIZE, PADDED,
    PING, PRIORITY, REFUSED_STREAM, RST_STREAM, SETTINGS, WHOLE, WINDOW_UPDATE, Http2, block, frame, literal, settings, word,
)

LONG = "0123456789" * 400
CONFIG = """
workers: 1
limits: {write_timeout: 1s}
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: long, path: /long, respond: {status: 410, body: "$LONG"}}
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
"""
RESETS_MAX = 1000
CONNECTION_KIB_MAX = 256
SANITIZED = SANDBOX == "off"  # then memory says nothing


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG, metrics=True, workers=1, LONG=LONG)


@pytest.fixture(autouse=True)
def healthy(server):
    """Whatever a test does here, others see nothing of it."""
    with Probe(server) as probe:
        yield
    probe.assert_healthy()
    with Http2(server.address) as c:
        assert c.ask(1).location == "https://b.example/x"


def pss(server):
    """KiB of memory of the workers, shared pages by their shares."""
    if SANITIZED:
        return 0
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in server.worker_pids()]
    return sum(int(re.search(r"^Pss: +(\d+)", text, re.M)[1]) for text in texts)


def flood(c, frames, batch=10, most=100_000):
    """Sends frames until the server says GOAWAY; gives how many, and its code. A PING behind
    each batch counts, too: what the server had no time to read says nothing about it."""
    sent = 0
    while c.goaway is None and sent < most:
        c.send(b"".join(itertools.islice(frames, batch)), patience=True)
        sent += batch + 1
        if not c.settle():
            break
    return sent, c.end()


# Resets


def rapid(c):
    for i in itertools.count(1, 2):
        yield frame(HEADERS, WHOLE, i, c.fields()) + frame(RST_STREAM, 0, i, word(CANCEL))


def rapid_uploads(c):
    for i in itertools.count(1, 2):
        yield frame(HEADERS, END_HEADERS, i, c.fields("POST")) + frame(RST_STREAM, 0, i, word(CANCEL))


def malformed(c):
    for i in itertools.count(1, 2):
        yield frame(HEADERS, WHOLE, i, c.fields(more=[("A", "b")]))


def overflowing_windows(c):
    for i in itertools.count(1, 2):
        yield frame(HEADERS, END_HEADERS, i, c.fields("POST")) + frame(WINDOW_UPDATE, 0, i, word(0x7fffffff))


def bodies_too_long(c):
    for i in itertools.count(1, 2):
        yield (frame(HEADERS, END_HEADERS, i, c.fields("POST", more=[("content-length", "1")]))
               + frame(DATA, 0, i, b"xx"))


def lengths_without_bodies(c):
    for i in itertools.count(1, 2):
        yield frame(HEADERS, WHOLE, i, c.fields("POST", more=[("content-length", "1")]))


def bad_trailers(c):
    for i in itertools.count(1, 2):
        yield frame(HEADERS, END_HEADERS, i, c.fields("POST")) + frame(HEADERS, WHOLE, i, literal(":path", "/"))


def too_many_streams(c):
    for i in itertools.count(1, 2):
        yield frame(HEADERS, END_HEADERS, i, c.fields("POST"))


@pytest.mark.parametrize("kind", [rapid, rapid_uploads, malformed, overflowing_windows, bodies_too_long,
                                  lengths_without_bodies, bad_trailers, too_many_streams], ids=lambda f: f.__name__)
@pytest.mark.parametrize("batch", [10, 100])
def test_resets_by_and_through_the_client(server, kind, batch):
    with Http2(server.address) as c:
        sent, code = flood(c, kind(c), batch)
        assert sent <= RESETS_MAX
        assert code == ENHANCE_YOUR_CALM
        assert not c.cut


def test_resets_that_come_slowly_are_forgiven(server):
    """A browser that closes a tab is no enemy: twenty a second, for ever."""
    with Http2(server.address) as c:
        for i in range(1, 80, 2):
            c.send(frame(HEADERS, END_HEADERS, i, c.fields("POST")) + frame(RST_STREAM, 0, i, word(CANCEL)))
            time.sleep(0.02)
        assert c.ask(1001).status == 307 and c.goaway is None


# Header blocks without end


@pytest.mark.parametrize("size", [0, 1, 1800])
def test_continuation_flood(server, size):
    with Http2(server.address) as c:
        assert c.settle()
        c.send(frame(HEADERS, END_STREAM, 1, c.fields()))
        one = frame(CONTINUATION, 0, 1, literal("a", "b" * size) if size else b"")
        c.send(one * 16)
        while c.take(0.1):
            pass
        assert c.goaway is None
        c.send(one)
        assert c.end(1 * SLACK) == ENHANCE_YOUR_CALM  # header_timeout would be later


def test_a_header_block_of_more_than_32_kib(server):
    with Http2(server.address) as c:
        field = literal("a", "b" * 16000)
        c.send(frame(HEADERS, END_STREAM, 1, field) + frame(CONTINUATION, 0, 1, field)
               + frame(CONTINUATION, 0, 1, field), patience=True)
        assert c.end(1 * SLACK) == ENHANCE_YOUR_CALM


def test_sixteen_continuations_are_served(server):
    with Http2(server.address) as c:
        c.send(frame(HEADERS, END_STREAM, 1, c.fields()))
        c.send(frame(CONTINUATION, 0, 1, literal("a", "b")) * 15 + frame(CONTINUATION, END_HEADERS, 1))
        assert c.response(1).status == 307


# Frames that bring nothing


def nothing_but(data):
    return lambda c: itertools.repeat(data)


def empty_data(c):
    yield frame(HEADERS, END_HEADERS, 1, c.fields("POST"))
    yield from itertools.repeat(frame(DATA, 0, 1))


def padded_data(c):
    yield frame(HEADERS, END_HEADERS, 1, c.fields("POST"))
    yield from itertools.repeat(frame(DATA, PADDED, 1, b"\xff" + b"\0" * 255))


FLOODS = {
    "PING": nothing_but(frame(PING, 0, 0, b"12345678")),
    "PING acknowledgements": nothing_but(frame(PING, ACK, 0, b"12345678")),
    "SETTINGS": nothing_but(settings()),
    "SETTINGS that change the window": lambda c: itertools.cycle(
        [settings((INITIAL_WINDOW_SIZE, 1)), settings((INITIAL_WINDOW_SIZE, 65535))]),
    "SETTINGS of many": nothing_but(frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1" * 2000)),
    "PRIORITY": nothing_but(frame(PRIORITY, 0, 3, word(1) + b"\x10")),
    "WINDOW_UPDATE": nothing_but(frame(WINDOW_UPDATE, 0, 0, word(1))),
    "unknown": nothing_but(frame(0xee, 0, 0, b"x" * 100)),
    "DATA of nothing": empty_data,
    "DATA of padding": padded_data,
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood(server, name):
    """1,000 at once, and 200 a second."""
    with Http2(server.address) as c:
        begin = time.monotonic()
        sent, code = flood(c, FLOODS[name](c), batch=50)
        assert code == ENHANCE_YOUR_CALM
        assert sent <= 1100 + 200 * (time.monotonic() - begin)
        assert len(c.pings) <= sent and c.settings_acks <= sent + 1


@pytest.mark.parametrize("name", ["PING", "SETTINGS"])
def test_flood_without_reading(server, name):
    """Answers that nobody reads are not heaped up."""
    before = pss(server)
    with Http2(server.address, receive_buffer=2048) as c:
        c.sock.settimeout(0.3)
        data = b"".join(itertools.islice(FLOODS[name](c), 500))
        try:
            for _ in range(2000):
                c.sock.sendall(data)
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        assert pss(server) - before < 2 * CONNECTION_KIB_MAX
        c.end(2 * SLACK)
        assert len(c.pings) + c.settings_acks <= 1100 + 200 * 2 * SLACK


# Memory


MANY = 40


def bomb():
    """A field of 4 KiB once, and then by an octet each, as often as a frame holds."""
    return b"\x40" + literal("x", "y" * 4000)[1:] + b"\xbe" * 12000


def hpack_bomb(c, stream):
    """4 KiB that become 48 MB, if somebody wants them all."""
    return frame(HEADERS, WHOLE, stream, c.fields() + bomb())


def test_hpack_bomb(server):
    """Refused when it has become 64 KiB."""
    before = pss(server)
    worst = 0
    connections = [Http2(server.address) for _ in range(MANY)]
    for c in connections:
        begin = time.monotonic()
        c.send(hpack_bomb(c, 1), patience=True)
        c.until(lambda: c.goaway)
        assert time.monotonic() - begin < 0.1 * SLACK
        assert c.goaway[0] == ENHANCE_YOUR_CALM
        worst = max(worst, pss(server) - before)
    for c in connections:
        c.close()
    assert worst / MANY < CONNECTION_KIB_MAX


def test_hpack_bomb_that_stops_before_the_bound(server):
    """Blocks that are never ended, each as large as it may be."""
    before = pss(server)
    connections = []
    for _ in range(MANY):
        c = Http2(server.address)
        c.settle()
        c.send(frame(HEADERS, END_STREAM, 1, c.fields() + b"\x40" + literal("x", "y" * 4000)[1:] + b"\xbe" * 3))
        connections.append(c)
    wait_until(lambda: server.metrics().sum("connections_active") >= MANY)
    each = (pss(server) - before) / MANY
    for c in connections:
        c.close()
    assert each < CONNECTION_KIB_MAX, f"{each} KiB for each"


def stuck(server, count):
    """So many answers of 4,000 octets asked for by octets, and no window for them."""
    c = Http2(server.address, hello=False).hello((INITIAL_WINDOW_SIZE, 0))
    fields = [(":method", "GET"), (":scheme", "http"), (":path", "/long"), (":authority", "a.example"),
              ("cookie", "y" * 2000)]
    c.send(frame(HEADERS, WHOLE, 1, block(*(b"\x40" + literal(*field)[1:] for field in fields))))
    return c.send(b"".join(frame(HEADERS, WHOLE, 1 + 2 * i, b"\xc2\xc1\xc0\xbf\xbe") for i in range(1, count)))


def cut_in_time(c, count):
    """True: by the end of the connection."""
    try:
        streams = [c.response(1 + 2 * i, 2 * SLACK) for i in range(count)]
    except Closed:
        assert c.goaway[0] == ENHANCE_YOUR_CALM
        return True
    assert all(answer.reset in (CANCEL, REFUSED_STREAM) and not answer.ended for answer in streams)
    assert sum(answer.reset == CANCEL for answer in streams) >= 30, "they were served until there was no room"
    return False


@pytest.mark.parametrize("count", [40, 60, 100])
def test_one_octet_references_with_a_closed_window(detour, count):
    """At most 256 KiB a connection; what has no room is refused, or ends the connection; all
    that stands still is cut after write_timeout. The server is new: what an earlier one has
    freed would hide what this takes."""
    server = detour(CONFIG, workers=1, LONG=LONG)
    before = pss(server)
    begin = time.monotonic()
    connections = [stuck(server, count) for _ in range(MANY)]
    for c in connections:
        c.settle()
    each = (pss(server) - before) / MANY
    assert each < CONNECTION_KIB_MAX, f"{each} KiB for each"
    ends = [cut_in_time(c, count) for c in connections]
    assert count == 100 or not any(ends)
    assert any(ends) or 0.5 < time.monotonic() - begin < 2 * SLACK
    for c in connections:
        c.close()


def test_a_window_that_trickles_does_not_keep_a_stream(server):
    with Http2(server.address, hello=False) as c:
        c.hello((INITIAL_WINDOW_SIZE, 0)).request(1, path="/long")
        begin = time.monotonic()
        while c.answer(1).reset is None and time.monotonic() - begin < 2 * SLACK:
            c.frame(WINDOW_UPDATE, 0, 1, word(1))
            c.take(0.02)
            c.take(0.02)
        assert c.answer(1).reset == CANCEL and not c.answer(1).ended
        assert c.ask(3, "HEAD", path="/long").status == 410, "the connection goes on"


@pytest.mark.slow
def test_the_default_cuts_within_ten_seconds(detour):
    """With no limits in the configuration."""
    server = detour(CONFIG.replace("limits: {write_timeout: 1s}\n", ""), workers=1, LONG=LONG)
    with Http2(server.address, hello=False) as c:
        begin = time.monotonic()
        c.hello((INITIAL_WINDOW_SIZE, 0)).request(1, path="/long")
        c.response(1, 10 * SLACK)
        assert 5 < time.monotonic() - begin < 10 * SLACK


def test_answers_that_are_not_read_at_all(server):
    """The window of TCP is closed: the connection is closed by write_timeout."""
    before, timeouts = pss(server), server.metrics().sum("timeouts", kind="write")
    with Http2(server.address, hello=False, receive_buffer=2048) as c:
        c.hello((INITIAL_WINDOW_SIZE, 0x7fffffff)).frame(WINDOW_UPDATE, 0, 0, word(0x7fff0000))
        for i in range(1, 10_000, 100):  # as many as may be open, so that nothing else ends it
            c.send(b"".join(frame(HEADERS, WHOLE, i + k, c.fields(path="/long")) for k in range(0, 100, 2)))
            time.sleep(0.005)
        assert pss(server) - before < 2 * CONNECTION_KIB_MAX
        wait_until(lambda: server.metrics().sum("timeouts", kind="write") > timeouts, 2 * SLACK)


# Many at once


def test_10000_streams_in_one_write(server):
    """In order, bounded, and the others are served meanwhile."""
    with Http2(server.address) as c:
        heads = [frame(HEADERS, WHOLE, 1 + 2 * i, c.fields(path=f"/{i}")) for i in range(10_000)]
        c.frame(WINDOW_UPDATE, 0, 0, word(0x7fff0000))
        for i in range(0, 10_000, 100):  # as many as may be open
            c.send(b"".join(heads[i : i + 100]))
            for k in range(i, i + 100):
                assert c.response(1 + 2 * k).location == f"https://b.example/{k}"


def test_idle_connections_cost_little(server):
    before = pss(server)
    connections = []
    for _ in range(500):
        c = Http2(server.address)
        assert c.ask(1).status == 307
        connections.append(c)
    each = (pss(server) - before) / 500
    for c in connections:
        c.close()
    assert each < 16, f"{each} KiB for each"


def test_ends_are_counted(server):
    before = server.metrics().sum("goaways") or 0
    with Http2(server.address) as c, pytest.raises(Closed):
        c.send(frame(DATA, 0, 0, b"x"), patience=True).until(lambda: False)
    wait_until(lambda: server.metrics().sum("goaways") == before + 1, 1 * SLACK)
