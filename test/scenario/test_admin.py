# SPDX-License-Identifier: MIT
"""The admin API of a running program: what is switched is switched everywhere when the answer
comes, what is refused changes nothing, and what was said is kept."""

import datetime
import json
import os
import time

import pytest
from adminapi import CONFIG, STANZA, Admin, kill_control, later, reload_by_signal, restart, with_stanzas
from detourlib import SLACK, run, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs unix sockets")


@pytest.fixture
def admin(detour):
    yield from admin_of(detour, CONFIG)


@pytest.fixture
def filed(detour):
    """One whose file has detours of its own."""
    yield from admin_of(detour, with_stanzas(("one", "r"), ("two", "r")))


def admin_of(detour, config):
    one = Admin(detour(config))
    yield one
    one.close()


# What each call does


def test_on_and_off(admin):
    assert admin.where() == "home.example/x"
    made = admin.on("d", why="because")
    assert made.status == 201 and admin.where() == "live.example/"
    view = made.json
    assert view["state"] == "active" and view["source"] == "live" and not view["overrides_file"]
    assert view["detour"]["to"] == "https://live.example/" and view["closes"] is None
    seen = admin.get("d")
    assert seen.etag == made.etag == f'"{view["change"]}"'
    assert seen.json == view and admin.states() == {"shop/d": "active"}
    gone = admin.off("d", owner="me", why="it is done")
    assert admin.where() == "home.example/x"
    assert admin.ask("GET", admin.path("d")).status == 404
    assert admin.states() == {}
    second, first = admin.changes()
    assert gone.etag == f'"{second["number"]}"'
    assert (first["number"], first["before"]["kind"], first["after"]["kind"]) == (1, "none", "set")
    assert (second["number"], second["before"]["kind"], second["after"]["kind"]) == (2, "set", "none")
    assert second["before"]["detour"] == first["after"]["detour"]
    assert (first["why"], second["owner"], second["why"]) == ("because", "me", "it is done")
    assert first["who"] == {"via": "socket", "uid": os.geteuid(), "name": None}
    assert first["cause"] == second["cause"] == "command" and first["key"] == "shop/d"


def test_a_change_of_what_there_is(admin):
    first = admin.on("d")
    second = admin.on("d", admin.detour(to="https://two.example/"), tag=first.etag)
    assert second.status == 200 and admin.where() == "two.example/"
    assert admin.changes()[0]["before"]["detour"]["to"] == "https://live.example/"


def test_off_of_what_the_file_says(filed):
    r = filed.off("one")
    assert r.json["state"] == "off" and r.json["overrides_file"] and r.json["detour"]["reason"] == "r"
    assert filed.where("/one") == "home.example/one" and filed.where("/two") == "file.example/"
    assert filed.states() == {"shop/one": "off", "shop/two": "active"}
    # It can be switched on again, by whoever has seen that it is off.
    filed.on("one", filed.detour("/one"), tag=r.etag)
    assert filed.where("/one") == "live.example/"
    assert filed.get("one").json["overrides_file"]
    filed.off("one")
    assert filed.states()["shop/one"] == "off"


def test_off_all(filed):
    filed.on("d")
    r = filed.good("DELETE", "/v1/detours", why="fire")
    assert {(one["name"], one["state"], one["detour"]["reason"]) for one in r.json["off"]} == {
        ("one", "off", "r"), ("two", "off", "r"), ("d", "off", "a test")}
    assert [filed.where(t) for t in ("/x", "/one", "/two")] == ["home.example" + t for t in ("/x", "/one", "/two")]
    assert filed.states() == {"shop/one": "off", "shop/two": "off"}
    assert {change["why"] for change in filed.changes()[:3]} == {"fire"}
    assert filed.good("DELETE", "/v1/detours").json == {"off": []}


def test_off_of_one_that_is_too_large_to_be_kept(detour):
    """What it says is not kept, but that it is off is."""
    spared = ", ".join(f'"/large/{i:099}"' for i in range(800))
    large = STANZA % ("large", "large", "very many exceptions")
    config = with_stanzas(("one", "small")) + large.replace("until", f"except: [{spared}], until")
    admin = Admin(detour(config))
    assert admin.where("/large") == "file.example/"
    admin.off("large")
    assert admin.where("/large") == "home.example/large" and admin.get("large").json["state"] == "off"
    admin.good("POST", "/v1/changes/1/revert")
    assert admin.where("/large") == "file.example/"
    admin.good("DELETE", "/v1/detours")
    restart(admin)
    assert admin.states() == {"shop/large": "off", "shop/one": "off"}
    assert admin.where("/large") == "home.example/large"
    admin.close()


@pytest.mark.parametrize("more, seconds_left", [
    ({"max_age": "10m", "for": "1h"}, 600), ({"max_age": "10m", "for": "2m"}, 120), ({"max_age": "10m", "until": "off"}, None),
    ({"for": "1h"}, None), ({"max_age": "10m", "from": "2100-01-01T00:00:00Z", "for": "1h"}, None)])
def test_off_says_what_caches_may_hold(admin, more, seconds_left):
    admin.on("d", admin.detour(until=None, **more) if "until" not in more else admin.detour(**more))
    age = admin.server.get("/x", host="shop.example").directives.get("max-age")
    for query in ({"dry_run": "true"}, {}):
        gone = admin.off("d", **query).json
        assert gone["state"] == "off" and gone["name"] == "d" and gone["detour"]["to"] == "https://live.example/"
        if seconds_left is None:
            assert gone["cached_until"] is None and age is None
        else:
            until = seconds(gone["cached_until"]) - time.time()
            assert seconds_left - 3 < until <= seconds_left + 1 and int(age) <= until + 1


def test_off_all_of_very_many(detour):
    more = "".join(f'  - {{name: n{i}, site: shop, path: "/n{i}", to: "https://n.example/", until: off}}\n' for i in range(5000))
    admin = Admin(detour(CONFIG + "detours:\n" + more))
    assert admin.where("/n77") == "n.example/"
    assert len(admin.good("DELETE", "/v1/detours").json["off"]) == 5000
    assert admin.where("/n77") == "home.example/n77"


def test_extend(admin):
    end = int(time.time()) + 600
    made = admin.on("d", admin.detour(until=later(600)))
    path = admin.path("d") + "/extend"
    r = admin.good("POST", path, {"for": "1h"}, {"If-Match": made.etag})
    assert end + 3600 <= seconds(r.json["closes"]) <= end + 3602
    admin.bad(412, "POST", path, {"for": "1h"}, {"If-Match": made.etag})
    r = admin.good("POST", path, {"until": "2100-01-01T00:00:00Z"})
    assert r.json["closes"].startswith("2100-01-01T00:00:00")
    assert r.json["detour"]["to"] == "https://live.example/"
    admin.bad(422, "POST", path, {"until": "2001-01-01T00:00:00Z", "for": "1h"})
    for nothing in ({}, {"for": 7}, {"for": "soon"}, {"until": "tomorrow"}, {"for": "-1h"}, {"for": "99999999999d"}):
        admin.bad(422, "POST", path, nothing)
    admin.bad(404, "POST", admin.path("none") + "/extend", {"for": "1h"})


def seconds(text):
    return datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp()


def test_extend_of_the_files_and_of_one_that_is_held(detour):
    config = with_stanzas(("one", "r")).replace("until: off", f'from: "{later(-60)}", until: "{later(-30)}", at_end: hold')
    admin = Admin(detour(config))
    assert admin.states() == {"shop/one": "held"} and admin.get("one").json["overdue"]
    r = admin.good("POST", admin.path("one") + "/extend", {"for": "10m"})
    assert r.json["state"] == "active" and r.json["overrides_file"] and not r.json["overdue"]
    assert 590 < seconds(r.json["closes"]) - time.time() < 610
    assert admin.where("/one") == "file.example/"


def test_revert(filed):
    on = filed.on("d").json["change"]
    off = int(filed.off("d").etag.strip('"'))
    r = filed.good("POST", f"/v1/changes/{off}/revert")
    assert filed.where() == "live.example/" and r.json["state"] == "active"
    newest = filed.changes()[0]
    assert newest["cause"] == "revert" and newest["reverts"] == off
    filed.bad(409, "POST", f"/v1/changes/{on}/revert")
    filed.bad(409, "POST", f"/v1/changes/{off}/revert")
    filed.good("POST", f"/v1/changes/{newest['number']}/revert")
    assert filed.where() == "home.example/x"
    # Of the file's: off and back, and then run time says nothing of it.
    off = int(filed.off("one").etag.strip('"'))
    r = filed.good("POST", f"/v1/changes/{off}/revert")
    assert r.json["source"] == "file" and filed.where("/one") == "file.example/"
    assert filed.get("one").json["change"] is None
    for number in (99, 0, "x", 2**64):
        filed.bad(404, "POST", f"/v1/changes/{number}/revert")


def test_revert_of_what_gave_way_to_the_file(admin):
    """It stands above what the file says now, and can be switched off again."""
    admin.server.write(with_stanzas(("one", "first")))
    admin.reload()
    for change, where in (("on", "live.example/"), ("off", "home.example/one")):
        if change == "on":
            admin.on("one", admin.detour("/one"), tag="*")
        else:
            admin.off("one")
        admin.server.write(with_stanzas(("one", f"edited after {change}")))
        admin.reload()
        newest = admin.changes()[0]
        assert newest["cause"] == "file" and admin.where("/one") == "file.example/"
        r = admin.good("POST", f"/v1/changes/{newest['number']}/revert")
        assert r.json["state"] == ("active" if change == "on" else "off") and r.json["source"] == "live"
        assert admin.where("/one") == where
        assert admin.states() == {"shop/one": r.json["state"]}
        admin.reload()
        assert admin.where("/one") == where
        admin.server.write(with_stanzas(("one", "another")))
        admin.reload()
    # What the file has no more cannot be held off.
    admin.off("one")
    admin.server.write(CONFIG)
    admin.reload()
    admin.bad(409, "POST", f"/v1/changes/{admin.changes()[0]['number']}/revert")


def test_revert_of_the_newest_change_only(admin):
    first = admin.on("d").json["change"]
    admin.on("e", admin.detour("/e"))
    admin.off("d")
    r = admin.bad(409, "POST", f"/v1/changes/{first}/revert")
    assert "change 3" in r.text
    admin.on("d", admin.detour(to="https://other.example/"))
    admin.off("d")
    # As it is now it was after change 3, too; but not since.
    r = admin.bad(409, "POST", "/v1/changes/3/revert")
    assert "change 5" in r.text
    admin.good("POST", "/v1/changes/5/revert")
    assert admin.where() == "other.example/"


def test_history_in_pages(admin):
    tag = admin.on("d").etag
    for _ in range(6):
        tag = admin.on("d", tag=tag).etag
    page, numbers = admin.good("GET", "/v1/changes", limit=3).json, []
    while True:
        numbers += [change["number"] for change in page["changes"]]
        if page["next"] is None:
            break
        page = admin.good("GET", "/v1/changes", limit=3, below=page["next"]).json
    assert numbers == [7, 6, 5, 4, 3, 2, 1]
    assert admin.good("GET", "/v1/changes/4").json["number"] == 4
    admin.bad(404, "GET", "/v1/changes/8")


def test_what_is_only_looked_at(filed):
    filed.on("d")
    filed.off("one")
    status = filed.good("GET", "/v1/status").json
    assert status["workers"] == {"count": 2, "acknowledged": True}
    assert status["configuration"]["file"] == str(filed.server.file)
    assert status["store"]["path"] == str(filed.server.folder / "state")
    pools = filed.good("GET", "/v1/pools").json["pools"]
    assert pools[0]["servers"][0]["state"] == "up"
    assert status["detours"] == {"planned": 0, "active": 2, "held": 0, "over": 0, "live": 1, "off": 1, "unfit": 0}
    sites = filed.good("GET", "/v1/sites").json["sites"]
    assert [(one["name"], one["hosts"], one["routes"], one["detours"]) for one in sites] == [
        ("shop", ["shop.example"], 1, 2), ("blog", ["blog.example"], 1, 0)]
    pools = filed.good("GET", "/v1/pools").json["pools"]
    assert [(one["name"], [s["url"] for s in one["servers"]]) for one in pools] == [("spare", ["https://spare.example"])]
    assert filed.good("GET", "/readyz").json == {"ready": True}
    head = filed.ask("HEAD", "/v1/status")
    assert head.status == 200 and head.body == b""


def test_export_is_a_file_that_decides_the_same(filed, folder):
    filed.on("d", filed.detour(to="https://live.example/a?b=%22{+query}", reason='say "no", or: {ä}\\'))
    filed.on("soon", filed.detour("/soon", **{"from": later(3600), "until": later(7200)}))
    filed.on("p", filed.detour(None, None, pool="spare", methods=["GET"], bypass={"clients": ["192.0.2.0/24"]}), site="blog")
    filed.off("one")
    text = filed.good("GET", "/v1/export")
    assert text["Content-Type"].startswith("text/yaml")
    out = folder / "out.yaml"
    out.write_bytes(text.body)
    assert run("check", "-c", out).returncode == 0
    for url in ["shop.example/x", "shop.example/one", "shop.example/two", "shop.example/soon", "blog.example/", "blog.example/x?y"]:
        host, _, path = url.partition("/")
        explained = run("explain", "-c", out, "--json", f"http://{url}")
        said = json.loads(explained.stdout)["location"]
        assert said == filed.server.get("/" + path, host=host).location, url
    # Going on from it alone: the store's word and the file's are the same.
    assert filed.good("POST", "/v1/diff", text.body, {"Content-Type": "text/yaml"}).json["changes"] in (
        [], [{"what": "changed", "resource": "detour", "name": "one"}])


def test_diff(filed):
    yaml = {"Content-Type": "text/yaml"}

    def diff(text):
        changes = filed.good("POST", "/v1/diff", filed.server.whole(text).encode(), yaml).json["changes"]
        return {(one["what"], one["resource"], one["name"]) for one in changes}

    same = with_stanzas(("one", "r"), ("two", "r"))
    assert diff(same) == set()
    assert diff(with_stanzas(("one", "other"), ("three", "r"))) == {
        ("changed", "detour", "one"), ("added", "detour", "three"), ("removed", "detour", "two")}
    assert diff(same.replace("https://home", "https://hut")) == {("changed", "route", "shop/any")}
    assert diff(same.replace("spare.example", "other.example")) >= {("added", "server", "spare/https://other.example")}
    filed.off("one")
    assert diff(same) == set()
    assert len(filed.bad(422, "POST", "/v1/diff", b"sites: 7\nx: y\n", yaml).json["errors"]) >= 2


def test_reload(admin):
    before = admin.good("GET", "/v1/status").json["generation"]
    admin.server.write(CONFIG.replace("https://home", "https://hut"))
    tried = admin.good("POST", "/v1/reload", dry_run="true").json
    assert tried["dry_run"] and tried["changes"] == [{"what": "changed", "resource": "route", "name": "shop/any"}]
    assert admin.where() == "home.example/x"
    assert admin.reload() > before
    assert admin.where() == "hut.example/x"
    admin.server.write(CONFIG.replace("hosts: [shop", "hots: [shop").replace("pools:", "pols:"))
    for query in ({}, {"dry_run": "true"}):
        r = admin.bad(422, "POST", "/v1/reload", **query)
        assert "hots" in r.text and "pols" in r.text and "detour.yaml" in r.text
    assert admin.where() == "hut.example/x"
    admin.server.file.unlink()
    for query in ({}, {"dry_run": "true"}):
        assert "No such file" in admin.bad(422, "POST", "/v1/reload", **query).text
    admin.server.write(CONFIG)
    admin.reload()
    assert admin.where() == "home.example/x"


def test_dry_runs_change_nothing(filed):
    made = filed.on("d", filed.detour("/d"))
    before = filed.everything()
    dry = {"dry_run": "true"}
    off = filed.off("one", **dry).json
    assert off["dry_run"] and off["state"] == "off" and off["name"] == "one" and off["change"] is None
    new = filed.on("new", **dry)
    assert new.status == 201 and new.json["dry_run"] and new.json["state"] == "active" and new.etag is None
    changed = filed.on("d", filed.detour("/d", to="https://two.example/"), tag=made.etag, **dry).json
    assert changed["detour"]["to"] == "https://two.example/" and changed["change"] is None
    assert filed.good("POST", filed.path("d") + "/extend", {"for": "1h"}, **dry).json["closes"]
    both = filed.good("DELETE", "/v1/detours", **dry).json
    assert len(both["off"]) == 3 and both["dry_run"] and {one["state"] for one in both["off"]} == {"off"}
    filed.good("POST", f"/v1/changes/{made.json['change']}/revert", **dry)
    filed.bad(400, "DELETE", filed.path("d"), dryrun="true")
    filed.bad(400, "DELETE", filed.path("d"), dry_run="yes")
    assert filed.everything() == before
    assert filed.where("/one") == "file.example/" and filed.where("/d") == "live.example/"


def test_lost_updates_are_refused(filed):
    path = filed.path("d")
    filed.bad(428, "PUT", path, filed.detour())
    filed.bad(412, "PUT", path, filed.detour(), {"If-Match": '"1"'})
    filed.bad(412, "PUT", path, filed.detour(), {"If-Match": "*"})
    first = filed.on("d")
    filed.bad(412, "PUT", path, filed.detour(), {"If-None-Match": "*"})
    second = filed.on("d", tag=first.etag)
    for method, where, content in [("PUT", path, filed.detour()), ("DELETE", path, None),
                                   ("POST", path + "/extend", {"until": "off"})]:
        filed.bad(412, method, where, content, {"If-Match": first.etag})
        filed.bad(412, method, where, content, {"If-Match": f"W/{second.etag}"})
        filed.bad(412, method, where, content, {"If-Match": '"x"'})
    assert filed.ask("GET", path, fields={"If-None-Match": second.etag}).status == 304
    assert filed.ask("GET", path, fields={"If-None-Match": first.etag}).status == 200
    filed.good("DELETE", path, fields={"If-Match": second.etag})
    filed.bad(404, "DELETE", path, None, {"If-Match": second.etag})
    # One of the file has no tag; that it exists can be said.
    assert filed.get("one").etag is None
    filed.bad(412, "PUT", filed.path("one"), filed.detour("/one"), {"If-None-Match": "*"})
    filed.on("one", filed.detour("/one"), tag="*")


# What is refused


BAD = {
    "ends before it begins": ({"from": "2030-01-02T00:00:00Z", "until": "2030-01-01T00:00:00Z"}, ["until"]),
    "no end": ({"until": None}, ["until: off"]),
    "two ends": ({"until": "2100-01-01T00:00:00Z", "for": "1h"}, ["`until` and `for`"]),
    "a length that is none": ({"until": None, "for": "soon"}, ["for"]),
    "a length beyond all": ({"until": None, "for": "99999999999d"}, ["for"]),
    "an unknown zone": ({"from": "2030-01-01T00:00", "until": None, "for": "1h", "zone": "Mars/Base"}, ["Mars/Base"]),
    "an unknown pool": ({"to": None, "pool": "spaer"}, ["spaer", "spare"]),
    "an unknown page": ({"to": None, "page": "none"}, ["none"]),
    "an unknown key": ({"pth": "/y"}, ["pth"]),
    "two targets": ({"pool": "spare"}, ["pool"]),
    "no target": ({"to": None}, ["to"]),
    "a rule that never fires": (
        {"from": "2030-01-01T00:00:00Z", "until": None, "for": "1h", "repeat": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, ["never"]),
    "a rule that is none": (
        {"from": "2030-01-01T00:00:00Z", "until": None, "for": "1h", "repeat": "FREQ=SOMETIMES"}, ["FREQ"]),
    "a permanent redirect": ({"status": 301}, ["status"]),
    "several at once": ({"to": None, "pool": "nil", "until": "never", "nonsense": 1}, ["nil", "never", "nonsense"]),
    "a number for a text": ({"to": 7}, ["to"]),
    "a list for a text": ({"to": []}, ["to"]),
    "an open redirect": ({"to": "{query.next}"}, ["to"]),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_refused(shared, what):
    more, words = BAD[what]
    r = shared.bad(422, "PUT", shared.path("d"), shared.detour(**more), {"If-None-Match": "*"})
    assert all(word in r.text for word in words), r.text
    assert not any("line 0" in line or ":0:" in line for line in r.text.split("\n")), r.text
    assert shared.bad(422, "PUT", shared.path("d"), shared.detour(**more), {"If-None-Match": "*"}, dry_run="true")


@pytest.fixture(scope="module")
def shared(shared_detour):
    names = ["live", "home", "blog-home", "file", "spare"]
    origins = ", ".join(f'"https://{name}.example"' for name in names)
    config = f"\nallowed_targets: [{origins}]\n" + with_stanzas(("one", "r"))
    yield from admin_of(shared_detour, config)


def test_a_target_that_is_not_allowed(shared):
    r = shared.bad(422, "PUT", shared.path("d"), shared.detour(to="https://evil.example/"), {"If-None-Match": "*"})
    assert "evil.example" in r.text and "allowed_targets" in r.text


def test_a_site_that_is_not_there(shared):
    r = shared.ask("PUT", shared.path("d", "shpo"), shared.detour(), {"If-None-Match": "*"})
    assert r.status in (404, 422) and "shpo" in r.body.decode()
    # A host is not the name of a site: it would be another detour with the same effect.
    r = shared.ask("PUT", shared.path("d", "shop.example"), shared.detour(), {"If-None-Match": "*"})
    assert r.status in (404, 422), r.json
    assert shared.states() == {"shop/one": "active"}


def test_a_name_that_exists(shared):
    r = shared.bad(422, "PUT", shared.path("one", "blog"), shared.detour(), {"If-None-Match": "*"})
    assert "one" in r.text and "taken" in r.text
    shared.bad(422, "PUT", shared.path("d"), shared.detour(site="blog"), {"If-None-Match": "*"})
    shared.bad(422, "PUT", shared.path("d"), shared.detour(name="e"), {"If-None-Match": "*"})
    shared.bad(404, "DELETE", shared.path("d"))


def test_without_a_state_nothing_can_be_changed(detour):
    admin = Admin(detour(with_stanzas(("one", "r"), config=CONFIG.replace("state: state", ""))))
    assert admin.states() == {"shop/one": "active"}
    assert admin.good("GET", "/v1/status").json["store"] == {"path": None, "changes": 0}
    for method, path, content in [
        ("PUT", admin.path("d"), admin.detour()), ("DELETE", admin.path("one"), None), ("DELETE", "/v1/detours", None),
        ("POST", admin.path("one") + "/extend", {"for": "1h"}), ("POST", "/v1/changes/1/revert", None),
        ("PUT", "/v1/tokens/t", {"scope": "read"}), ("DELETE", "/v1/tokens/t", None),
    ]:
        fields = {"If-None-Match": "*"} if method == "PUT" and "detours" in path else None
        assert "state" in admin.bad(409, method, path, content, fields).text
    assert admin.good("GET", "/v1/tokens").json == {"tokens": []}
    admin.reload()


# Time


def test_what_is_over_goes_by_itself(admin):
    admin.on("d", admin.detour(until=None, **{"for": "2s"}))
    assert admin.where() == "live.example/"
    wait_until(lambda: admin.where() == "home.example/x", 2 + SLACK)
    wait_until(lambda: admin.states() == {}, 1 + SLACK)
    ended, began = admin.changes()
    assert (ended["cause"], ended["who"]["via"], ended["after"]["kind"]) == ("schedule", "control", "none")
    assert began["after"]["kind"] == "set" and ended["before"] == began["after"]
    assert "until" in began["after"]["detour"] and "for" not in began["after"]["detour"]


def test_what_ended_while_nobody_ran_is_over(admin):
    admin.on("d", admin.detour(until=None, **{"for": "1s"}))
    admin.close()
    admin.server.stop()
    time.sleep(2.2)
    admin.server.start()
    assert admin.where() == "home.example/x"
    wait_until(lambda: admin.states() == {}, 1 + SLACK)
    assert admin.changes()[0]["cause"] == "schedule"


def test_the_newest_wins(admin):
    admin.on("b", admin.detour(to="https://first.example/"))
    assert admin.where() == "first.example/"
    tag = admin.on("a", admin.detour(to="https://second.example/")).etag
    assert admin.where() == "second.example/"
    admin.on("c", admin.detour(to="https://third.example/"))
    assert admin.where() == "third.example/"
    admin.off("c")
    assert admin.where() == "second.example/"
    admin.on("a", admin.detour("/y"), tag=tag)
    assert admin.where() == "first.example/"


def test_planned_opens_in_time(admin):
    start = int(time.time()) + 2
    admin.on("d", admin.detour(until=None, **{"from": later(2), "for": "1h"}))
    assert admin.states() == {"shop/d": "planned"} and admin.where() == "home.example/x"
    wait_until(lambda: admin.where() == "live.example/", 2 + SLACK)
    assert start <= time.time() < start + SLACK
    assert admin.states() == {"shop/d": "active"}


def test_a_ramp_begins_when_it_is_switched_on(admin):
    view = admin.on("d", admin.detour(until=None, ramp="10m", **{"for": "1h"})).json
    assert view["state"] == "active" and view["share"] <= 2, view
    assert view["opened"] is not None


# What is kept


def test_what_was_said_survives(filed):
    filed.on("d")
    filed.off("one")
    filed.on("soon", filed.detour("/soon", **{"from": later(3600), "until": later(7200)}))

    def check():
        assert filed.states() == {"shop/d": "active", "shop/one": "off", "shop/two": "active", "shop/soon": "planned"}
        assert [filed.where(t) for t in ("/x", "/one", "/two")] == ["live.example/", "home.example/one", "file.example/"]
        assert [one["number"] for one in filed.changes()] == [3, 2, 1]

    check()
    kill_control(filed)
    check()
    restart(filed)
    check()
    filed.reload()
    reload_by_signal(filed)
    check()


def test_the_file_wins_where_it_changes(filed):
    filed.off("one")
    filed.on("two", filed.detour("/two"), tag="*")
    filed.on("d")
    # Another stanza, a comment, and another order of keys are no change of these.
    config = with_stanzas(("one", "r"), ("two", "r"), ("three", "r"))
    config = config.replace("{name: one, site: shop,", "# a word\n    {site: shop, name: one,")
    filed.server.write(config)
    filed.reload()
    assert filed.states() == {"shop/one": "off", "shop/two": "active", "shop/three": "active", "shop/d": "active"}
    assert filed.where("/two") == "live.example/" and filed.where("/one") == "home.example/one"
    # Each of them changes: the file wins.
    filed.server.write(with_stanzas(("one", "new"), ("two", "new")))
    filed.reload()
    assert filed.states() == {"shop/one": "active", "shop/two": "active", "shop/d": "active"}
    assert [filed.where(t) for t in ("/one", "/two")] == ["file.example/"] * 2
    dropped = [one for one in filed.changes() if one["cause"] == "file"]
    assert {one["key"] for one in dropped} == {"shop/one", "shop/two"}
    assert all(one["after"]["kind"] == "none" and one["who"]["via"] == "control" for one in dropped)
    # Nothing is resurrected: the old text again does not bring back what was said above it.
    filed.server.write(with_stanzas(("one", "r"), ("two", "r")))
    filed.reload()
    assert [filed.where(t) for t in ("/one", "/two")] == ["file.example/"] * 2
    restart(filed)
    assert [filed.where(t) for t in ("/one", "/two")] == ["file.example/"] * 2


def test_a_stanza_that_goes_takes_what_was_said_of_it(filed):
    filed.off("one")
    filed.server.write(with_stanzas(("two", "r")))
    filed.reload()
    assert filed.states() == {"shop/two": "active"}
    filed.server.write(with_stanzas(("one", "r"), ("two", "r")))
    filed.reload()
    assert filed.where("/one") == "file.example/"


def test_a_stanza_of_the_same_name_wins(admin):
    admin.on("one", admin.detour("/one"))
    admin.server.write(with_stanzas(("one", "r")))
    admin.reload()
    assert admin.where("/one") == "file.example/" and admin.get("one").json["source"] == "file"
    assert admin.changes()[0]["cause"] == "file"


def test_a_file_that_changed_while_nobody_ran(filed):
    filed.off("one")
    filed.off("two")
    filed.close()
    filed.server.stop()
    filed.server.write(with_stanzas(("one", "new"), ("two", "r")))
    filed.server.start()
    assert [filed.where(t) for t in ("/one", "/two")] == ["file.example/", "home.example/two"]
    assert filed.changes()[0]["cause"] == "file"


def test_a_file_that_fits_no_longer(admin):
    """What run time says names a pool that the new file has not: refused, with the detour named."""
    admin.on("d", admin.detour(to=None, pool="spare"))
    admin.server.write(CONFIG.partition("pools:")[0])
    r = admin.bad(422, "POST", "/v1/reload")
    assert "spare" in r.text and "shop/d" in r.text, r.text
    assert admin.where() == "spare.example/x"
    admin.off("d")
    admin.server.write(CONFIG.partition("pools:")[0])
    admin.reload()
