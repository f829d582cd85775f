# SPDX-License-Identifier: MIT
"""When there is no memory while requests are passed on: every allocation of a worker fails in
turn. Whoever is concerned gets 502, 503 or a close, and the worker lives on."""

import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from detourlib import SANDBOX, Closed, wait_until
from originlib import Client, Origin
from test_memory import ATTEMPTS_MAX, Plan
from test_tls import make

CONFIG = """
origins: {app: {url: "$SCHEME://127.0.0.1:$ORIGIN", verify: false, keep_alive: 60s}}
sites: [{name: a, hosts: [a.example], default: {origin: app}}]
"""
SIZE = 300000


def serve(origin, stream):
    """Each connection serves two requests, so that there are new ones and kept ones."""
    for _ in range(2):
        head = origin.head(stream)
        assert head.content(stream) in (b"", b"x" * 20000)
        stream.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{SIZE:x}\r\n")
        stream.send(b"y" * SIZE + b"\r\n0\r\nX-Sum: 1\r\n\r\n")


def exchange(server):
    seen = []
    try:
        with Client(server) as c:
            for method, fields, content in (("GET", [], b""), ("PUT", ["Content-Length: 20000"], b"x" * 20000),
                                            ("POST", ["Transfer-Encoding: chunked"],
                                             b"4e20\r\n" + b"x" * 20000 + b"\r\n0\r\nX-A: b\r\n\r\n")):
                answer = c.ask(method, "/", fields, content)
                seen.append(answer.status)
                assert answer.status != 200 or answer.body == b"y" * SIZE
    except (Closed, ConnectionError) as e:
        assert not isinstance(e, socket.timeout), "it hangs"
        seen.append("closed")
    return seen


@pytest.mark.parametrize("scheme, step", [("http", 1), ("https", 13), pytest.param("https", 1, marks=pytest.mark.slow)])
def test_every_allocation_fails_in_turn(detour, folder, monkeypatch, scheme, step):
    if SANDBOX == "off":
        pytest.skip("the sanitizers bring an allocator of their own")
    library = folder / "failing_malloc.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, Path(__file__).with_name("failing_malloc.c")],
                   check=True)
    context = None
    if scheme == "https":
        make(folder, "app", ["app.example"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "app.pem", folder / "app.key")
    origin = Origin(serve, context)
    plan = Plan(folder / "plan")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAILING_MALLOC", str(folder / "plan"))
    config = CONFIG if scheme == "https" else CONFIG.replace("verify: false, ", "")
    server = detour(config, workers=1, ORIGIN=origin.port, SCHEME=scheme)
    monkeypatch.delenv("LD_PRELOAD")
    worker = server.worker_pids()
    for number in range(1, ATTEMPTS_MAX, step):
        plan.fail(number)
        got = exchange(server)
        failed = plan.failed
        plan.spare()
        assert server.worker_pids() == worker, f"allocation {number}: the worker has ended"
        if failed == 0:
            break
        assert set(got) <= {200, 502, 503, "closed"}, f"allocation {number}: {got}"
    else:
        raise AssertionError("there is no end of allocations")
    print(f"less than {number} allocations")
    wait_until(lambda: exchange(server) == [200] * 3)
    origin.close()
