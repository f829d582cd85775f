# SPDX-License-Identifier: MIT
"""An origin over TLS: its certificate is verified, sessions are continued; and clients who come
over HTTP/2, over TLS, or to speak WebSocket."""

import asyncio
import hashlib
import os
import ssl
import subprocess
import threading

import pytest
import websockets
from detourlib import free_port, wait_until
from h2lib import Http2
from originlib import Client, Origin, answering
from test_tls import make, make_old

CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
tls: {certificates: [{cert: $FILES/near.pem, key: $FILES/near.key}]}
origins: {app: {url: "$SCHEME://127.0.0.1:$ORIGIN", $MORE}}
sites: [{name: a, hosts: [a.example, localhost], default: {origin: app}}]
"""
OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def once(origin, stream):
    """One request, and the end: the next takes another connection."""
    origin.head(stream)
    stream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


@pytest.fixture
def files(folder):
    make(folder, "near", ["a.example"])
    make(folder, "app", ["app.example"])
    make(folder, "other", ["app.example"])
    return folder


@pytest.fixture
def pair(detour, files):
    origins = []

    def start(serve, tls=None, **values):
        """tls: the name of the origin's certificate."""
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(files / f"{tls}.pem", files / f"{tls}.key")
            context.set_alpn_protocols(["http/1.1"])
        origin = Origin(serve, context)
        origins.append(origin)
        values = {"MORE": "keep_alive: 4s", "SECURE": free_port(), "FILES": files, **values}
        scheme = "https" if tls else "http"
        return detour(CONFIG, ORIGIN=origin.port, SCHEME=scheme, workers=1, log=True, **values), origin

    yield start
    for origin in origins:
        origin.close()


def test_a_certificate_that_is_verified(pair, files):
    resumed, names = [], []

    def serve(origin, stream):
        resumed.append(stream.sock.session_reused)
        once(origin, stream)

    server, origin = pair(serve, tls="app", MORE=f"name: app.example, ca: {files}/app.pem, host: origin")
    origin.tls.sni_callback = lambda _sock, name, _context: names.append(name)
    for _ in range(3):
        with Client(server) as c:
            assert c.ask().body == b"ok"
    assert names == ["app.example"] * 3
    assert resumed == [False, True, True], "a session is continued"
    assert {head.get("Host") for head in origin.heads} == {f"127.0.0.1:{origin.port}"}


@pytest.mark.parametrize("more, said", [
    ("name: b.example, ca: $FILES/app.pem", "mismatch"),
    ("ca: $FILES/app.pem", "mismatch"),
    ("name: app.example, ca: $FILES/other.pem", "self-signed"),
    ("name: app.example", "self-signed"),
])
def test_a_certificate_that_is_not(pair, files, more, said):
    server, origin = pair(once, tls="app", MORE=more.replace("$FILES", str(files)))
    with Client(server) as c:
        assert c.ask().status == 502
    assert origin.heads == [], "nothing of the request has been told"
    assert said in server.stderr(), server.stderr()
    assert server.wait_log(1)[0]["origin_ended"] == "unreached"


def test_a_certificate_that_is_over(pair, files):
    make_old(files, "old", "app")
    (files / "old.key").write_bytes((files / "app.key").read_bytes())
    server, _ = pair(once, tls="old", MORE=f"name: app.example, ca: {files}/old.pem")
    with Client(server) as c:
        assert c.ask().status == 502
    assert "expired" in server.stderr()


def test_any_certificate_will_do(pair):
    server, _ = pair(answering(OK), tls="app", MORE="verify: false")
    with Client(server) as c:
        assert c.ask().body == c.ask().body == b"ok"


def echo(origin, stream):
    """Says what it got, and gives it back."""
    while True:
        content = origin.head(stream).content(stream)
        stream.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n").send(content)


LENGTH, CHUNKED, ENDLESS = [], ["-H", "Transfer-Encoding: chunked"], ["-H", "Content-Length:"]
H2, H2TLS, TLS, HTTP1 = ["--http2-prior-knowledge"], ["--http2", "-k"], ["--http1.1", "-k"], ["--http1.1"]


@pytest.mark.parametrize("near, how, far", [
    (H2, LENGTH, None), (H2, ENDLESS, "app"), (H2TLS, LENGTH, "app"), (H2TLS, ENDLESS, None), (TLS, LENGTH, None),
    (TLS, CHUNKED, "app"), (HTTP1, LENGTH, "app"), (HTTP1, CHUNKED, "app"),
])
def test_contents_through_all_of_them(pair, files, far, near, how):
    content = os.urandom(1_000_000)
    (files / "content").write_bytes(content)
    server, origin = pair(echo, tls=far, MORE="verify: false" if far else "keep_alive: 4s")
    secure = "-k" in near
    port = server.values["SECURE"] if secure else server.port
    url = f"http{'s' if secure else ''}://a.example:{port}/x"
    done = subprocess.run(["curl", "-sS", *near, *how, "-H", "Expect:", "-T", files / "content", "--max-time", "20",
                           "--resolve", f"a.example:{port}:127.0.0.1", url], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(content).digest()
    assert {head.get("X-Forwarded-Proto") for head in origin.heads} == {"https" if secure else "http"}
    assert {head.get("Via") for head in origin.heads} == {"2 detour" if "2" in near[0] else "1.1 detour"}


def test_crumbs_of_http2(pair):
    server, origin = pair(answering(OK))
    with Http2(server.address) as c:
        c.request(1, more=[("cookie", "a=1"), ("x-y", "z"), ("cookie", "b=2"), ("te", "trailers")])
        answer = c.response(1)
        assert (answer.status, answer.body) == (200, b"ok")
    head = origin.heads[0]
    assert head.all("cookie") == ["a=1; b=2"]
    assert (head.get("x-y"), head.get("TE"), head.get("Host")) == ("z", "trailers", "a.example")


@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
def test_websocket(pair, files, secure):
    """A real client and a real server, with texts, large messages and a proper end."""
    port, ready, stop = free_port(), threading.Event(), []

    async def repeat(socket):
        async for message in socket:
            await socket.send(message)

    async def serve():
        async with websockets.serve(repeat, "127.0.0.1", port, max_size=None):
            stop.append((asyncio.get_running_loop(), asyncio.Event()))
            ready.set()
            await stop[0][1].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    server, origin = pair(echo)
    server.reload(CONFIG.replace("$ORIGIN", str(port)).replace("$SCHEME", "http").replace("$MORE", "keep_alive: 4s"))
    wait_until(lambda: "generation 2 is in use" in server.stderr())

    async def talk():
        context = ssl._create_unverified_context() if secure else None  # noqa: SLF001
        url = f"wss://localhost:{server.values['SECURE']}/chat" if secure else f"ws://localhost:{server.port}/chat"
        async with websockets.connect(url, ssl=context, max_size=None, host="127.0.0.1") as socket:
            for message in ("hello", "", b"x" * 2_000_000, "bye"):
                await socket.send(message)
                assert await socket.recv() == message

    try:
        asyncio.run(asyncio.wait_for(talk(), 20))
    finally:
        stop[0][0].call_soon_threadsafe(stop[0][1].set)
        thread.join()
    assert origin.connections == 0
    line = server.wait_log(1)[0]
    assert (line["status"], line["origin_ended"]) == (101, None)
