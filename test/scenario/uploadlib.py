# SPDX-License-Identifier: MIT
"""Clients that upload over each protocol, and a count of the resets that a server sends."""

import re
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from detourlib import FOREVER, Closed, Conn, request_bytes

PIECE = b"\0" * (1 << 20)


@dataclass(frozen=True)
class Wire:
    """How a client speaks to a server."""

    name: str
    curl: tuple
    tls: bool = False
    h2: bool = False

    def url(self, server, path):
        port = server.values["TLS_PORT"] if self.tls else server.port
        return f"http{'s' if self.tls else ''}://127.0.0.1:{port}{path}"

    def connect(self, server):
        address = (server.host, int(server.values["TLS_PORT"]) if self.tls else server.port)
        return (Http2 if self.h2 else Http1)(address, self.tls)


HTTP1 = Wire("http1", ("--http1.1",))
TLS = Wire("tls", ("--http1.1", "-k"), tls=True)
HTTP2 = Wire("http2", ("--http2", "-k"), tls=True, h2=True)
HTTP2_CLEAR = Wire("http2-clear", ("--http2-prior-knowledge",), h2=True)


def make_certificate(folder):
    """For a.example and 127.0.0.1, in PEM: cert.pem and key.pem."""
    command = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 30 -subj /CN=a.example"
    names = ["-addext", "subjectAltName=DNS:a.example,IP:127.0.0.1"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run([*command.split(), *names, *files], check=True, stderr=subprocess.DEVNULL)


def seal(sock, protocol):
    """An end without close_notify raises ssl.SSLEOFError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    context.set_alpn_protocols([protocol])
    sealed = context.wrap_socket(sock, server_hostname="a.example", suppress_ragged_eofs=False)
    assert sealed.selected_alpn_protocol() == protocol
    return sealed


class Http1(Conn):
    """A connection of HTTP/1.1 that writes when it is told to, and reads only then."""

    def __init__(self, address, tls=False):
        super().__init__(address)
        if tls:
            self.sock = seal(self.sock, "http/1.1")

    def begin(self, length=None, method="POST", target="/r/x", headers=None, host="a.example"):
        framing = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        return self.send(request_bytes(method, target, {**framing, **(headers or {})}, host=host))

    def data(self, count):
        while count > 0:
            self.sock.settimeout(FOREVER)
            self.sock.sendall(PIECE[: min(count, len(PIECE))])
            count -= len(PIECE)
        return self

    end = data

    def half_close(self):
        socket.socket.shutdown(self.sock, socket.SHUT_WR)  # ssl's would forget the keys
        return self

    def status(self, timeout=FOREVER):
        return self.response(timeout=timeout).status


class Sealed:
    """A TLS connection whose records can be sent in pieces."""

    def __init__(self, server):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.came, self.to_go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.to_go)
        self.sock = socket.create_connection((server.host, int(server.values["TLS_PORT"])), timeout=FOREVER)
        while self.attempt(self.tls.do_handshake) is None:
            self.send(self.to_go.read())
            self.came.write(self.sock.recv(65536))
        self.send(self.to_go.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    @staticmethod
    def attempt(step, *arguments):
        try:
            return step(*arguments) or True
        except ssl.SSLWantReadError:
            return None

    def seal(self, plain):
        self.tls.write(plain)
        return self.to_go.read()

    def send(self, data):
        self.sock.sendall(data)

    def open(self):
        """What has come so far."""
        while True:
            plain = self.attempt(self.tls.read, 65536)
            if plain is not None:
                return plain
            self.came.write(self.sock.recv(65536))


class Http2:
    """One request after the other over HTTP/2. It reads while it writes only when it has no
    window, and then looks at nothing but that; so that an answer lies unread meanwhile."""

    def __init__(self, address, tls=False):
        self.sock = socket.create_connection(address, timeout=FOREVER)
        if tls:
            self.sock = seal(self.sock, "h2")
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.wire = h2.connection.H2Connection(config)
        self.wire.initiate_connection()
        self.scheme = "https" if tls else "http"
        self.stream, self.events, self.reset = None, [], None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.wire.data_to_send())
        return self

    def begin(self, length=None, method="POST", target="/r/x", headers=None, host="a.example", end=False):
        self.stream, self.events, self.reset = self.wire.get_next_available_stream_id(), [], None
        fields = [(":method", method), (":scheme", self.scheme), (":path", target), (":authority", host)]
        fields += [("content-length", str(length))] if length is not None else []
        fields += [(name.lower(), value) for name, value in (headers or {}).items()]
        self.wire.send_headers(self.stream, fields, end_stream=end)
        return self.flush()

    def take(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed(f"closed; had {self.events}")
        for event in self.wire.receive_data(data):
            if isinstance(event, h2.events.ConnectionTerminated):
                raise Closed(f"GOAWAY {event.error_code}")
            if getattr(event, "stream_id", None) == self.stream:
                self.events.append(event)
                if isinstance(event, h2.events.StreamReset):
                    self.reset = (time.monotonic(), event.error_code)
        self.flush()

    def data(self, count, end=False):
        while count > 0 and self.reset is None:
            window = self.wire.local_flow_control_window(self.stream)
            size = min(count, window, self.wire.max_outbound_frame_size)
            if size == 0:
                self.take()
                continue
            count -= size
            self.wire.send_data(self.stream, PIECE[:size], end_stream=end and count == 0)
            self.flush()
        return self

    def end(self, count):
        return self.data(count, end=True)

    def status(self, timeout=FOREVER):
        """The answer is whole, and no reset came before its end."""
        self.sock.settimeout(timeout)
        while not any(isinstance(e, (h2.events.StreamEnded, h2.events.StreamReset)) for e in self.events):
            self.take()
        kinds = [type(e) for e in self.events if not isinstance(e, h2.events.WindowUpdated)]
        assert h2.events.StreamEnded in kinds, f"reset before the answer: {self.events}"
        head = next(e for e in self.events if isinstance(e, h2.events.ResponseReceived))
        return int(dict(head.headers)[":status"])

    def assert_open(self, host="a.example"):
        self.begin(method="GET", host=host, end=True)
        assert self.status() in (307, 404)


class Resets:
    """Counts the TCP resets that leave some ports of this namespace, from now on."""

    def __init__(self, *ports):
        self.table = f"resets_{ports[0]}"
        self.nft(
            f"""table inet {self.table} {{ chain out {{
                type filter hook output priority 0;
                tcp sport {{ {", ".join(map(str, ports))} }} tcp flags & rst == rst counter
            }}
            }}"""
        )

    @staticmethod
    def nft(commands):
        done = subprocess.run(["nft", "-f", "-"], input=commands, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def count(self):
        return int(re.search(r"counter packets (\d+)", self.nft(f"list table inet {self.table}"))[1])

    def end(self):
        self.nft(f"delete table inet {self.table}")
