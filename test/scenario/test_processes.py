# SPDX-License-Identifier: MIT
"""The lives of the processes: whoever dies is replaced within 100 ms and nobody else
notices; SIGTERM lets go gently; what cannot run says why in one line."""

import os
import random
import re
import resource
import shutil
import signal
import socket
import time

import pytest
import detourlib
from detourlib import (
    BINARY, FOREVER, SLACK, Closed, Probe, alive, children, fill, free_port, process_stat,
    request_bytes, run, wait_until,
)

CONFIG = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
"""
CONFIG_LOGGED = "access_log: $DIR/access.log\n" + CONFIG
CONFIG_DRAIN = "limits: {drain_timeout: 2s}\n" + CONFIG
CONFIG_PORT = 'listen: ["http://$ADDRESS"]\n' + CONFIG

BACK_MS = 100


def test_the_shape(detour):
    server = detour(CONFIG_LOGGED, workers=2)
    assert len(server.worker_pids()) == 2
    assert server.control_pid() and server.logger_pid()
    assert len(children(server.pid)) == 4
    for kid in children(server.pid):
        assert children(kid) == []


def test_a_killed_worker_is_replaced(detour):
    server = detour(CONFIG, workers=2)
    kills = []
    with Probe(server, status=307) as probe:
        for _ in range(3):
            wait_until(lambda: len(probe.results) % 20 == 19)
            other = server.worker_pids()[1]
            kills.append(server.kill_one("_worker"))
            assert time.monotonic() - kills[-1] < BACK_MS / 1000 * SLACK
            assert other in server.worker_pids(), "the other worker was disturbed"
            # Everything that waited is answered: a full round of new connections works.
            for _ in range(20):
                assert server.get("/x").status == 307
        time.sleep(0.05)
    probe.assert_healthy(except_at=kills)
    assert probe.slowest() < 10 * BACK_MS / 1000 * SLACK


def test_connections_in_the_queue_of_a_dead_worker_are_served(detour):
    server = detour(CONFIG, workers=1)
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)
    waiting = [server.connect().send(request_bytes("GET", f"/{i}")) for i in range(50)]
    os.kill(victim, signal.SIGKILL)
    lost = 0
    for i, c in enumerate(waiting):
        try:
            assert c.response().location == f"https://b.example/{i}"
        except Closed:
            lost += 1
        c.close()
    assert lost == 0


def test_connections_of_the_other_worker_live_on(detour):
    server = detour(CONFIG, workers=2)
    conns = [server.connect() for _ in range(40)]
    for c in conns:
        assert c.send(request_bytes("GET", "/x")).response().status == 307
    server.kill_one("_worker")
    lived = 0
    for c in conns:
        try:
            lived += c.send(request_bytes("GET", "/y")).response().status == 307
        except (Closed, OSError):
            pass
        c.close()
    assert 0 < lived < 40


def test_a_killed_control_is_replaced_and_nobody_notices(detour):
    server = detour(CONFIG, workers=2)
    workers = server.worker_pids()
    with Probe(server, status=307) as probe:
        for _ in range(3):
            moment = server.kill_one("_control")
            assert time.monotonic() - moment < BACK_MS / 1000 * SLACK
            assert server.worker_pids() == workers
    probe.assert_healthy()
    # The new one does its work: a reload is live.
    server.reload(CONFIG.replace("b.example", "c.example"))
    wait_until(lambda: "c.example" in server.get("/x").location, 1 * SLACK)
    assert server.worker_pids() == workers


def test_a_killed_logger_is_replaced(detour):
    server = detour(CONFIG_LOGGED, workers=2)
    server.log_path = server.folder / "access.log"
    with Probe(server, status=307) as probe:
        server.kill_one("_logger")
    probe.assert_healthy()
    server.get("/after-the-logger")
    wait_until(lambda: any(x["path"] == "/after-the-logger" for x in server.log_lines()))


def test_the_end_of_the_supervisor_ends_all(detour):
    server = detour(CONFIG_LOGGED, workers=2)
    kids = children(server.pid)
    assert len(kids) == 4
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(FOREVER)
    server.expected_exit = -signal.SIGKILL
    wait_until(lambda: not any(alive(k) for k in kids), what="the end of the children")
    with pytest.raises(OSError):
        server.connect()


def set_memory_limit(pid, bytes_):
    """Of what is started from here on; the process itself has what it needs."""
    hard = resource.prlimit(pid, resource.RLIMIT_AS)[1]
    resource.prlimit(pid, resource.RLIMIT_AS, (bytes_, hard))


@pytest.mark.parametrize("role", ["worker 0", "control", "logger"])
def test_a_crash_loop_backs_off(detour, role):
    if detourlib.SANDBOX == "off":
        pytest.skip("the sanitizers need more address space than the limit leaves to anybody")
    server = detour(CONFIG_LOGGED, workers=1)
    victim = server.role_pids("_" + role.split()[0])[0]
    server.log_path = server.folder / "access.log"

    def ends():
        return len(re.findall(rf"{role} (?:ended with|was ended by)", server.stderr()))

    set_memory_limit(server.pid, 1 << 20)  # nothing that is started now gets far
    os.kill(victim, signal.SIGKILL)
    time.sleep(4)
    # After the kill it is tried after 0, 100, 200, 400, 800, 1600 ms.
    assert 4 <= ends() <= 8
    set_memory_limit(server.pid, resource.RLIM_INFINITY)
    begin = time.monotonic()
    wait_until(lambda: server.role_pids("_" + role.split()[0]), what="the return after the loop")
    assert server.get("/after-the-loop").status == 307
    assert time.monotonic() - begin < 3.2 * SLACK
    wait_until(lambda: any(x["path"] == "/after-the-loop" for x in server.log_lines()))


def test_sigterm_finishes_what_is_under_way(detour):
    server = detour(CONFIG, workers=2)
    whole = request_bytes("GET", "/slow")
    idle = [server.connect() for _ in range(10)]
    for c in idle:
        assert c.send(request_bytes("GET", "/x")).response().status == 307
    busy = [server.connect().send(whole[:20]) for _ in range(10)]
    # A request on a connection of the same kind says that the bytes above have arrived.
    server.get("/x")
    time.sleep(0.1)
    server.signal(signal.SIGTERM)
    for c in idle:
        c.assert_closed()

    def refuses():
        try:
            server.connect(timeout=1).close()
        except OSError:
            return True

    wait_until(refuses, what="the end of accepting")
    for c in busy:
        r = c.send(whole[20:]).response()
        assert r.location == "https://b.example/slow"
        assert r.closes
        c.assert_closed()
    server.process.wait(FOREVER)
    assert server.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_0(detour, number):
    server = detour(CONFIG)
    server.get("/x")
    server.signal(number)
    assert server.process.wait(FOREVER) == 0


def test_drain_does_not_wait_for_ever(detour):
    server = detour(CONFIG_DRAIN)
    with server.connect() as c:
        c.send(b"GET /x HTTP/1.1\r\nHost: a")
        time.sleep(0.1)
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.process.wait(2 * SLACK) == 0
        assert time.monotonic() - begin < 2 * SLACK


def test_sigterm_during_the_start(detour):
    for delay in [0, 0.01, 0.03]:
        server = detour(CONFIG, wait=False)
        time.sleep(delay)
        # Before its handlers stand the signal just ends it.
        server.signal(signal.SIGTERM)
        server.process.wait(FOREVER)
        assert server.process.returncode in (0, -signal.SIGTERM)
        server.expected_exit = server.process.returncode


@pytest.mark.slow
@pytest.mark.parametrize("role", ["_worker", "_control", "_logger"])
def test_a_hung_process_is_replaced(detour, role):
    server = detour(CONFIG_LOGGED, workers=2)
    victim = server.role_pids(role)[0]
    begin = time.monotonic()
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: not alive(victim) and server.role_pids(role), timeout=60)
    assert time.monotonic() - begin > 5, "it was given no time"
    wait_until(lambda: len(server.worker_pids()) == 2)
    for _ in range(50):
        assert server.get("/x").status == 307
    # Nobody else was taken for hung meanwhile.
    assert server.stderr().count(" hangs (") == 1, server.stderr()


@pytest.mark.slow
def test_nobody_hangs_who_has_nothing_to_do(detour):
    server = detour(CONFIG_LOGGED, workers=2)
    before = children(server.pid)
    time.sleep(15)
    assert children(server.pid) == before
    assert " hangs (" not in server.stderr()


@pytest.mark.slow
def test_a_control_that_is_busy_is_left_in_peace(detour):
    """Reading and compiling may take a minute. A pipe for a file takes as long as we like."""
    server = detour(CONFIG, workers=1)
    control = server.control_pid()
    server.file.unlink()
    os.mkfifo(server.file)
    server.reload()
    with open(server.file, "w") as pipe:
        pipe.write(server.whole(CONFIG.replace("b.example", "c.example"))[:50])
        pipe.flush()
        time.sleep(20)
        pipe.write(server.whole(CONFIG.replace("b.example", "c.example"))[50:])
    wait_until(lambda: "c.example" in server.get("/x").location, 1 * SLACK)
    assert server.control_pid() == control
    assert " hangs (" not in server.stderr()


@pytest.mark.slow
def test_a_logger_that_waits_for_its_reader_is_left_in_peace(detour):
    """Standard output is a socket, as systemd gives one: a write waits until somebody reads."""
    reader, writer = socket.socketpair()
    writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    with reader, writer:
        server = detour('access_log: "-"\n' + CONFIG, workers=1, prepare=lambda: os.dup2(writer.fileno(), 1))
        logger = server.logger_pid()
        count = 1000  # more than the socket holds
        with server.connect() as c:
            for i in range(count):
                assert c.send(request_bytes("GET", f"/{i}")).response().status == 307
        time.sleep(20)
        assert server.logger_pid() == logger
        reader.settimeout(FOREVER)
        seen = b""
        while f'"/{count - 1}"'.encode() not in seen:
            seen += reader.recv(1 << 20)
        assert all(f'"/{i}"'.encode() in seen for i in range(count))


def test_a_sighup_that_control_did_not_live_to_hear(detour):
    server = detour(CONFIG, workers=1)
    control = server.control_pid()
    os.kill(control, signal.SIGSTOP)
    time.sleep(0.05)
    server.reload(CONFIG.replace("b.example", "c.example"))
    time.sleep(0.05)
    os.kill(control, signal.SIGKILL)
    wait_until(lambda: "c.example" in server.get("/x").location, 1 * SLACK)


def test_a_reload_that_ended_control_is_not_tried_again(detour):
    server = detour(CONFIG, workers=1, metrics=True)
    control = server.control_pid()
    server.file.unlink()
    os.mkfifo(server.file)  # opening it waits for ever
    server.reload()
    time.sleep(0.3)
    os.kill(control, signal.SIGKILL)
    wait_until(lambda: "going on from the last good" in server.stderr())
    assert server.metrics().sum("restarts", process="control") == 1
    assert server.get("/x").location == "https://b.example/x"


MANY = pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.slow)])


@MANY
def test_the_only_worker_is_back_after_each_kill(detour, count):
    """A request that comes right after the kill waits for the successor, and not for long."""
    rng = random.Random(1)
    server = detour(CONFIG, workers=1)
    waits = []
    for i in range(count):
        victim = wait_until(server.worker_pids)[0]
        moment = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: server.worker_pids() != [victim], what="the end of the victim")
        assert server.get(f"/{i}").location == f"https://b.example/{i}"
        waits.append(time.monotonic() - moment)
        assert waits[-1] < BACK_MS / 1000 * SLACK, waits
        time.sleep(rng.random() * 0.03)
    assert sorted(waits)[count // 2] < BACK_MS / 1000 * 2


@MANY
def test_kills_at_random(detour, count):
    """Whoever is there may be killed, in the middle of its beginning too; the others serve,
    and it is back at once, each time."""
    rng = random.Random(1)
    server = detour(CONFIG, workers=4)
    kills, waits = [], []

    def processes():
        return [*server.worker_pids(), *server.role_pids("_control")]

    with Probe(server, status=307) as probe:
        for _ in range(count):
            victim = rng.choice(processes())
            kills.append(time.monotonic())
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: len(processes()) == 5 and victim not in processes(), what="its return")
            waits.append(time.monotonic() - kills[-1])
            assert waits[-1] < BACK_MS / 1000 * SLACK, waits
            time.sleep(rng.random() * 0.03)
    assert len(kills) == count
    probe.assert_healthy(except_at=kills)
    # Control, which was killed as often as each of the others, does its work.
    server.reload(CONFIG.replace("b.example", "c.example"))
    wait_until(lambda: "c.example" in server.get("/x").location, 1 * SLACK)


# What cannot run


def one_line(done, status=2):
    assert done.returncode == status, done.stderr
    lines = done.stderr.strip().split("\n")
    assert len(lines) == 1 and lines[0], done.stderr
    return lines[0]


def file_for(folder, address):
    """A configuration that listens there."""
    file = folder / "detour.yaml"
    file.write_text(fill(CONFIG_PORT, ADDRESS=address))
    return file


def test_a_port_in_use(detour, folder):
    server = detour(CONFIG)
    line = one_line(run("serve", "-c", file_for(folder, f"127.0.0.1:{server.port}")))
    assert str(server.port) in line and re.search("in use|already", line)
    assert server.get("/x").status == 307


def test_a_port_in_use_by_somebody_else(folder):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        one_line(run("serve", "-c", file_for(folder, f"127.0.0.1:{s.getsockname()[1]}")))


def test_a_unix_socket_in_use_and_one_left_behind(detour, folder):
    config = 'listen: ["http://unix:$DIR/s.sock", "http://127.0.0.1:$PORT"]\n' + CONFIG
    server = detour(config)
    one_line(run("serve", "-c", file_for(folder, f"unix:{server.folder}/s.sock")))
    assert server.get("/x").status == 307
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(folder / "stale.sock"))
    stale.close()
    second = detour(f'listen: ["http://unix:{folder}/stale.sock", "http://127.0.0.1:$PORT"]\n' + CONFIG)
    assert second.get("/x").status == 307


def test_an_address_that_is_not_here(folder):
    assert "192.0.2.1" in one_line(run("serve", "-c", file_for(folder, f"192.0.2.1:{free_port()}")))


def test_a_missing_file(folder):
    line = one_line(run("serve", "-c", folder / "none.yaml"))
    assert "none.yaml" in line


def test_a_folder_for_a_file(folder):
    one_line(run("serve", "-c", folder))


def become_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


@pytest.fixture
def as_nobody(folder):
    """How detour is started as a user who may do nothing, from where everybody can read it."""
    if os.geteuid() != 0:
        pytest.skip("becomes another user")
    return {"program": shutil.copy(BINARY, folder / "detour"), "prepare": become_nobody}


@pytest.mark.parametrize("address, mode", [("127.0.0.1:8181", 0o600), ("127.0.0.1:81", 0o644)], ids=["file", "port"])
def test_no_permission(folder, as_nobody, address, mode):
    file = file_for(folder, address)
    file.chmod(mode)
    assert "ermission" in one_line(run("serve", "-c", file, cwd=folder, **as_nobody))


def test_an_ordinary_user_can_serve(detour, as_nobody):
    assert detour(CONFIG, **as_nobody).get("/x").status == 307


def test_a_bad_file_is_1_with_all_problems(folder):
    file = folder / "bad.yaml"
    file.write_text("listen: [http://127.0.0.1:1]\nsights: []\nsites:\n  - hosts: [a.example]\n    routes:\n      - {path: '/:', to: 'https://b.example/'}\n      - {path: /x, to: 'nonsense'}\n")
    done = run("serve", "-c", file)
    assert done.returncode == 1
    errors = [x for x in done.stderr.splitlines() if re.match(rf"{re.escape(str(file))}:\d+:\d+: error: ", x)]
    assert [x.split(":")[1] for x in errors] == ["2", "6", "7"], done.stderr


def test_zombies_are_none(detour):
    server = detour(CONFIG)
    for _ in range(3):
        victim = server.worker_pids()[0]
        server.kill_one("_worker")
        wait_until(lambda: process_stat(victim) is None, what="the burial")


def test_a_storm_of_reloads_while_control_is_busy(detour):
    """However many signals come, control lives, and reads the file once or twice."""
    server = detour(CONFIG)
    control = server.control_pid()
    os.kill(control, signal.SIGSTOP)  # as if it read a very large file
    for _ in range(2000):
        server.signal(signal.SIGHUP)
        time.sleep(0.0005)
    server.write(CONFIG.replace("b.example", "c.example"))
    os.kill(control, signal.SIGCONT)
    wait_until(lambda: server.get("/x").location == "https://c.example/x", what="the new file")
    time.sleep(0.3)
    assert server.control_pid() == control, server.stderr()
    assert server.stderr().count("is in use by all workers") <= 3, server.stderr()
