# SPDX-License-Identifier: MIT
"""Origins that are called by names: what control looks up is where requests go, also when it
changes; and what was good stays when nobody answers."""

import ctypes
import os
import socket
import threading

import pytest
from detourlib import Probe, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a hosts file of its own")

CONFIG = """
origins:
  shop: {url: "http://shop.internal:$FAR", resolve_interval: 100ms, connect_timeout: 1s}
sites:
  - {name: a, hosts: [a.example], routes: [{path: /here, to: "https://b.example/"}], default: {origin: shop}}
"""
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18


class Named:
    """Says by which address it was reached."""

    def __init__(self):
        self.sockets = []
        self.port = None

    def listen(self, address):
        server = socket.create_server((address, self.port or 0))
        self.port = server.getsockname()[1]
        self.sockets.append(server)
        threading.Thread(target=self.serve, args=(server, address.encode()), daemon=True).start()

    @staticmethod
    def answer(conn, address):
        with conn:
            while data := conn.recv(65536):
                if data.endswith(b"\r\n\r\n"):
                    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(address), address))

    def serve(self, server, address):
        while True:
            try:
                conn, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(conn, address), daemon=True).start()

    def close(self):
        for server in self.sockets:
            server.close()


class Names:
    """A hosts file and a name server that does not answer, for one program alone."""

    def __init__(self, folder):
        self.hosts = folder / "hosts"
        self.resolver = folder / "resolv.conf"
        self.say()
        self.resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")

    def say(self, *addresses):
        # In place: the file that is mounted is this one.
        self.hosts.write_text("".join(f"{a} shop.internal\n" for a in addresses) + "127.0.0.1 localhost\n")

    def mount(self):
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.unshare(CLONE_NEWNS) == 0
        assert libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
        for file, place in ((self.hosts, b"/etc/hosts"), (self.resolver, b"/etc/resolv.conf")):
            assert libc.mount(str(file).encode(), os.path.realpath(place), None, MS_BIND, None) == 0


@pytest.fixture
def far():
    named = Named()
    named.listen("127.0.0.2")
    named.listen("127.0.0.3")
    yield named
    named.close()


@pytest.fixture
def names(folder):
    return Names(folder)


def reached(server):
    r = server.get("/x")
    return r.body.decode() if r.status == 200 else r.status


def test_where_it_is_and_where_it_goes(detour, far, names):
    names.say("127.0.0.2")
    server = detour(CONFIG, FAR=far.port, prepare=names.mount)
    assert "shop.internal is at 127.0.0.2" in server.stderr()
    assert reached(server) == "127.0.0.2", "the first request finds it"
    names.say("127.0.0.3")
    wait_until(lambda: reached(server) == "127.0.0.3", what="the new address")
    assert "shop.internal is at 127.0.0.3" in server.stderr()
    # Nobody knows it any more: what was good stays, and is said once.
    names.say()
    wait_until(lambda: "going on with the addresses that it had" in server.stderr(), what="the failure")
    server.reload()
    wait_until(lambda: server.stderr().count("detour.yaml, 0 warnings") == 2, what="a reload meanwhile")
    server.kill_one("_control")
    assert reached(server) == "127.0.0.3"
    wait_until(lambda: "going on from the last good configuration" in server.stderr(), what="another control")
    assert reached(server) == "127.0.0.3"
    names.say("127.0.0.2")
    wait_until(lambda: reached(server) == "127.0.0.2", what="the name's return")


def test_several_addresses(detour, far, names):
    names.say("127.0.0.9", "127.0.0.3")  # nobody listens at the first
    server = detour(CONFIG, FAR=far.port, prepare=names.mount)
    assert "127.0.0.9" in server.stderr()
    assert reached(server) == "127.0.0.3"
    names.say("127.0.0.3", "127.0.0.9")
    server.reload()
    wait_until(lambda: server.stderr().count("detour.yaml, 0 warnings") == 2, what="the reload")
    assert server.stderr().count("shop.internal is at") == 1, "another order is no change"


def test_a_name_that_nobody_knows(detour, far, names):
    server = detour(CONFIG, FAR=far.port, prepare=names.mount)
    assert "cannot look up shop.internal" in server.stderr()
    assert "nothing can be passed on to it" in server.stderr()
    r = server.get("/x")
    assert r.status == 503
    assert r.get("Retry-After")
    assert server.get("/here").status == 307, "the rest is served"
    names.say("127.0.0.2")
    wait_until(lambda: reached(server) == "127.0.0.2", what="the name")
    assert server.stderr().count("cannot look up") == 1


def test_a_change_loses_nothing(detour, far, names):
    names.say("127.0.0.2")
    server = detour(CONFIG, FAR=far.port, prepare=names.mount)
    with Probe(server, "/x", status=200) as probe:
        for round_ in range(6):
            address = ("127.0.0.3", "127.0.0.2")[round_ % 2]
            names.say(address)
            wait_until(lambda a=address: reached(server) == a, what=address)
    probe.assert_healthy()
