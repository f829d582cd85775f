# SPDX-License-Identifier: MIT
"""HTTP/2 by hand: frames of any shape over clear and TLS sockets, and what comes back, read
strictly enough to notice when the server breaks a rule."""

import itertools
import socket
import ssl
import struct
import time

import hpack
from detourlib import FOREVER, Closed

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, HAS_PRIORITY = 0x4, 0x8, 0x20
WHOLE = END_STREAM | END_HEADERS

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = \
    range(1, 7)


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """length: what the frame says of itself, if not the truth."""
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def flagged(data, flags):
    return data[:4] + bytes([data[4] | flags]) + data[5:]


def word(number):
    return struct.pack(">I", number)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def literal(name, value):
    """A field that no table has and none will have (RFC 7541, 6.2.2)."""
    name, value = (x.encode("latin-1") if isinstance(x, str) else x for x in (name, value))
    return b"\0" + prefixed(len(name)) + name + prefixed(len(value)) + value


def prefixed(number, bits=7, pattern=0):
    """An integer of RFC 7541, 5.1."""
    most = (1 << bits) - 1
    if number < most:
        return bytes([pattern | number])
    out, number = [pattern | most], number - most
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


def block(*fields):
    """A header block: pairs become literals, bytes stay what they are."""
    return b"".join(field if isinstance(field, bytes) else literal(*field) for field in fields)


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def __repr__(self):
        return f"<frame {self.kind} flags {self.flags:#x} stream {self.stream} {self.payload[:40]!r}>"


class Answer:
    """What has come on one stream."""

    def __init__(self):
        self.fields, self.body, self.ended, self.reset = None, b"", False, None

    def get(self, name):
        values = [v for n, v in self.fields or [] if n == name]
        assert len(values) <= 1, f"{name} more than once: {self.fields}"
        return values[0] if values else None

    __getitem__ = get

    @property
    def status(self):
        return int(self[":status"]) if self.fields else None

    @property
    def location(self):
        return self["location"]

    def __repr__(self):
        return f"<{self.status} {self.fields} ended {self.ended} reset {self.reset}>"


class Http2:
    """A connection. Nothing is sent by itself but what hello() says."""

    def __init__(self, address, tls=None, hello=True, receive_buffer=None):
        """tls: an ssl.SSLContext."""
        self.sock = socket.socket(socket.AF_INET)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(FOREVER)
        self.sock.connect(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.scheme = "https" if tls else "http"
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="a.example", suppress_ragged_eofs=False)
            assert self.sock.selected_alpn_protocol() == "h2"
        self.decoder = hpack.Decoder()
        self.buffer, self.frames, self.answers = b"", [], {}
        self.goaway, self.closed, self.cut = None, False, False
        self.settings, self.settings_acks, self.pings = {}, 0, []
        self.block, self.numbers = None, itertools.count(1)
        if hello:
            self.hello()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # Sending

    def hello(self, *pairs):
        return self.send(PREFACE + settings(*pairs))

    def send(self, data, patience=False):
        """patience: a server that has closed is no failure; what it said will be read."""
        try:
            self.sock.settimeout(FOREVER)
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            if not patience:
                raise
        return self

    def frame(self, *args, **kwargs):
        return self.send(frame(*args, **kwargs))

    def fields(self, method="GET", path="/x", host="a.example", more=()):
        pairs = [(":method", method), (":scheme", self.scheme), (":path", path), (":authority", host)]
        return block(*pairs, *more)

    def request(self, stream, method="GET", path="/x", host="a.example", more=(), end=True):
        fields = self.fields(method, path, host, more)
        pieces = [fields[at : at + 16384] for at in range(0, len(fields), 16384)]
        frames = [frame(CONTINUATION if i else HEADERS, 0, stream, piece) for i, piece in enumerate(pieces)]
        frames[0] = flagged(frames[0], END_STREAM if end else 0)
        frames[-1] = flagged(frames[-1], END_HEADERS)
        return self.send(b"".join(frames))

    # Receiving

    def take(self, timeout=FOREVER):
        """One frame; None when the connection has ended or nothing came in time."""
        deadline = time.monotonic() + timeout
        while not self.closed:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) >= 9 and len(self.buffer) >= 9 + length:
                return self.note(length)
            if not self.receive(deadline):
                break
        return None

    def receive(self, deadline):
        self.sock.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return False
        except ConnectionResetError:
            data, self.cut = b"", True
        self.closed = not data
        assert data or not self.buffer, f"the server ends in the middle of a frame: {self.buffer!r}"
        self.buffer += data
        return True

    def note(self, length):
        kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
        got = Frame(kind, flags, stream, self.buffer[9 : 9 + length])
        self.buffer = self.buffer[9 + length :]
        assert self.frames or (kind, flags) == (SETTINGS, 0), f"3.4: the first frame is {got}"
        assert length <= 16384, f"4.2: a frame of {length} octets"
        assert self.block is None or kind == CONTINUATION, f"4.3: {got} in a header block"
        self.frames.append(got)
        {DATA: self.on_data, HEADERS: self.on_headers, CONTINUATION: self.on_headers, RST_STREAM: self.on_reset,
         SETTINGS: self.on_settings, PING: self.on_ping, GOAWAY: self.on_goaway}.get(kind, lambda _: None)(got)
        return got

    def answer(self, stream):
        return self.answers.setdefault(stream, Answer())

    def live(self, got):
        answer = self.answer(got.stream)
        assert not answer.ended and answer.reset is None, f"5.1: {got} after the end of its stream"
        return answer

    def on_data(self, got):
        answer = self.live(got)
        assert answer.fields, f"8.1: {got} before HEADERS"
        assert not got.flags & PADDED
        answer.body += got.payload
        answer.ended = bool(got.flags & END_STREAM)

    def on_headers(self, got):
        first = got.kind == HEADERS
        answer = self.live(got) if first else self.answer(got.stream)
        if first:
            assert not got.flags & (PADDED | HAS_PRIORITY)
            self.block, self.block_ends = b"", bool(got.flags & END_STREAM)
        self.block += got.payload
        if got.flags & END_HEADERS:
            assert answer.fields is None, f"8.1: a second header block on {got.stream}"
            answer.fields = self.decoder.decode(self.block)
            for name, value in answer.fields:
                assert name == name.lower() and not set(name + value) & set("\r\n\0"), (name, value)
                assert name not in ("connection", "keep-alive", "transfer-encoding", "upgrade"), "8.2.2"
            assert [n for n, _ in answer.fields if n[0] == ":"] == [":status"] == [answer.fields[0][0]], "8.3.2"
            answer.ended, self.block = self.block_ends, None

    def on_reset(self, got):
        assert len(got.payload) == 4
        self.answer(got.stream).reset = int.from_bytes(got.payload, "big")

    def on_settings(self, got):
        assert got.stream == 0
        if got.flags & ACK:
            assert got.payload == b""
            self.settings_acks += 1
        else:
            self.settings.update(struct.iter_unpack(">HI", got.payload))

    def on_ping(self, got):
        assert got.flags == ACK, f"6.7: {got}"
        self.pings.append(got.payload)

    def on_goaway(self, got):
        last, code = struct.unpack(">II", got.payload[:8])
        assert got.stream == 0 and (self.goaway is None or last <= self.goaway[1]), "6.8: the last stream grew"
        self.goaway = (code, last)

    def until(self, condition, timeout=FOREVER):
        """Takes frames until condition() holds. Closed: the server ended it before."""
        deadline = time.monotonic() + timeout
        while not condition():
            if self.take(max(0.001, deadline - time.monotonic())) is None and not condition():
                if self.closed:
                    raise Closed(f"goaway {self.goaway}; {self.answers}")
                raise AssertionError(f"not within {timeout} s: {self.answers}")
        return self

    def response(self, stream, timeout=FOREVER):
        answer = self.answer(stream)
        self.until(lambda: answer.ended or answer.reset is not None, timeout)
        return answer

    def ask(self, stream, *args, **kwargs):
        return self.request(stream, *args, **kwargs).response(stream)

    def settle(self, timeout=FOREVER):
        """What was sent before has been read and answered, as far as it is answered at once.
        False: the server has ended the connection."""
        payload = struct.pack(">Q", next(self.numbers))
        self.send(frame(PING, 0, 0, payload), patience=True)
        try:
            self.until(lambda: payload in self.pings or self.goaway, timeout)
            return payload in self.pings
        except Closed:
            return False

    def end(self, timeout=FOREVER):
        """Reads until the server closes; gives the code of its GOAWAY."""
        deadline = time.monotonic() + timeout
        while not self.closed:
            if self.take(max(0.001, deadline - time.monotonic())) is None and not self.closed:
                raise AssertionError(f"not closed within {timeout} s: {self.frames[-5:]}")
        return self.goaway[0] if self.goaway else None


def client_context(alpn=("h2",), version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    if version:
        context.minimum_version = context.maximum_version = version
    return context
