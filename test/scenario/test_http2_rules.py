# SPDX-License-Identifier: MIT
"""RFC 9113 and 7541 against the server as it is: each MUST on a server is a row of what is
sent and what has to come back, in clear and over TLS. Whatever is survived is followed by a
request that must be answered."""

import random

import pytest
from detourlib import FOREVER, SLACK, free_port
from h2lib import (
    ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR, GOAWAY, HAS_PRIORITY, HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, PADDED, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM,
    RST_STREAM, SETTINGS, STREAM_CLOSED, WHOLE, WINDOW_UPDATE, Http2, block, client_context, frame, literal, prefixed,
    settings, word,
)
from uploadlib import make_certificate

CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
tls: {certificates: [{cert: $FILES/cert.pem, key: $FILES/key.pem}]}
limits: {header_timeout: 1s}
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: long, path: /long, respond: {status: 410, body: "$LONG"}}
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
"""
LONG = "0123456789" * 400


@pytest.fixture(scope="module")
def server(shared_detour, tmp_path_factory):
    files = tmp_path_factory.mktemp("tls")
    make_certificate(files)
    return shared_detour(CONFIG, metrics=True, SECURE=free_port(), FILES=files, LONG=LONG)


def connect(server, wire, **kwargs):
    if wire == "clear":
        return Http2(server.address, **kwargs)
    return Http2((server.host, server.values["SECURE"]), tls=client_context(), **kwargs)


WIRES = {"clear": "http", "tls": "https"}
every_wire = pytest.mark.parametrize("wire", WIRES)

# What must come back: an answer to stream 1, a reset of it (or the same as an error of the
# connection, which 5.4.2 leaves to the server), the end of the connection.
ANSWERED, RESET, ENDED = "answered", "reset", "ended"


def huffman(bits):
    """The end of a field whose value is these bits, as Huffman says they are a string."""
    octets = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return literal("a", "")[:-1] + prefixed(len(octets), 7, 0x80) + octets


def rows(scheme):
    """Each gives its name, the bytes behind the client's SETTINGS, what comes back, and a code."""
    method, path = literal(":method", "GET"), literal(":path", "/x")
    scheme, authority = literal(":scheme", scheme), literal(":authority", "a.example")
    get = method + scheme + path + authority
    post = literal(":method", "POST") + scheme + path + authority
    head, field = literal(":method", "HEAD") + scheme + path + authority, literal("a", "b")
    open_1, ask_1 = frame(HEADERS, END_HEADERS, 1, post), frame(HEADERS, WHOLE, 1, get)
    body_1, reset_1 = frame(DATA, END_STREAM, 1, b"body"), frame(RST_STREAM, 0, 1, word(CANCEL))
    begun_1 = frame(HEADERS, END_STREAM, 1, get)
    ping = frame(PING, 0, 0, b"12345678")

    def asked(fields, flags=WHOLE):
        return frame(HEADERS, flags, 1, fields)

    def length(text, flags=END_HEADERS):
        return asked(post + literal("content-length", text), flags)

    yield from [
        # Whatever a client may do
        ("a GET", ask_1, ANSWERED, 307),
        ("a HEAD", asked(head), ANSWERED, 307),
        ("a POST with a body", open_1 + body_1, ANSWERED, 307),
        ("a POST with trailers", open_1 + frame(DATA, 0, 1, b"x") + asked(field), ANSWERED, 307),
        ("a POST whose body never ends", open_1, ANSWERED, 307),
        ("5.1 WINDOW_UPDATE on a half-closed stream", ask_1 + frame(WINDOW_UPDATE, 0, 1, word(100)), ANSWERED, 307),
        ("5.1 PRIORITY on a half-closed stream", ask_1 + frame(PRIORITY, 0, 1, word(0) + b"\x10"), ANSWERED, 307),
        ("5.1 PRIORITY on a stream to come", frame(PRIORITY, 0, 9, word(0) + b"\x10") + ask_1, ANSWERED, 307),
        ("6.2 HEADERS with a priority", asked(word(0) + b"\xff" + get, WHOLE | HAS_PRIORITY), ANSWERED, 307),
        ("6.2 HEADERS with an exclusive one", asked(word(0x80000000) + b"\0" + get, WHOLE | HAS_PRIORITY), ANSWERED, 307),
        ("6.2 HEADERS with padding", asked(b"\x04" + get + b"\0" * 4, WHOLE | PADDED), ANSWERED, 307),
        ("6.2 HEADERS that are all padding but for the fields",
         asked(b"\xff" + get + b"\0" * 255, WHOLE | PADDED), ANSWERED, 307),
        ("6.1 DATA with padding", open_1 + frame(DATA, END_STREAM | PADDED, 1, b"\x02ab\0\0"), ANSWERED, 307),
        ("6.1 DATA of nothing but padding", open_1 + frame(DATA, END_STREAM | PADDED, 1, b"\x02\0\0"), ANSWERED, 307),
        ("6.1 DATA of nothing", open_1 + frame(DATA, END_STREAM, 1), ANSWERED, 307),
        ("6.10 one CONTINUATION",
         frame(HEADERS, END_STREAM, 1, get[:9]) + frame(CONTINUATION, END_HEADERS, 1, get[9:]), ANSWERED, 307),
        ("6.10 several CONTINUATIONs, one of them empty",
         frame(HEADERS, END_STREAM, 1, get[:9]) + frame(CONTINUATION, 0, 1, get[9:20]) + frame(CONTINUATION, 0, 1)
         + frame(CONTINUATION, END_HEADERS, 1, get[20:]), ANSWERED, 307),
        ("6.10 HEADERS of nothing, then all in CONTINUATION",
         frame(HEADERS, END_STREAM, 1) + frame(CONTINUATION, END_HEADERS, 1, get), ANSWERED, 307),

        # 3.4 the preface
        ("3.4 a PING before SETTINGS", None, ENDED, PROTOCOL_ERROR),

        # 4.1 format
        ("4.1 an unknown type", frame(0x16, 0, 0, b"\0" * 8) + ask_1, ANSWERED, 307),
        ("4.1 an unknown type on a stream", open_1 + frame(0xff, 0xff, 1, b"\0" * 8) + body_1, ANSWERED, 307),
        ("4.1 an unknown type on an idle stream", frame(0xff, 0xff, 9, b"\0" * 8) + ask_1, ANSWERED, 307),
        ("4.1 undefined flags of PING", frame(PING, 0x16, 0, b"12345678") + ask_1, ANSWERED, 307),
        ("4.1 undefined flags of HEADERS", asked(get, WHOLE | 0xd2 & ~PADDED), ANSWERED, 307),
        ("4.1 the reserved bit of PING", frame(PING, 0, 0x80000000, b"12345678") + ask_1, ANSWERED, 307),
        ("4.1 the reserved bit of HEADERS", frame(HEADERS, WHOLE, 0x80000001, get), ANSWERED, 307),
        ("6.9 the reserved bit of WINDOW_UPDATE",
         frame(WINDOW_UPDATE, 0, 0, word(0x80000001)) + ask_1, ANSWERED, 307),

        # 4.2 sizes
        ("4.2 DATA of 16,384 octets", open_1 + frame(DATA, END_STREAM, 1, b"x" * 16384), ANSWERED, 307),
        ("4.2 DATA of 16,385 octets", open_1 + frame(DATA, END_STREAM, 1, b"x" * 16385), ENDED, FRAME_SIZE_ERROR),
        ("4.2 HEADERS of 16,385 octets", asked(get.ljust(16385, b"\x86")), ENDED, FRAME_SIZE_ERROR),
        ("4.2 SETTINGS of 16,386 octets", frame(SETTINGS, 0, 0, b"\xff\xff\0\0\0\0" * 2731), ENDED, FRAME_SIZE_ERROR),
        ("4.2 an unknown frame of 16,385 octets", frame(0xff, 0, 0, b"x" * 16385), ENDED, FRAME_SIZE_ERROR),
        ("4.2 a frame of 16 MiB, said only", frame(DATA, 0, 1, b"", 0xffffff), ENDED, FRAME_SIZE_ERROR),

        # 4.3 header blocks, and RFC 7541
        ("4.3 a header block that is none", asked(b"\xff\xff\xff\xff\xff\xff\xff"), ENDED, COMPRESSION_ERROR),
        ("4.3 a header block that is cut off", asked(get[:-3]), ENDED, COMPRESSION_ERROR),
        ("4.3 PRIORITY in a header block",
         begun_1 + frame(PRIORITY, 0, 1, word(0) + b"\x10"), ENDED, PROTOCOL_ERROR),
        ("4.3 PING in a header block", begun_1 + ping, ENDED, PROTOCOL_ERROR),
        ("4.3 DATA in a header block", begun_1 + frame(DATA, END_STREAM, 1, b"x"), ENDED, PROTOCOL_ERROR),
        ("4.3 RST_STREAM in a header block", begun_1 + reset_1, ENDED, PROTOCOL_ERROR),
        ("4.3 SETTINGS in a header block", begun_1 + settings(), ENDED, PROTOCOL_ERROR),
        ("4.3 HEADERS of another stream in a header block", begun_1 + frame(HEADERS, WHOLE, 3, get), ENDED, PROTOCOL_ERROR),
        ("4.3 a bad block of trailers", open_1 + asked(b"\xff\xff\xff\xff\xff\xff\xff"), ENDED, COMPRESSION_ERROR),
        ("HPACK 2.3.3 an index beyond the tables", asked(get + b"\xc6"), ENDED, COMPRESSION_ERROR),
        ("HPACK 2.3.3 a name's index beyond the tables", asked(get + b"\x7f\x10\x01b"), ENDED, COMPRESSION_ERROR),
        ("HPACK 4.2 a table size behind the fields", asked(get + b"\x20"), ENDED, COMPRESSION_ERROR),
        ("HPACK 5.1 an integer without end", asked(get + b"\x7f" + b"\xff" * 20), ENDED, COMPRESSION_ERROR),
        ("HPACK 5.2 a string longer than its block", asked(get + b"\0\x01a\x7fb"), ENDED, COMPRESSION_ERROR),
        ("HPACK 5.2 Huffman", asked(get + huffman("00011" + "111")), ANSWERED, 307),
        ("HPACK 5.2 padding of eight bits", asked(get + huffman("00011" + "111" + "1" * 8)), ENDED, COMPRESSION_ERROR),
        ("HPACK 5.2 padding of zeroes", asked(get + huffman("00011" + "000")), ENDED, COMPRESSION_ERROR),
        ("HPACK 5.2 an end of string", asked(get + huffman("1" * 32)), ENDED, COMPRESSION_ERROR),
        ("HPACK 6.1 a field of the static table", asked(b"\x82" + scheme + path + authority), ANSWERED, 307),
        ("HPACK 6.1 index 0", asked(get + b"\x80"), ENDED, COMPRESSION_ERROR),
        ("HPACK 6.2.1 a field that stays, and is named again", asked(get + b"\x40\x01a\x01b" + b"\xbe" * 3), ANSWERED, 307),
        ("HPACK 6.2.2 a name of the static table", asked(get + b"\x0f\x2b\x01b"), ANSWERED, 307),
        ("HPACK 6.2.3 a field that is never indexed", asked(get + b"\x10\x01a\x01b"), ANSWERED, 307),
        ("HPACK 6.3 a table of no size", asked(b"\x20" + get), ANSWERED, 307),
        ("HPACK 6.3 two sizes", asked(b"\x20\x3f\xe1\x1f" + get), ANSWERED, 307),
        ("HPACK 6.3 a size beyond 4,096", asked(b"\x3f\xe2\x1f" + get), ENDED, COMPRESSION_ERROR),

        # 5.1 states
        ("5.1 DATA on an idle stream", frame(DATA, END_STREAM, 1, b"x"), ENDED, PROTOCOL_ERROR),
        ("5.1 RST_STREAM on an idle stream", reset_1, ENDED, PROTOCOL_ERROR),
        ("5.1 WINDOW_UPDATE on an idle stream", frame(WINDOW_UPDATE, 0, 1, word(100)), ENDED, PROTOCOL_ERROR),
        ("5.1 CONTINUATION on an idle stream", frame(CONTINUATION, END_HEADERS, 1, get), ENDED, PROTOCOL_ERROR),
        ("5.1 DATA after END_STREAM", ask_1 + frame(DATA, END_STREAM, 1, b"x"), ENDED, STREAM_CLOSED),
        ("5.1 DATA of nothing after END_STREAM", ask_1 + frame(DATA, 0, 1), ENDED, STREAM_CLOSED),
        ("5.1 HEADERS after END_STREAM", ask_1 + ask_1, ENDED, STREAM_CLOSED),
        ("5.1 trailers after END_STREAM", ask_1 + asked(field), ENDED, STREAM_CLOSED),
        ("5.1 CONTINUATION after END_STREAM", ask_1 + frame(CONTINUATION, END_HEADERS, 1, field), ENDED,
         (STREAM_CLOSED, PROTOCOL_ERROR)),
        ("5.1 DATA after a body", open_1 + body_1 + frame(DATA, 0, 1, b"x"), ENDED, STREAM_CLOSED),
        ("5.1 HEADERS after a body", open_1 + body_1 + asked(field), ENDED, STREAM_CLOSED),
        ("5.1 DATA after trailers", open_1 + asked(field) + frame(DATA, 0, 1, b"x"), ENDED, STREAM_CLOSED),
        ("5.1 HEADERS after trailers", open_1 + asked(field) + asked(field), ENDED, STREAM_CLOSED),
        ("5.1 DATA after RST_STREAM", open_1 + reset_1 + frame(DATA, 0, 1, b"x"), ENDED, STREAM_CLOSED),
        ("5.1 HEADERS after RST_STREAM", open_1 + reset_1 + asked(field), ENDED, STREAM_CLOSED),
        ("5.1 CONTINUATION after RST_STREAM",
         open_1 + reset_1 + frame(CONTINUATION, END_HEADERS, 1, field), ENDED, (STREAM_CLOSED, PROTOCOL_ERROR)),
        ("5.1 PRIORITY after the end", ask_1 + frame(PRIORITY, 0, 1, word(0) + b"\x10"), ANSWERED, 307),
        ("5.1 WINDOW_UPDATE after the end", ask_1 + ping + frame(WINDOW_UPDATE, 0, 1, word(1)), ANSWERED, 307),
        ("5.1 RST_STREAM behind the request, or after its answer", ask_1 + ping + reset_1, None, None),
        ("5.1 DATA after a reset of the server's", asked(post + b"\x86", END_HEADERS) + body_1, RESET, PROTOCOL_ERROR),
        ("5.1 trailers after a reset of the server's", asked(post + b"\x86", END_HEADERS) + asked(field), RESET, PROTOCOL_ERROR),
        ("5.1.1 an even stream", frame(HEADERS, WHOLE, 2, get), ENDED, PROTOCOL_ERROR),
        ("5.1.1 a stream before the last one",
         frame(HEADERS, WHOLE, 5, get) + frame(HEADERS, WHOLE, 3, get), ENDED, (PROTOCOL_ERROR, STREAM_CLOSED)),
        ("5.1.1 DATA on an even stream", frame(DATA, 0, 2, b"x"), ENDED, PROTOCOL_ERROR),
        ("5.1.1 streams that were left out", frame(HEADERS, WHOLE, 1, get) + frame(HEADERS, WHOLE, 101, get), ANSWERED, 307),

        # 5.5 extensions
        ("5.5 an unknown setting", settings((0xff, 1), (0, 0)) + ask_1, ANSWERED, 307),
        ("5.5 an unknown type in a header block", begun_1 + frame(0xff, 0, 1), ENDED, PROTOCOL_ERROR),
        ("5.5 an unknown type on stream 0 in a header block", begun_1 + frame(0xff, 0, 0), ENDED, PROTOCOL_ERROR),

        # 6.1 to 6.4
        ("6.1 DATA on stream 0", frame(DATA, END_STREAM, 0, b"x"), ENDED, PROTOCOL_ERROR),
        ("6.1 padding as long as DATA", open_1 + frame(DATA, END_STREAM | PADDED, 1, b"\x05test!"[:5]), ENDED, PROTOCOL_ERROR),
        ("6.1 padding longer than DATA", open_1 + frame(DATA, END_STREAM | PADDED, 1, b"\xfftest"), ENDED, PROTOCOL_ERROR),
        ("6.1 padding without its length", open_1 + frame(DATA, END_STREAM | PADDED, 1), ENDED,
         (PROTOCOL_ERROR, FRAME_SIZE_ERROR)),
        ("6.2 HEADERS on stream 0", frame(HEADERS, WHOLE, 0, get), ENDED, PROTOCOL_ERROR),
        ("6.2 padding longer than HEADERS", asked(prefixed(len(get) + 1, 8) + get, WHOLE | PADDED), ENDED, PROTOCOL_ERROR),
        ("6.2 padding without its length", asked(b"", WHOLE | PADDED), ENDED, (PROTOCOL_ERROR, FRAME_SIZE_ERROR)),
        ("6.2 a priority that is cut off", asked(b"\0\0\0", WHOLE | HAS_PRIORITY), ENDED,
         (PROTOCOL_ERROR, FRAME_SIZE_ERROR)),
        ("6.3 PRIORITY on stream 0", frame(PRIORITY, 0, 0, word(0) + b"\x10"), ENDED, PROTOCOL_ERROR),
        ("6.3 PRIORITY of four octets", open_1 + frame(PRIORITY, 0, 1, word(0)), RESET, FRAME_SIZE_ERROR),
        ("6.3 PRIORITY of six octets", open_1 + frame(PRIORITY, 0, 1, word(0) + b"\0\0"), RESET, FRAME_SIZE_ERROR),
        ("5.3 a stream that depends on itself", asked(word(1) + b"\xff" + get, WHOLE | HAS_PRIORITY), RESET, PROTOCOL_ERROR),
        ("5.3 PRIORITY that depends on itself", open_1 + frame(PRIORITY, 0, 1, word(1) + b"\xff"), RESET, PROTOCOL_ERROR),
        ("6.4 RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, word(CANCEL)), ENDED, PROTOCOL_ERROR),
        ("6.4 RST_STREAM of three octets", open_1 + frame(RST_STREAM, 0, 1, b"\0\0\0"), ENDED, FRAME_SIZE_ERROR),
        ("6.4 RST_STREAM of five octets", open_1 + frame(RST_STREAM, 0, 1, b"\0" * 5), ENDED, FRAME_SIZE_ERROR),

        # 6.5 SETTINGS
        ("6.5 an acknowledgement with a payload", frame(SETTINGS, ACK, 0, b"\0" * 6), ENDED, FRAME_SIZE_ERROR),
        ("6.5 SETTINGS on a stream", frame(SETTINGS, 0, 1), ENDED, PROTOCOL_ERROR),
        ("6.5 SETTINGS of three octets", frame(SETTINGS, 0, 0, b"\0" * 3), ENDED, FRAME_SIZE_ERROR),
        ("6.5 SETTINGS of seven octets", frame(SETTINGS, 0, 0, b"\0" * 7), ENDED, FRAME_SIZE_ERROR),
        ("6.5.2 ENABLE_PUSH of 2", settings((ENABLE_PUSH, 2)), ENDED, PROTOCOL_ERROR),
        ("6.5.2 ENABLE_PUSH of 1", settings((ENABLE_PUSH, 1)) + ask_1, ANSWERED, 307),
        ("6.5.2 a window of 2^31", settings((INITIAL_WINDOW_SIZE, 1 << 31)), ENDED, FLOW_CONTROL_ERROR),
        ("6.5.2 a window of 2^31 - 1", settings((INITIAL_WINDOW_SIZE, (1 << 31) - 1)) + ask_1, ANSWERED, 307),
        ("6.5.2 frames of 16,383", settings((MAX_FRAME_SIZE, 16383)), ENDED, PROTOCOL_ERROR),
        ("6.5.2 frames of 2^24", settings((MAX_FRAME_SIZE, 1 << 24)), ENDED, PROTOCOL_ERROR),
        ("6.5.2 frames of 2^24 - 1", settings((MAX_FRAME_SIZE, (1 << 24) - 1)) + ask_1, ANSWERED, 307),
        ("6.5.2 a table of no size", settings((HEADER_TABLE_SIZE, 0)) + ask_1, ANSWERED, 307),
        ("6.5.2 a table of 4 GiB", settings((HEADER_TABLE_SIZE, 0xffffffff)) + ask_1, ANSWERED, 307),
        ("6.5.2 no streams, no header lists",
         settings((MAX_CONCURRENT_STREAMS, 0), (MAX_HEADER_LIST_SIZE, 1000)) + ask_1, ANSWERED, 307),
        ("6.5.3 the last of two values counts",
         settings((INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 65535)) + ask_1, ANSWERED, 307),

        # 6.6 to 6.10
        ("6.6 PUSH_PROMISE", open_1 + frame(PUSH_PROMISE, END_HEADERS, 1, word(2) + get), ENDED, PROTOCOL_ERROR),
        ("6.6 PUSH_PROMISE on stream 0", frame(PUSH_PROMISE, END_HEADERS, 0, word(2) + get), ENDED, PROTOCOL_ERROR),
        ("6.7 an acknowledgement that nobody asked for", frame(PING, ACK, 0, b"invalid\0") + ask_1, ANSWERED, 307),
        ("6.7 PING on a stream", frame(PING, 0, 1, b"12345678"), ENDED, PROTOCOL_ERROR),
        ("6.7 PING of seven octets", frame(PING, 0, 0, b"1234567"), ENDED, FRAME_SIZE_ERROR),
        ("6.7 PING of nine octets", frame(PING, 0, 0, b"123456789"), ENDED, FRAME_SIZE_ERROR),
        ("6.7 an acknowledgement of seven octets", frame(PING, ACK, 0, b"1234567"), ENDED, FRAME_SIZE_ERROR),
        ("6.8 GOAWAY on a stream", frame(GOAWAY, 0, 1, word(0) * 2), ENDED, PROTOCOL_ERROR),
        ("6.8 GOAWAY of four octets", frame(GOAWAY, 0, 0, word(0)), ENDED, FRAME_SIZE_ERROR),
        ("6.9 no increment", frame(WINDOW_UPDATE, 0, 0, word(0)), ENDED, PROTOCOL_ERROR),
        ("6.9 no increment for a stream", open_1 + frame(WINDOW_UPDATE, 0, 1, word(0)), RESET, PROTOCOL_ERROR),
        ("6.9 WINDOW_UPDATE of three octets", frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"), ENDED, FRAME_SIZE_ERROR),
        ("6.9 WINDOW_UPDATE of five octets", frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0\1"), ENDED, FRAME_SIZE_ERROR),
        ("6.9.1 a window beyond 2^31 - 1", frame(WINDOW_UPDATE, 0, 0, word(0x7fffffff)), ENDED, FLOW_CONTROL_ERROR),
        ("6.9.1 … in two steps", frame(WINDOW_UPDATE, 0, 0, word(0x40000000)) * 2, ENDED, FLOW_CONTROL_ERROR),
        ("6.9.1 a stream's window beyond it",
         open_1 + frame(WINDOW_UPDATE, 0, 1, word(0x7fffffff)), RESET, FLOW_CONTROL_ERROR),
        ("6.9.1 … in two steps, of a stream",
         open_1 + frame(WINDOW_UPDATE, 0, 1, word(0x40000000)) * 2, RESET, FLOW_CONTROL_ERROR),
        ("6.9.1 a window up to it", frame(WINDOW_UPDATE, 0, 0, word(0x7fffffff - 65535)) + ask_1, ANSWERED, 307),
        ("6.10 CONTINUATION of another stream",
         begun_1 + frame(CONTINUATION, END_HEADERS, 3, field), ENDED, PROTOCOL_ERROR),
        ("6.10 CONTINUATION on stream 0", begun_1 + frame(CONTINUATION, END_HEADERS, 0, field), ENDED, PROTOCOL_ERROR),
        ("6.10 CONTINUATION behind HEADERS that were whole",
         open_1 + frame(CONTINUATION, END_HEADERS, 1, field), ENDED, PROTOCOL_ERROR),
        ("6.10 CONTINUATION behind one that was the last",
         frame(HEADERS, 0, 1, post) + frame(CONTINUATION, END_HEADERS, 1, field) * 2, ENDED, PROTOCOL_ERROR),
        ("6.10 CONTINUATION behind DATA",
         open_1 + frame(DATA, 0, 1, b"x") + frame(CONTINUATION, END_HEADERS, 1, field), ENDED, PROTOCOL_ERROR),

        # 7 error codes
        ("7 RST_STREAM with an unknown code", open_1 + frame(RST_STREAM, 0, 1, word(0xff)), None, None),

        # 8.1 messages
        ("8.1 trailers that do not end the stream", open_1 + asked(field, END_HEADERS), RESET, PROTOCOL_ERROR),
        ("8.1 a pseudo-header in trailers", open_1 + asked(method), RESET, PROTOCOL_ERROR),
        ("8.1.1 fewer octets than Content-Length", length("5") + body_1, RESET, PROTOCOL_ERROR),
        ("8.1.1 more octets than Content-Length", length("1") + body_1, RESET, PROTOCOL_ERROR),
        ("8.1.1 more octets in two frames", length("1") + frame(DATA, 0, 1, b"x") * 2, RESET, PROTOCOL_ERROR),
        ("8.1.1 as many octets in two frames", length("8") + frame(DATA, 0, 1, b"body") + body_1, ANSWERED, 307),
        ("8.1.1 padding is not counted",
         length("4") + frame(DATA, END_STREAM | PADDED, 1, b"\x05body\0\0\0\0\0"), ANSWERED, 307),
        ("8.1.1 a length and no DATA", length("1", WHOLE), RESET, PROTOCOL_ERROR),
        ("8.1.1 octets in spite of a length of 0", length("0") + body_1, RESET, PROTOCOL_ERROR),
        ("8.1.1 fewer octets before trailers", length("5") + frame(DATA, 0, 1, b"x") + asked(field), RESET, PROTOCOL_ERROR),

        # 8.2 fields
        ("8.2.1 a capital in a name", asked(get + literal("X-Test", "b")), RESET, PROTOCOL_ERROR),
        ("8.2.1 an empty name", asked(get + literal("", "b")), RESET, PROTOCOL_ERROR),
        ("8.2.1 a space before a value", asked(get + literal("a", " b")), RESET, PROTOCOL_ERROR),
        ("8.2.1 a tab after a value", asked(get + literal("a", "b\t")), RESET, PROTOCOL_ERROR),
        ("8.2.1 a colon within a name", asked(get + literal("a:b", "c")), RESET, PROTOCOL_ERROR),
        ("8.2.1 a capital in trailers", open_1 + asked(literal("A", "b")), RESET, PROTOCOL_ERROR),
        *((f"8.2.1 octet {octet:#04x} in a name", asked(get + literal(b"a" + bytes([octet]), "b")), RESET, PROTOCOL_ERROR)
          for octet in (0x00, 0x0a, 0x0d, 0x20, 0x7f, 0xe4)),
        *((f"8.2.1 octet {octet:#04x} in a value", asked(get + literal("a", b"b" + bytes([octet]) + b"c")), RESET,
           PROTOCOL_ERROR) for octet in (0x00, 0x0a, 0x0d)),
        *((f"8.2.1 octet {octet:#04x} in the path",
           asked(method + scheme + authority + literal(":path", b"/a" + bytes([octet]) + b"c")), RESET, PROTOCOL_ERROR)
          for octet in (0x00, 0x0a, 0x0d)),
        *((f"8.2.2 {name}", asked(get + literal(name, value)), RESET, PROTOCOL_ERROR)
          for name, value in [("connection", "keep-alive"), ("proxy-connection", "keep-alive"), ("keep-alive", "1"),
                              ("transfer-encoding", "chunked"), ("upgrade", "h2c"), ("te", "trailers, deflate")]),
        ("8.2.2 TE: trailers", asked(get + literal("te", "trailers")), ANSWERED, 307),
        ("8.2.3 a cookie in crumbs", asked(get + literal("cookie", "a=b") + literal("cookie", "c=d")), ANSWERED, 307),

        # 8.3 pseudo-headers
        ("8.3 an unknown one", asked(get + literal(":test", "b")), RESET, PROTOCOL_ERROR),
        ("8.3 one of a response", asked(get + literal(":status", "200")), RESET, PROTOCOL_ERROR),
        ("8.3 one behind a field", asked(method + scheme + path + field + authority), RESET, PROTOCOL_ERROR),
        *((f"8.3 {name} twice", asked(get + again), RESET, PROTOCOL_ERROR)
          for name, again in [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]),
        ("8.3.1 no :method", asked(scheme + path + authority), RESET, PROTOCOL_ERROR),
        ("8.3.1 no :scheme", asked(method + path + authority), RESET, PROTOCOL_ERROR),
        ("8.3.1 no :path", asked(method + scheme + authority), RESET, PROTOCOL_ERROR),
        ("8.3.1 an empty :path", asked(method + scheme + literal(":path", "") + authority), RESET, PROTOCOL_ERROR),
        ("8.3.1 no fields at all", asked(b""), RESET, PROTOCOL_ERROR),
        ("8.3.1 userinfo", asked(method + scheme + path + literal(":authority", "u@a.example")), ANSWERED, 400),
        ("8.3.1 a Host of somebody else", asked(get + literal("host", "b.example")), ANSWERED, 400),
        ("8.3.1 Host instead of :authority", asked(method + scheme + path + literal("host", "a.example")), ANSWERED, 307),
        ("8.3.1 neither", asked(method + scheme + path), ANSWERED, 400),
        ("8.3.1 OPTIONS of everything",
         asked(literal(":method", "OPTIONS") + scheme + literal(":path", "*") + authority), ANSWERED, 204),
        ("8.4 a push from the client", open_1 + frame(PUSH_PROMISE, END_HEADERS, 1, word(2) + get), ENDED, PROTOCOL_ERROR),
        ("8.5 CONNECT", asked(literal(":method", "CONNECT") + authority), ANSWERED, 501),
        ("8.5 CONNECT with a path", asked(literal(":method", "CONNECT") + scheme + path + authority), RESET, PROTOCOL_ERROR),
        ("8.5 CONNECT without an authority", asked(literal(":method", "CONNECT")), RESET, PROTOCOL_ERROR),

        # What HTTP/1.1 answers too
        ("a length that is none", length("+1"), ANSWERED, 400),
        ("two lengths", asked(post + literal("content-length", "1") * 2, END_HEADERS), ANSWERED, 400),
        ("a fragment", asked(method + scheme + authority + literal(":path", "/a#b")), ANSWERED, 400),
        ("101 fields", asked(get + field * 101), ANSWERED, 431),
        ("100 fields", asked(get + field * 100), ANSWERED, 307),
        ("a long path", asked(method + scheme + authority + literal(":path", "/" + "a" * 9000)), ANSWERED, 414),
        ("a path of 8,000", asked(method + scheme + authority + literal(":path", "/" + "a" * 7999)), ANSWERED, 307),
    ]


ROWS = {wire: {row[0]: row[1:] for row in rows(scheme)} for wire, scheme in WIRES.items()}
assert len(ROWS["clear"]) == len(list(rows("http"))), "two rows have the same name"


def check_answered(c, status):
    answer = c.response(1)
    assert (answer.status, answer.reset) == (status, None), answer
    assert answer.ended
    if status == 307:
        assert answer.location.startswith("https://b.example/")


def check_reset(c, codes):
    """True: an error of the stream alone."""
    if not c.settle():
        assert c.end() in codes, f"GOAWAY {c.goaway}"
        return False
    c.until(lambda: c.answer(1).reset is not None, 1 * SLACK)
    assert c.answer(1).reset in codes, c.answer(1)
    return True


def check_serving(c):
    assert c.settle(), f"GOAWAY {c.goaway}"
    assert c.ask(1001).location == "https://b.example/x"
    assert c.goaway is None


@every_wire
@pytest.mark.parametrize("name", ROWS["clear"])
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "pieces"])
def test_rule(server, wire, name, pieces):
    data, what, code = ROWS[wire][name]
    codes = code if isinstance(code, tuple) else (code,)
    hello = PREFACE + (settings() if data is not None else frame(PING, 0, 0, b"12345678"))
    with connect(server, wire, hello=False) as c:
        data = hello + (data or b"")
        if pieces:  # nothing may depend on where the network cuts
            c.send(data[:33], patience=True)
            c.send(data[33:40], patience=True)
            c.send(data[40:-1], patience=True)
            c.send(data[-1:], patience=True)
        else:
            c.send(data, patience=True)
        if what == ENDED:
            assert c.end() in codes, f"GOAWAY {c.goaway}"
        elif what != RESET or check_reset(c, codes):
            if what == ANSWERED:
                check_answered(c, code)
            check_serving(c)
        assert not c.cut, "the server sends a reset of TCP"


# Rules that take more than one step


@every_wire
@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\0", b"\0" * 40])
def test_3_4_another_preface(server, wire, start):
    with connect(server, wire, hello=False) as c:
        if wire == "clear":  # then it is HTTP/1.1, well or ill
            c.send(start)
            assert c.sock.recv(100).startswith(b"HTTP/1.1 ")
        else:
            c.send(start)
            assert c.end() in (PROTOCOL_ERROR, None)


def test_3_4_the_first_frames_of_both(server):
    with connect(server, "tls") as c:
        c.until(lambda: c.settings_acks == 1)
        assert c.settings[MAX_CONCURRENT_STREAMS] == 100
        assert c.settings.get(ENABLE_PUSH, 0) == 0
        for count in range(2, 10):
            c.send(settings((INITIAL_WINDOW_SIZE, 65535)))
            c.until(lambda: c.settings_acks == count)
        assert c.send(frame(SETTINGS, ACK)).settle()


STARTS = {
    "nothing": b"",
    "half a preface": PREFACE[:10],
    "a preface": PREFACE,
    "half of SETTINGS": PREFACE + settings()[:5],
    "half a header block": PREFACE + settings() + frame(HEADERS, END_STREAM, 1, b"\x82"),
}
# In clear the first two may still become HTTP/1.1.
CUT = [("tls", name) for name in STARTS] + [("clear", name) for name in list(STARTS)[2:]]


@pytest.mark.parametrize("wire, name", CUT)
def test_a_start_that_stops_is_cut(server, wire, name):
    """header_timeout is 1 s here."""
    start = STARTS[name]
    with connect(server, wire, hello=False) as c:
        c.send(start)
        c.end(1 * SLACK)
        assert not c.cut


def test_5_1_1_the_last_stream_there_is(server):
    with connect(server, "clear") as c:
        assert c.ask(0x7fffffff).status == 307
        assert c.settle()


@every_wire
def test_5_1_2_more_streams_than_were_allowed(server, wire):
    with connect(server, wire) as c:
        allowed = 100
        c.until(lambda: c.settings_acks == 1)
        heads = [frame(HEADERS, END_HEADERS, 1 + 2 * i, c.fields("POST")) for i in range(allowed + 1)]
        c.send(b"".join(heads))
        first, last = c.response(1), c.response(1 + 2 * allowed)
        assert first.status == 307
        assert (last.status, last.reset) == (None, REFUSED_STREAM)
        # Those that end make room.
        c.send(b"".join(frame(DATA, END_STREAM, 1 + 2 * i) for i in range(allowed)))
        assert c.ask(1001).status == 307


def test_4_3_what_is_refused_still_counts_for_the_tables(server):
    """Refused, malformed and reset requests change the table that all of them share."""
    with connect(server, "clear") as c:
        def keep(stream, value, *fields):
            c.frame(HEADERS, WHOLE, stream, block(b"\x40" + literal("a" * stream, value)[1:], *fields))
            return c.response(stream)

        assert keep(1, "x", (":method", "GET")).reset == PROTOCOL_ERROR  # a pseudo-header behind a field
        c.frame(HEADERS, WHOLE, 3, c.fields(host="a@b") + b"\x40" + literal("b", "y")[1:])
        assert c.response(3).status == 400
        c.frame(HEADERS, WHOLE, 5, c.fields() + b"\x40" + literal(":authority", "c.example")[1:] + b"\xbe")
        assert c.response(5).reset == PROTOCOL_ERROR
        pairs = [(":method", "GET"), (":scheme", "http"), (":path", "/x")]
        c.frame(HEADERS, WHOLE, 7, block(*pairs, b"\xbe", b"\xbf", b"\xc0"))  # :authority, b, a
        assert c.response(7).status == 421


def test_hpack_4_2_a_table_that_shrinks_is_acknowledged(server):
    """The decoder here insists that the next header block says so, as RFC 7541 asks."""
    with connect(server, "clear") as c:
        assert c.ask(1).status == 307
        c.send(settings((HEADER_TABLE_SIZE, 0))).until(lambda: c.settings_acks == 2)
        c.decoder.max_allowed_table_size = 0
        assert c.ask(3).status == 307
        c.send(settings((HEADER_TABLE_SIZE, 100))).until(lambda: c.settings_acks == 3)
        c.decoder.max_allowed_table_size = 100
        for stream in (5, 7, 9):
            assert c.ask(stream, path=f"/{stream}").location == f"https://b.example/{stream}"


@every_wire
def test_6_7_a_ping_comes_back_as_it_was(server, wire):
    with connect(server, wire) as c:
        for payload in (b"\0" * 8, b"\xff" * 8, b"12345678"):
            c.send(frame(PING, 0, 0, payload))
            c.until(lambda: c.pings and c.pings[-1] == payload)


def test_6_8_the_client_goes_away(server):
    """It may still have its answer, and nothing is refused with an error."""
    with connect(server, "clear") as c:
        c.send(frame(HEADERS, WHOLE, 1, c.fields()) + frame(GOAWAY, 0, 0, word(0) * 2))
        assert c.response(1).status == 307
        c.sock.shutdown(1)
        assert c.end() in (None, 0)


def test_7_an_unknown_code_of_goaway(server):
    with connect(server, "clear") as c:
        c.send(frame(GOAWAY, 0, 0, word(0) + word(0xff) + b"why not"))
        c.settle()
        c.sock.shutdown(1)
        assert c.end() in (None, 0)


@every_wire
def test_6_9_data_waits_for_the_window(server, wire):
    with connect(server, wire, hello=False) as c:
        c.hello((INITIAL_WINDOW_SIZE, 0))
        c.request(1, path="/long")
        answer = c.answer(1)
        c.until(lambda: answer.status == 410)
        assert c.settle() and answer.body == b""
        c.frame(WINDOW_UPDATE, 0, 1, word(1)).until(lambda: answer.body == LONG[:1].encode())
        c.send(settings((INITIAL_WINDOW_SIZE, 3))).until(lambda: len(answer.body) == 4)
        # 6.9.2: a window may become negative, and must be filled up first.
        c.send(settings((INITIAL_WINDOW_SIZE, 0))).frame(WINDOW_UPDATE, 0, 1, word(2))
        assert c.settle() and len(answer.body) == 4
        c.frame(WINDOW_UPDATE, 0, 1, word(5)).until(lambda: len(answer.body) == 8)
        c.frame(WINDOW_UPDATE, 0, 1, word(65535))
        assert c.response(1).body.decode() == LONG
        assert c.ask(3, "HEAD", path="/long").body == b""


def test_6_9_1_the_window_of_the_connection(server):
    """Sixteen answers of 4,000 octets fill the 65,535 that it begins with."""
    with connect(server, "clear") as c:
        for i in range(20):
            c.request(1 + 2 * i, path="/long")
        c.until(lambda: sum(len(answer.body) for answer in c.answers.values()) == 65535)
        while got := c.take(0.1):
            assert got.kind != DATA, got
        c.frame(WINDOW_UPDATE, 0, 0, word(100000))
        for i in range(20):
            assert c.response(1 + 2 * i).body.decode() == LONG


def test_6_9_a_body_is_granted_window_as_it_comes(server):
    """More than any window, without a word of the client's but DATA."""
    with connect(server, "clear") as c:
        c.until(lambda: c.settings_acks == 1)
        c.request(1, "POST", end=False)
        assert c.response(1).status == 307
        c.until(lambda: any(f.kind == WINDOW_UPDATE and f.stream == 0 for f in c.frames))
        window = c.settings.get(INITIAL_WINDOW_SIZE, 65535)
        sent, grant = 0, {0: 65535, 1: window}
        seen = 0
        while sent < 3_000_000 and c.answer(1).reset is None:
            for got in c.frames[seen:]:
                if got.kind == WINDOW_UPDATE:
                    grant[got.stream] += int.from_bytes(got.payload, "big")
            seen = len(c.frames)
            size = min(16384, min(grant.values()) - sent)
            if size > 0:
                c.frame(DATA, 0, 1, b"x" * size)
                sent += size
            else:
                assert c.take() is not None
        c.frame(DATA, END_STREAM, 1)
        assert c.settle()
        assert c.ask(3).status == 307


def test_frames_that_come_with_the_end_are_ignored(server):
    """Bytes behind an error are heard to their end, and answered by nothing and no reset."""
    with connect(server, "clear") as c:
        c.send(frame(DATA, 0, 0, b"x") + frame(HEADERS, WHOLE, 1, c.fields()) + b"\xee" * 300_000, patience=True)
        assert c.end() == PROTOCOL_ERROR
        assert not c.cut and c.answer(1).fields is None


def test_8_1_answers_are_not_mixed_up(server):
    with connect(server, "tls") as c:
        streams = range(1, 200, 2)
        c.send(b"".join(frame(HEADERS, WHOLE, i, c.fields(path=f"/{i}")) for i in streams))
        for i in streams:
            assert c.response(i).location == f"https://b.example/{i}"


def test_9_1_a_connection_lasts(server):
    with connect(server, "tls") as c:
        for i in range(1, 4000, 2):
            c.frame(WINDOW_UPDATE, 0, 0, word(100))
            assert c.ask(i, path=f"/{i}").location == f"https://b.example/{i}"


def test_random_frames(server):
    """Whatever comes, the connection ends in order or goes on; and the next one is served."""
    rng = random.Random(9113)
    for _ in range(300):
        with connect(server, "clear") as c:
            frames = []
            for _ in range(rng.randrange(1, 12)):
                payload = rng.choice([rng.randbytes(rng.randrange(40)), c.fields(), word(rng.randrange(9)), b""])
                frames.append(frame(rng.randrange(11), rng.randrange(256), rng.choice([0, 0, 1, 1, 3, 5, 7]), payload))
            c.send(b"".join(frames), patience=True)
            if c.settle():
                continue
            c.end(FOREVER)
            assert not c.cut
    with connect(server, "clear") as c:
        assert c.ask(1).status == 307
