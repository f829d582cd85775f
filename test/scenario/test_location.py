# SPDX-License-Identifier: MIT
"""Promise 4, Location: `{+x}` gives the bytes as they were sent, `{x}` encodes the value anew,
escapes survive, and a slash is neither doubled nor lost. No input turns it elsewhere or adds a
field."""

import re
import urllib.parse

import pytest
from detourlib import request_bytes

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
      - {name: bare, path: "/bare/*", to: "https://b.example/deep{+0}"}
      - {name: greedy, path: "/greedy/:x(.*)", to: "https://b.example/{+x}"}
      - {name: infragment, path: "/infragment/*", to: "https://b.example/{#0}"}
      - {name: port, path: "/port/*", to: "http://b.example:8080/{+0}"}
      - {name: six, path: "/six/*", to: "http://[2001:db8::1]:8080/{+0}"}
      - {name: prefix, path_prefix: /pre, to: "https://b.example{+path}"}
      - {name: region, path: "/region/:r/*", to: "https://{r}.b.example/{+0}", labels: {r: [eu, us]}}
      - {name: pool, path: "/pool/*", pool: keep}
      - {name: strip, path: "/strip/*", pool: strip}
      - {name: strip2, path_prefix: /strip2, pool: strip}
      - {name: strip3, path: "/strip3/*", pool: bare}
  - name: host
    hosts: [h.example, "*.h.example"]
    routes:
      - {name: sub, host: ":sub.h.example", path: "/*", to: "https://b.example/{sub}{+path}"}
      - {name: same, path: "/*", to: "https://h.example:8443{+path}"}
  - name: all
    hosts: ["*"]
    routes:
      - {name: any, path: "/*", to: "https://b.example{+path}"}
pools:
  keep: {balance: round-robin, servers: [{name: s, url: "https://b.example/base/"}]}
  strip: {balance: round-robin, path: strip, servers: [{name: s, url: "https://b.example/base"}]}
  bare: {balance: hash, path: strip, servers: [{name: s, url: "https://b.example"}]}
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
    assert server.get("/root").location == B
    assert server.get("/root?a=b").location == B + "?a=b"


def test_the_port_and_the_ip_literal_of_the_target(server):
    assert server.get("/port/x").location == "http://b.example:8080/x"
    assert server.get("/six/x").location == "http://[2001:db8::1]:8080/x"


def test_labels(server):
    assert server.get("/region/eu/x").location == "https://eu.b.example/x"
    assert server.get("/region/us/x").location == "https://us.b.example/x"


def test_a_doubled_slash_does_not_slip_past(server):
    for target in ["//pre/x", "/%70re/x", "/a/../pre/x", "/./pre/x", "/a/%2e%2E/pre/x"]:
        assert server.get(target).location == B + target


def test_dot_segments_cannot_leave_the_literal_prefix(server):
    for target in ["/slash1/../../x", "/slash1/%2e%2e/%2e%2e/x", "/slash2/a/../../x"]:
        assert server.get(target).status == 404, target


def test_groups_of_the_host(server):
    assert server.get("/x", host="eu.h.example").location == B + "/eu/x"
    assert server.get("/x", host="h.example").location == "https://h.example:8443/x"


def test_long_location_is_414_not_cut(server):
    """Each byte becomes three: more than a Location holds."""
    r = server.get("/coded/" + "+" * 8000)
    assert r.status == 414 and r.location is None
    assert server.get("/coded/x").location == B + "/x"


# Where a Location may lead, whatever is asked for

SHAPES = [
    "/plus/", "/codedrest/", "/path/", "/slash3/", "/slash5/", "/inquery/", "/keep?", "/infragment/", "/two/x/", "/bare/",
    "/greedy/", "/many/", "/port/", "/pre/", "/region/eu/", "/pool/", "/strip/", "/strip2/", "/strip3/",
]

EVIL = [
    "/evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\evil.example",
    "\\\\evil.example", "%2fevil.example", "%2f%2fevil.example", "%5cevil.example",
    "%5c%5cevil.example", "/%2fevil.example", "/%5cevil.example", "/.//evil.example",
    "/..//evil.example", "..//evil.example", "../../evil.example", "%2e%2e/%2e%2e/evil.example",
    "%2e%2e%2f%2e%2e%2fevil.example", "@evil.example", "a@evil.example", "a:b@evil.example",
    "%40evil.example", ":80@evil.example", ":1234", ".evil.example", "evil.example",
    "https://evil.example/", "https:evil.example", "http://evil.example", "javascript:alert(1)",
    "data:text/html,x", "?@evil.example", "%3f@evil.example", "%23@evil.example", ";@evil.example",
    "\xe3\x80\x82evil.example", "%e3%80%82evil.example", "b.example\xe3\x80\x82evil",
    "b\xc3\xbccher.example", "%ef%bc%8f%ef%bc%8fevil.example", "%c0%afevil.example",
    "%0d%0aLocation:%20https://evil.example", "%0d%0aSet-Cookie:%20a=b", "%0aSet-Cookie:a=b",
    "%0dSet-Cookie:a=b", "%e5%98%8d%e5%98%8aSet-Cookie:a=b", "%00", "%00evil.example", "%09evil.example",
    "%20evil.example", "%7f", "%1b[31m", "%", "%%", "%2", "%zz", "%u002fevil", "%252f%252fevil.example",
    "%250d%250aSet-Cookie:a=b", "a\"b", "a'b", "a<b>c", "a`b", "a{b}c", "a|b", "a^b", "[::1]", "[evil",
    "\xff\xfe", "\xc0\xaf", "\x80", "a/../../../evil", "a/%2e%2e/%2e./evil", "..", ".", "%2e", "../",
]

AUTHORITIES = [
    ("https", "b.example"), ("https", "eu.b.example"), ("https", "us.b.example"), ("http", "b.example:8080"),
]
BYTES = re.compile(r"[!#$%&'()*+,/:;=?@\[\]A-Za-z0-9._~-]*")


def check_location(location):
    """As a stranger reads it: Python's and a browser's idea of where it leads."""
    assert BYTES.fullmatch(location), location
    assert "\\" not in location
    assert re.match(r"https?://([a-z0-9.-]+(?::[0-9]+)?)(?=[/?#]|$)", location), location
    parts = urllib.parse.urlsplit(location)
    assert (parts.scheme, parts.netloc) in AUTHORITIES, location
    for escape in re.findall("%(..?)?", location):
        assert re.fullmatch("[0-9A-Fa-f]{2}", escape), location


@pytest.mark.parametrize("shape", SHAPES)
def test_it_leads_where_it_was_declared(server, shape):
    led = 0
    with server.connect() as c:
        for evil in EVIL:
            r = c.send(request_bytes("GET", shape + evil)).response()
            assert r["Set-Cookie"] is None, (evil, r)
            if r.status == 307:
                check_location(r.location)
                led += 1
            else:
                assert r.status in (400, 404) and r.location is None, (evil, r)
            if r.closes:
                c.assert_closed()
                c.__init__(server.address)
    assert led > 20, "nearly all were refused"


@pytest.mark.parametrize("shape", ["/path/x?", "/keep?", "/pre/x?", "/pool/x?", "/inquery/x?"])
def test_the_query_cannot_leave_the_query(server, shape):
    for evil in EVIL:
        r = server.get(shape + evil)
        if r.status == 307:
            check_location(r.location)
        else:
            assert r.status == 400, (shape + evil, r)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "b.example", "a.example.evil.example", "evil.example:99", "127.0.0.1", "[::1]",
     "xn--evil", "EVIL.example."],
)
def test_the_host_does_not_choose_it(server, host):
    assert server.get("/some/path", host=host).location == B + "/some/path"


@pytest.mark.parametrize("region", ["evil", "eu.evil", "eu%2eevil", "EU", "eu%00", "%65u", "-", ""])
def test_a_label_comes_from_its_list_or_not_at_all(server, region):
    assert server.get(f"/region/{region}/x").status == (400 if region == "%65u" else 404)


def test_escaped_control_bytes_stay_escaped(server):
    for byte in [*range(0x20), 0x7F]:
        for shape in ["/path/", "/plus/", "/codedrest/", "/greedy/", "/inquery/", "/infragment/", "/pool/", "/keep?"]:
            r = server.get(f"{shape}a%{byte:02x}b")
            if r.status == 307:
                check_location(r.location)
                assert f"%{byte:02X}" in r.location.upper()
