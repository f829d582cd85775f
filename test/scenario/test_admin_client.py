# SPDX-License-Identifier: MIT
"""The commands that ask the admin API: what they ask it, how they show its answers, and what
they say when there is none. A listener of the test's own stands in for the server."""

import json
import os
import socket
import stat
import subprocess
import tempfile
import time

import pytest
from detourlib import BINARY, environment, rfc3339, run
from fakeadmin import FakeAdmin

NOW = time.time()


def view(name="checkout", state="active", site="shop", stanza=None, **more):
    return {"site": site, "name": name, "state": state, "source": "live", "overrides_file": False,
            "opened": rfc3339(NOW), "closes": rfc3339(NOW + 1800), "opens": None, "share": 100,
            "overdue": False, "change": 7,
            "detour": {"path_prefix": "/checkout", "to": "https://b.example{+path}", "reason": "upgrade",
                       "owner": "payments", **(stanza or {})}, **more}


SITES = {"sites": [{"name": "shop", "hosts": ["shop.example.com"], "routes": 1, "detours": 0}]}
ON = ["on", "checkout", "--path-prefix", "/checkout", "--to", "https://b.example{+path}", "--for", "30m",
      "--reason", "upgrade"]


@pytest.fixture
def admin(folder, monkeypatch):
    fake = FakeAdmin(folder / "admin.sock")
    monkeypatch.setenv("DETOUR_ADMIN", fake.address)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(folder)
    fake.answers["GET /v1/sites"] = SITES
    fake.answers["GET /v1/detours"] = {"generation": 3, "detours": [view()]}
    yield fake
    fake.close()


@pytest.fixture
def tcp(folder, monkeypatch):
    fake = FakeAdmin()
    monkeypatch.setenv("DETOUR_ADMIN", fake.address)
    monkeypatch.delenv("DETOUR_TOKEN", raising=False)
    monkeypatch.chdir(folder)
    fake.answers["GET /v1/detours"] = {"generation": 3, "detours": []}
    yield fake
    fake.close()


def good(*args):
    done = run(*args)
    assert done.returncode == 0 and done.stderr == "", (done.stdout, done.stderr)
    return done.stdout


def bad(status, *args):
    done = run(*args)
    assert done.returncode == status and done.stdout == "", (done.returncode, done.stdout, done.stderr)
    assert done.stderr.startswith(f"detour {args[0]}: ")
    return done.stderr


# on


def test_on_asks_for_a_new_one(admin):
    admin.answers["PUT /v1/detours/shop/checkout"] = (201, view(), {"ETag": '"7"'})
    out = good(*ON, "--owner", "payments")
    assert [f"{a.method} {a.path}" for a in admin.asked] == [
        "GET /v1/sites", "GET /v1/detours/shop/checkout", "PUT /v1/detours/shop/checkout"]
    asked = admin.asked[-1]
    assert asked.json == {"path_prefix": "/checkout", "to": "https://b.example{+path}", "for": "30m",
                          "reason": "upgrade", "owner": "payments"}
    assert asked.fields["if-none-match"] == "*" and "if-match" not in asked.fields
    assert asked.fields["content-type"] == "application/json" and asked.query == {}
    assert "authorization" not in asked.fields and "expect" not in asked.fields
    first, second = out.splitlines()
    assert first.startswith("shop/checkout is active: /checkout/… -> https://b.example{+path}, until 20")
    assert first.endswith("minutes)") or first.endswith("seconds)")
    assert second == "change 7; `detour off checkout` takes it back"


def test_on_takes_the_place_of_what_has_ended(admin):
    for state in ["over", "off"]:
        admin.answers["GET /v1/detours/shop/checkout"] = (200, view(state=state), {"ETag": '"5"'})
        admin.answers["PUT /v1/detours/shop/checkout"] = (200, view(), {"ETag": '"7"'})
        good(*ON, "--site", "shop")
        assert admin.last("PUT").fields["if-match"] == '"5"'
        assert "if-none-match" not in admin.last("PUT").fields


def test_on_does_not_replace_one_that_is_there(admin):
    admin.answers["GET /v1/detours/shop/checkout"] = (200, view(), {"ETag": '"5"'})
    text = bad(1, *ON)
    assert "`checkout` already, active, until" in text and "--replace" in text and text.count("\n") == 1
    assert all(a.method == "GET" for a in admin.asked)
    admin.answers["PUT /v1/detours/shop/checkout"] = (200, view(), {"ETag": '"7"'})
    good(*ON, "--replace")
    assert admin.last("PUT").fields["if-match"] == '"5"'


def test_on_replaces_one_of_the_file_that_has_no_tag(admin):
    admin.answers["GET /v1/detours/shop/checkout"] = view(source="file", change=None)
    admin.answers["PUT /v1/detours/shop/checkout"] = (200, view(), {"ETag": '"7"'})
    good(*ON, "--replace")
    assert admin.last("PUT").fields["if-match"] == "*"


def test_on_wants_a_site_where_there_are_several(admin):
    admin.answers["GET /v1/sites"] = {"sites": [{"name": "shop"}, {"name": "blog"}]}
    assert "--site with one of: shop, blog" in bad(2, *ON)
    assert len(admin.asked) == 1


def test_on_planned_and_without_an_end(admin):
    planned = view(state="planned", opens=rfc3339(NOW + 86400 * 3 + 30), opened=None, closes=None)
    admin.answers["PUT /v1/detours/shop/checkout"] = (201, planned, {"ETag": '"7"'})
    assert "is planned: " in (out := good(*ON)) and ", from 20" in out and "(in 3 days)" in out
    admin.answers["PUT /v1/detours/shop/checkout"] = (201, view(closes=None), {"ETag": '"7"'})
    assert "until it is switched off" in good(*ON)


def test_dry_run(admin):
    admin.answers["PUT /v1/detours/shop/checkout"] = {**view(), "dry_run": True}
    out = good(*ON, "--dry-run")
    assert admin.last("PUT").query == {"dry_run": "true"}
    assert "would be active" in out and out.endswith("nothing was changed\n")


def test_names_are_encoded(admin):
    admin.answers["GET /v1/detours"] = {"detours": [view(name="a?b#c%2f&x=ü")]}
    bad(1, "off", "a?b#c%2f&x=ü", "--reason", "a & b?", "--owner", "me+you")
    asked = admin.last("DELETE")
    assert asked.segments == ["v1", "detours", "shop", "a?b#c%2f&x=ü"]
    assert asked.query == {"why": "a & b?", "owner": "me+you"}


def test_problems_are_a_line_each(admin):
    errors = ["`until` is not after `from`; swap or mend them", "there is no pool `p`; declare it\n\x1b[31m"]
    admin.refuse("PUT /v1/detours/shop/checkout", 422, "2 errors", errors)
    lines = bad(1, *ON).splitlines()
    assert lines == [f"detour on: {errors[0]}",
                     "detour on: there is no pool `p`; declare it\\x0a\\x1b[31m"]
    admin.refuse("PUT /v1/detours/shop/checkout", 507, "the disk is full; nothing was changed")
    assert bad(1, *ON) == "detour on: the disk is full; nothing was changed\n"


def test_json_is_what_the_api_says(admin):
    answer = view()
    admin.answers["PUT /v1/detours/shop/checkout"] = (201, answer)
    assert json.loads(good(*ON, "--json")) == answer
    assert json.loads(good("list", "--json")) == admin.answers["GET /v1/detours"]
    admin.refuse("PUT /v1/detours/shop/checkout", 422, "no", ["a", "b"])
    done = run(*ON, "--json")
    assert done.returncode == 1 and done.stderr == ""
    assert json.loads(done.stdout)["errors"] == ["a", "b"]


# off, extend, revert


def test_off(admin):
    admin.answers["DELETE /v1/detours/shop/checkout"] = (
        200, {**view(state="off"), "cached_until": rfc3339(time.time() + 60)}, {"ETag": '"8"'})
    first, second = good("off", "checkout").splitlines()
    assert first.startswith("shop/checkout is off; caches may hold its answers until 20")
    assert first.endswith("seconds)") or first.endswith("minute)")
    assert second == "change 8; `detour revert 8` takes it back"
    assert admin.asked[-1].body == b""
    good("off", "shop/checkout")
    good("off", "checkout", "--site", "shop")
    assert len([a for a in admin.asked if a.method == "DELETE"]) == 3


def test_off_of_what_nothing_is_left_of(admin):
    admin.answers["DELETE /v1/detours/shop/checkout"] = (200, None, {"ETag": '"8"'})
    assert good("off", "checkout").startswith("shop/checkout is off\n")


def test_off_needs_one_of_that_name(admin):
    assert "no detour `chekout`" in bad(1, "off", "chekout")
    assert "of the site blog" in bad(1, "off", "checkout", "--site", "blog")
    admin.answers["GET /v1/detours"]["detours"].append(view(site="blog"))
    assert "2 sites have a detour `checkout`" in bad(1, "off", "checkout")
    assert not [a for a in admin.asked if a.method == "DELETE"]


def test_off_all(admin):
    admin.answers["DELETE /v1/detours"] = {"off": [view(state="off"), view(name="b", state="off")]}
    assert good("off", "--all", "--reason", "fire") == "shop/checkout is off\nshop/b is off\n2 detours are off\n"
    assert admin.last("DELETE").query == {"why": "fire"}
    admin.answers["DELETE /v1/detours"] = {"off": []}
    assert good("off", "--all") == "0 detours are off\n"


def test_extend(admin):
    admin.answers["POST /v1/detours/shop/checkout/extend"] = view()
    assert "shop/checkout is active" in good("extend", "checkout", "30m")
    assert admin.last("POST").json == {"for": "30m"}
    good("extend", "checkout", "--until", "2030-01-01T00:00:00Z", "--reason", "slow")
    assert admin.last("POST").json == {"until": "2030-01-01T00:00:00Z"}
    assert admin.last("POST").query == {"why": "slow"}


def test_revert(admin):
    admin.answers["POST /v1/changes/7/revert"] = (200, view(), {"ETag": '"9"'})
    out = good("revert", "7")
    assert out.startswith("change 7 is taken back, by change 9\nshop/checkout is active")
    admin.refuse("POST /v1/changes/7/revert", 409, "it was changed again since (change 8)")
    assert "changed again" in bad(1, "revert", "7")


# list, status, history


def test_list(admin):
    admin.answers["GET /v1/detours"]["detours"] = [
        view(), view("late", "held", overdue=True, closes=rfc3339(NOW - 7200)),
        view("soon", "planned", opens=rfc3339(NOW + 3600), closes=None, stanza={"path_prefix": None, "path": "/a/*"}),
        view("half", "active", share=12.5, site="blog", stanza={"to": None, "pool": "p", "path_prefix": None}),
        view("gone", "over"), view("dark", "off", detour=None)]
    lines = good("list").splitlines()
    assert lines[0].split() == ["STATE", "DETOUR", "TAKES", "LEADS", "TO", "SHARE", "WHEN", "SOURCE", "OWNER", "REASON"]
    assert len(lines) == 5
    at = lines[0].index("REASON")
    assert all(line[at:] == "upgrade" for line in lines[1:]), lines
    assert lines[2].startswith("OVERDUE  shop/late") and "  since 20" in lines[2] and "ago)" in lines[2]
    assert "from 20" in lines[3] and "/a/*" in lines[3]
    assert "12.5%" in lines[4] and "pool p" in lines[4] and "everything" in lines[4]
    assert len(good("list", "--all").splitlines()) == 7
    assert len(good("list", "--site", "blog").splitlines()) == 2
    admin.answers["GET /v1/detours"]["detours"] = []
    assert good("list").startswith("no detour is active or planned")


def test_list_obeys_nothing(admin):
    admin.answers["GET /v1/detours"]["detours"] = [view(stanza={"reason": "\x1b]0;x\x07", "owner": "\u009b31m"})]
    out = good("list")
    assert "\\x1b]0;x\\x07" in out and "\\xc2\\x9b31m" in out
    assert not [c for c in out if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]


def test_status(admin):
    admin.answers["GET /v1/status"] = {
        "version": "0.1.0", "generation": 12, "workers": {"count": 4, "acknowledged": True},
        "configuration": {"file": "/etc/detour/detour.yaml", "loaded": rfc3339(NOW), "ok": True},
        "store": {"path": "/var/lib/detour"},
        "detours": {"active": 2, "planned": 1, "held": 1, "live": 1, "off": 1}}
    admin.answers["GET /v1/detours"]["detours"] = [
        view(), view("b", source="file"), view("c", "off", overrides_file=True)]
    out = good("status")
    assert "generation 12, in all of 4 workers" in out and "/etc/detour/detour.yaml, read 20" in out
    assert "/var/lib/detour\n" in out and "2 active, 1 planned, 1 OVERDUE" in out
    assert "shop/checkout  active  not in the file" in out and "shop/c         off     instead of" in out
    assert "shop/b" not in out
    admin.answers["GET /v1/status"]["store"]["path"] = None
    admin.answers["GET /v1/status"]["workers"]["acknowledged"] = False
    out = good("status")
    assert "nothing can be changed" in out and "not yet in all of" in out


def change(number, before, after, cause="command", key="shop/checkout", **more):
    return {"number": number, "time": rfc3339(NOW - 1000 + number), "who": {"via": "socket", "uid": 1000, "name": None},
            "cause": cause, "reverts": None, "owner": "payments", "why": "upgrade", "subject": "detour", "key": key,
            "before": {"kind": before, "detour": None},
            "after": {"kind": after, "detour": {"until": "2030-01-01T00:00:00Z"} if after == "set" else None}, **more}


def test_history(admin):
    admin.answers["GET /v1/changes"] = {"next": None, "changes": [
        change(8, "none", "set", key="ci", subject="token", who={"via": "token", "uid": None, "name": "root"}),
        change(7, "set", "none", "file", who={"via": "control", "uid": None, "name": None}),
        change(6, "off", "set", "revert", reverts=5), change(5, "set", "off"),
        change(4, "set", "none", "schedule"), change(3, "set", "set"), change(2, "none", "set")]}
    lines = good("history").splitlines()
    words = ["token added", "dropped, the file has changed there", "on, until 2030-01-01 00:00:00 UTC (takes back change 5)",
             "off", "over", "changed, until 2030", "on, until 2030"]
    assert len(lines) == 8
    at = lines[0].index("IS ")
    for line, word, who in zip(lines[1:], words, ["token root", "detour", *["uid 1000"] * 5]):
        assert line[at:].startswith(word) and who in line, line
    assert admin.last("GET").query == {"limit": "20"}
    assert json.loads(good("history", "--json"))["changes"] == admin.answers["GET /v1/changes"]["changes"]


def test_history_of_one_goes_through_pages(admin):
    pages = {"": (list(range(2500, 1500, -1)), 1501), "1501": (list(range(1500, 500, -1)), 501),
             "501": (list(range(500, 0, -1)), None)}

    def answer(asked):
        assert asked.query["limit"] == "1000"
        numbers, following = pages[asked.query.get("below", "")]
        changes = [change(n, "none", "set", key="shop/x" if n % 500 == 0 else "shop/y") for n in numbers]
        return 200, {"Content-Type": "application/json"}, json.dumps({"changes": changes, "next": following}).encode()

    admin.answer_to = answer
    for name in ["x", "shop/x"]:
        assert [line.split()[0] for line in good("history", name).splitlines()[1:]] == ["2500", "2000", "1500", "1000", "500"]
    assert len(good("history", "x", "-n", "2").splitlines()) == 3
    assert "nothing" in good("history", "z")


def test_a_history_that_leads_in_circles_ends(admin):
    admin.answers["GET /v1/changes"] = {"changes": [change(5, "none", "set")], "next": 5}
    assert len(good("history", "-n", "100").splitlines()) == 3


# export, diff, reload, token, explain --live


YAML = """\
sites:
  - {name: shop, hosts: [shop.example.com], routes: [{path: /a, to: "https://a.example/"}]}
"""


def test_export(admin, folder):
    admin.answers["GET /v1/export"] = YAML
    assert good("export") == YAML
    out = folder / "out.yaml"
    out.write_text("old")
    out.chmod(0o640)
    link = folder / "link.yaml"
    link.symlink_to(out)
    good("export", "-o", link)
    assert out.read_text() == YAML and link.is_symlink() and stat.S_IMODE(out.stat().st_mode) == 0o640
    assert good("export", "-o", "/dev/stdout") == YAML
    nowhere = folder / "nowhere.yaml"
    nowhere.symlink_to(folder / "gone" / "x.yaml")
    assert "cannot write" in bad(2, "export", "-o", nowhere) and nowhere.is_symlink()
    nowhere.unlink()
    nameless, path = tempfile.mkstemp(dir=folder)
    os.unlink(path)
    link = folder / "nameless.yaml"
    link.symlink_to(f"/proc/{os.getpid()}/fd/{nameless}")
    good("export", "-o", link)
    assert link.is_symlink() and os.pread(nameless, 9999, 0) == YAML.encode()
    link.unlink()
    os.close(nameless)
    link = folder / "link.yaml"
    good("export", "-o", folder / "new.yaml")
    assert (folder / "new.yaml").read_text() == YAML
    assert "cannot write" in bad(2, "export", "-o", folder / "none" / "x.yaml")
    admin.refuse("GET /v1/export", 500, "out of memory")
    bad(1, "export", "-o", out)
    assert out.read_text() == YAML and sorted(p.name for p in folder.iterdir()) == [
        "admin.sock", "link.yaml", "new.yaml", "out.yaml"]


def test_diff(admin, folder):
    (folder / "new.yaml").write_text(YAML)
    admin.answers["POST /v1/diff"] = {"changes": [{"what": "added", "resource": "detour", "name": "shop/x"},
                                                  {"what": "changed", "resource": "route", "name": "shop/a"}]}
    assert good("diff", "-c", "new.yaml") == "added    detour  shop/x\nchanged  route   shop/a\n"
    assert admin.last("POST").body == YAML.encode() and admin.last("POST").fields["content-type"] == "text/yaml"
    admin.answers["POST /v1/diff"] = {"changes": []}
    assert good("diff", "-c", "new.yaml") == "nothing would change\n"
    assert "none.yaml" in bad(2, "diff", "-c", "none.yaml")


def test_reload(admin):
    admin.answers["POST /v1/reload"] = {"generation": 9}
    assert good("reload") == "the file is in force, as generation 9\n"
    admin.refuse("POST /v1/reload", 422, "1 error", ["detour.yaml:3:1: error: unknown key `x`"])
    assert "detour reload: detour.yaml:3:1: error" in bad(1, "reload")


def test_token(admin):
    admin.answers["PUT /v1/tokens/ci"] = (201, {"name": "ci", "scope": "write", "token": "detour_abc"})
    done = run("token", "add", "ci", "--scope", "write", "--reason", "deploys")
    assert done.returncode == 0 and done.stdout == "detour_abc\n" and "only time" in done.stderr
    assert admin.last("PUT").json == {"scope": "write"} and admin.last("PUT").query == {"why": "deploys"}
    admin.answers["GET /v1/tokens"] = {"tokens": [{"name": "ci", "scope": "write", "created": rfc3339(NOW)}]}
    assert good("token", "list").splitlines()[1].startswith("ci     write  20")
    admin.answers["DELETE /v1/tokens/ci"] = {"name": "ci"}
    assert good("token", "remove", "ci") == "the token ci is removed\n"


def test_explain_live(admin):
    admin.answers["GET /v1/pools"] = {"pools": []}
    admin.answers["GET /v1/export"] = YAML + """\
detours:
  - {name: x, site: shop, path_prefix: /a, to: "https://live.example/", until: off, reason: r}
"""
    assert "Location: https://live.example/" in good("explain", "--live", "http://shop.example.com/a")
    done = json.loads(good("explain", "--live", "--json", "http://shop.example.com/a"))
    assert done["rule"] == "shop/detours/x" and done["without_detours"]["rule"] == "shop/routes/#1"
    # Pages, also one whose file is the server's.
    admin.answers["GET /v1/export"] = YAML + """\
pages: {plain: {title: Soon}, own: {file: pages/none.html}}
detours:
  - {name: x, site: shop, path_prefix: /x, page: plain, until: off, reason: r}
  - {name: y, site: shop, path_prefix: /y, page: own, until: off, reason: r}
"""
    for name in "xy":
        assert f"shop/detours/{name}" in good("explain", "--live", "-H", "Accept: text/html", f"http://shop.example.com/{name}")
    admin.answers["GET /v1/export"] = "sites: 7\n"
    assert run("explain", "--live", "http://shop.example.com/a").returncode == 1


# Where it listens, and who may ask


def test_nobody_listens(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DETOUR_ADMIN", f"unix:{folder}/none.sock")
    text = bad(2, "list")
    assert "nobody listens" in text and "no such file" in text and text.count("\n") == 1
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(folder / "left.sock"))
    monkeypatch.setenv("DETOUR_ADMIN", f"{folder}/left.sock")
    assert "nobody listens" in bad(2, "list")
    monkeypatch.setenv("DETOUR_TOKEN", "t")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DETOUR_ADMIN", f"http://127.0.0.1:{s.getsockname()[1]}")
        assert "nobody listens" in bad(2, "list")


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes somebody else")
def test_no_permission(admin, folder):
    (folder / "admin.sock").chmod(0o600)
    done = subprocess.run([str(BINARY), "list"], env=environment(), user=65534, group=65534, extra_groups=[],
                          capture_output=True, text=True)
    assert done.returncode == 2 and "no permission" in done.stderr and done.stdout == ""


def test_the_file_says_where(admin, folder, monkeypatch):
    monkeypatch.delenv("DETOUR_ADMIN")
    file = folder / "other.yaml"
    file.write_text(f"admin: {{listen: '{admin.address}'}}\nnonsense: true\n")
    good("list", "-c", file)
    file.rename(folder / "detour.yaml")
    good("list")
    assert [asked.path for asked in admin.asked].count("/v1/detours") == 2


def test_tcp_wants_a_token(tcp, folder, monkeypatch):
    text = bad(2, "list")
    assert "--token-file" in text and "DETOUR_TOKEN" in text and tcp.asked == []
    (folder / "token").write_text("  detour_abc\r\n\n")
    good("list", "--token-file", folder / "token")
    assert tcp.asked[-1].fields["authorization"] == "Bearer detour_abc"
    monkeypatch.setenv("DETOUR_TOKEN", "detour_def")
    good("list")
    assert tcp.asked[-1].fields["authorization"] == "Bearer detour_def"
    (folder / "token").write_text("two\nlines\n")
    assert "no token" in bad(2, "list", "--token-file", folder / "token")
    assert "cannot read the token" in bad(2, "list", "--token-file", folder / "none")
    tcp.refuse("GET /v1/detours", 401, "this token is nobody's")
    assert bad(1, "list") == "detour list: this token is nobody's\n"


def test_a_proxy_of_the_environment_is_not_asked(tcp, monkeypatch):
    monkeypatch.setenv("DETOUR_TOKEN", "t")
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"]:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    good("list")


@pytest.mark.parametrize("answer", [b"<html>", b"", b"{", b"[1"])
def test_somebody_else_listens(admin, answer):
    admin.answers["GET /v1/detours"] = (200, answer)
    assert "admin API" in bad(2, "list")
    admin.answers["GET /v1/detours"] = (500, answer)
    assert "admin API" in bad(2, "list")
    admin.answers["GET /v1/detours"] = (302, {}, {"Location": "http://127.0.0.1:9/"})
    assert run("list").returncode != 0 and len(admin.asked) == 3


def test_a_connection_that_ends_early(folder, monkeypatch):
    monkeypatch.setenv("DETOUR_ADMIN", f"unix:{folder}/a.sock")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(folder / "a.sock"))
        s.listen()
        for data in [b"", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"]:
            with subprocess.Popen([str(BINARY), "list"], cwd=folder, env=environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as process:
                peer, _ = s.accept()
                peer.recv(65536)
                peer.sendall(data)
                peer.close()
                out, err = process.communicate(timeout=20)
            assert process.returncode == 2 and out == "" and err.count("\n") == 1, (out, err)


def test_shapes_that_nobody_expects_do_no_harm(admin):
    for value in [{}, {"detours": 7}, {"detours": [7, None, [], {}]}, {"detours": [{"detour": 7, "state": [1]}]},
                  {"detours": None}, []]:
        admin.answers["GET /v1/detours"] = value
        admin.answers["GET /v1/status"] = value
        admin.answers["GET /v1/changes"] = {"changes": value, "next": "x"}
        admin.answers["GET /v1/tokens"] = {"tokens": value}
        for command in [["list", "--all"], ["status"], ["history"], ["token", "list"]]:
            assert run(*command).returncode in (0, 2)
