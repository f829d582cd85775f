# SPDX-License-Identifier: MIT
"""What the machine runs out of: descriptors and connections. No spin, and everything is back
when there is room again."""

import os
import resource
import time

import pytest
from detourlib import SLACK, Closed, request_bytes, wait_until

CONFIG = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
"""
CONFIG_LIMIT = "limits: {connections: 20}\n" + CONFIG


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


@pytest.mark.parametrize("how", ["descriptors", "connections"])
def test_no_room_for_more_connections(detour, how):
    if how == "descriptors":
        server = detour(CONFIG, workers=1, prepare=few_descriptors)
    else:
        server = detour(CONFIG_LIMIT, workers=1)
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


def test_an_idle_server_sleeps(detour):
    server = detour(CONFIG)
    everybody = [server.pid, server.control_pid(), *server.worker_pids()]
    before = cpu_seconds(everybody)
    time.sleep(1)
    assert cpu_seconds(everybody) - before < 0.2
