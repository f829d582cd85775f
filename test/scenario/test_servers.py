# SPDX-License-Identifier: MIT
"""Servers of pools at run time: drained, brought back, weighted, added and removed, on a real server."""

import json
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from detourlib import free_port, run, wait_until

CONFIG = """
listen: ["http://127.0.0.1:$PORT"]
admin: {listen: "unix:$DIR/admin.sock"}
state: $DIR/state
allowed_targets: ["https://*.example.net"]
sites:
  - name: shop
    hosts: ["*"]
    routes:
      - {name: keyed, path: "/keyed/*", pool: keyed}
      - {name: held, path: "/held/*", pool: held}
      - {name: out, path: "/out/*", pool: out}
      - {name: all, path: "/*", pool: mirrors}
pools:
  mirrors:
    health: off
    servers: [{name: eu1, url: "https://eu1.example.net", weight: 3}, {name: us1, url: "https://us1.example.net"}]
  keyed:
    health: off
    balance: hash
    drain: 1h
    servers: [{name: eu1, url: "https://eu1.example.net"}, {name: us1, url: "https://us1.example.net"}]
  held:
    health: off
    sticky: {cookie: at}
    drain: 1h
    servers: [{name: eu1, url: "https://eu1.example.net"}, {name: us1, url: "https://us1.example.net"}]
  out:
    health: off
    servers: [{name: eu1, url: "https://eu1.example.net", state: drain},
              {name: us1, url: "https://us1.example.net", share: 50%}]
"""


@pytest.fixture
def server(detour):
    return detour(CONFIG, workers=1)


def tell(server, *args, status=0):
    done = run(*args, cwd=server.folder)
    assert done.returncode == status, (args, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def ask(server, *args):
    return json.loads(tell(server, *args, "--json"))


def hosts(server, path="/a", count=40):
    return [server.get(f"{path}{i}", {"Host": "shop.example"}).location.split("/")[2] for i in range(count)]


def generation(server):
    return ask(server, "status")["generation"]


def test_drained_and_back(server):
    before = generation(server)
    assert hosts(server).count("us1.example.net") == 10
    out = tell(server, "drain", "mirrors/eu1", "--wait", "--reason", "disk is full", "--owner", "ops")
    assert out.startswith("mirrors/eu1 is drained: no client is led there\n")
    assert set(hosts(server)) == {"us1.example.net"}
    for command in ("list", "status"):
        assert re.search(r"mirrors/eu1 +drained: .* ops +disk is full", tell(server, command)), command
    tell(server, "ready", "mirrors/eu1")
    assert hosts(server).count("us1.example.net") == 10
    assert generation(server) == before  # the live words suffice
    assert "mirrors/eu1" not in tell(server, "list")


def test_out_in_the_file(server):
    assert set(hosts(server, "/out/")) == {"us1.example.net"}
    assert "out/eu1  drained" in tell(server, "list")
    tell(server, "ready", "out/eu1")
    assert hosts(server, "/out/", 60).count("us1.example.net") == 20


def test_weight(server):
    tell(server, "weight", "mirrors/eu1", "20%")
    assert hosts(server, count=32).count("eu1.example.net") in (11, 12, 13)  # 0.6 : 1
    tell(server, "weight", "mirrors/eu1", "7")
    assert hosts(server).count("eu1.example.net") == 35
    assert "which weight" in tell(server, "weight", "mirrors/eu1", "much", status=2)
    assert "no server xx" in tell(server, "drain", "mirrors/xx", status=1)


def test_added_and_removed(server):
    tell(server, "server", "add", "mirrors", "as1", "https://as1.example.net", "--weight", "4")
    assert hosts(server).count("as1.example.net") == 20
    assert "https://as1.example.net" in tell(server, "export")
    assert "allowed_targets" in tell(server, "server", "add", "mirrors", "x", "https://x.example.org", status=1)
    assert "already" in tell(server, "server", "add", "mirrors", "as1", "https://as1.example.net", status=1)
    tell(server, "server", "remove", "mirrors/eu1")
    assert set(hosts(server)) == {"as1.example.net", "us1.example.net"}
    number = ask(server, "history")["changes"][0]["number"]
    tell(server, "revert", str(number))
    assert len(set(hosts(server))) == 3
    tell(server, "server", "remove", "mirrors/as1")
    tell(server, "server", "remove", "mirrors/us1")
    assert "no server" in tell(server, "server", "remove", "mirrors/eu1", status=1)


def test_keys_move_little_by_little(server):
    """A drain of an hour holds nearly all keys at its begin, and the others nowhere else."""
    before = hosts(server, "/keyed/")
    tell(server, "drain", "keyed/eu1")
    assert sum(a != b for a, b in zip(before, hosts(server, "/keyed/"))) <= 4
    error = tell(server, "drain", "keyed/eu1", "--wait", "--timeout", "200ms", status=1)
    assert "goes on being drained" in error
    tell(server, "drain", "keyed/eu1", "--now", "--wait")
    assert set(hosts(server, "/keyed/")) == {"us1.example.net"}


def test_clients_that_are_held_stay(server):
    answers = [server.get(f"/held/{i}", {"Host": "shop.example"}) for i in range(4)]
    cookie = next(r.get("Set-Cookie").partition(";")[0] for r in answers if "//eu1." in r.location)
    tell(server, "drain", "held/eu1")
    assert set(hosts(server, "/held/")) == {"us1.example.net"}
    held = [server.get(f"/held/{i}", {"Host": "shop.example", "Cookie": cookie}).location for i in range(8)]
    assert all("//eu1." in location for location in held)
    tell(server, "drain", "held/eu1", "--now")
    assert "//us1." in server.get("/held/x", {"Host": "shop.example", "Cookie": cookie}).location


def test_a_drain_outlives_control_and_the_program(server):
    tell(server, "drain", "mirrors/eu1")
    server.kill_one("_control")
    assert set(hosts(server)) == {"us1.example.net"}
    wait_until(lambda: run("list", cwd=server.folder).returncode == 0, what="the admin API")
    assert "mirrors/eu1" in tell(server, "list")
    server.stop()
    server.start()
    assert set(hosts(server)) == {"us1.example.net"}


@pytest.mark.parametrize("words, us1_of_40", [
    (("drain", "mirrors/eu1"), 40), (("drain", "mirrors/us1", "--now"), 0), (("weight", "mirrors/eu1", "1"), 20),
    (("weight", "mirrors/us1", "0%"), 0), (("server", "remove", "mirrors/eu1"), 40),
    (("server", "add", "mirrors", "as1", "https://as1.example.net", "--weight", "4"), 5)])
def test_what_was_acknowledged_is_kept(server, words, us1_of_40):
    """Everything is killed right behind the answer."""
    tell(server, *words)
    server.kill()
    server.start()
    assert abs(hosts(server).count("us1.example.net") - us1_of_40) <= 1
    server.kill_one("_control")
    wait_until(lambda: run("list", cwd=server.folder).returncode == 0, what="the admin API")
    assert abs(hosts(server).count("us1.example.net") - us1_of_40) <= 1
    if words[0] != "server":
        tell(server, "ready", words[1])
        tell(server, "weight", words[1], "3" if "eu1" in words[1] else "100%")
        server.kill()
        server.start()
        assert hosts(server).count("us1.example.net") == 10


def test_a_drain_goes_on_while_control_dies(detour):
    """No client comes back, and its end is in time."""
    server = detour(CONFIG.replace("drain: 1h", "drain: 2s"), workers=1)
    tell(server, "drain", "keyed/eu1")
    shares, kills = [], 0

    def drained():
        done = run("pools", "keyed", "--json", cwd=server.folder)
        if done.returncode == 0:
            pool = next(p for p in json.loads(done.stdout)["pools"] if p["name"] == "keyed")
            shares.append(pool["servers"][0]["share"])
        return shares and shares[-1] == 0

    while not drained() and kills < 3:
        server.kill_one("_control")
        kills += 1
    wait_until(drained)
    assert shares == sorted(shares, reverse=True) and set(hosts(server, "/keyed/")) == {"us1.example.net"}


def test_the_file_wins_where_it_changes(server):
    tell(server, "drain", "mirrors/eu1")
    path = server.folder / "detour.yaml"
    path.write_text(path.read_text().replace("# nothing", "") + "\n")
    tell(server, "reload")
    assert set(hosts(server)) == {"us1.example.net"}
    path.write_text(path.read_text().replace("weight: 3", "weight: 1"))
    tell(server, "reload")
    assert hosts(server).count("eu1.example.net") == 20
    tell(server, "drain", "mirrors/eu1")
    path.write_text(path.read_text().replace("  mirrors:", "  others:").replace("pool: mirrors", "pool: others"))
    server.stop()
    server.start()  # it does not fit, and is set aside
    assert hosts(server).count("eu1.example.net") == 20


def test_targets(server):
    tell(server, "server", "add", "mirrors", "as1", "https://as1.example.net")
    lines = tell(server, "targets").splitlines()
    assert [line.split()[0] for line in lines] == [
        "https://*.example.net:443", "https://eu1.example.net:443", "https://us1.example.net:443"]
    assert "allowed_targets" in lines[0] and "pool mirrors/eu1" in lines[1]
    live = json.loads(tell(server, "targets", "--live", "--json"))
    assert not live["anywhere"]
    assert "https://as1.example.net:443" in [target["origin"] for target in live["targets"]]


RECOVERING = """
listen: ["http://127.0.0.1:$PORT"]
admin: {listen: "unix:$DIR/admin.sock"}
state: $DIR/state
sites:
  - name: shop
    hosts: ["*"]
    routes: [{name: all, path: "/*", pool: backend}]
pools:
  backend:
    health: {path: /, interval: 100ms, timeout: 100ms, fall: 1, rise: 2}
    servers: [{name: one, url: "http://127.0.0.1:$BACKEND"}]
detours:
  - {name: filed, site: shop, path_prefix: /filed, to: "https://filed.example.com/", from: 2026-01-01T00:00:00Z,
     until: 2126-01-01T00:00:00Z, until_healthy: backend, reason: it is down}
"""


def test_until_the_pool_is_healthy(detour):
    port = free_port()
    server = detour(RECOVERING.replace("$BACKEND", str(port)), workers=1)
    wait_until(lambda: ask(server, "status") and '"down"' in tell(server, "pools", "--json"), what="it to be down")
    tell(server, "on", "upgrade", "--path-prefix", "/shop", "--to", "https://wait.example.com/", "--for", "1h",
         "--until-healthy", "backend", "--reason", "upgrade")
    assert server.get("/shop").location == "https://wait.example.com/"
    assert server.get("/filed").location == "https://filed.example.com/"
    assert tell(server, "list").count("until the pool backend is healthy, at the latest ") == 2
    with ThreadingHTTPServer(("127.0.0.1", port), SimpleHTTPRequestHandler) as backend:
        thread = threading.Thread(target=backend.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        for path in ("/shop", "/filed"):
            wait_until(lambda p=path: server.get(p).location == f"http://127.0.0.1:{port}{p}", what="its end")
        backend.shutdown()
        thread.join()
    wait_until(lambda: '"down"' in tell(server, "pools", "--json"), what="it to be down again")
    server.kill_one("_control")
    assert "filed.example.com" not in str(server.get("/filed").location)
    history = tell(server, "history")
    assert history.count("the pool backend is healthy") == 2 and "over" in history


@pytest.mark.parametrize("end, error", [
    ("until: off", "needs a latest end"), ("for: 1h, from: 2026-01-01T00:00:00Z, at_end: hold", "does not go with"),
    ("until: 2126-01-01T00:00:00Z", None)])
def test_until_healthy_is_checked(folder, end, error):
    text = RECOVERING.replace("$BACKEND", "80").replace("$PORT", "8307").replace("$DIR", str(folder))
    path = folder / "detour.yaml"
    path.write_text(re.sub(r"from: 2026.*?until: [^,]*", end, text, flags=re.S))
    done = run("check", "-c", str(path))
    assert (error or "ok") in done.stdout + done.stderr


def test_explain_says_who_is_out_and_why(server):
    tell(server, "drain", "mirrors/eu1", "--reason", "disk is full")
    assert re.search(r"mirrors/eu1.*drain.*: disk is full", tell(server, "explain", "--live", "http://a/x"))
    assert re.search(r"out/eu1.*drain", tell(server, "explain", "-c", "detour.yaml", "http://a/out/x"))
