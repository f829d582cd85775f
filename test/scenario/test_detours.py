# SPDX-License-Identifier: MIT
"""Promise 2: a detour begins and ends by the clock, lets those through who may pass, and
everybody comes back by itself."""

import time
import zoneinfo
from datetime import datetime

import pytest
from detourlib import SLACK, Probe, rfc3339, wait_until

CONFIG = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
  - name: other
    hosts: [other.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/other/{+0}"}
detours:
  - {name: wide, site: a, to: "https://m.example/wide{+path}", until: off, reason: all of it, bypass: {cookie: wide=off}, except: ["/health", "/assets/*"]}
  - {name: shop, site: a, path_prefix: /shop, to: "https://m.example/shop", until: off, reason: a part, owner: ops}
  - {name: cart, site: a, path_prefix: /shop/cart, to: "https://m.example/cart", until: off, reason: a part of it}
  - {name: exact, site: a, path: /shop/cart/pay, to: "https://m.example/pay", until: off, reason: one place, bypass: {clients: [127.0.0.7/32], cookie: ops=letmein}}
  - {name: past, site: other, to: "https://m.example/past", from: "2020-01-01T00:00:00Z", until: "2020-01-02T00:00:00Z", reason: long over}
  - {name: future, site: other, to: "https://m.example/future", from: "2098-01-01T00:00:00Z", until: "2099-01-01T00:00:00Z", reason: far away}
"""

CONFIG_WINDOW = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
detours:
  - {name: window, site: a, path_prefix: /w, to: "https://m.example/", from: "$FROM", until: "$UNTIL", reason: a window}
  - {name: zoned, site: a, path_prefix: /z, page: "https://m.example/page", from: "$LOCALFROM", until: "$LOCALUNTIL", reason: in local time}
"""


@pytest.fixture(scope="module")
def server(shared_detour):
    return shared_detour(CONFIG)


def where(server, target, headers=None, **kwargs):
    return server.get(target, headers, **kwargs).location


def test_the_whole_site(server):
    assert where(server, "/") == "https://m.example/wide/"
    assert where(server, "/x/y?z") == "https://m.example/wide/x/y?z"


def test_most_specific_wins(server):
    assert where(server, "/shop/x") == "https://m.example/shop"
    assert where(server, "/shop/cart") == "https://m.example/cart"
    assert where(server, "/shop/cart/pay") == "https://m.example/pay"
    assert where(server, "/shopping") == "https://m.example/wide/shopping"


def test_except(server):
    assert where(server, "/health") == "https://b.example/health"
    assert where(server, "/assets/a.css") == "https://b.example/assets/a.css"
    assert where(server, "/healthy") == "https://m.example/wide/healthy"


def test_bypass_by_cookie_or_address(server):
    assert "m.example" in where(server, "/shop/cart/pay")
    for headers, source in [({"Cookie": "a=b; ops=letmein"}, None), ({}, "127.0.0.7")]:
        assert where(server, "/shop/cart/pay", headers, source=source) != "https://m.example/pay"
    for cookie in ["ops=letmeinn", "ops=letme", "xops=letmein", "ops"]:
        assert where(server, "/shop/cart/pay", {"Cookie": cookie}) == "https://m.example/pay"
    assert where(server, "/x", {"Cookie": "wide=off"}) == "https://b.example/x"


def test_acme_challenge_is_exempt(server):
    path = "/.well-known/acme-challenge/token"
    assert where(server, path) == "https://b.example" + path


def test_other_sites_and_other_times_are_left_alone(server):
    assert where(server, "/x", host="other.example") == "https://b.example/other/x"


def test_a_detour_is_not_stored(server):
    assert server.get("/x")["Cache-Control"] is None


def test_spellings_do_not_slip_past(server):
    for target in ["//shop/x", "/%73hop/x", "/./shop/x", "/a/../shop/x", "/SHOP/../shop/x", "\\shop/x"]:
        if target.startswith("/"):
            assert where(server, target) == "https://m.example/shop", target


def test_a_window_opens_and_closes_by_the_clock(detour):
    """Ours and a zone's local time; the edges are right within a second."""
    now = time.time()
    begin, end = int(now) + 3, int(now) + 6
    zone = zoneinfo.ZoneInfo("Pacific/Auckland")

    def local(t):
        return datetime.fromtimestamp(t, zone).strftime("%Y-%m-%dT%H:%M:%S") + " Pacific/Auckland"

    server = detour(
        CONFIG_WINDOW, FROM=rfc3339(begin), UNTIL=rfc3339(end), LOCALFROM=local(begin), LOCALUNTIL=local(end)
    )

    def seen(target):
        r = server.get(target)
        return r.location or r.status

    if time.time() < begin:
        before = seen("/w"), seen("/z")
        if time.time() < begin:
            assert before == ("https://b.example/w", "https://b.example/z")
    with Probe(server, "/w", status=307) as probe:
        wait_until(lambda: seen("/w") == "https://m.example/", what="the opening")
        assert begin - 0.01 <= time.time() <= begin + 1 * SLACK
        wait_until(lambda: seen("/z") == 503, what="the opening in local time")
        retry = server.get("/z")["Retry-After"]
        assert retry is None or 0 <= int(retry) <= 4 + 4  # jittered
        wait_until(lambda: seen("/w") == "https://b.example/w", what="the closing")
        assert end - 0.01 <= time.time() <= end + 1 * SLACK
        wait_until(lambda: seen("/z") == "https://b.example/z", what="the closing in local time")
    probe.assert_healthy()
