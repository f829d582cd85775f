# SPDX-License-Identifier: MIT
"""Detours at run time from the command line, on a real server: on, seen, extended, off, in the
history, and taken back."""

import json
import re
import time

import pytest
from detourlib import free_port, rfc3339, run, wait_until

CONFIG = """
listen: ["http://127.0.0.1:$PORT"]
admin: {listen: "unix:$DIR/admin.sock"}
state: $DIR/state
workers: 2
sites:
  - name: shop
    hosts: [shop.example.com]
    routes:
      - {name: all, path: "/*", to: "https://www.example.com/{+0}"}
  - name: blog
    hosts: [blog.example.com]
pools:
  mirrors: {servers: [{name: eu1, url: "https://eu1.example.net"}], health: off}
detours:
  - {name: filed, site: shop, path_prefix: /filed, to: "https://filed.example.com/", until: off, reason: always}
"""
ON = ["on", "checkout", "--site", "shop", "--path-prefix", "/checkout", "--to", "https://wait.example.com{+path}",
      "--for", "2m", "--reason", "database upgrade"]


@pytest.fixture
def server(detour):
    return detour(CONFIG)


def tell(server, *args, status=0):
    done = run(*args, cwd=server.folder)
    assert done.returncode == status, (args, done.stdout, done.stderr)
    assert status == 0 or done.stdout == ""
    return done.stdout if status == 0 else done.stderr


def ask(server, *args):
    return json.loads(tell(server, *args, "--json"))


def location(server, path, host="shop.example.com"):
    return server.get(path, {"Host": host}).location


def test_the_walk(server):
    assert location(server, "/checkout/a") == "https://www.example.com/checkout/a"
    out = tell(server, *ON)
    assert out.startswith("shop/checkout is active: /checkout/… -> https://wait.example.com{+path}, until ")
    number = re.search(r"change (\d+);", out)[1]
    for _ in range(20):  # whichever worker answers
        assert location(server, "/checkout/a") == "https://wait.example.com/checkout/a"
    listed = tell(server, "list")
    assert "shop/checkout" in listed and "database upgrade" in listed and re.search(r"\(in [12] minute", listed)
    assert "Location: https://wait.example.com/checkout/a" in tell(
        server, "explain", "--live", "http://shop.example.com/checkout/a")
    assert re.search(r"\(in 1[12] minutes", tell(server, "extend", "checkout", "10m", "--reason", "it takes longer"))
    assert tell(server, "off", "checkout", "--owner", "ops").startswith("shop/checkout is off")
    for _ in range(20):
        assert location(server, "/checkout/a") == "https://www.example.com/checkout/a"
    history = tell(server, "history", "checkout").splitlines()
    assert len(history) == 4
    assert re.search(r"off +ops", history[1]) and "it takes longer" in history[2]
    assert history[3].startswith(number) and "on, until " in history[3] and "database upgrade" in history[3]
    off = history[1].split()[0]
    assert f"change {off} is taken back" in tell(server, "revert", off)
    assert location(server, "/checkout/a") == "https://wait.example.com/checkout/a"


def test_it_is_over_by_itself(server):
    tell(server, *["2s" if word == "2m" else word for word in ON])
    assert location(server, "/checkout/a") == "https://wait.example.com/checkout/a"
    wait_until(lambda: location(server, "/checkout/a") == "https://www.example.com/checkout/a", what="its end")
    assert "shop/checkout" not in tell(server, "list")


def test_a_dry_run_changes_nothing(server):
    for args in [ON, ["off", "filed"], ["off", "--all"], ["extend", "filed", "--until", "2100-01-01T00:00:00Z"]]:
        assert "nothing was changed" in tell(server, *args, "--dry-run")
    assert location(server, "/checkout/a") == "https://www.example.com/checkout/a"
    assert location(server, "/filed") == "https://filed.example.com/"
    assert ask(server, "history")["changes"] == []


def test_one_of_the_file_is_off_until_the_file_changes(server):
    assert tell(server, "off", "filed").startswith("shop/filed is off")
    assert location(server, "/filed") == "https://www.example.com/filed"
    tell(server, "reload")
    assert location(server, "/filed") == "https://www.example.com/filed"
    assert "instead of what the file says" in tell(server, "status")
    path = server.folder / "detour.yaml"
    path.write_text(path.read_text().replace("reason: always", "reason: again"))
    tell(server, "reload")
    assert location(server, "/filed") == "https://filed.example.com/"
    assert "dropped, the file has changed there" in tell(server, "history")


def test_what_is_there_is_not_replaced_by_accident(server):
    tell(server, *ON)
    assert "--replace" in tell(server, *ON, status=1)
    other = [word.replace("wait.", "other.") for word in ON]
    tell(server, *other, "--replace")
    assert location(server, "/checkout/a") == "https://other.example.com/checkout/a"
    tell(server, "off", "checkout")
    tell(server, *ON)
    assert location(server, "/checkout/a") == "https://wait.example.com/checkout/a"


@pytest.mark.parametrize("instead, words", [
    ({"--for": "nonsense"}, ["30m"]),
    ({"--for": "--until", "2m": "2020-01-01T00:00:00Z", "--reason": "--from", "database upgrade": "2021-01-01T00:00:00Z"}, ["from"]),
    ({"--to": "--pool", "https://wait.example.com{+path}": "nowhere"}, ["nowhere", "pools"]),
    ({"--to": "--page", "https://wait.example.com{+path}": "nowhere"}, ["nowhere"]),
    ({"https://wait.example.com{+path}": "javascript:alert(1)"}, ["http://"]),
    ({"/checkout": "checkout"}, ["/"]),
    ({"shop": "shup"}, ["shup"]),
])
def test_what_cannot_be_is_refused_and_changes_nothing(server, instead, words):
    args = [instead.get(word, word) for word in ON]
    if "--for" in instead and instead["--for"] == "nonsense":
        args = ["nonsense" if word == "2m" else word for word in ON]
    if "--reason" not in args:
        args += ["--reason", "r"]
    text = tell(server, *args, status=1)
    assert all(word in text for word in words), text
    assert all(line.startswith("detour on: ") for line in text.splitlines())
    assert ask(server, "history")["changes"] == []
    assert location(server, "/checkout/a") == "https://www.example.com/checkout/a"


def test_options_arrive(server):
    tell(server, *ON, "--share", "60%", "--rest", "503", "--bypass", "10.0.0.0/8", "--bypass", "ops=letmein",
         "--except", "/checkout/healthz", "--except", "/checkout/img/*", "--max-age", "60s", "--method", "GET",
         "--owner", "payments", "--from", rfc3339(time.time() + 3600))
    view = ask(server, "list")["detours"][-1]
    assert view["state"] == "planned"
    stanza = view["detour"]
    assert stanza["rest"] == 503 and stanza["share"] == "60%" and stanza["owner"] == "payments"
    assert stanza["bypass"] == {"clients": ["10.0.0.0/8"], "cookie": ["ops=letmein"]}
    assert stanza["except"] == ["/checkout/healthz", "/checkout/img/*"]
    assert "from 20" in tell(server, "list")


def test_off_all(server):
    tell(server, *ON)
    tell(server, "on", "papers", "--site", "blog", "--pool", "mirrors", "--until-off", "--reason", "r")
    assert location(server, "/x", "blog.example.com") == "https://eu1.example.net/x"
    tell(server, "reload")
    assert "3 detours are off" in tell(server, "off", "--all", "--reason", "fire")
    assert location(server, "/checkout/a") == "https://www.example.com/checkout/a"
    assert location(server, "/filed") == "https://www.example.com/filed"
    assert server.get("/x", {"Host": "blog.example.com"}).status == 404
    assert tell(server, "list").startswith("no detour is active")


def test_export_is_a_file_that_says_the_same(server):
    tell(server, *ON)
    tell(server, "off", "filed")
    tell(server, "export", "-o", "exported.yaml")
    done = run("check", "-c", "exported.yaml", cwd=server.folder)
    assert done.returncode == 0, done.stderr
    as_json = ask(server, "export")
    assert [one["name"] for one in as_json["detours"]] == ["checkout"] and as_json["workers"] == 2
    explained = json.loads(run("explain", "--json", "-c", "exported.yaml", "http://shop.example.com/checkout/a",
                               cwd=server.folder).stdout)
    assert explained["location"] == "https://wait.example.com/checkout/a"
    text = (server.folder / "detour.yaml").read_text().replace("name: all", "name: every")
    (server.folder / "new.yaml").write_text(text)
    changes = ask(server, "diff", "-c", "new.yaml")["changes"]
    assert {(c["what"], c["resource"], c["name"]) for c in changes} == {
        ("removed", "route", "shop/all"), ("added", "route", "shop/every")}
    (server.folder / "new.yaml").write_text("sites: 7\n")
    assert "sites" in tell(server, "diff", "-c", "new.yaml", status=1)


def test_reload_with_errors(server):
    path = server.folder / "detour.yaml"
    good = path.read_text()
    path.write_text(good.replace("pool: ", "pol: ").replace("hosts: [blog", "hsts: [blog"))
    text = tell(server, "reload", status=1)
    assert "hsts" in text
    assert location(server, "/a") == "https://www.example.com/a"
    path.write_text(good)
    assert "is in force" in tell(server, "reload")


def test_the_history_of_nobody(server):
    tell(server, *ON)
    assert tell(server, "history", "nobody") == "nothing of `nobody` was changed at run time\n"


def test_changes_survive_a_restart(server):
    tell(server, *ON)
    before = ask(server, "history")
    server.stop()
    server.start()
    assert location(server, "/checkout/a") == "https://wait.example.com/checkout/a"
    assert ask(server, "history") == before


def test_tokens(server):
    made = run("token", "add", "ci", "--scope", "read", cwd=server.folder)
    assert made.returncode == 0 and made.stdout.startswith("detour_")
    assert "ci     read" in tell(server, "token", "list")
    assert "already" in tell(server, "token", "add", "ci", "--scope", "write", status=1)
    assert "token added" in tell(server, "history")
    assert tell(server, "token", "remove", "ci") == "the token ci is removed\n"
    assert "no token" in tell(server, "token", "remove", "ci", status=1)


def test_over_tcp(server, monkeypatch):
    monkeypatch.delenv("DETOUR_TOKEN", raising=False)
    for scope in ["read", "write"]:
        text = run("token", "add", scope, "--scope", scope, cwd=server.folder).stdout
        (server.folder / f"{scope}.token").write_text(text)
    server.stop()
    path = server.folder / "detour.yaml"
    path.write_text(path.read_text().replace(f"unix:{server.folder}/admin.sock", f"http://127.0.0.1:{free_port()}"))
    server.start()
    assert "--token-file" in tell(server, "list", status=2)
    assert "filed" in tell(server, "list", "--token-file", "read.token")
    assert tell(server, *ON, "--token-file", "read.token", status=1).count("\n") == 1
    tell(server, *ON, "--token-file", "write.token")
    assert "token write" in tell(server, "history", "checkout", "--token-file", "read.token")
    monkeypatch.setenv("DETOUR_TOKEN", "detour_nobody")
    assert tell(server, "list", status=1).count("\n") == 1
