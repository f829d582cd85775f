# SPDX-License-Identifier: MIT
"""Signed links for testers: who opens one passes by one detour until it expires, and nobody
else does, whatever they change in it."""

import json
import re

import pytest
from adminapi import Admin, kill_control, later, restart
from detourlib import run, wait_until

CONFIG = """
admin: {listen: "unix:$DIR/admin.sock"}
state: state
sites:
  - name: shop
    hosts: [shop.example, www.shop.example]
    routes:
      - {name: any, path: "/*", to: "https://home.example/{+0}", max_age: 1h}
  - name: blog
    hosts: [blog.example]
    routes:
      - {name: any, path: "/*", to: "https://blog-home.example/{+0}"}
pages:
  upgrade: {title: "We are upgrading"}
"""
HTML = {"Accept": "text/html"}


@pytest.fixture
def admin(detour):
    one = Admin(detour(CONFIG))
    yield one
    one.close()


def on(admin, name="d", site="shop", **more):
    content = admin.detour("/x", bypass={"link": True}, **more)
    admin.on(name, content, site)


def link(admin, name="d", site="shop", **content):
    return admin.good("POST", admin.path(name, site) + "/link", content).json


def member(made):
    return f"{made['parameter']}={made['value']}"


def visit(admin, target, host="shop.example", cookie=None, method="GET"):
    fields = {**HTML, **({"Cookie": cookie} if cookie else {})}
    return admin.server.request(method, target, fields, host=host)


def opened(admin, made, path="/x", host="shop.example"):
    """The cookie that a link sets."""
    r = visit(admin, f"{path}?{member(made)}", host)
    assert r.status == 307 and r.location == path, r
    assert r.get("Cache-Control") == "no-store"
    return re.fullmatch(r"(detour-link-[0-9a-f]{8}=[\w-]{38}); Path=/; Max-Age=(\d+); HttpOnly; SameSite=Lax",
                        r.get("Set-Cookie")).groups()


def passes(admin, cookie, path="/x/y", host="shop.example"):
    return visit(admin, path, host, cookie).location == f"https://home.example{path}"


def refused(admin, target, host="shop.example", cookie=None):
    """No bypass: what everybody gets, and no cookie."""
    r = visit(admin, target, host, cookie)
    assert r.get("Set-Cookie") is None and r.location and "live.example" in r.location, r
    return True


def test_a_tester_passes_by(admin):
    on(admin, until=later(600), max_age="1h")
    everybody = visit(admin, "/x/y")
    assert everybody.location == "https://live.example/" and "Cookie" in everybody.get("Vary")
    made = link(admin, **{"for": "5m"})
    assert made["url"] == f"http://shop.example:{admin.server.port}/x?{member(made)}"
    assert visit(admin, f"/x/y?a=1&{member(made)}&b=%20").location == "/x/y?a=1&b=%20"
    assert visit(admin, f"/x?{member(made)}&{member(made)}").location == "/x"
    assert visit(admin, f"//x?{member(made)}").location == "/x"  # never another host
    cookie, life = opened(admin, made, "/elsewhere", "www.shop.example")
    assert 290 <= int(life) <= 300
    assert passes(admin, cookie) and passes(admin, f"a=b; {cookie}; c=d")
    assert "Cookie" in visit(admin, "/x/y", cookie=cookie).get("Vary")
    assert visit(admin, "/x/y").location == "https://live.example/"
    # Only who looks at something: a form is not sent anywhere by a link.
    assert visit(admin, f"/x?{member(made)}", method="POST").location.startswith("https://live.example/")
    assert visit(admin, f"/x?{member(made)}", method="HEAD").location == "/x"


def test_it_is_good_for_this_detour_only(admin):
    on(admin)
    on(admin, "other", "blog")
    admin.on("narrow", admin.detour("/x/narrow", to="https://narrow.live.example/", bypass={"link": True}))
    made = link(admin)
    cookie, _ = opened(admin, made)
    foreign = link(admin, "other", "blog")
    assert visit(admin, f"/x?{member(made)}", "blog.example").get("Set-Cookie") is None
    assert visit(admin, "/x", "blog.example", cookie).location == "https://live.example/"
    assert refused(admin, f"/x?{member(foreign)}")
    assert visit(admin, "/x/narrow", cookie=cookie).location == "https://narrow.live.example/"
    # The value of one in the cookie of the other
    name = cookie.partition("=")[0]
    assert refused(admin, "/x", cookie=f"{name}={foreign['value']}")
    assert refused(admin, "/x", cookie=f"{name}={link(admin, 'narrow')['value']}")


def test_what_is_no_link_is_none(admin):
    on(admin)
    made = link(admin)
    name = opened(admin, made)[0].partition("=")[0]
    good = made["value"]
    spoilt = [good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1:] for at in range(len(good))]
    for value in [*spoilt, "", "x", good[:-1], good + "A", good + "=", "A" * 38, "%41" + good[1:], "A" * 6000]:
        assert refused(admin, f"/x?{made['parameter']}={value}")
        assert refused(admin, "/x", cookie=f"{name}={value}")
    assert refused(admin, f"/x?{made['parameter'].upper()}={good}")
    assert refused(admin, f"/x?a={good}")


def test_it_ends(admin):
    on(admin, until=later(3600))
    assert link(admin, **{"for": "2h"})["expires"] <= later(3601)
    made = link(admin, **{"for": "1s"})
    cookie = f"{opened(admin, link(admin))[0].partition('=')[0]}={made['value']}"
    wait_until(lambda: not passes(admin, cookie), what="the end of a link")
    assert refused(admin, f"/x?{member(made)}")
    # No longer than the detour, whatever it is extended by afterwards
    admin.on("short", admin.detour("/short", until=later(2), bypass={"link": True}))
    assert int(opened(admin, link(admin, "short"), "/short")[1]) <= 2


def test_it_survives_restarts_and_reaches_all_workers(admin):
    on(admin)
    cookie, _ = opened(admin, link(admin))
    restart(admin)
    assert all(passes(admin, cookie) for _ in range(20))
    kill_control(admin)
    assert passes(admin, cookie) and opened(admin, link(admin))
    admin.off("d")
    assert visit(admin, "/x").location == "https://home.example/x"


def test_a_page_lets_them_pass(admin):
    admin.on("d", admin.detour("/x", to=None, page="upgrade", bypass={"link": True}))
    made = link(admin)
    page = visit(admin, "/x/y")
    assert page.location.startswith("/.well-known/detour/wait/")
    cookie, _ = opened(admin, made)
    assert passes(admin, cookie)
    assert visit(admin, page.location, cookie=cookie).location == "/x/y"


def test_who_may_have_one(admin):
    admin.on("closed", admin.detour("/closed"))
    assert "bypass" in admin.bad(409, "POST", admin.path("closed") + "/link", {}).text
    assert admin.bad(404, "POST", admin.path("none") + "/link", {})
    on(admin)
    for content in ({"for": "never"}, {"for": "0s"}, {"for": "800h"}, {"for": 7}, {"until": "off"}, {"x": 1}):
        admin.bad(422, "POST", admin.path("d") + "/link", content)


@pytest.mark.parametrize("hosts, host", [
    ('"*.w.example"', "www.w.example"), ('"*.w.example", v.example', "v.example"), ('"*"', "localhost")])
def test_its_url_is_one_of_the_site(detour, hosts, host):
    admin = Admin(detour(CONFIG.replace("shop.example, www.shop.example", hosts)))
    on(admin)
    made = link(admin)
    assert made["url"] == f"http://{host}:{admin.server.port}/x?{member(made)}"
    cookie, _ = opened(admin, made, host=host)
    assert passes(admin, cookie, host=host)
    admin.close()


def test_from_the_command_line(admin):
    folder = admin.server.folder
    done = run("on", "d", "--site", "shop", "--path-prefix", "/x", "--to", "https://live.example/", "--for", "10m",
               "--reason", "r", "--bypass", "link", "--bypass", "10.0.0.0/8", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert admin.get("d").json["detour"]["bypass"] == {"clients": ["10.0.0.0/8"], "link": True}
    done = run("link", "d", "--for", "1m", "--url", "https://www.shop.example/x/y?a=b#c", cwd=folder)
    assert done.returncode == 0 and done.stderr.startswith("good until "), done.stderr
    found = re.fullmatch(r"https://www\.shop\.example(/x/y\?a=b&detour-link=[\w-]{38})#c\n", done.stdout)
    assert visit(admin, found[1]).location == "/x/y?a=b"
    made = json.loads(run("link", "shop/d", "--json", cwd=folder).stdout)
    assert passes(admin, opened(admin, made)[0])
    done = run("link", "nothing", cwd=folder)
    assert done.returncode == 1 and "nothing" in done.stderr
    done = run("explain", "--live", "http://shop.example/x", cwd=folder)
    assert "detour link" in done.stdout, done.stdout
