# SPDX-License-Identifier: MIT
"""What was set at run time and the file no longer fits: a start sets it aside and says so, a
reload refuses, nothing is deleted, and off takes it away."""

import pytest
from adminapi import CONFIG, Admin, back, kill_control, restart, with_stanzas
from detourlib import run

BLOG = CONFIG[CONFIG.index("  - name: blog"):CONFIG.index("pools:")]
ALLOWED = """
allowed_targets: ["https://elsewhere.example", "https://home.example", "https://blog-home.example",
  "https://spare.example", "https://file.example"]
"""
WITHOUT_BLOG = CONFIG.replace(BLOG, "")


@pytest.fixture
def admin(detour):
    one = Admin(detour(CONFIG))
    yield one
    one.close()


def start_with(admin, config):
    """All of the program, with another file."""
    admin.close()
    admin.server.stop()
    admin.server.write(config)
    admin.server.start()
    back(admin)


def unfit(admin):
    return {f"{one['site']}/{one['name']}": one["problem"] for one in admin.good("GET", "/v1/detours").json["detours"]
            if one["state"] == "unfit"}


def set_aside(admin):
    """One of the blog, and one that fits."""
    admin.on("gone", admin.detour(), "blog")
    admin.on("stays", admin.detour("/stays"))
    start_with(admin, WITHOUT_BLOG)


def test_a_start_sets_it_aside(admin):
    set_aside(admin)
    assert "blog" in unfit(admin).pop("blog/gone")
    assert admin.where("/stays") == "live.example/"
    assert admin.good("GET", "/v1/status").json["detours"]["unfit"] == 1
    assert any("detour blog/gone of run time is set aside" in line and "detour off blog/gone" in line
               for line in admin.server.stderr().splitlines())
    one = admin.get("gone", "blog").json
    assert one["state"] == "unfit" and one["detour"]["to"] == "https://live.example/"
    folder = admin.server.folder
    listed = run("list", cwd=folder).stdout
    assert "UNFIT" in listed and "blog/gone" in listed and "PROBLEM" in listed
    told = run("status", cwd=folder).stdout
    assert "1 UNFIT" in told and "blog/gone" in told
    # Everything else works, and what cannot be done says why.
    admin.on("more", admin.detour("/more"))
    assert admin.where("/more") == "live.example/"
    admin.reload()
    kill_control(admin)
    restart(admin)
    assert list(unfit(admin)) == ["blog/gone"] and admin.where("/more") == "live.example/"
    assert "set aside" in admin.bad(409, "POST", admin.path("gone", "blog") + "/extend", {"for": "1h"}).text
    assert admin.good("POST", "/v1/diff", admin.server.whole(WITHOUT_BLOG).encode(),
                      {"Content-Type": "text/yaml"}).json["changes"] == []


def test_off_takes_it_away(admin):
    set_aside(admin)
    tag = admin.get("gone", "blog").etag
    admin.bad(412, "DELETE", admin.path("gone", "blog"), None, {"If-Match": '"999"'})
    assert admin.off("gone", "blog", dry_run="true").json["dry_run"]
    assert list(unfit(admin)) == ["blog/gone"]
    done = run("off", "gone", cwd=admin.server.folder)
    assert done.returncode == 0, done.stderr
    assert tag and unfit(admin) == {} and admin.changes()[0]["key"] == "blog/gone"
    restart(admin)
    assert admin.states() == {"shop/stays": "active"}


def test_off_all_takes_it_away(admin):
    set_aside(admin)
    assert len(admin.good("DELETE", "/v1/detours").json["off"]) == 2
    assert admin.states() == {}


def test_it_holds_again_when_the_file_fits(admin):
    set_aside(admin)
    admin.server.write(CONFIG)
    admin.reload()
    assert unfit(admin) == {} and admin.where("/x", "blog.example") == "live.example/"


def test_a_reload_refuses(admin):
    admin.on("gone", admin.detour(), "blog")
    admin.server.write(WITHOUT_BLOG)
    for query in ({}, {"dry_run": "true"}):
        assert "blog/gone" in admin.bad(422, "POST", "/v1/reload", **query).text
    assert admin.where("/x", "blog.example") == "live.example/" and unfit(admin) == {}
    # Another one that does not fit is refused although one is set aside already.
    start_with(admin, WITHOUT_BLOG)
    admin.on("pooled", admin.detour("/pooled", to=None, pool="spare"))
    admin.server.write(WITHOUT_BLOG.partition("pools:")[0])
    text = admin.bad(422, "POST", "/v1/reload").text
    assert "shop/pooled" in text and list(unfit(admin)) == ["blog/gone"]


def test_a_target_that_is_not_allowed_any_more(admin):
    """What the file says of the same detour holds meanwhile."""
    start_with(admin, with_stanzas(("one", "r")))
    admin.good("PUT", admin.path("one"), admin.detour("/one"), {"If-Match": "*"})
    assert admin.where("/one") == "live.example/"
    start_with(admin, ALLOWED + with_stanzas(("one", "r")))
    assert admin.where("/one") == "file.example/"
    one = admin.get("one").json
    assert one["source"] == "file" and "live.example" in one["problem"] and one["change"] is None
    assert admin.good("GET", "/v1/status").json["detours"]["unfit"] == 1
    # Set anew it is looked at anew.
    admin.good("PUT", admin.path("one"), admin.detour("/one", to="https://elsewhere.example/"), {"If-Match": "*"})
    assert admin.where("/one") == "elsewhere.example/"
    assert admin.good("GET", "/v1/status").json["detours"]["unfit"] == 0


def test_those_whose_names_messages_cut_off(admin):
    """They are found by trying halves, among others that fit."""
    names = ["x" * 100 + str(i) for i in range(2)]
    for i, name in enumerate(["a", names[0], "b", names[1], "c"]):
        admin.on(name, admin.detour(f"/{i}"), "shop" if len(name) == 1 else "blog")
    start_with(admin, WITHOUT_BLOG)
    assert set(unfit(admin)) == {f"blog/{name}" for name in names}
    assert all("blog" in why for why in unfit(admin).values())
    assert [admin.where(f"/{i}") for i in (0, 2, 4)] == ["live.example/"] * 3


def test_one_that_clashes_with_the_file(admin):
    """Its name is taken on another site by now."""
    admin.on("twin", admin.detour(), "blog")
    admin.on("stays", admin.detour("/stays"))
    start_with(admin, with_stanzas(("twin", "r")))
    assert list(unfit(admin)) == ["blog/twin"]
    assert admin.where("/twin") == "file.example/" and admin.where("/stays") == "live.example/"
    assert admin.where("/x", "blog.example") == "blog-home.example/"


def test_a_bad_file_is_refused_all_the_same(admin):
    admin.on("gone", admin.detour(), "blog")
    admin.close()
    admin.server.stop()
    admin.server.write(WITHOUT_BLOG.replace("hosts: [shop", "hots: [shop"))
    done = run("serve", "-c", admin.server.file)
    assert done.returncode != 0 and "hots" in done.stderr
    admin.server.write(CONFIG)
    admin.server.start()
    assert admin.where("/x", "blog.example") == "live.example/"
