# SPDX-License-Identifier: MIT
"""The admin API under load, under attack, and while processes die: what was answered holds."""

import contextlib
import ctypes
import json
import os
import random
import signal
import statistics
import threading
import time
from pathlib import Path

import pytest
from adminapi import CONFIG, Admin, back, kill_control, later, with_stanzas
from detourlib import FOREVER, SLACK, Closed, Conn, Probe, alive, free_port, request_bytes, run, wait_until

GONE = (OSError, Closed)


@pytest.fixture
def admin(detour):
    one = Admin(detour(CONFIG))
    yield one
    one.close()


# Figures


@pytest.mark.parametrize("workers", [2, 4])
def test_no_old_answer_after_a_change(detour, workers):
    server = detour(CONFIG, workers=workers)
    admin = Admin(server)
    clients = [server.connect() for _ in range(4 * workers)]
    took, tag = [], None
    for i in range(200):
        start = time.monotonic()
        tag = admin.on("d", admin.detour(to=f"https://live.example/{i}"), tag=tag).etag
        took.append(time.monotonic() - start)
        for client in clients:
            client.send(request_bytes("GET", "/x", host="shop.example"))
        for client in clients:
            assert client.response().location == f"https://live.example/{i}"
    median = statistics.median(took)
    print(f"a change took {median * 1000:.1f} ms, the slowest {max(took) * 1000:.1f} ms")
    assert median < 0.020 * SLACK


def change_and_kill(admin, count, seed):
    """Changes one after the other while control is killed at random moments. What each detour is
    must be what was answered last, or what was asked for without an answer since."""
    rng = random.Random(seed)
    names = ["a", "b", "c"]
    possible = {name: {None} for name in names}
    acknowledged, ending, moved_on = 0, threading.Event(), threading.Event()

    def kill():
        """Again when something was acknowledged since, or a slow machine would get nowhere."""
        while not ending.wait(rng.uniform(0.002, 0.06)):
            if not moved_on.wait(FOREVER) or ending.is_set():
                break
            moved_on.clear()
            pid = admin.server.control_pid()
            if pid:
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    kills = 0
    try:
        while acknowledged < count:
            name = rng.choice(names)
            target = None if rng.random() < 0.4 else f"live.example/{acknowledged}"
            try:
                there = admin.ask("GET", admin.path(name))
                was = there.json["detour"]["to"].removeprefix("https://") if there.status == 200 else None
                assert was in possible[name], (name, was, possible[name])
                possible[name] = {was}
                if target is None and was is None:
                    continue
                possible[name].add(target)
                if target is None:
                    r = admin.ask("DELETE", admin.path(name), fields={"If-Match": there.etag})
                else:
                    fields = {"If-Match": there.etag} if was else {"If-None-Match": "*"}
                    r = admin.ask("PUT", admin.path(name), admin.detour("/" + name, to="https://" + target), fields)
                if r.status == 503:  # it has only just begun
                    continue
                assert r.status in (200, 201), (r, r.body)
                possible[name] = {target}
                acknowledged += 1
                moved_on.set()
                assert admin.where("/" + name) == (target or f"home.example/{name}")
            except GONE:
                kills += 1
                admin.close()
                time.sleep(0.01)
    finally:
        ending.set()
        moved_on.set()
        killer.join()
    back(admin)
    print(f"killed {kills} times")
    assert kills >= 3, "it was hardly ever killed"
    found = {one["name"]: one["detour"]["to"].removeprefix("https://") for one in admin.good("GET", "/v1/detours").json["detours"]}
    assert all(found.get(name) in possible[name] for name in names), (found, possible)
    wait_until(lambda: all(admin.where("/" + name) == found.get(name, f"home.example/{name}") for name in names))
    changes = admin.changes()
    assert [one["number"] for one in changes] == list(range(len(changes), 0, -1))
    assert len(changes) >= acknowledged
    state = {}
    for one in reversed(changes):  # each is whole: it begins where the one before it of this name ended
        assert one["before"] == state.get(one["key"], {"kind": "none", "detour": None})
        state[one["key"]] = one["after"]


def test_control_is_killed_during_changes(admin):
    with Probe(admin.server, headers={"Host": "blog.example"}, status=307) as probe:
        change_and_kill(admin, 200, seed=4)
    probe.assert_healthy()


@pytest.mark.slow
def test_control_is_killed_during_many_changes(admin):
    change_and_kill(admin, 900, seed=5)


def p99(probes):
    return statistics.quantiles([end - start for probe in probes for start, end, _ in probe.results], n=100)[98]


def load(admin):
    return [Probe(admin.server, headers={"Host": "blog.example"}, status=307) for _ in range(4)]


def changes_under_load(admin, count):
    with contextlib.ExitStack() as stack:
        quiet = [stack.enter_context(probe) for probe in load(admin)]
        time.sleep(1)
    tags = {}
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(probe) for probe in load(admin)]
        for i in range(count):
            name = f"d{i % 10}"
            if i % 3 == 2 and name in tags:
                admin.off(name)
                del tags[name]
            else:
                tags[name] = admin.on(name, tag=tags.get(name)).etag
    for probe in probes:
        probe.assert_healthy()
    print(f"p99 {p99(probes) * 1000:.1f} ms, without changes {p99(quiet) * 1000:.1f} ms")
    assert p99(probes) < 2 * SLACK * max(p99(quiet), 0.002)
    assert admin.good("GET", "/v1/changes", limit=1).json["changes"][0]["number"] == count


def test_changes_under_load_fail_no_request(admin):
    changes_under_load(admin, 500)


@pytest.mark.slow
def test_many_changes_under_load_fail_no_request(admin):
    changes_under_load(admin, 10000)


# Tokens


def test_tokens_over_tcp(detour):
    server = detour(CONFIG)
    local = Admin(server)
    tokens = {}
    for name, scope in [("reader", "read"), ("writer", "write")]:
        r = local.good("PUT", f"/v1/tokens/{name}", {"scope": scope})
        tokens[name] = r.json["token"]
        local.bad(409, "PUT", f"/v1/tokens/{name}", {"scope": scope})
    local.bad(422, "PUT", "/v1/tokens/x", {"scope": "all"})
    local.bad(422, "PUT", "/v1/tokens/x", {})
    local.bad(404, "DELETE", "/v1/tokens/none")
    assert not any(token in json.dumps(local.changes()) for token in tokens.values())
    local.close()

    address = ("127.0.0.1", free_port())
    server.write(CONFIG.replace("unix:$DIR/admin.sock", "http://%s:%d" % address))
    server.signal(signal.SIGHUP)
    reader = Admin(server, address, tokens["reader"])
    back(reader)
    writer, guest = Admin(server, address, tokens["writer"]), Admin(server, address)
    assert guest.ask("GET", "/healthz").status == guest.ask("GET", "/readyz").status == 200
    for path in ("/v1/detours", "/v1/status", "/v1/export", "/v1/nothing"):
        assert guest.ask("GET", path).status == 401
    assert Admin(server, address, tokens["reader"] + "x").ask("GET", "/v1/status").status == 401
    assert reader.ask("PUT", reader.path("d"), reader.detour(), {"If-None-Match": "*"}).status == 403
    for method, path in [("DELETE", "/v1/detours"), ("POST", "/v1/reload"), ("DELETE", "/v1/tokens/reader")]:
        assert reader.ask(method, path).status == 403
    writer.on("d")
    assert reader.get("d").json["state"] == "active"
    assert writer.changes()[0]["who"] == {"via": "token", "uid": None, "name": "writer"}
    assert {one["name"]: one["scope"] for one in reader.good("GET", "/v1/tokens").json["tokens"]} == {
        "reader": "read", "writer": "write"}
    kill_control(writer)
    assert reader_again(reader).status == 200
    # One that is removed is worth nothing at once, also on a connection that it has opened.
    writer.good("DELETE", "/v1/tokens/reader")
    assert reader.ask("GET", "/v1/status").status == 401
    writer.off("d")
    for _ in range(12):
        last = Admin(server, address, "detour_" + "A" * 32).ask("GET", "/v1/status").status
    assert last == 429


def reader_again(reader):
    reader.close()
    return reader.ask("GET", "/v1/status")


# Several at once


def test_writers_at_once_do_not_undo_each_other(admin):
    admin.on("d", admin.detour(owner="0"))
    done, errors = [], []

    def write():
        own = Admin(admin.server)
        try:
            for _ in range(10):
                while True:
                    seen = own.get("d")
                    count = int(seen.json["detour"]["owner"])
                    r = own.ask("PUT", own.path("d"), own.detour(owner=str(count + 1)), {"If-Match": seen.etag})
                    if r.status == 200:
                        done.append(count + 1)
                        break
                    assert r.status == 412, r.body
        except BaseException as e:
            errors.append(e)
        own.close()

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors, errors
    assert sorted(done) == list(range(1, 61))
    assert admin.get("d").json["detour"]["owner"] == "60"
    assert len(admin.changes()) == 61


def test_signals_and_files_beside_changes(detour):
    """Reloads all the time, with files that change: every change that was answered holds."""
    admin = Admin(detour(with_stanzas(("one", "r"), ("two", "r"))))
    ending = threading.Event()

    def storm():
        i = 0
        while not ending.is_set():
            i += 1
            admin.server.write(with_stanzas(("one", "r"), ("two", str(i))) + f"# {i}\n")
            for _ in range(3):
                admin.server.signal(signal.SIGHUP)
                time.sleep(0.004)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        admin.off("one")
        tag = None
        for i in range(150):
            if i % 5 == 4:
                admin.off("d")
                assert admin.where() == "home.example/x"
                tag = None
            else:
                tag = admin.on("d", admin.detour(to=f"https://live.example/{i}"), tag=tag).etag
                assert admin.where() == f"live.example/{i}"
            assert admin.where("/one") == "home.example/one"
    finally:
        ending.set()
        thread.join()
    admin.reload()
    assert admin.states() == {"shop/one": "off", "shop/two": "active"}


def test_a_reload_is_of_the_file_as_it_is_then(admin):
    """One that is asked for while another is on its way reads the file again."""
    second = Admin(admin.server)
    second.good("GET", "/v1/status")
    admin.server.signal(signal.SIGSTOP)  # the supervisor, whom a reload waits for
    try:
        admin.send("POST", "/v1/reload")
        time.sleep(0.2)
        admin.server.write(CONFIG.replace("https://home", "https://hut"))
        second.send("POST", "/v1/reload")
        time.sleep(0.2)
    finally:
        admin.server.signal(signal.SIGCONT)
    assert second.answer("POST").json["generation"] > admin.answer("POST").json["generation"]
    assert admin.where() == "hut.example/x"


def test_a_bad_reload_answers_no_change_too_early(admin):
    """A change waits for a worker that is stopped; a file that is refused meanwhile answers
    only its own question."""
    stopped = admin.server.worker_pids()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        admin.send("PUT", admin.path("d"), admin.detour(), {"If-None-Match": "*"})
        time.sleep(0.1)
        other = Admin(admin.server)
        admin.server.write("nonsense: 1\n")
        assert other.ask("POST", "/v1/reload").status == 422
        assert alive(stopped)
        with pytest.raises((TimeoutError, AssertionError)):
            admin.conn.response(timeout=0.2)
    finally:
        try:
            os.kill(stopped, signal.SIGCONT)
        except ProcessLookupError:
            pass
    assert admin.answer().status == 201
    admin.server.write(CONFIG)


# Processes that stop and die


def test_a_stopped_worker_is_replaced_and_the_answer_comes(admin):
    stopped = admin.server.worker_pids()[0]
    os.kill(stopped, signal.SIGSTOP)
    start = time.monotonic()
    admin.on("d", None)
    print(f"answered after {time.monotonic() - start:.1f} s")
    assert not alive(stopped)
    wait_until(lambda: len(admin.server.worker_pids()) == 2)
    for _ in range(40):
        assert admin.where() == "live.example/"


def test_control_is_killed_while_an_answer_waits(admin):
    stopped = admin.server.worker_pids()[0]
    os.kill(stopped, signal.SIGSTOP)
    admin.send("PUT", admin.path("d"), admin.detour(), {"If-None-Match": "*"})
    time.sleep(0.3)
    os.kill(admin.server.control_pid(), signal.SIGKILL)
    with pytest.raises(GONE):
        admin.answer()
    try:
        os.kill(stopped, signal.SIGCONT)
    except ProcessLookupError:
        pass
    admin.close()
    back(admin)
    assert admin.get("d").json["state"] == "active" and len(admin.changes()) == 1
    wait_until(lambda: all(admin.where() == "live.example/" for _ in range(20)))


def test_a_client_that_leaves_has_changed_it_all_the_same(admin):
    for i in range(20):
        admin.send("PUT", admin.path(f"d{i}"), admin.detour(f"/{i}"), {"If-None-Match": "*"}).close()
    wait_until(lambda: len(admin.states()) == 20)
    assert admin.where("/7") == "live.example/"


# Bad content, odd names, slow clients


BAD_CONTENT = [
    (b"", 400), (b"null", 400), (b"[]", 400), (b"7", 400), (b"{", 400), (b'{"to":"x"}x', 400), (b"\xff\xfe{}", 400),
    (b'{"to":"https://a.example/","to":"https://b.example/"}', 400), (b'{"to":"a\\u0000b"}', 400),
    (b'{"a":' * 40 + b"1" + b"}" * 40, 400), (b"[" * 60000, 400), (b'{"to":"\\ud800"}', 400),
    (b'{"reason":"' + b"x" * 70000 + b'"}', 413), (b"{}", 422), (b'{"to":{"a":{"b":[1,2,{"c":null}]}}}', 422),
    (b'{"from":' + b"9" * 400 + b"}", (400, 422)), (b'{"until":1e999}', (400, 422)),
    (b'{"for":"' + b"9" * 5000 + b'd","to":"https://a.example/"}', 422),
    (b'{"path":"/' + b"{x}" * 15000 + b'","to":"https://a.example/","until":"off"}', 422),
    (b'{"repeat":"' + b"FREQ=DAILY;" * 3000 + b'","to":"https://a.example/","until":"off","from":"2030-01-01T00:00Z"}', 422),
]


@pytest.fixture(scope="module")
def shared(shared_detour):
    one = Admin(shared_detour(CONFIG))
    yield one
    one.close()


@pytest.mark.parametrize("index", range(len(BAD_CONTENT)))
def test_bad_content(shared, index):
    content, status = BAD_CONTENT[index]
    pid = shared.server.control_pid()
    r = shared.ask("PUT", shared.path("d"), content, {"If-None-Match": "*"})
    assert r.status in (status if isinstance(status, tuple) else (status,)), (r, r.body[:500])
    assert len(r.body) < 20000
    assert shared.states() == {} and shared.server.control_pid() == pid


@pytest.mark.parametrize("name", ["a b", "ä", "%", "a%b", "日本語", "x" * 200, "x" * 3000, "-", "_", "A.b-c_1", '"', "'", "{x}", "a\u202eb", "off", "null", "1", "true", "~", "*", "#", "&a", "!t"])
def test_odd_names(shared, name, folder):
    """Refused with a word about it, or a name like any other."""
    pid = shared.server.control_pid()
    r = shared.ask("PUT", shared.path(name), shared.detour("/odd"), {"If-None-Match": "*"})
    if r.status == 201:
        assert shared.get(name).json["name"] == name
        assert shared.where("/odd") == "live.example/"
        out = folder / "out.yaml"
        out.write_bytes(shared.good("GET", "/v1/export").body)
        from detourlib import run

        assert run("check", "-c", out).returncode == 0, out.read_text()
        shared.good("POST", shared.path(name) + "/extend", {"until": later(600)})
        shared.off(name)
    else:
        assert r.status in (400, 404, 414, 422), (r, r.body)
    assert shared.states() == {} and shared.server.control_pid() == pid


@pytest.mark.parametrize("path", ["/v1/detours/shop/a%2Fb", "/v1/detours/shop/..", "/v1/detours/shop/%2e%2e", "/v1/detours//d", "/v1/detours/shop/%", "/v1/detours/shop/%ff", "/v1/detours/shop/a%00b", "/v1/detours/shop/a%0ab", "/v1/detours/shop/a\\b", "/v1/detours/shop/a/b/c"])
def test_odd_paths(shared, path):
    r = shared.ask("PUT", path, shared.detour(), {"If-None-Match": "*"})
    assert r.status in (400, 404), r
    assert shared.states() == {}


def test_slow_clients_hold_nobody_up(admin):
    slow = [Conn(admin.address) for _ in range(40)]
    for i, conn in enumerate(slow):
        whole = request_bytes("PUT", admin.path(f"s{i}"), {"If-None-Match": "*", "Content-Type": "application/json"},
                              json.dumps(admin.detour()).encode(), host="localhost")
        conn.send(whole[: 1 + i * len(whole) // 41])
    start = time.monotonic()
    admin.on("d")
    admin.off("d")
    assert time.monotonic() - start < 1 * SLACK
    assert admin.states() == {}
    for conn in slow:
        conn.close()


@pytest.mark.parametrize("said", [b"", b"G", b"PUT /v1/detours/shop/d HTTP/1.1\r\nHost: localhost\r\nContent-Le"])
def test_silent_clients_lock_nobody_out(admin, said):
    """As many as there may be at all; those that have said a part give way after a second."""
    silent = [Conn(admin.address) for _ in range(64)]
    for conn in silent:
        if said:
            conn.send(said)
    tries = 0

    def asked():
        nonlocal tries
        tries += 1
        try:
            return admin.ask("GET", "/v1/status")
        except GONE:
            return None

    wait_until(asked, what="an answer beside silent clients")
    assert said or tries == 1
    admin.on("d")
    admin.off("d")
    for conn in silent:
        conn.close()


def test_silent_strangers_lock_nobody_out_over_tcp(detour):
    server = detour(CONFIG)
    local = Admin(server)
    token = local.good("PUT", "/v1/tokens/reader", {"scope": "read"}).json["token"]
    local.close()
    address = ("127.0.0.1", free_port())
    server.write(CONFIG.replace("unix:$DIR/admin.sock", "http://%s:%d" % address))
    server.signal(signal.SIGHUP)
    back(Admin(server, address, token))
    silent = [Conn(address) for _ in range(200)]
    assert Admin(server, address, token).ask("GET", "/v1/status").status == 200
    for conn in silent:
        conn.close()


YAML = {"Content-Type": "text/yaml"}


def test_a_large_file_can_be_compared(admin, folder):
    """And nobody else may send as much: neither to another resource nor without a right to."""
    comment = "# " + "x" * 77 + "\n"
    large = admin.server.whole(CONFIG.replace("https://home", "https://hut")) + comment * (1 + (1 << 20) // len(comment))
    assert len(large) > 1 << 20
    changed = [{"what": "changed", "resource": "route", "name": "shop/any"}]
    assert admin.good("POST", "/v1/diff", large.encode(), YAML).json["changes"] == changed
    with Conn(admin.address) as conn:
        conn.send(request_bytes("POST", "/v1/diff", {**YAML, "Expect": "100-continue", "Content-Length": str(len(large))},
                                host="localhost"))
        assert conn.response().status == 100
        assert conn.send(large).response().status == 200
    admin.close()
    path = folder / "large.yaml"
    path.write_text(large)
    done = run("diff", "-c", path, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["changes"] == changed, done.stderr
    admin.server.file.write_text(large)
    admin.reload()
    assert admin.where() == "hut.example/x"

    def refused(fields):
        with Conn(admin.address) as conn:
            head = {"Content-Length": str(len(large)), **fields}
            conn.send(request_bytes("POST", "/v1/diff", head, host="localhost"))
            return conn.response().status

    assert refused({**YAML, "Content-Length": str((64 << 20) + 1)}) == 413
    assert refused({**YAML, "Origin": "http://evil.example"}) == 413
    r = admin.ask("PUT", admin.path("d"), b"{" + b" " * 70000 + b"}", {"If-None-Match": "*"})
    assert r.status == 413
    # Of two that would be too large together one has to wait for the other.
    with Conn(admin.address) as first:
        first.send(request_bytes("POST", "/v1/diff", {**YAML, "Content-Length": str(64 << 20)}, host="localhost"))
        assert wait_until(lambda: refused(YAML) == 503, what="the first one on its way")
    wait_until(lambda: admin.ask("POST", "/v1/diff", large.encode(), YAML).status == 200, what="room again")
    assert admin.where() == "hut.example/x"


def test_pipelined_changes_are_answered_in_order(admin):
    admin.conn = Conn(admin.address)
    for i in range(20):
        admin.send("PUT", admin.path(f"d{i}"), admin.detour(f"/{i}"), {"If-None-Match": "*"})
    assert [admin.answer().json["name"] for _ in range(20)] == [f"d{i}" for i in range(20)]


# A full disk


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_disk_is_507_and_serving_goes_on(detour, folder):
    state = folder / "state"
    state.mkdir(mode=0o700)
    libc = ctypes.CDLL(None, use_errno=True)

    def mount():
        """In a name space of its own, so that it goes with the process."""
        clone_newns, rec_private = 0x20000, 0x4000 | 0x40000
        assert libc.unshare(clone_newns) == 0
        assert libc.mount(b"none", b"/", None, rec_private, None) == 0
        assert libc.mount(b"tmpfs", str(state).encode(), b"tmpfs", 0, b"size=1m,mode=0700") == 0

    admin = Admin(detour(CONFIG.replace("state: state", f"state: {state}"), prepare=mount))
    for i in range(400):
        content = admin.detour(f"/{i}", reason="x" * 3500)
        r = admin.ask("PUT", admin.path(f"d{i}"), content, {"If-None-Match": "*"})
        if r.status != 201:
            break
    assert r.status == 507 and "nothing was changed" in r.json["detail"], (i, r, r.body)
    assert admin.ask("GET", admin.path(f"d{i}")).status == 404
    assert len(admin.states()) == i and admin.where(f"/{i}") == f"home.example/{i}"
    assert admin.where("/0") == "live.example/"
    admin.reload()
    kill_control(admin)
    assert len(admin.states()) == i and admin.where("/0") == "live.example/"
