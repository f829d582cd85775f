# SPDX-License-Identifier: MIT
"""Fail-over by itself: an nginx that is gone, and comes back; its detour begins and is over."""

import json
import os
import signal
import subprocess

import pytest
from detourlib import BINARY, FOREVER, Probe, Target, children, environment, free_port, wait_until
from originlib import NGINX, Nginx

CONFIG = """
origins:
  shop:
    url: "http://127.0.0.1:$ORIGIN"
    health: {path: /ok, interval: 100ms, timeout: 90ms, fall: 2, rise: 2}
pages: {down: {title: "Back soon"}}
admin: {listen: "unix:$DIR/admin.sock"}
state: $DIR/state
sites:
  - {name: a, hosts: [a.example], default: {origin: shop}}
detours:
  - {name: broken, site: a, from: when_origin_fails, $TAKES, reason: the shop is down}
"""
HTML = {"Accept": "text/html"}


@pytest.fixture
def nginx(folder):
    started = Nginx(folder / "nginx")
    (started.www / "ok").write_text("ok")
    (started.www / "page").write_text("the shop")
    yield started
    if started.process.poll() is None:
        started.close()


def kill(nginx):
    """With its workers, which would outlive it."""
    for pid in [nginx.process.pid, *children(nginx.process.pid)]:
        os.kill(pid, signal.SIGKILL)
    nginx.process.wait(FOREVER)


def again(nginx):
    nginx.process = subprocess.Popen([NGINX, "-e", str(nginx.folder / "error.log"), "-c", str(nginx.file)],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
    wait_until(nginx.listens, what="nginx")


def cli(server, *args):
    done = subprocess.run([str(BINARY), *args, "-c", str(server.file)], capture_output=True, text=True,
                          env=environment(), timeout=FOREVER)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(server):
    return json.loads(cli(server, "list", "--all", "--json"))["detours"][0]


def test_a_page_takes_over(detour, folder, nginx):
    (folder / "state").mkdir()
    server = detour(CONFIG, ORIGIN=nginx.port, TAKES="page: down")
    assert server.get("/page", HTML).body == b"the shop"
    assert (shown(server)["state"], shown(server)["when_origin_fails"]) == ("planned", "shop")
    assert "when the origin shop fails" in cli(server, "list")
    explained = cli(server, "explain", f"http://a.example:{server.port}/page")
    assert "passed to the origin shop" in explained
    assert "it waits for the origin shop to fail" in explained

    kill(nginx)
    wait_until(lambda: server.get("/page", HTML).status == 307, what="the page")
    assert "/.well-known/detour/wait/" in server.get("/page", HTML).location
    refused = server.post("/page", HTML)
    assert (refused.status, bool(refused.get("Retry-After"))) == (503, True)
    assert refused.get("Cache-Control") == "no-store"
    assert shown(server)["state"] == "active"
    assert "until the origin shop is well again" in cli(server, "list")
    wait_until(lambda: "event started: detour a/broken" in server.stderr(), what="the event")
    assert "by its origin, without an end" in server.stderr()
    assert "origin shop is down" in server.stderr()

    # It goes on over a reload and another control.
    server.reload()
    wait_until(lambda: server.stderr().count("detour.yaml, 0 warnings") == 2, what="the reload")
    assert server.get("/page", HTML).status == 307
    server.kill_one("_control")
    assert server.get("/page", HTML).status == 307

    again(nginx)
    wait_until(lambda: server.get("/page", HTML).status == 200, what="the shop")
    assert server.get("/page", HTML).body == b"the shop"
    wait_until(lambda: shown(server)["state"] == "planned", what="its end")
    wait_until(lambda: "event ended: detour a/broken" in server.stderr(), what="its event")
    assert server.stderr().count("event started: detour a/broken") == 1


def test_another_place_takes_over(detour, folder, nginx):
    (folder / "state").mkdir()
    server = detour(CONFIG, ORIGIN=nginx.port, TAKES='to: "https://standby.example{+path}"')
    assert server.get("/page").status == 200
    with Probe(server, "/page") as probe:
        kill(nginx)
        wait_until(lambda: server.get("/page").location == "https://standby.example/page", what="the other place")
        r = server.post("/page")
        assert (r.status, r.location) == (307, "https://standby.example/page")
        assert r.get("Cache-Control") is None or "max-age" not in r.get("Cache-Control")
        again(nginx)
        wait_until(lambda: server.get("/page").status == 200, what="the shop")
    probe.assert_healthy()  # an answer each time: at worst a 502 until the probes say so


def test_one_that_was_never_there(detour, folder):
    (folder / "state").mkdir()
    server = detour(CONFIG, ORIGIN=free_port(), TAKES="page: down")
    wait_until(lambda: server.get("/page", HTML).status == 307, what="the page")


STANDBY = """
origins: {shop: "http://127.0.0.1:$SHOP", spare: "http://127.0.0.1:$SPARE"}
admin: {listen: "unix:$DIR/admin.sock"}
state: $DIR/state
sites:
  - {name: a, hosts: [a.example], default: {origin: shop}}
"""


def test_another_origin_for_a_while(detour, folder):
    (folder / "state").mkdir()
    shop, spare = Target(), Target()
    try:
        server = detour(STANDBY, SHOP=shop.port, SPARE=spare.port)
        assert server.post("/cart", body=b"one").status == 200
        said = cli(server, "on", "move", "--origin", "spare", "--for", "1h", "--reason", "a new machine")
        assert "everything -> origin spare" in said
        assert server.post("/cart", body=b"two").status == 200
        cli(server, "off", "move")
        assert server.post("/cart", body=b"three").status == 200
        assert [body for _, _, body, _ in shop.seen] == [b"one", b"three"]
        assert [body for _, _, body, _ in spare.seen] == [b"two"]
    finally:
        shop.close()
        spare.close()
