# SPDX-License-Identifier: MIT
"""Location: `{+x}` gives the bytes as they were sent, `{x}` encodes the value anew, escapes
survive, and a slash is neither doubled nor lost."""

import pytest

CONFIG = r"""
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: plus, path: "/plus/*", to: "https://b.example/{+0}"}
      - {name: coded, path: "/coded/:x", to: "https://b.example/{x}"}
      - {name: codedrest, path: "/codedrest/*", to: "https://b.example/{0}"}
      - {name: path, path: "/path/*", to: "https://b.example{+path}"}
      - {name: slash1, path: "/slash1/*", to: "https://b.example/deep/{+0}"}
      - {name: slash2, path: "/slash2{/*}?", to: "https://b.example/deep/{+0}"}
      - {name: slash3, path: "/slash3/*", to: "https://b.example/deep{+path}"}
      - {name: slash4, path: "/slash4/*", to: "https://b.example/deep/{+path}"}
      - {name: slash5, path: "/slash5/*", to: "https://b.example/deep/{+0}/end"}
      - {name: host, path: /host, to: "https://b.example/?h={host}&s={scheme}&m={method}&p={port}"}
      - {name: query, path: /query, to: "https://b.example/q?was={query}", query: drop}
      - {name: queryplus, path: /queryplus, to: "https://b.example/q?{+query}"}
      - {name: qpath, path: "/inquery/*", to: "https://b.example/q?x={0}&y={+0}", query: drop}
      - {name: keep, path: /keep, to: "https://b.example/k"}
      - {name: keep2, path: /keep2, to: "https://b.example/k", query: keep}
      - {name: drop, path: /drop, to: "https://b.example/k", query: drop}
      - {name: own, path: /own, to: "https://b.example/k?own=1"}
      - {name: fragment, path: /fragment, to: "https://b.example/k#part"}
      - {name: two, path: "/two/:a/:b", to: "https://b.example/{b}/{+a}{?a,b}"}
      - {name: regex, path: "/v:n(\\d+)/*", to: "https://b.example/{n}/{+0}"}
      - {name: optional, path: "/shop{/:lang(de|fr)}?/cart", to: "https://b.example/{lang}cart"}
      - {name: many, path: "/many/:x+", to: "https://b.example/{+x}"}
      - {name: root, path: /root, to: "https://b.example"}
      - {name: port, path: "/port/*", to: "http://b.example:8080/{+0}"}
      - {name: six, path: "/six/*", to: "http://[2001:db8::1]:8080/{+0}"}
      - {name: prefix, path_prefix: /pre, to: "https://b.example{+path}"}
      - {name: region, path: "/region/:r/*", to: "https://{r}.b.example/{+0}", labels: {r: [eu, us]}}
      - {name: pool, path: "/pool/*", pool: keep}
      - {name: strip, path: "/strip/*", pool: strip}
      - {name: strip2, path_prefix: /strip2, pool: strip}
  - name: host
    hosts: [h.example, "*.h.example"]
    routes:
      - {name: sub, host: ":sub.h.example", path: "/*", to: "https://b.example/{sub}{+path}"}
      - {name: same, path: "/*", to: "https://h.example:8443{+path}"}
pools:
  keep: {balance: round-robin, servers: [{name: s, url: "https://b.example/base/"}]}
  strip: {balance: round-robin, path: strip, servers: [{name: s, url: "https://b.example/base"}]}
"""


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG)


B = "https://b.example"

CASES = [
    # {+x}: as sent
    ("/plus/a%2Fb", "/a%2Fb"),
    ("/plus/a%2fb", "/a%2fb"),
    ("/plus/a%3Fb", "/a%3Fb"),
    ("/plus/a+b", "/a+b"),
    ("/plus/a%25b", "/a%25b"),
    ("/plus/a%20b", "/a%20b"),
    ("/plus/a/b/c/", "/a/b/c/"),
    ("/plus/a;b=c,d", "/a;b=c,d"),
    ("/plus/a:b@c", "/a:b@c"),
    ("/plus/!$&'()*", "/!$&'()*"),
    ("/plus/%e4%BD%a0", "/%e4%BD%a0"),
    ("/plus/100%", "/100%25"),
    ("/plus/%zz", "/%25zz"),
    ("/plus/\xe4", "/%E4"),
    ("/plus/%61", "/%61"),
    # {x}: decoded once, encoded anew
    ("/coded/a%2Fb", "/a%2Fb"),
    ("/coded/a%2fb", "/a%2Fb"),
    ("/coded/a+b", "/a%2Bb"),
    ("/coded/a%25b", "/a%25b"),
    ("/coded/a%20b", "/a%20b"),
    ("/coded/a%3Fb", "/a%3Fb"),
    ("/coded/%61", "/a"),
    ("/coded/100%", "/100%25"),
    ("/coded/a:b@c", "/a%3Ab%40c"),
    ("/codedrest/a/b", "/a%2Fb"),
    # {+path}
    ("/path/a%2Fb?c=d%2Fe", "/path/a%2Fb?c=d%2Fe"),
    ("/path/", "/path/"),
    # Slashes
    ("/slash1/x", "/deep/x"),
    ("/slash1/", "/deep/"),
    ("/slash2", "/deep/"),
    ("/slash2/", "/deep/"),
    ("/slash2/x/", "/deep/x/"),
    ("/slash3/x", "/deep/slash3/x"),
    ("/slash4/x", "/deep/slash4/x"),
    ("/slash5/x", "/deep/x/end"),
    ("/slash5/x/", "/deep/x/end"),
    # Built-in names
    ("/host", "/?h=a.example&s=http&m=GET&p=80"),
    ("/query?a=b&c=d", "/q?was=a%3Db%26c%3Dd"),
    ("/queryplus?a=b&c=d%2Fe", "/q?a=b&c=d%2Fe"),
    # The query: kept, dropped, or the template's own
    ("/keep?a=b", "/k?a=b"),
    ("/keep", "/k"),
    ("/keep?", "/k?"),
    ("/keep?a=%2F+%20%25&&=", "/k?a=%2F+%20%25&&="),
    ("/keep?a?b/c", "/k?a?b/c"),
    ("/keep?100%", "/k?100%25"),
    ("/keep2?a=b", "/k?a=b"),
    ("/drop?a=b", "/k"),
    ("/own?a=b", "/k?own=1"),
    ("/own", "/k?own=1"),
    ("/fragment?a=b", "/k?a=b#part"),
    ("/inquery/a%2Fb+c/d%26e?z", "/q?x=a%2Fb%2Bc%2Fd%26e&y=a%2Fb+c/d%26e"),
    # Groups
    ("/two/x%2Fy/z", "/z/x%2Fy?a=x%2Fy&b=z"),
    ("/v12/rest/of", "/12/rest/of"),
    ("/shop/cart", "/cart"),
    ("/shop/de/cart", "/decart"),
    ("/many/a/b/c", "/a/b/c"),
    ("/pre/x?y", "/pre/x?y"),
    ("/pre", "/pre"),
    # Pools: the path appended to the server's URL, or what is left of it
    ("/pool/a%2Fb/?c", "/base/pool/a%2Fb/?c"),
    ("/strip/a/b?c", "/base/a/b?c"),
    ("/strip2/a?c", "/base/a?c"),
]


@pytest.mark.parametrize("target, path", CASES)
def test_location(server, target, path):
    r = server.get(target)
    assert r.status == 307
    assert r.location == B + path


def test_template_without_a_path(server):
    assert server.get("/root").location in (B, B + "/")
    assert server.get("/root?a=b").location in (B + "?a=b", B + "/?a=b")


def test_the_port_and_the_ip_literal_of_the_target(server):
    assert server.get("/port/x").location == "http://b.example:8080/x"
    assert server.get("/six/x").location == "http://[2001:db8::1]:8080/x"


def test_labels(server):
    assert server.get("/region/eu/x").location == "https://eu.b.example/x"
    r = server.get("/region/evil/x")
    assert r.location is None and r.status in (400, 404)


def test_a_doubled_slash_does_not_slip_past(server):
    for target in ["//pre/x", "/%70re/x", "/a/../pre/x", "/./pre/x", "/a/%2e%2E/pre/x"]:
        r = server.get(target)
        assert r.status == 307, target
        assert r.location.startswith("https://b.example/"), r


def test_dot_segments_cannot_leave_the_literal_prefix(server):
    for target in ["/slash1/../../x", "/slash1/%2e%2e/%2e%2e/x", "/slash2/a/../../x"]:
        r = server.get(target)
        assert r.location is None or "/../" not in r.location, (target, r)
        assert r.location is None or r.location.startswith(B + "/"), (target, r)


def test_groups_of_the_host(server):
    assert server.get("/x", host="eu.h.example").location == B + "/eu/x"
    assert server.get("/x", host="h.example").location == "https://h.example:8443/x"


def test_long_location_is_414_not_cut(server):
    """Each byte becomes three: more than a Location holds."""
    r = server.get("/coded/" + "+" * 8000)
    assert r.status == 414 and r.location is None
    assert server.get("/coded/x").location == B + "/x"
