# SPDX-License-Identifier: MIT
"""Health: nobody is sent to a server that cannot serve, whatever it is that it cannot do, and what
came back comes back slowly and seldom."""

import datetime
import os
import re
import signal
import socket
import subprocess
import threading
import time

import conftest
import pytest
from detourlib import SLACK, run, wait_until
from healthlib import HARMS, Agent, Farm, given, pools
from test_origin_names import Names

CONFIG = """
admin: {listen: "unix:$DIR/admin.sock"}
sites:
  - name: a
    hosts: [a.example]
    routes: [{name: any, path: "/*", pool: p}]
pools:
  p:
    balance: $BALANCE
    drain: $DRAIN
    health: {$HEALTH}
    panic_threshold: $PANIC
    servers: [$SERVERS]
"""
FAST = "path: /healthz, interval: 200ms, timeout: 150ms, fall: 2, rise: 2"
# fall × interval + timeout + a tenth of an interval + 0.2 s
FAST_BOUND = 2 * 0.2 + 0.15 + 0.02 + 0.2


@pytest.fixture
def farm(folder):
    farm = Farm(folder)
    yield farm
    farm.close()


def begin(detour, farm, health=FAST, wait=True, servers=None, panic="off", balance="weighted", drain="5m",
          **kwargs):
    server = detour(CONFIG, HEALTH=health, SERVERS=servers or farm.stanza(), PANIC=panic, BALANCE=balance,
                    DRAIN=drain, workers=1, **kwargs)
    if wait:
        wait_until(lambda: all(s["health"]["checked"] for s in pools(server).values()), what="probes")
    return server


def gone(server, address):
    return lambda: address not in given(server)


def there(server, address):
    return lambda: address in given(server)


@pytest.mark.parametrize("harm", HARMS)
def test_a_server_that_dies_receives_nobody(detour, farm, harm):
    if harm == "walled off" and not conftest.OWN_NETWORK:
        pytest.skip("needs a network namespace of its own")
    first, other = farm.add(), farm.add()
    server = begin(detour, farm, f'{FAST}, expect: {{body: "is well"}}')
    assert set(given(server)) == {first.address, other.address}
    hurt, heal = HARMS[harm]
    hurt(first)
    died = time.monotonic()
    wait_until(gone(server, first.address), FAST_BOUND * SLACK, "nobody is sent there")
    assert time.monotonic() - died < FAST_BOUND * SLACK
    assert set(given(server, 100)) == {other.address}
    wait_until(lambda: "server p/s0 is down: " in server.stderr())
    heal(first)
    wait_until(there(server, first.address), what="it is back")
    lines = server.stderr()
    assert (lines.count("p/s0 is down"), lines.count("p/s0 is up"), lines.count("p/s1 is")) == (1, 1, 0)


def test_a_connection_is_enough(detour, farm):
    first, other = farm.add(), farm.add()
    server = begin(detour, farm, "type: tcp, interval: 200ms, timeout: 150ms, fall: 2, rise: 1")
    first.mark("sick")
    assert set(given(server)) == {first.address, other.address}
    first.kill()
    wait_until(gone(server, first.address), FAST_BOUND * SLACK)
    assert "p/s0 is down: Connection refused" in server.stderr()
    first.start()
    wait_until(there(server, first.address))


@pytest.mark.parametrize(
    ("more", "up", "error"),
    [
        ("", False, "it answered 503"),
        ("expect: {status: [200-204, 503]}", True, None),
        ("expect: {status: [200, 404]}", False, "it answered 503"),
        ("expect: {status: 503, body: sick}", True, None),
        ("expect: {status: 503, body: well}", False, "its answer does not hold"),
        ("expect: {status: 503}, method: HEAD", True, None),
        ("host: other.example, expect: {status: 204}", False, "it answered 503"),
    ],
)
def test_what_is_expected(detour, farm, more, up, error):
    farm.add().mark("sick")
    server = begin(detour, farm, f"{FAST}, {more}" if more else FAST)
    seen = wait_until(lambda: (s := pools(server)["s0"])["health"]["probes"] >= 2 and s)
    assert (seen["state"] == "up", seen["health"]["up"]) == (up, up)
    assert (error is None and seen["health"]["error"] is None) or error in seen["health"]["error"]


def test_another_host_is_asked_for(detour, farm):
    farm.add()
    server = begin(detour, farm, FAST + ", host: other.example, expect: {status: 204}")
    seen = wait_until(lambda: (s := pools(server)["s0"])["health"]["probes"] >= 2 and s)
    assert (seen["state"], seen["health"]["failures"]) == ("up", 0)


def changes(server, name):
    """("up" or "down", when) of each change that the log tells."""
    found = re.findall(rf"^(\S+)Z control: \w+: server {name} is (up|down)", server.stderr(), re.M)
    return [(state, datetime.datetime.fromisoformat(when)) for when, state in found]


def test_a_server_that_flaps_is_up_once_in_a_hold_down(detour, farm):
    first, _ = farm.add(), farm.add()
    server = begin(detour, farm, "path: /healthz, interval: 100ms, fall: 1, rise: 1, hold_down: 1s")
    for _ in range(6):
        first.mark("sick")
        time.sleep(0.2)
        first.unmark("sick")
        time.sleep(0.2)
    wait_until(there(server, first.address), what="it comes up at last")
    first.mark("sick")
    held = wait_until(lambda: (s := pools(server)["s0"])["state"] == "down" and s)
    assert 0 < held["health"]["held_for"] <= 1
    told = changes(server, "p/s0")
    assert [state for state, _ in told] == ["down", "up"] * (len(told) // 2) + ["down"] and len(told) >= 3
    for (_, down), (_, up) in zip(told[::2], told[1::2]):
        assert (up - down).total_seconds() >= 0.99  # as the log rounds


def test_what_comes_back_begins_with_little(detour, farm):
    first, _ = farm.add(), farm.add()
    server = begin(detour, farm, FAST + ", slow_start: 1s")
    assert pools(server)["s0"]["share"] == 100
    first.mark("sick")
    wait_until(lambda: pools(server)["s0"]["state"] == "down")
    first.unmark("sick")
    shares = []

    def grown():
        seen = pools(server)["s0"]
        if seen["state"] == "up":
            shares.append(seen["share"])
        return shares and shares[-1] == 100

    wait_until(grown, what="all of its weight")
    assert shares == sorted(shares) and len(set(shares)) > 1
    assert all(share == 100 or abs(share * 21 / 100 - round(share * 21 / 100)) < 0.001 for share in shares)


def certificate(folder, name):
    names = (folder / f"{name}.pem", folder / f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.2", "-days", "30",
                    "-keyout", names[1], "-out", names[0]], check=True, capture_output=True)
    return names


@pytest.mark.parametrize(("more", "up"), [("", False), (", ca: $PEM", True), (", verify: off", True)])
def test_https(detour, farm, folder, more, up):
    pem, key = certificate(folder, "probed")
    farm.add(tls=(pem, key))
    patient = "path: /healthz, interval: 600ms, timeout: 600ms, fall: 1, rise: 1"  # a sanitizer reads slowly
    server = begin(detour, farm, patient + more.replace("$PEM", str(pem)))
    seen = pools(server)["s0"]
    assert seen["health"]["up"] == up, seen
    assert up or "certificate" in seen["health"]["error"]
    checked = run("check", "-c", server.file)
    assert ("`verify: off`" in checked.stdout + checked.stderr) == ("verify" in more)


def test_what_an_agent_says(detour, farm):
    first, other = farm.add(), farm.add()
    agent = Agent(address=first.address)
    servers = farm.stanza().replace('"}', f'", agent: {agent.port}' + "}", 1)
    server = begin(detour, farm, servers=servers)
    says = [("drain # a disk is changed\n", "drain", 100), ("50%\n", "drain", 50), ("ready\n", "up", 50),
            ("up 100%\n", "up", 100), ("down\r\n", "down", 100), ("maint up\n", "maint", 100),
            ("ready 25% maxconn:30\n", "up", 25)]
    for line, state, share in says:
        agent.line = line
        seen = wait_until(
            lambda line=line: (s := pools(server)["s0"])["health"]["agent"]["says"] == line.strip() and s)
        assert (seen["state"], seen["share"], seen["health"]["up"]) == (state, share, True), line
        assert (first.address in given(server)) == (state == "up")
    # One that says nothing, or nonsense, changes nothing.
    for line in ("nonsense\n", None):
        agent.line = line
        wait_until(lambda: pools(server)["s0"]["health"]["agent"]["error"])
        assert pools(server)["s0"]["share"] == 25
    assert "p/s0 says that it is draining: a disk is changed" in server.stderr()
    agent.close()
    assert other.address in given(server)


def test_an_agent_with_a_url(detour, farm):
    first, other = farm.add(), farm.add()
    server = begin(detour, farm, FAST + ", agent: {url: /agent}")
    first.agent_says("maint")
    wait_until(gone(server, first.address))
    other.agent_says("10%")
    wait_until(lambda: pools(server)["s1"]["share"] == 10)
    # Who is no longer asked has said nothing.
    server.values["HEALTH"] = FAST
    server.reload(CONFIG)
    wait_until(there(server, first.address))
    assert pools(server)["s1"]["share"] == 100


def test_an_agent_that_drains_loses_its_clients_little_by_little(detour, farm):
    first, other = farm.add(), farm.add()
    server = begin(detour, farm, FAST + ", agent: {url: /agent}", balance="{hash: path}", drain="1s")
    first.agent_says("drain")
    shares = []

    def drained():
        shares.append(pools(server)["s0"]["share"])
        return shares[-1] == 0

    wait_until(drained, what="no clients are left")
    assert shares == sorted(shares, reverse=True) and len(set(shares)) > 2
    with server.connect() as c:
        for i in range(50):
            c.send(f"GET /{i} HTTP/1.1\r\nHost: a.example\r\n\r\n")
            assert other.address in c.response().location
    first.agent_says("ready")
    wait_until(lambda: pools(server)["s0"]["share"] == 100)


def test_states_outlive_control(detour, farm):
    first, other = farm.add(), farm.add()
    other.agent_says("40%")
    server = begin(detour, farm, FAST + ", agent: {url: /agent}")
    first.kill()
    wait_until(gone(server, first.address))
    wait_until(lambda: pools(server)["s1"]["share"] == 40)
    before = pools(server)["s0"]["since"]
    server.kill_one("_control")
    seen = wait_until(lambda: alive(server))
    assert set(given(server)) == {other.address}
    assert (seen["s0"]["state"], seen["s1"]["share"]) == ("down", 40)
    assert seen["s0"]["since"][:19] == before[:19]
    wait_until(lambda: pools(server)["s0"]["health"]["failures"] >= 3)
    assert server.stderr().count("p/s0 is down") == 1
    first.start()
    wait_until(there(server, first.address))


def alive(server):
    try:
        return pools(server)
    except (OSError, AssertionError):
        return None


def test_panic(detour, farm):
    servers = [farm.add() for _ in range(3)]
    server = begin(detour, farm, panic="50%")
    servers[0].kill()
    wait_until(gone(server, servers[0].address))
    servers[1].kill()
    everybody = {s.address for s in servers}
    wait_until(lambda: pools(server)["s1"]["state"] == "down")
    wait_until(lambda: set(given(server)) == everybody, what="health is ignored")
    wait_until(lambda: "the health of pool p is ignored: 1 of 3 servers are up" in server.stderr())
    servers[1].start()
    wait_until(lambda: set(given(server)) == everybody - {servers[0].address}, what="health counts again")
    wait_until(lambda: "the health of pool p is heeded again" in server.stderr())
    assert server.stderr().count("the health of pool p") == 2  # once per change


def test_panic_brings_nobody_back_who_was_taken_out(detour, farm):
    """A server that drains is stopped, and then the network fails."""
    out, first, other = farm.add(), farm.add(), farm.add()
    server = begin(detour, farm, FAST + ", agent: {url: /agent}", panic="60%")
    out.agent_says("drain")
    wait_until(lambda: pools(server)["s0"]["state"] == "drain")
    out.kill()
    wait_until(lambda: pools(server)["s0"]["state"] == "down")
    assert set(given(server)) == {first.address, other.address}  # two of two are up
    first.kill()
    wait_until(lambda: "is ignored: 1 of 2 servers are up" in server.stderr())
    assert pools(server)["s1"]["state"] == "down"
    assert set(given(server)) == {first.address, other.address}


class Counting:
    """Holds each connection for a while, and knows how many it had at a time."""

    def __init__(self, hold_s):
        self.hold_s, self.now, self.most, self.total = hold_s, 0, 0, 0
        self.lock = threading.Lock()
        self.socket = socket.create_server(("0.0.0.0", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            with self.lock:
                self.now, self.total = self.now + 1, self.total + 1
                self.most = max(self.most, self.now)
            threading.Thread(target=self.answer, args=(conn,), daemon=True).start()

    def answer(self, conn):
        with conn:
            conn.recv(4096)
            time.sleep(self.hold_s)
            with self.lock:
                self.now -= 1
            conn.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    def close(self):
        self.socket.close()


@pytest.mark.parametrize(("limit", "most"), [(", concurrency: 2", 2), ("", 20)])
def test_not_too_many_at_a_time(detour, limit, most):
    counting = Counting(0.02)
    servers = ", ".join(f'"http://127.0.0.{n}:{counting.port}"' for n in range(2, 22))
    server = begin(detour, None, "path: /, interval: 500ms, timeout: 500ms" + limit, servers=servers)
    wait_until(lambda: all(s["health"]["probes"] >= 2 for s in pools(server).values()), what="everybody is asked")
    assert 1 <= counting.most <= most
    assert all(s["state"] == "up" for s in pools(server).values())
    counting.close()


def test_nobody_is_probed_any_more(detour, farm):
    first, _ = farm.add(), farm.add()
    server = begin(detour, farm)
    first.kill()
    wait_until(gone(server, first.address))
    server.reload(CONFIG.replace("{$HEALTH}", "off"))
    wait_until(there(server, first.address))
    assert pools(server)["s0"]["health"] is None


def test_metrics_of_probes(detour, farm):
    farm.add().mark("sick")
    server = begin(detour, farm, metrics=True)
    wait_until(lambda: server.metrics().sum("server_probe_failures_total", server="s0") >= 2)
    metrics = server.metrics()
    assert metrics.sum("server_probes_total", server="s0") >= 2
    assert metrics.sum("server_probe_duration_seconds", server="s0") > 0
    since = wait_until(lambda: server.metrics().sum("server_since_timestamp_seconds", server="s0"))
    assert abs(time.time() - since) < 60


def test_a_stopped_control_delays_and_forgets_nothing(detour, farm):
    first, other = farm.add(), farm.add()
    server = begin(detour, farm)
    control = server.role_pids("_control")[0]
    os.kill(control, signal.SIGSTOP)
    first.kill()
    time.sleep(0.3)
    os.kill(control, signal.SIGCONT)
    wait_until(gone(server, first.address), FAST_BOUND * SLACK)
    assert other.address in given(server)


def test_the_command(detour, farm):
    first, _ = farm.add(), farm.add()
    server = begin(detour, farm, FAST + ", agent: {url: /agent}, hold_down: 1h")
    first.mark("sick")
    wait_until(lambda: pools(server)["s0"]["state"] == "down")
    wait_until(lambda: all(s["health"]["agent"]["says"] for s in pools(server).values()))
    shown = run("pools", "p", "-c", server.file)
    assert shown.returncode == 0, shown.stderr
    head, down, up = shown.stdout.splitlines()
    assert head.split()[:4] == ["STATE", "SERVER", "URL", "WEIGHT"]
    assert re.match(rf"down +p/s0 +{first.url} +1 .* ago\) +\d.* ms +it answered 503; held down for .* +up 100%$", down), down
    assert re.match(r"up +p/s1 ", up) and "held" not in up
    assert run("pools", "q", "-c", server.file).returncode == 1
    assert '"latency_ms"' in run("pools", "--json", "-c", server.file).stdout


def test_a_name_is_looked_up_while_probing(detour, farm, folder):
    first, other = farm.add(), farm.add()
    names = Names(folder)
    names.say(first.address)
    server = begin(detour, farm, FAST + ", resolve_interval: 100ms",
                   servers=f'{{name: s0, url: "http://shop.internal:{farm.port}"}}', prepare=names.mount)
    first.kill()
    wait_until(lambda: pools(server)["s0"]["state"] == "down")
    # It lives elsewhere now, and then nobody knows where.
    names.say(other.address)
    wait_until(lambda: pools(server)["s0"]["state"] == "up", what="the new address")
    names.say()
    wait_until(lambda: "going on with the addresses that it had" in server.stderr(), what="the failure")
    asked = pools(server)["s0"]["health"]
    wait_until(lambda: pools(server)["s0"]["health"]["probes"] > asked["probes"] + 1)
    assert pools(server)["s0"]["health"]["failures"] == asked["failures"]


def test_an_agent_is_where_its_server_is(detour, farm, folder):
    """Also when its name cannot be looked up any more."""
    first = farm.add()
    names = Names(folder)
    names.say(first.address)
    server = begin(detour, farm, FAST + ", resolve_interval: 100ms, agent: {url: /agent}",
                   servers=f'{{name: s0, url: "http://shop.internal:{farm.port}"}}', prepare=names.mount)
    first.agent_says("80%")
    wait_until(lambda: pools(server)["s0"]["share"] == 80)
    names.say()
    wait_until(lambda: "going on with the addresses that it had" in server.stderr(), what="the failure")
    first.agent_says("60%")
    wait_until(lambda: pools(server)["s0"]["share"] == 60)
    assert pools(server)["s0"]["health"]["agent"]["error"] is None


def test_a_name_that_nobody_knows(detour, farm, folder):
    names = Names(folder)
    names.say()
    server = begin(detour, farm, FAST, servers=f'{{name: s0, url: "http://shop.internal:{farm.port}"}}',
                   prepare=names.mount)
    seen = wait_until(lambda: (s := pools(server)["s0"])["state"] == "down" and s)
    assert seen["health"]["error"] == "its name could not be looked up"
