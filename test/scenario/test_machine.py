# SPDX-License-Identifier: MIT
"""What the machine runs out of: descriptors and connections. No spin, and everything is back
when there is room again."""

import contextlib
import os
import resource
import time

import pytest
from detourlib import SLACK, Closed, Conn, request_bytes, wait_until

CONFIG = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
"""
CONFIG_ADMIN = "admin: {listen: unix:$DIR/admin.sock}\n" + CONFIG


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def assert_admin_answers(server):
    with Conn(server.folder / "admin.sock", 1 * SLACK) as operator:
        answer = operator.send("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n").response()
        assert answer.status == 200, answer.body


@pytest.mark.parametrize("how", ["descriptors", "connections"])
def test_no_room_for_more_connections(detour, how):
    if how == "descriptors":
        server = detour(CONFIG_ADMIN, workers=1, metrics=True, prepare=few_descriptors)
    else:
        server = detour("limits: {connections: 20}\n" + CONFIG_ADMIN, workers=1, metrics=True)
    kept = server.connect()
    assert kept.send(request_bytes("GET", "/x")).response().status == 307
    crowd = [server.connect() for _ in range(150)]
    try:
        time.sleep(0.2)
        before = cpu_seconds(server.worker_pids())
        begin = time.monotonic()
        for _ in range(10):
            # Whoever is in is served all the same.
            assert kept.send(request_bytes("GET", "/x")).response().status == 307
            time.sleep(0.1)
        spent = cpu_seconds(server.worker_pids()) - before
        assert spent < 0.5 * (time.monotonic() - begin), "it spins"
        begin = time.monotonic()
        assert server.metrics().sum("connections_refused") > 0
        assert_admin_answers(server)
        assert time.monotonic() - begin < 1 * SLACK
    finally:
        for c in crowd:
            c.close()

    def back():
        try:
            return server.get("/x").status == 307
        except (OSError, Closed):
            return False

    wait_until(back, 1 * SLACK, "room after the crowd has left")
    assert kept.send(request_bytes("GET", "/x")).response().status == 307
    kept.close()


def test_a_crowd_that_asks_for_metrics(detour):
    """It is served by control, as the admin API is, and does not take its descriptors."""
    server = detour(CONFIG_ADMIN, workers=1, metrics=True, prepare=few_descriptors)
    crowd = [Conn(("127.0.0.1", server.metrics_port)) for _ in range(100)]
    try:
        time.sleep(0.2)
        before, begin = cpu_seconds([server.control_pid()]), time.monotonic()
        for _ in range(5):
            assert_admin_answers(server)
            time.sleep(0.1)
        spent = cpu_seconds([server.control_pid()]) - before
        assert spent < 0.5 * (time.monotonic() - begin), "it spins"
    finally:
        for c in crowd:
            c.close()
    wait_until(lambda: server.metrics().sum("connections_accepted"), 1 * SLACK)


def test_an_idle_server_sleeps(detour):
    server = detour(CONFIG)
    everybody = [server.pid, server.control_pid(), *server.worker_pids()]
    before = cpu_seconds(everybody)
    time.sleep(1)
    assert cpu_seconds(everybody) - before < 0.2


def test_reload_with_no_descriptors_left(detour):
    """A snapshot needs descriptors too: connections must not take the last ones."""
    server = detour(CONFIG, workers=1, prepare=few_descriptors)
    kept = server.connect()
    assert kept.send(request_bytes("GET", "/x")).response().status == 307
    crowd = [server.connect() for _ in range(150)]
    try:
        server.reload(CONFIG.replace("b.example", "c.example"))
        wait_until(lambda: "generation 2 is in use" in server.stderr(), what="the new snapshot")
        response = kept.send(request_bytes("GET", "/x")).response()
        assert response.location == "https://c.example/x"
        assert "is lost" not in server.stderr()
    finally:
        for c in crowd:
            c.close()


def test_access_log_into_a_pipe(detour, folder):
    """Its reader may come late, and go: nobody waits for it."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    server = detour(f"access_log: {pipe}\n" + CONFIG, workers=1)
    assert server.get("/early").status == 307
    with open(pipe, "rb") as reader:
        line = reader.readline()
        while b"/early" not in line:  # the first ones are of the harness
            line = reader.readline()
    for _ in range(3000):
        assert server.get("/" + "x" * 1000).status == 307
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 3 * SLACK


def test_stderr_that_nobody_reads(detour, folder):
    """A log collector that stands still does not stop the supervisor."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def to_the_pipe():
        os.dup2(writer, 2)

    server = detour(CONFIG, workers=2, prepare=to_the_pipe)
    try:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x")
        os.set_blocking(writer, True)
        server.kill_one("_worker")
        assert server.get("/x").status == 307
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < SLACK
    finally:
        os.close(reader)
        os.close(writer)
