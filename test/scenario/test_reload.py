# SPDX-License-Identifier: MIT
"""Promise 7: a good file is live at once and loses nothing; a bad one changes nothing and is
reported with all its problems."""

import os
import re
import signal
import threading
import time

import pytest
from detourlib import SLACK, Conn, Probe, free_port, request_bytes, wait_until

CONFIG = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", to: "https://$WHERE.example/{+0}"}
"""
CONFIG_BAD = """
sites:
  - name: a
    hosts: [a.example]
    rout: []
    routes:
      - {name: any, path: "/*", to: "https://bad.example/{+0}", status: 399}
      - {name: any2, path: "/:", to: "https://bad.example/"}
      - {name: any3, path: "/x", to: "javascript:alert(1)"}
"""
CONFIG_TWO = 'listen: ["http://127.0.0.1:$PORT", "http://127.0.0.1:$SECOND"]\n' + CONFIG


def live(server, where):
    return f"//{where}.example/" in server.get("/x").location


def test_a_good_file_is_live_at_once(detour):
    server = detour(CONFIG, WHERE="one")
    pids = server.worker_pids(), server.control_pid()
    with server.connect() as c:
        assert "one.example" in c.send(request_bytes("GET", "/x")).response().location
        server.values["WHERE"] = "two"
        server.reload(CONFIG)
        wait_until(lambda: live(server, "two"), 1 * SLACK)
        # The connection of before lives on, with the new rules.
        wait_until(lambda: "two.example" in c.send(request_bytes("GET", "/x")).response().location, 1 * SLACK)
    assert pids == (server.worker_pids(), server.control_pid())


def reloads(server, count, pause):
    with Probe(server, status=307) as probe, server.connect() as kept:
        for i in range(count):
            server.values["WHERE"] = f"w{i}"
            server.reload(CONFIG)
            begin = time.monotonic()
            wait_until(lambda: live(server, f"w{i}"), 1 * SLACK, f"reload {i}")
            assert kept.send(request_bytes("POST", "/y", body=b"z")).response().status == 307
            time.sleep(max(0, pause - (time.monotonic() - begin)))
    probe.assert_healthy()


def test_20_reloads_under_load_lose_nothing(detour):
    reloads(detour(CONFIG, WHERE="one"), 20, 0.02)


@pytest.mark.slow
def test_200_reloads_under_load_lose_nothing(detour):
    server = detour(CONFIG, WHERE="one")
    kids = [server.control_pid(), *server.worker_pids()]
    before = descriptors(kids + [server.pid])
    floods = [Flood(server) for _ in range(4)]
    try:
        reloads(server, 200, 0.1)
        wait_until(lambda: answered(floods) >= 1_000_000, 120, "a million requests")
    finally:
        for flood in floods:
            flood.end()
    after = descriptors(kids + [server.pid])
    assert after <= before + 8, f"descriptors leak: {before}, {after}"


def answered(floods):
    assert [f.problem for f in floods] == [None] * len(floods)
    return sum(f.answered for f in floods)


class Flood(threading.Thread):
    """Requests as fast as they go, 64 in one write; each must be answered with 307."""

    BATCH = 64

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.answered, self.problem = server, 0, None
        self.ending = threading.Event()
        self.start()

    def run(self):
        requests = request_bytes("GET", "/x") * self.BATCH
        try:
            with self.server.connect() as c:
                while not self.ending.is_set():
                    c.send(requests)
                    self.take_answers(c)
        except (OSError, AssertionError) as e:
            self.problem = f"{type(e).__name__} after {self.answered}: {e}"

    def take_answers(self, c):
        data = b""
        while data.count(b"</a>") < self.BATCH:
            more = c.sock.recv(1 << 20)
            assert more, f"closed after {data[-200:]!r}"
            data += more
            other = re.search(rb"HTTP/1.1 (?!307)\d{3} .*", data)
            assert not other, other[0]
        self.answered += self.BATCH

    def end(self):
        self.ending.set()
        self.join(20)
        assert not self.is_alive(), "it waits for answers"


def descriptors(pids):
    return sum(len(os.listdir(f"/proc/{p}/fd")) for p in pids)


def test_many_signals_at_once_end_with_the_last_file(detour):
    server = detour(CONFIG, WHERE="one")
    for i in range(30):
        server.values["WHERE"] = f"w{i}"
        server.reload(CONFIG)
    wait_until(lambda: live(server, "w29"), 1 * SLACK)
    time.sleep(0.1)
    assert live(server, "w29")


def test_a_bad_file_changes_nothing_and_reports_everything(detour):
    server = detour(CONFIG, WHERE="one")
    with Probe(server, status=307) as probe:
        server.reload(CONFIG_BAD)

        def errors():
            return re.findall(r"detour\.yaml:(\d+):\d+: error: ", server.stderr())

        wait_until(lambda: len(errors()) >= 4, what="four problems in stderr")
        assert live(server, "one")
    probe.assert_healthy()
    server.values["WHERE"] = "two"
    server.reload(CONFIG)
    wait_until(lambda: live(server, "two"), 1 * SLACK, "the mended file")


def test_a_file_that_went_away_changes_nothing(detour):
    server = detour(CONFIG, WHERE="one")
    server.file.unlink()
    server.reload()
    wait_until(lambda: "detour.yaml" in server.stderr(), what="a word about it")
    assert live(server, "one")


def test_control_killed_after_the_file_went_bad_serves_the_last_good_one(detour):
    server = detour(CONFIG, WHERE="one")
    server.write(CONFIG_BAD)
    for _ in range(2):
        server.kill_one("_control")
        assert live(server, "one")
    # A worker that starts now gets it too.
    for victim in server.worker_pids():
        os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(server.worker_pids()) == 2)
    for _ in range(10):
        assert live(server, "one")
    server.values["WHERE"] = "two"
    server.reload(CONFIG)
    wait_until(lambda: live(server, "two"), 1 * SLACK)


def test_listeners_are_added_and_removed(detour):
    second = free_port()
    server = detour(CONFIG, WHERE="one", SECOND=second)

    def serves(port):
        try:
            with Conn(("127.0.0.1", port)) as c:
                return c.send(request_bytes("GET", "/x")).response().status == 307
        except OSError:
            return False

    assert not serves(second)
    with Probe(server, status=307) as probe:
        server.reload(CONFIG_TWO)
        wait_until(lambda: serves(second), 1 * SLACK)
        for _ in range(20):
            assert serves(second)
        server.reload(CONFIG)
        wait_until(lambda: not serves(second), 1 * SLACK)
    probe.assert_healthy()


def test_a_listener_that_is_in_use_is_reported_and_changes_nothing(detour):
    first = detour(CONFIG, WHERE="one")
    server = detour(CONFIG, WHERE="two", SECOND=first.port)
    server.values["WHERE"] = "three"
    server.reload(CONFIG_TWO)
    wait_until(lambda: str(first.port) in server.stderr(), what="a word about the port")
    for _ in range(20):
        assert live(first, "one")
        assert live(server, "two")
    server.reload(CONFIG)
    wait_until(lambda: live(server, "three"), 1 * SLACK)


def test_warnings_that_nobody_reads_hold_nothing(detour):
    """Standard error is a pipe that nobody empties, and there is more to say than it takes."""
    reading, writing = os.pipe()
    routes = "".join(f'      - {{path: "/found{i}/{{slug}}", to: "https://b.example/"}}\n' for i in range(1000))
    config = CONFIG.replace("    routes:\n", "    routes:\n" + routes)
    try:
        server = detour(config, prepare=lambda: os.dup2(writing, 2), WHERE="one")
        for where in ["two", "three"]:
            server.values["WHERE"] = where
            server.reload(config)
            wait_until(lambda: live(server, where), 5 * SLACK)
        os.set_blocking(reading, False)
        said = os.read(reading, 1 << 20)
        assert b"detour.yaml" in said and len(said) > 60000
    finally:
        os.close(reading)
        os.close(writing)
