# SPDX-License-Identifier: MIT
"""Promise 8, and FAULTS on disks: every request leaves a line of JSON and is counted, and
neither can hold a request."""

import http.client
import os
import re
import signal
import socket
import threading
from pathlib import Path

import pytest
from detourlib import BINARY, SLACK, Probe, request_bytes, run, wait_until

CONFIG = """
sites:
  - name: shop
    hosts: [a.example]
    routes:
      - {name: api, path: "/api/*", to: "https://b.example/{+0}"}
      - {path: "/unnamed/*", to: "https://b.example/u"}
      - {name: gone, path: /gone, respond: {status: 410, body: gone}}
      - {name: unused, path: /unused, to: "https://b.example/unused"}
      - {name: files, path: "/files/*", pool: mirrors}
pools:
  mirrors: {balance: round-robin, servers: [{name: eu1, url: "https://eu1.example.net"}]}
detours:
  - {name: upgrade, site: shop, path_prefix: /checkout, page: "https://m.example/", until: off, reason: test}
"""


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG, log=True, metrics=True)


def find(server, path):
    return wait_until(lambda: [x for x in server.log_lines() if x["path"] == path], what=path)[0]


def test_a_line_says_what_happened(server):
    server.post("/api/x%20y?q=1", {"User-Agent": "tester/1.0"}, source="127.0.0.9")
    line = find(server, "/api/x%20y?q=1")
    assert line["client"].startswith("127.0.0.9")
    assert line["method"] == "POST"
    assert line["host"] == "a.example"
    assert line["protocol"] == "HTTP/1.1"
    assert line["status"] == 307
    assert line["location"] == "https://b.example/x%20y?q=1"
    assert line["rule"] == "shop/routes/api"
    assert line["why"]
    assert 0 <= line["duration_us"] < 1e7
    assert line["user_agent"] == "tester/1.0"


@pytest.mark.parametrize(
    "target, status, rule",
    [("/gone", 410, "shop/routes/gone"), ("/files/x", 307, "shop/routes/files"),
     ("/checkout/x", 503, "shop/detours/upgrade"), ("/unnamed/1", 307, "shop/routes/#2")],
)
def test_the_rule_is_named(server, target, status, rule):
    assert server.get(target).status == status
    line = find(server, target)
    assert (line["status"], line["rule"]) == (status, rule)


def test_a_bad_request_is_logged_too(server):
    with server.connect() as c:
        c.send(b"GET /bad-one HTTP/1.1\r\nHost: a@b\r\n\r\n")
        assert c.response().status == 400
    line = wait_until(lambda: [x for x in server.log_lines() if x["status"] == 400])[0]
    assert line["why"] and not line.get("location")


def test_http_1_0_and_unknown_hosts_in_the_log(server):
    server.request("GET", "/ten", version="1.0")
    assert find(server, "/ten")["protocol"] == "HTTP/1.0"
    server.get("/stranger", host="x.example")
    line = find(server, "/stranger")
    assert (line["status"], line["host"]) == (421, "x.example")
    assert not line.get("rule")


def test_one_line_a_request_in_order(detour):
    server = detour(CONFIG, log=True, workers=1)
    with server.connect() as c:
        c.send(b"".join(request_bytes("GET", f"/api/{i}") for i in range(2000)))
        for _ in range(2000):
            c.response()
    lines = server.wait_log(2000)
    assert [x["path"] for x in lines] == [f"/api/{i}" for i in range(2000)]


def test_the_log_is_whole_after_sigterm(detour):
    server = detour(CONFIG, log=True)
    for i in range(50):
        server.get(f"/api/{i}")
    server.signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    assert sum(x["host"] == "a.example" for x in server.log_lines()) == 50


def test_log_to_stdout(detour):
    server = detour("access_log: stdout\n" + CONFIG)
    server.get("/api/x")
    wait_until(lambda: '"/api/x"' in server.stdout())


def test_metrics(detour):
    server = detour(CONFIG, metrics=True, workers=2)
    first = server.metrics()
    for rule in ["shop/routes/api", "shop/routes/unused", "shop/routes/#2", "shop/detours/upgrade", "shop/default"]:
        assert first.hits(rule) == 0, f"{rule} is not there with 0"
    for i in range(30):
        server.get(f"/api/{i}")
    for _ in range(7):
        server.get("/gone")
    for _ in range(3):
        server.get("/checkout")
    server.get("/nowhere")
    wait_until(lambda: server.metrics().hits("shop/routes/api") == 30)
    m = server.metrics()
    assert m.hits("shop/routes/gone") == 7
    assert m.hits("shop/detours/upgrade") == 3
    assert m.hits("shop/routes/unused") == 0
    assert m.hits("shop/default") == 1
    for status, count in [("307", 30), ("410", 7), ("503", 3), ("404", 1)]:
        assert m.sum("detour_requests_total", status=status) == count
    for word in ["connections", "snapshot"]:
        assert any(word in n for n, _, _ in m.samples), m.text
    others = server.metrics()
    assert others.hits("shop/routes/api") == 30, "reading counts nothing"


def test_hits_survive_a_killed_worker_control_and_a_reload(detour):
    server = detour(CONFIG, metrics=True, workers=2)
    for i in range(40):
        server.get(f"/api/{i}")
    for victim in [*server.worker_pids(), server.control_pid()]:
        os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(server.worker_pids()) == 2 and server.control_pid())

    def hits():
        try:
            return server.metrics().hits("shop/routes/api")
        except OSError:
            return None

    wait_until(lambda: hits() == 40, what="40 hits after the kills")
    server.reload(CONFIG.replace("- {name: api,", '- {name: new, path: /new, to: "https://b.example/"}\n      - {name: api,'))
    wait_until(lambda: server.get("/new").status == 307, 1 * SLACK)
    for i in range(5):
        server.get(f"/api/{i}")
    wait_until(lambda: hits() == 45, what="45 hits after the reload")
    assert server.metrics().hits("shop/routes/new") >= 1


def resident_kib(pid):
    return int(re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def test_readers_that_do_not_read(detour):
    """Each would hold a copy of some megabytes."""
    routes = "".join(f'      - {{name: {"r" * 110}{i}, path: /r{i}, to: "https://b.example/"}}\n' for i in range(20000))
    server = detour(f"sites:\n  - name: shop\n    hosts: [a.example]\n    routes:\n{routes}", metrics=True, workers=1)
    size = len(server.metrics().text)
    assert size > 3 << 20
    before = resident_kib(server.control_pid())
    readers = []
    for _ in range(40):
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.settimeout(20)
        c.connect(("127.0.0.1", server.metrics_port))
        c.sendall(b"GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n")
        readers.append(c)
    heads = [c.recv(400) for c in readers]
    refused = [h for h in heads if h.startswith(b"HTTP/1.1 503 ")]
    served = [h for h in heads if h.startswith(b"HTTP/1.1 200 ")]
    assert len(refused) + len(served) == 40
    assert 2 <= len(served) <= (64 << 20) // size
    assert all(b"\r\nRetry-After: 5\r\n" in h and b"\r\nConnection: close\r\n" in h for h in refused)
    if b"__asan_init" not in BINARY.read_bytes():  # which keeps what was freed
        assert resident_kib(server.control_pid()) - before < (64 << 10) + 3 * (size >> 10)
    for c in readers:
        c.close()

    def all_there():
        try:
            return len(server.metrics().text) >= size
        except (AssertionError, OSError):
            return False

    wait_until(all_there, what="the metrics")


def test_the_metrics_listener_serves_nothing_else(server):
    for method, path, wanted in [("GET", "/", 404), ("GET", "/api/x", 404), ("POST", "/metrics", 405)]:
        c = http.client.HTTPConnection("127.0.0.1", server.metrics_port, timeout=20)
        c.request(method, path)
        r = c.getresponse()
        r.read()
        assert r.status == wanted
        assert r.getheader("Location") is None
        c.close()


def test_a_full_disk_holds_no_request(detour):
    server = detour(CONFIG, log="/dev/full", metrics=True)
    with Probe(server, "/api/probe", status=307) as probe, server.connect() as c:
        for i in range(3000):
            assert c.send(request_bytes("GET", f"/api/{i}")).response().status == 307
    probe.assert_healthy()


def test_a_log_that_nobody_reads_holds_no_request(detour, folder):
    """A pipe that is full: the logger waits, the ring fills, lines are dropped and counted."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        server = detour(CONFIG, log=pipe, metrics=True, workers=1)
        long = "/api/" + "x" * 7000
        with Probe(server, "/api/probe", status=307) as probe, server.connect() as c:
            for _ in range(1500):
                assert c.send(request_bytes("GET", long)).response().status == 307
        probe.assert_healthy()
        wait_until(lambda: server.metrics().sum("dropped"), what="a count of dropped lines")
        # And it can still be stopped.
        server.signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    finally:
        os.close(reader)


def test_a_slow_disk_catches_up(detour, folder):
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    server = detour(CONFIG, log=pipe, workers=1)
    with server.connect() as c:
        for i in range(1000):
            c.send(request_bytes("GET", f"/api/{i}")).response()
    os.set_blocking(reader, True)
    seen = bytearray()

    def read():
        while data := os.read(reader, 65536):
            seen.extend(data)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        wait_until(lambda: seen.count(b'"/api/') == 1000, what="a thousand lines")
    finally:
        server.signal(signal.SIGTERM)
        server.process.wait(20)
        thread.join(20)
        os.close(reader)


def test_a_log_that_cannot_be_opened_is_2(folder):
    file = folder / "d.yaml"
    file.write_text(f"listen: [http://127.0.0.1:1]\naccess_log: {folder}/no/such/folder/log\n" + CONFIG)
    done = run("serve", "-c", file)
    assert done.returncode == 2
    assert "no/such/folder" in done.stderr
