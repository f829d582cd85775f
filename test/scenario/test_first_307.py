# SPDX-License-Identifier: MIT
"""Promise 1: the method and the body survive, for the three cases of the README (a
maintenance detour, a balanced pool, an ordinary route) and with clients of other makes."""

import http.client
import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from detourlib import ROOT, Target, run

CONFIG = """
sites:
  - name: shop
    hosts: [127.0.0.1, a.example]
    routes:
      - {name: api, path: "/api/v1/*", to: "$TARGET/v1/{+0}"}
      - {name: files, path: "/downloads/*", pool: mirrors}
      - {name: old, path_prefix: /old, to: "$TARGET/new{+path}", status: 308, max_age: 1h}
pools:
  mirrors:
    balance: round-robin
    servers:
      - {name: one, url: "$TARGET/one"}
      - {name: two, url: "$TARGET/two"}
detours:
  - {name: move, site: shop, path_prefix: /move, to: "$TARGET/elsewhere{+path}", until: off, reason: moving house, owner: ops}
  - {name: upgrade, site: shop, path_prefix: /checkout, page: "$TARGET/sorry", until: "2099-01-01T00:00:00Z", reason: database upgrade}
"""

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def place():
    t = Target()
    yield t
    t.close()


@pytest.fixture(scope="module")
def server(shared_detour, place):
    return shared_detour(CONFIG, TARGET=place.url)


def test_route_post_307(server, place):
    r = server.post("/api/v1/users?x=1")
    assert (r.status, r.location) == (307, f"{place.url}/v1/users?x=1")
    assert r["Cache-Control"] is None


def test_pool_post_307(server, place):
    seen = {server.post("/downloads/a.iso").location for _ in range(20)}
    assert seen == {f"{place.url}/one/downloads/a.iso", f"{place.url}/two/downloads/a.iso"}


def test_detour_to_takes_every_method(server, place):
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"]:
        r = server.request(method, "/move/x?y=z", body=None if method == "GET" else b"x")
        assert (r.status, r.location) == (307, f"{place.url}/elsewhere/move/x?y=z")


def test_detour_page_people_are_sent_to_the_page_without_the_query(server, place):
    for method in ["GET", "HEAD"]:
        r = server.request(method, "/checkout/pay?card=1234", BROWSER)
        assert (r.status, r.location) == (307, f"{place.url}/sorry")


def test_detour_page_post_is_503_not_swallowed(server):
    r = server.post("/checkout/pay")
    assert r.status == 503
    assert int(r["Retry-After"]) > 0
    assert r["Content-Type"].startswith("application/problem+json")
    problem = json.loads(r.body)
    assert problem["status"] == 503
    assert r.location is None


def test_detour_page_program_is_503(server):
    for accept in [{}, {"Accept": "*/*"}, {"Accept": "application/json"}]:
        r = server.get("/checkout/pay", accept)
        assert r.status == 503, accept
        assert r["Content-Type"].startswith("application/problem+json")


def test_detour_page_form_post_of_a_browser_is_503_in_html(server):
    r = server.post(
        "/checkout/pay", {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}, b"a=b"
    )
    assert r.status == 503
    assert r["Content-Type"].startswith("text/html")
    assert b"<" in r.body and r["Retry-After"]


def test_curl_shows_it(server, place):
    out = subprocess.run(
        ["curl", "-si", "-X", "POST", "-d", "x", f"http://127.0.0.1:{server.port}/api/v1/orders"],
        stdout=subprocess.PIPE,
        timeout=20,
    ).stdout
    assert out.startswith(b"HTTP/1.1 307 Temporary Redirect\r\n")
    assert f"\r\nLocation: {place.url}/v1/orders\r\n".encode() in out


PATHS = [
    ("/api/v1/orders", "/v1/orders"),
    ("/move/orders", "/elsewhere/move/orders"),
    ("/old/orders", "/new/old/orders"),
]
BODY = b"quantity=3&what=t\xc3\xa9a" * 1000


@pytest.mark.parametrize("path, arrives", PATHS)
def test_curl_follows_with_method_and_body(server, place, path, arrives):
    place.seen.clear()
    done = subprocess.run(
        ["curl", "-sS", "-L", "--data-binary", "@-", f"http://127.0.0.1:{server.port}{path}"],
        input=BODY,
        stdout=subprocess.PIPE,
        timeout=20,
    )
    assert done.returncode == 0
    assert [s[:3] for s in place.seen] == [("POST", arrives, BODY)]


@pytest.mark.parametrize("options", [["-T", "-"], ["-T", "-", "-H", "Expect: 100-continue"]])
def test_curl_put_is_told_at_once(server, place, options):
    """A PUT from a pipe cannot be sent again, but the answer must be read."""
    done = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", *options,
         f"http://127.0.0.1:{server.port}/api/v1/f"],
        input=BODY * 20,
        stdout=subprocess.PIPE,
        timeout=20,
    )
    assert done.stdout.decode() == f"307 {place.url}/v1/f"


@pytest.mark.skipif(not shutil.which("node"), reason="no node")
@pytest.mark.parametrize("path, arrives", PATHS)
def test_node_fetch_follows_with_method_and_body(server, place, path, arrives):
    place.seen.clear()
    code = """
        fetch(process.argv[1], {method: 'POST', body: 'hello '.repeat(2000)})
          .then(async r => console.log(r.status, r.redirected, r.url, await r.text()))
          .catch(e => { console.error(e); process.exit(1); });
    """
    done = subprocess.run(
        ["node", "-e", code, f"http://127.0.0.1:{server.port}{path}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
    )
    if b"fetch is not defined" in done.stderr:
        pytest.skip("this node has no fetch")
    assert done.returncode == 0, done.stderr
    assert [s[:3] for s in place.seen] == [("POST", arrives, b"hello " * 2000)]
    assert done.stdout.startswith(f"200 true {place.url}{arrives}".encode())


@pytest.mark.parametrize("path, arrives", PATHS)
def test_python_follows_with_method_and_body(server, place, path, arrives):
    place.seen.clear()
    url, method, hops = f"http://127.0.0.1:{server.port}{path}", "POST", 0
    while True:
        parts = urllib.parse.urlsplit(url)
        c = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        c.request(method, parts.path, BODY, {"Content-Type": "text/plain"})
        r = c.getresponse()
        r.read()
        c.close()
        if r.status not in (307, 308):
            break
        url, hops = urllib.parse.urljoin(url, r.getheader("Location")), hops + 1
        assert hops < 5
    assert (r.status, hops) == (200, 1)
    assert [s[:3] for s in place.seen] == [("POST", arrives, BODY)]


def test_urllib_follows_a_get(server, place):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/old/x?q=1", timeout=20) as r:
        assert r.url == f"{place.url}/new/old/x?q=1"


def test_http_client_reuses_the_connection(server):
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    c.request("POST", "/api/v1/a", b"x" * 100000)
    assert c.getresponse().read() is not None
    first = c.sock
    c.request("GET", "/api/v1/b")
    r = c.getresponse()
    r.read()
    assert r.status == 307 and c.sock is first
    c.close()


EXAMPLE = ROOT / "examples" / "detour.yaml"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="no example")
def test_the_example_is_clean():
    done = run("check", "-c", EXAMPLE)
    assert done.returncode == 0, done.stderr
