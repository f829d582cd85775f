# SPDX-License-Identifier: MIT
"""A real nginx behind a Detour: large contents both ways, what a smuggler tries, detours that
come and go under load, and a thousand who read slowly."""

import hashlib
import os
import socket
import subprocess
import threading

import pytest
from adminapi import Admin
from detourlib import wait_until
from originlib import Client, Nginx

CONFIG = """
origins: {app: {url: "http://127.0.0.1:$ORIGIN", connect_timeout: 5s}}
sites:
  - {name: a, hosts: [a.example], default: {origin: app}}
"""


@pytest.fixture
def nginx(folder):
    started = Nginx(folder / "nginx")
    yield started
    started.close()


def curl(*args):
    done = subprocess.run(["curl", "-sS", "--max-time", "60", *map(str, args)], capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def url(server, path):
    return [f"http://a.example:{server.port}{path}", "--resolve", f"a.example:{server.port}:127.0.0.1"]


@pytest.mark.parametrize("how", [[], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]])
def test_50_megabytes_up_and_down(detour, nginx, folder, how):
    big = folder / "big"
    big.write_bytes(os.urandom(1 << 20) * 50)
    server = detour(CONFIG, ORIGIN=nginx.port)
    curl("-T", big, "-f", *how, *url(server, "/copy"))
    assert (nginx.www / "copy").read_bytes() == big.read_bytes()
    curl("-o", folder / "back", *url(server, "/copy"))
    assert (folder / "back").read_bytes() == big.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("how", [[], ["-H", "Transfer-Encoding: chunked"]], ids=["length", "chunked"])
def test_a_gibibyte_up_and_down(detour, nginx, folder, how):
    big = folder / "big"
    with open(big, "wb") as file:
        for i in range(64):
            file.write(hashlib.sha256(bytes([i])).digest() * (1 << 19))
    server = detour(CONFIG, ORIGIN=nginx.port)
    curl("-T", big, "-f", *how, *url(server, "/copy"))
    assert subprocess.run(["cmp", big, nginx.www / "copy"]).returncode == 0
    curl("-o", folder / "back", *url(server, "/copy"))
    assert subprocess.run(["cmp", big, folder / "back"]).returncode == 0


SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"
ROWS = {
    "CL.TE": "POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.CL": "POST /a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n",
    "two lengths": "POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "a list": "POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0, 44\r\n\r\n",
    "+0": "POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: +0\r\n\r\n",
    "0x0": "POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0x0\r\n\r\n",
    "obs-fold": "POST /a HTTP/1.1\r\nHost: a.example\r\nX: a\r\n Content-Length: 44\r\n\r\n",
    "bare LF": "POST /a HTTP/1.1\r\nHost: a.example\nContent-Length: 44\r\n\r\n",
    "bare CR": "POST /a HTTP/1.1\r\nHost: a.example\r\nX: a\rContent-Length: 44\r\n\r\n",
    "NUL": "POST /a HTTP/1.1\r\nHost: a.example\r\nX: a\0b\r\n\r\n",
    "space before colon": "POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length : 44\r\n\r\n",
    "TE on 1.0": "POST /a HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE twice": "POST /a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "xchunked": "POST /a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "LF in chunks": "POST /a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n",
    "no Host": "GET /a HTTP/1.1\r\n\r\n",
    "two Hosts": "GET /a HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
    "a chunk's size": "POST /a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
    "an endless extension": "POST /a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n1;" + "a" * 9000,
    "a space in the target": "GET /a HTTP/1.1\r\nX: HTTP/1.1\r\nHost: a.example\r\n\r\n".replace("/a H", "/a b H"),
}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_nothing_is_smuggled(detour, nginx, row):
    """The origin sees one well-formed request or none, and never the one that hides behind it."""
    server = detour(CONFIG, ORIGIN=nginx.port, workers=1)
    with Client(server) as c:
        c.send(ROWS[row] + SMUGGLED)
        try:
            c.sock.shutdown(socket.SHUT_WR)
            said = c.everything()
        except ConnectionError:
            said = b""
    assert b"HTTP/1.1 400 " in said or b"HTTP/1.1 501 " in said or not said, said
    with Client(server) as c:
        assert c.ask(target="/after").status == 404
    wait_until(lambda: any("/after" in line for line in nginx.lines()))
    assert not any("smuggled" in line for line in nginx.lines()), nginx.lines()
    assert len([line for line in nginx.lines() if '"POST /a ' in line or '"GET /a ' in line]) <= 1


def test_a_detour_comes_and_goes_under_load(detour, nginx):
    """A hundred times; each request gets the one or the other, and none fails."""
    (nginx.www / "page").write_text("the site")
    server = detour(CONFIG + 'admin: {listen: "unix:$DIR/admin.sock"}\nstate: state\n', ORIGIN=nginx.port)
    results, ending = {}, threading.Event()

    def load():
        with Client(server) as c:
            while not ending.is_set():
                answer = c.ask(target="/page")
                kind = (answer.status, answer.body if answer.status == 200 else b"")
                results[kind] = results.get(kind, 0) + 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for t in threads:
        t.start()
    admin = Admin(server)
    for _ in range(50):
        admin.on("down", Admin.detour("/", "https://b.example/"), site="a")
        admin.off("down", site="a")
    admin.close()
    ending.set()
    for t in threads:
        t.join()
    assert set(results) == {(200, b"the site"), (307, b"")}, results


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_slow_downloads(detour, nginx, count):
    """64 MiB for a thousand of them, at most."""
    (nginx.www / "big").write_bytes(b"x" * (8 << 20))
    server = detour(CONFIG, ORIGIN=nginx.port, workers=1)

    def memory():
        text = open(f"/proc/{server.worker_pids()[0]}/smaps_rollup").read()
        return int(text.split("Anonymous:")[1].split()[0]) * 1024

    with Client(server) as c:
        c.ask(target="/big")
    before = memory()
    clients = []
    for _ in range(count):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(server.address)
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: a.example\r\n\r\n")
        clients.append(sock)
    for sock in clients:
        sock.recv(1)
    highest = 0

    def settled():
        nonlocal highest
        last, highest = highest, max(highest, memory())
        return last == highest

    wait_until(settled)
    print(f"{(highest - before) / count:.0f} bytes each")
    assert highest - before <= count * (64 << 20) / 1000
    for sock in clients:
        sock.close()
