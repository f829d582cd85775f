# SPDX-License-Identifier: MIT
"""Routes: what matches, who wins, and which status and freshness an answer carries."""

import time

import pytest
from detourlib import rfc3339

CONFIG = """
redirect_by: true
sites:
  - name: a
    hosts: [a.example, "Bücher.example"]
    routes:
      - {name: exact, path: /exact, to: "https://b.example/exact"}
      - {name: first, path: "/order/*", methods: [POST, PUT], to: "https://b.example/first"}
      - {name: second, path: "/order/x", to: "https://b.example/second"}
      - {name: prefix, path_prefix: /shop, to: "https://b.example/shop"}
      - {name: get, path: /methods, methods: [GET], to: "https://b.example/get"}
      - {name: post, path: /methods, when: {methods: [POST, PUT]}, to: "https://b.example/post"}
      - {name: odd, path: /methods, methods: [BREW], to: "https://b.example/brew"}
      - {name: header, path: /header, when: {headers: {X-Tier: gold}}, to: "https://b.example/gold"}
      - {name: headerglob, path: /header, when: {headers: {Accept-Language: "de*"}}, to: "https://b.example/de"}
      - {name: headerrest, path: /header, to: "https://b.example/plain"}
      - {name: cookie, path: /cookie, cookies: {beta: "yes"}, to: "https://b.example/beta"}
      - {name: cookierest, path: /cookie, to: "https://b.example/plain"}
      - {name: query, path: /query, query: {v: "2"}, to: "https://b.example/two"}
      - {name: queryrest, path: /query, to: "https://b.example/one"}
      - {name: client, path: /client, clients: [127.0.0.2/32, "2001:db8::/32"], to: "https://b.example/inside"}
      - {name: clientrest, path: /client, to: "https://b.example/outside"}
      - {name: all, path: /all, when: {methods: [POST], headers: {X-A: "1"}, cookies: {c: "1"}, query: {q: "1"}, clients: [127.0.0.0/8]}, to: "https://b.example/all"}
      - {name: share, path: /share, share: 60%, to: "https://b.example/some", rest: {to: "https://b.example/rest"}}
      - {name: sharenext, path: /sharenext, share: 50%, to: "https://b.example/some", rest: next}
      - {name: sharenext2, path: /sharenext, to: "https://b.example/next"}
      - {name: share503, path: /share503, share: 0%, to: "https://b.example/some", rest: 503}
      - {name: shareall, path: /shareall, share: 100%, to: "https://b.example/some"}
      - {name: respond, path: /respond, respond: {status: 410, body: "gone for good", headers: {X-Why: because}}}
      - {name: respond200, path: /respond200, respond: {status: 200, body: "ok"}}
      - {name: s301, path: /s301, to: "https://b.example/", status: 301}
      - {name: s302, path: /s302, to: "https://b.example/", status: 302}
      - {name: s303, path: /s303, to: "https://b.example/", status: 303}
      - {name: s307, path: /s307, to: "https://b.example/", status: 307}
      - {name: s308, path: /s308, to: "https://b.example/", status: 308}
      - {name: m301, path: /m301, to: "https://b.example/", status: 301, max_age: 1d}
      - {name: m302, path: /m302, to: "https://b.example/", status: 302, max_age: 5m}
      - {name: m307, path: /m307, to: "https://b.example/", max_age: 90s}
      - {name: mclient, path: /mclient, clients: [127.0.0.0/8], to: "https://b.example/", max_age: 90s}
      - {name: mheader, path: /mheader, when: {headers: {X-Tier: gold}}, to: "https://b.example/", max_age: 90s}
      - {name: mcookie, path: /mcookie, cookies: {beta: "yes"}, to: "https://b.example/", max_age: 90s}
      - {name: mshare, path: /mshare, share: 50%, to: "https://b.example/", rest: {to: "https://b.example/r"}, max_age: 90s}
      - {name: added, path: /added, to: "https://b.example/", headers: {Strict-Transport-Security: "max-age=60", X-Extra: "a b"}}
      - {name: quiet, path: /quiet, to: "https://b.example/", note: false}
  - name: windows
    hosts: [windows.example]
    routes:
      - {name: clipped, path: /clipped, to: "https://b.example/", max_age: 1h}
      - {name: beside, path: /beside, to: "https://b.example/", max_age: 1h}
  - name: wild
    hosts: ["*.wild.example"]
    routes:
      - {name: any, path: "/*", to: "https://b.example/wild"}
  - name: exactly
    hosts: [one.wild.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/one"}
  - name: passes
    hosts: [pass.example]
    default: pass
    routes:
      - {path: /x, to: "https://b.example/x"}
  - name: defaults
    hosts: [default.example]
    default: {to: "https://b.example{+path}"}
    routes:
      - {path: /x, to: "https://c.example/x"}
  - name: refuses
    hosts: [refuse.example]
    default: {status: 403}
    routes:
      - {path: /x, to: "https://c.example/x"}
  - name: cors
    hosts: [cors.example]
    cors: {origins: ["https://app.example"], methods: [GET, PUT], headers: [X-Token], expose: [X-Redirect-By], credentials: true, max_age: 10m}
    routes:
      - {name: up, path: "/up/*", to: "https://b.example{+path}"}
  - name: corsany
    hosts: [corsany.example]
    cors: {origins: ["*"], methods: [GET]}
    routes:
      - {name: up, path: "/up/*", to: "https://b.example{+path}"}
  - name: secure
    hosts: [secure.example]
    https_redirect: true
    routes:
      - {name: up, path: "/up/*", to: "https://b.example{+path}"}
  - name: secure2
    hosts: [secure2.example]
    https_redirect: {status: 308, port: 8443}
    routes:
      - {name: up, path: "/up/*", to: "https://b.example{+path}"}
detours:
  - {name: soon, site: windows, path: /clipped, to: "https://m.example/", from: "$SOON", until: "$LATE", reason: test}
  - {name: now, site: windows, path: /ending, to: "https://m.example/", max_age: 1h, until: "$SOON", reason: test}
"""

CONFIG_CATCH_ALL = """
sites:
  - name: a
    hosts: [a.example]
    routes: [{path: "/*", to: "https://b.example/a"}]
  - hosts: ["*"]
    routes: [{path: "/*", to: "https://b.example/all"}]
"""

B = "https://b.example/"


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG, SOON=rfc3339(time.time() + 120), LATE=rfc3339(time.time() + 3600))


# What matches


def test_exact_path(server):
    assert server.get("/exact").location == B + "exact"
    for target in ["/exact/", "/exactly", "/Exact", "/exac"]:
        assert server.get(target).status == 404


def test_first_match_wins(server):
    assert server.post("/order/x").location == B + "first"
    assert server.get("/order/x").location == B + "second"


@pytest.mark.parametrize("target", ["/shop", "/shop/", "/shop/x", "/shop/x/y", "/%73hop", "//shop", "/shop?x"])
def test_prefix_matches_whole_segments(server, target):
    assert (server.get(target).location or "").startswith(B + "shop")


@pytest.mark.parametrize("target", ["/shopping", "/sho", "/x/shop", "/shop.html", "/Shop"])
def test_prefix_matches_nothing_else(server, target):
    assert server.get(target).status == 404


def test_methods(server):
    assert server.get("/methods").location == B + "get"
    assert server.request("HEAD", "/methods").location == B + "get"
    assert server.post("/methods").location == B + "post"
    assert server.request("PUT", "/methods", body=b"").location == B + "post"
    assert server.request("BREW", "/methods").location == B + "brew"
    assert server.request("DELETE", "/methods").status == 404


def test_headers(server):
    assert server.get("/header", {"X-Tier": "gold"}).location == B + "gold"
    assert server.get("/header", {"x-tier": "gold"}).location == B + "gold"
    assert server.get("/header", {"X-Tier": "silver"}).location == B + "plain"
    assert server.get("/header", {"Accept-Language": "de-AT, en"}).location == B + "de"
    assert server.get("/header").location == B + "plain"


def test_cookies(server):
    assert server.get("/cookie", {"Cookie": "a=b; beta=yes; c=d"}).location == B + "beta"
    for other in ["beta=no", "xbeta=yes", "a=beta=yes", "beta", ""]:
        assert server.get("/cookie", {"Cookie": other}).location == B + "plain"


def test_query(server):
    for q, where in [("v=2", "two"), ("a=b&v=2&c", "two"), ("v=3", "one"), ("xv=2", "one"), ("%76=2", "two")]:
        assert server.get("/query?" + q).location == f"{B}{where}?{q}"


def test_clients(server):
    assert server.get("/client", source="127.0.0.2").location == B + "inside"
    assert server.get("/client", source="127.0.0.3").location == B + "outside"


def test_all_conditions_must_hold(server):
    full = {"X-A": "1", "Cookie": "c=1"}
    assert server.post("/all?q=1", full).location == B + "all?q=1"
    assert server.get("/all?q=1", full).status == 404
    assert server.post("/all?q=2", full).status == 404
    assert server.post("/all?q=1", {"X-A": "1"}).status == 404
    assert server.post("/all?q=1", {"Cookie": "c=1"}).status == 404


def test_share_is_sticky_and_near_its_percentage(server):
    got = {}
    for i in range(1, 251):
        source = f"127.0.1.{i}"
        first = server.get("/share", source=source).location
        assert server.get("/share", source=source).location == first
        got[first] = got.get(first, 0) + 1
    assert set(got) == {B + "some", B + "rest"}
    assert 0.45 * 250 < got[B + "some"] < 0.75 * 250


def test_share_rest_next(server):
    got = {server.get("/sharenext", source=f"127.0.1.{i}").location for i in range(1, 60)}
    assert got == {B + "some", B + "next"}


def test_share_rest_status(server):
    assert server.get("/share503").status == 503
    assert server.get("/shareall").location == B + "some"


# Hosts


def test_hosts(server):
    assert server.get("/exact", host="xn--bcher-kva.example").location == B + "exact"
    assert server.get("/x", host="two.wild.example").location == B + "wild"
    assert server.get("/x", host="deep.two.wild.example").location == B + "wild"
    assert server.get("/x", host="one.wild.example").location == B + "one"
    assert server.get("/x", host="wild.example").status == 421
    assert server.get("/x", host="xwild.example").status == 421


def test_catch_all(detour):
    server = detour(CONFIG_CATCH_ALL)
    assert server.get("/x", host="a.example").location == B + "a"
    for host in ["b.example", "127.0.0.1", "[::1]", "x"]:
        assert server.get("/x", host=host).location == B + "all"


# Answers


def test_default(server):
    assert server.get("/nothing").status == 404
    r = server.get("/nothing", host="pass.example")
    assert (r.status, r.body) == (204, b"")
    assert server.post("/nothing", host="default.example").location == B + "nothing"
    assert server.get("/nothing", host="refuse.example").status == 403


def test_respond(server):
    r = server.get("/respond")
    assert (r.status, r.body, r["X-Why"]) == (410, b"gone for good", "because")
    assert r.location is None
    assert server.post("/respond200").body == b"ok"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_status(server, status):
    assert server.get(f"/s{status}").status == status


@pytest.mark.parametrize(
    "path, cache",
    [("/s307", {}), ("/share", {}), ("/s302", {"no-store": ""}), ("/s303", {"no-store": ""}),
     ("/s301", {"max-age": "3600"}), ("/s308", {"max-age": "3600"}), ("/m301", {"max-age": "86400"}),
     ("/m302", {"max-age": "300"}), ("/m307", {"max-age": "90"})],
)
def test_freshness(server, path, cache):
    r = server.get(path)
    assert r.directives == cache
    assert r["Expires"] is None and r["Age"] is None and r["Retry-After"] is None


@pytest.mark.parametrize(
    "path, headers, cache, vary",
    [("/mclient", {}, "private, max-age=90", None), ("/mshare", {}, "private, max-age=90", None),
     ("/mcookie", {"Cookie": "beta=yes"}, "max-age=90", "Cookie"), ("/mheader", {"X-Tier": "gold"}, "max-age=90", "X-Tier")],
)
def test_what_depends_on_the_client_says_so(server, path, headers, cache, vary):
    r = server.get(path, headers)
    assert (r.status, r["Cache-Control"], r["Vary"]) == (307, cache, vary)


def test_freshness_is_clipped_to_the_next_change(server):
    """A detour begins, or ends, in about two minutes; the file says an hour."""
    for path in ["/clipped", "/ending"]:
        r = server.get(path, host="windows.example")
        assert r.status == 307
        assert 0 <= int(r.directives["max-age"]) <= 120, (path, r)


def test_freshness_of_others_is_not_clipped(server):
    """The windows of other paths do not concern this one."""
    for path in ["/beside", "/beside?x=/clipped"]:
        assert server.get(path, host="windows.example").directives["max-age"] == "3600"


def test_added_headers(server):
    r = server.get("/added")
    assert r["Strict-Transport-Security"] == "max-age=60" and r["X-Extra"] == "a b"
    assert server.get("/exact")["X-Extra"] is None


def test_note(server):
    assert b"href" in server.get("/exact").body
    r = server.get("/quiet")
    assert r.body == b"" and r["Content-Length"] == "0"


def test_redirect_by_names_the_rule(server):
    assert server.get("/exact")["X-Redirect-By"] == "a/routes/exact"
    assert server.get("/shop")["X-Redirect-By"] == "a/routes/prefix"


# CORS


def preflight(server, host, origin, method="PUT", headers=None):
    fields = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        fields["Access-Control-Request-Headers"] = headers
    return server.request("OPTIONS", "/up/x", fields, host=host)


def test_preflight_is_answered_not_redirected(server):
    r = preflight(server, "cors.example", "https://app.example", headers="x-token")
    assert r.status == 204 and r.location is None
    assert r["Access-Control-Allow-Origin"] == "https://app.example"
    assert "PUT" in r["Access-Control-Allow-Methods"]
    assert "x-token" in r["Access-Control-Allow-Headers"].lower()
    assert r["Access-Control-Allow-Credentials"] == "true"
    assert r["Access-Control-Max-Age"] == "600"
    assert "origin" in r["Vary"].lower()


def test_preflight_of_a_stranger_gets_no_permission(server):
    for origin in ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"]:
        r = preflight(server, "cors.example", origin)
        assert r["Access-Control-Allow-Origin"] is None, origin
        assert r.location is None


def test_redirect_carries_the_cors_fields(server):
    r = server.get("/up/x", {"Origin": "https://app.example"}, host="cors.example")
    assert r.status == 307
    assert r["Access-Control-Allow-Origin"] == "https://app.example"
    assert r["Access-Control-Expose-Headers"].lower() == "x-redirect-by"
    assert r["Access-Control-Allow-Credentials"] == "true"
    assert "origin" in r["Vary"].lower()
    r = server.get("/up/x", {"Origin": "https://evil.example"}, host="cors.example")
    assert r.status == 307 and r["Access-Control-Allow-Origin"] is None
    assert "origin" in r["Vary"].lower()


def test_any_origin(server):
    r = server.get("/up/x", {"Origin": "https://who.example"}, host="corsany.example")
    assert r["Access-Control-Allow-Origin"] == "*"
    assert preflight(server, "corsany.example", "https://who.example", "GET")["Access-Control-Allow-Origin"] == "*"


def test_options_without_origin_is_an_ordinary_request(server):
    assert server.request("OPTIONS", "/up/x", host="cors.example").status == 307


# HTTPS


def test_https_redirect(server):
    r = server.get("/up/a%2Fb?c", host="secure.example")
    assert (r.status, r.location) == (307, "https://secure.example/up/a%2Fb?c")
    r = server.post("/up/x", host="secure2.example")
    assert (r.status, r.location) == (308, "https://secure2.example:8443/up/x")
    assert "max-age" in r.directives
