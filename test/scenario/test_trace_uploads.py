# SPDX-License-Identifier: MIT
"""`detour trace` with content, against servers that answer before it has come, or let it wait."""

import contextlib
import os
import socket
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from clientlib import Says, Trace, to
from detourlib import FOREVER, free_port
from uploadlib import make_certificate

SIZE = 1 << 20


@pytest.fixture
def upload(folder):
    (folder / "big").write_bytes(b"x" * SIZE)
    return folder / "big"


class SaysNothing(Says):
    """Waits for content without ever saying 100, as servers do that do not know Expect."""

    def body(self, request, sock, buffered):
        return self.exactly(sock, buffered, int(request.get("Content-Length") or 0))


def test_nobody_waits_for_100_for_ever(upload):
    """RFC 9110, 10.1.1"""
    server = SaysNothing({})
    trace = Trace("-T", upload, server.url("/a"))
    server.close()
    assert trace.exit == 0 and trace.hops[0]["sent_bytes"] == SIZE
    assert server.seen[0].get("Expect") == "100-continue" and len(server.seen[0].body) == SIZE


@pytest.mark.parametrize(("status", "said", "outcome"), [(303, b"Connection: close\r\n", "delivered"),
                                                         (308, b"Connection: close\r\n", "refused"), (308, b"", "refused"),
                                                         (413, b"Connection: close\r\n", "delivered")])
def test_an_answer_does_not_wait_for_a_pipe_that_gives_nothing(status, said, outcome):
    def answer(request, sock):
        time.sleep(0.1)  # what is there already is sent
        sock.sendall(to("/b", status, more=said))
        while sock.recv(65536):
            pass

    server = Says({"/a": answer}, early=["/a"])
    pipe, end = os.pipe()
    os.write(end, b"begun")
    trace = Trace("-m", FOREVER, "-H", "Expect:", "-T", "-", server.url("/a"), stdin=pipe)
    os.close(pipe)
    os.close(end)
    server.close()
    assert trace.verdict["outcome"] == outcome and trace.verdict["status"] in (status, 200), trace.verdict


CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$TLS_PORT"]
tls: {certificates: [{cert: $FILES/cert.pem, key: $FILES/key.pem}]}
sites:
  - hosts: [127.0.0.1]
    routes: [{path: /a, to: "http://127.0.0.1:$FAR/b"}]
"""


def test_content_goes_over_http_1_unless_told(detour, folder, upload, says):
    make_certificate(folder)
    far = says({})
    server = detour(CONFIG, FILES=folder, TLS_PORT=free_port(), FAR=far.port)
    url = f"https://127.0.0.1:{server.values['TLS_PORT']}/a"
    for protocol, args in [("HTTP/2", []), ("HTTP/2", ["-X", "DELETE"]), ("HTTP/1.1", ["-T", upload]),
                           ("HTTP/1.1", ["-T", "-"]), ("HTTP/2", ["--http2", "-T", upload])]:
        trace = Trace("-k", *args, url, data=b"x" * SIZE if args == ["-T", "-"] else None)
        assert (trace.exit, trace.hops[0]["protocol"]) == (0, protocol), trace.whole
        assert trace.hops[0]["sent_bytes"] == 0 and len(far.seen[-1].body) == (SIZE if "-T" in args else 0)


class Http2:
    """Answers /early with a redirect as soon as its head is there, and all else when its content is, for which
    it says 100. After the redirect: a reset that says NO_ERROR ("reset"), nothing while the window is full
    ("silence"), or the end of the connection ("goodbye")."""

    def __init__(self, after):
        self.after, self.bodies = after, {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.talk, args=(self.listener.accept()[0],), daemon=True).start()

    def talk(self, sock):
        sock.settimeout(FOREVER)
        paths = {}
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        conn.initiate_connection()
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError), sock:
            sock.sendall(conn.data_to_send())
            while data := sock.recv(65536):
                for event in conn.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        paths[event.stream_id] = dict(event.headers)[":path"]
                    if paths.get(getattr(event, "stream_id", 0)) == "/early":
                        self.hear_early(conn, event)
                    else:
                        self.hear(conn, event, paths)
                sock.sendall(conn.data_to_send())
                if "/early" in paths.values() and self.after == "goodbye":
                    return

    def hear_early(self, conn, event):
        if isinstance(event, h2.events.RequestReceived):
            conn.send_headers(event.stream_id, [(":status", "307"), ("location", "/end")], end_stream=True)
            if self.after == "reset":
                conn.reset_stream(event.stream_id, 0)
            elif self.after == "goodbye":
                conn.close_connection()

    def hear(self, conn, event, paths):
        if isinstance(event, h2.events.RequestReceived):
            conn.send_headers(event.stream_id, [(":status", "100")])
        elif isinstance(event, h2.events.DataReceived):
            path = paths[event.stream_id]
            self.bodies[path] = self.bodies.get(path, 0) + len(event.data)
            conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            conn.send_headers(event.stream_id, [(":status", "200")], end_stream=True)


# Not among them: a reset that comes with the answer. libcurl 7.88 loses that, see doc/internals/walk.md.
@pytest.mark.parametrize("expect, after, sent", [([], "silence", 0), ([], "goodbye", 0),
                                                 (["-H", "Expect:"], "silence", 65535)])
def test_an_early_redirect_over_http2_counts(upload, expect, after, sent):
    """RFC 9113, 8.1: what was not sent is no reason to throw the answer away."""
    server = Http2(after)
    trace = Trace("--http2-prior-knowledge", *expect, "-T", upload, f"{server.url}/early")
    server.listener.close()
    assert (trace.exit, trace.way) == (0, ["PUT early", "PUT end"]), trace.whole
    assert trace.hops[0]["status"] == 307 and trace.hops[0]["protocol"] == "HTTP/2"
    assert trace.hops[0]["sent_bytes"] <= sent and server.bodies == {"/end": SIZE}


def test_a_pipe_waits_for_100_over_http2(upload):
    server = Http2("silence")
    trace = Trace("--http2-prior-knowledge", "-T", "-", f"{server.url}/early", data=upload.read_bytes())
    assert trace.exit == 0 and server.bodies == {"/end": SIZE}
    trace = Trace("--http2-prior-knowledge", "-H", "Expect:", "-T", "-", f"{server.url}/early", data=upload.read_bytes())
    server.listener.close()
    assert trace.exit == 3 and trace.verdict["reason"] == "body-spent" and server.bodies == {"/end": SIZE}
