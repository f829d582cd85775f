# SPDX-License-Identifier: MIT
"""When there is no memory: every allocation of a worker fails in turn, over every protocol.
Whoever is concerned gets 503 or a close, and the worker lives on. And what an idle
connection costs."""

import mmap
import resource
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import pytest
from detourlib import SANDBOX, Closed, Conn, free_port, request_bytes, wait_until
from h2lib import ACK, DATA, END_STREAM, SETTINGS, Http2, frame
from test_tls import client_context, make

CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
workers: 1
tls: {certificates: [{cert: $FILES/a.pem, key: $FILES/a.key}]}
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: some, path: '/:word([a-m]+[n-z]+)', to: "https://b.example/{word}", when: {query: {q: "*"}}}
      - {name: large, path: /large, respond: {status: 200, body: "$LARGE"}}
    default: {to: "https://b.example{+path}"}
"""
ATTEMPTS_MAX = 4000


class Plan:
    """What the worker's allocator reads; see failing_malloc.c."""

    def __init__(self, path):
        path.write_bytes(bytes(32))
        path.chmod(0o666)
        with open(path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 32)

    def fail(self, number, count=1):
        self.page[8:32] = struct.pack("=qqq", count, 0, self.asked)
        self.page[0:8] = struct.pack("=q", number)

    def spare(self):
        self.page[0:8] = bytes(8)

    @property
    def failed(self):
        return struct.unpack("=q", self.page[16:24])[0]

    @property
    def asked(self):
        return struct.unpack("=q", self.page[24:32])[0]


@pytest.fixture
def failing(detour, folder, monkeypatch):
    if SANDBOX == "off":
        pytest.skip("the sanitizers bring an allocator of their own")
    library = folder / "failing_malloc.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, Path(__file__).with_name("failing_malloc.c")],
                   check=True)
    make(folder, "a", ["a.example"])
    plan = Plan(folder / "plan")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAILING_MALLOC", str(folder / "plan"))
    server = detour(CONFIG, metrics=True, workers=1, FILES=folder, SECURE=free_port(), LARGE="x" * 60000)
    monkeypatch.delenv("LD_PRELOAD")
    assert plan.asked > 0, "the worker does not use this allocator"
    return server, plan


def secure(server, alpn):
    raw = socket.create_connection(("127.0.0.1", server.values["SECURE"]), timeout=20)
    return client_context(alpn=(alpn,)).wrap_socket(raw, server_hostname="a.example", suppress_ragged_eofs=False)


def http1(server, tls=False):
    with Conn(server.address) as c:
        if tls:
            c.sock.close()
            c.sock = secure(server, "http/1.1")
        statuses = []
        for sent in (request_bytes("GET", "/large"), request_bytes("POST", "/x", body=b"x" * 20000),
                     request_bytes("GET", "/abcxyz?q=1") * 3):
            c.send(sent)
            statuses += [c.response().status for _ in range(sent.count(b"HTTP/1.1"))]
        return statuses


def http2(server, tls=False):
    address = ("127.0.0.1", server.values["SECURE"]) if tls else server.address
    with Http2(address, tls=client_context(alpn=("h2",)) if tls else None) as c:
        c.request(1, path="/large")
        c.request(3, method="POST", end=False)
        c.frame(DATA, END_STREAM, 3, b"x" * 10000)
        c.request(5, path="/abcxyz?q=1", more=[("x-y", "z" * 3000)])
        answers = [c.response(stream) for stream in (1, 3, 5)]
        assert all(a.reset in (None, 0) for a in answers) or not all(a.status for a in answers)
        return [a.status or "reset" for a in answers]


PROTOCOLS = {
    "http1": http1,
    "tls": lambda server: http1(server, tls=True),
    "http2": http2,
    "http2-tls": lambda server: http2(server, tls=True),
}
WANTED = {"http1": [200, 307, 307, 307, 307], "tls": [200, 307, 307, 307, 307],
          "http2": [200, 307, 307], "http2-tls": [200, 307, 307]}


def exchange(server, protocol):
    try:
        return PROTOCOLS[protocol](server)
    except (Closed, ConnectionError, ssl.SSLError, socket.timeout) as e:
        assert not isinstance(e, socket.timeout), "it hangs"
        return "closed"


# A handshake has hundreds of allocations: each of them, or some in the same places.
@pytest.mark.parametrize("protocol, step", [("http1", 1), ("http2", 1), ("tls", 11), ("http2-tls", 11), *(
    pytest.param(p, 1, marks=pytest.mark.slow) for p in ("tls", "http2-tls"))])
def test_every_allocation_fails_in_turn(failing, protocol, step):
    server, plan = failing
    worker = server.worker_pids()
    seen = {}
    for number in range(1, ATTEMPTS_MAX, step):
        plan.fail(number)
        got = exchange(server, protocol)
        failed = plan.failed
        plan.spare()
        assert server.worker_pids() == worker, f"allocation {number}: the worker has ended"
        if failed == 0:
            assert got == WANTED[protocol]
            break
        seen[str(got)] = seen.get(str(got), 0) + 1
        assert got == "closed" or set(got) <= {200, 307, 503, "reset"}, f"allocation {number}: {got}"
        if number % 50 == 0 or got != WANTED[protocol]:
            assert server.get("/x").status == 307
    else:
        raise AssertionError("there is no end of allocations")
    print(f"{protocol}: less than {number} allocations: {seen}")
    assert exchange(server, protocol) == WANTED[protocol]
    assert server.metrics().sum("restarts") == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_allocations_fail_for_a_while(failing, protocol):
    server, plan = failing
    worker = server.worker_pids()
    assert exchange(server, protocol) == WANTED[protocol]
    for number in (1, 2, 5, 20, 100, 400):
        plan.fail(number, 1 << 40)
        for _ in range(3):
            got = exchange(server, protocol)
            assert got == "closed" or set(got) <= {200, 307, 503, "reset"}
        plan.spare()
        assert exchange(server, protocol) == WANTED[protocol]
        assert server.worker_pids() == worker


def test_a_reload_without_memory(failing):
    """The old configuration stays until the new one could be taken over."""
    server, plan = failing
    worker = server.worker_pids()
    number = 1
    while True:
        plan.fail(number)
        before = server.stderr().count("is in use by all workers")
        server.reload()
        wait_until(lambda: server.stderr().count("is in use by all workers") > before, what="the reload")
        failed = plan.failed
        plan.spare()
        assert server.get("/x").status == 307
        assert server.worker_pids() == worker
        if failed == 0:
            break
        number += 1 + number // 20


# --- Idle connections ------------------------------------------------------------------------

CONFIG_IDLE = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
workers: 1
limits: {connections: 20000, idle_timeout: 10m}
tls: {certificates: [{cert: $FILES/a.pem, key: $FILES/a.key}]}
sites:
  - {name: a, hosts: [a.example], default: {to: "https://b.example{+path}"}}
"""


DESCRIPTORS = 20000


def user_memory(server):
    """Of the worker, in bytes. What is shared with others counts in part."""
    text = Path(f"/proc/{server.worker_pids()[0]}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, DESCRIPTORS), max(hard, DESCRIPTORS)))
    except ValueError:
        pytest.skip("may not have as many descriptors")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Idle:
    """Connections that have had an answer each, and wait."""

    def __init__(self, server, protocol):
        self.server, self.protocol, self.kept = server, protocol, []
        self.context = client_context(alpn=("h2",) if protocol == "http2-tls" else ("http/1.1",))

    def grow(self, count):
        for _ in range(count):
            self.kept.append({"http1": self.http1, "tls": self.tls}.get(self.protocol, self.http2)())

    def ask(self, sock):
        sock.sendall(request_bytes("GET", "/x"))
        assert b" 307 " in sock.recv(4096)
        return sock

    def http1(self):
        return self.ask(socket.create_connection(self.server.address))

    def tls(self):
        raw = socket.create_connection(("127.0.0.1", self.server.values["SECURE"]))
        return self.ask(self.context.wrap_socket(raw, server_hostname="a.example"))

    def http2(self):
        tls = self.protocol == "http2-tls"
        address = ("127.0.0.1", self.server.values["SECURE"]) if tls else self.server.address
        c = Http2(address, tls=self.context if tls else None)
        c.send(frame(SETTINGS, ACK))
        c.request(1)
        assert c.response(1).status == 307
        return c

    def close(self):
        for c in self.kept:
            c.close()


# Bytes for each. TLS is mostly OpenSSL's own, HTTP/2 nghttp2's.
@pytest.mark.skipif(SANDBOX == "off", reason="the sanitizers' allocator is another")
@pytest.mark.parametrize("protocol, count, most", [
    ("http1", 15000, 400), ("tls", 500, 25000), ("http2", 500, 25000), ("http2-tls", 500, 60000)])
def test_idle_connections(detour, folder, many_descriptors, protocol, count, most):
    make(folder, "a", ["a.example"])
    server = detour(CONFIG_IDLE, FILES=folder, workers=1, SECURE=free_port())
    idle = Idle(server, protocol)
    try:
        idle.grow(50)
        before = user_memory(server)
        idle.grow(count)
        each = (user_memory(server) - before) / count
        print(f"{protocol}: {each:.0f} bytes for each of {count} idle connections")
        assert each <= most
        assert server.get("/x").status == 307
    finally:
        idle.close()
