# SPDX-License-Identifier: MIT
"""Asked by real proxies (Debian's packages), configured by the files of the manual: what reaches the
origin, what is redirected, and what happens when Detour is not there."""

import contextlib
import http.client
import http.server
import json
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from detourlib import BINARY, FOREVER, ROOT, Conn, environment, wait_until
from proxylib import EXAMPLES, HOST, Apache, Beside, Caddy, Haproxy, Nginx, Varnish

MAKES = {
    "nginx": (Nginx, "nginx.yaml"),
    "caddy": (Caddy, "caddy.yaml"),
    "haproxy": (Haproxy, "haproxy.yaml"),
    "apache": (Apache, "apache.yaml"),
    "varnish": (Varnish, "varnish.yaml"),
}
BROWSER = ("-H", "Accept: text/html,application/xhtml+xml,*/*;q=0.8")


@contextlib.contextmanager
def placed_beside(name, strict=False, make=None):
    kind, configuration = MAKES[name]
    if shutil.which(kind.program) is None:
        pytest.skip(f"{kind.program} is not installed")
    folder = Path(tempfile.mkdtemp(prefix=f"detour-{name}-"))
    folder.chmod(0o755)
    (folder / "detour").mkdir()
    it = Beside(folder, make or kind(), configuration, strict)
    try:
        yield it
    finally:
        print(it.log())
        it.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=MAKES)
def beside(request):
    with placed_beside(request.param) as it:
        it.start()
        yield it


@pytest.fixture
def body(tmp_path):
    path = tmp_path / "body"
    path.write_bytes(bytes(range(256)) * 40)
    return path


def test_nothing_to_do_is_not_noticed(beside, body):
    beside.reaches_origin("/cart?item=1&n=%20x")
    beside.reaches_origin("/cart?item=1", body=body)


def test_a_place_that_can_serve(beside, body):
    beside.tell("on", "move", "--path-prefix", "/api", "--to", "https://new.example{+path}", "--for", "1h", "--reason", "x")
    for sent in ({}, {"body": body}):
        status, fields, _ = beside.curl("/api/v1/a%20b?x=1", **sent)
        assert (status, fields["location"]) == (307, "https://new.example/api/v1/a%20b?x=1")
    beside.reaches_origin("/cart", body=body)
    beside.tell("off", "move")
    beside.reaches_origin("/api/v1/a%20b?x=1", body=body)


def test_a_page_for_people(beside, body):
    beside.tell("on", "upgrade", "--page", "upgrade", "--for", "1h", "--reason", "x")
    status, fields, _ = beside.curl("/cart?item=1", *BROWSER)
    assert status == 307
    assert fields["location"].startswith("/.well-known/detour/wait/")
    wait = fields["location"]
    status, fields, content = beside.curl(wait, *BROWSER)
    assert (status, fields["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"We are upgrading" in content
    status, fields, _ = beside.curl("/cart", body=body)
    assert status == 503
    assert int(fields["retry-after"]) > 0
    beside.tell("off", "upgrade")
    beside.reaches_origin("/cart", body=body)
    status, fields, _ = beside.curl(wait, *BROWSER)
    assert (status, fields["location"]) == (307, "/cart?item=1")


@pytest.mark.parametrize("beside", ["nginx", "caddy"], indirect=True)
def test_the_walk_of_the_manual(beside):
    """Word for word; the last answer is the site's own, and so is one before it all."""
    text = (ROOT / "doc" / "man" / f"detour-{beside.make.name}.7.scd").read_text()
    lines = text.split("# A WALK\n\n```\n")[1].split("```")[0].splitlines()
    places = {"detour": [str(BINARY)], "curl": ["curl", "-sS", "--connect-to", f"{HOST}:80:127.0.0.1:{beside.port}"]}
    said = []
    for line in [lines[-1], *lines]:
        words = shlex.split(line, comments=True)
        more = ["--config", str(beside.detour.file)] if words[0] == "detour" else []
        done = subprocess.run([*places[words[0]], *words[1:], *more], capture_output=True, text=True, env=environment())
        assert done.returncode == 0, (line, done.stderr)
        said.append(done.stdout)
    before, on, person, refused, off, after = said
    assert before.startswith("HTTP/1.1 200 ")
    assert '"length": 6' in before
    assert "upgrade is active" in on
    assert person.startswith("HTTP/1.1 307 ")
    assert re.search(r"^location: /\.well-known/detour/wait/", person, re.I | re.M)
    assert refused.startswith("HTTP/1.1 503 ")
    assert re.search(r"^retry-after: \d+", refused, re.I | re.M)
    assert "upgrade is off" in off
    assert after.splitlines()[-1] == before.splitlines()[-1]


def test_what_a_client_says_of_itself_is_not_believed(beside):
    """Each field that one of the forms is made of, sent by the client."""
    beside.tell("on", "move", "--path-prefix", "/api", "--to", "https://new.example{+path}", "--for", "1h", "--reason", "x")
    beside.tell("on", "some", "--path-prefix", "/inside", "--to", "https://inside.example/", "--for", "1h", "--reason", "x",
                "--bypass", "10.1.2.3")
    claims = ["X-Original-URL: http://shop.example.com/api/x", "X-Original-Method: DELETE", "X-Forwarded-Uri: /api/x",
              "X-Forwarded-Method: DELETE", "X-Forwarded-Host: other.example", "X-Forwarded-Proto: https",
              "X-Forwarded-For: 10.1.2.3", "Forwarded: for=10.1.2.3;host=other.example", "Detour-Asked: now"]
    try:
        for claim in claims:
            beside.reaches_origin("/cart", "-H", claim)
        for claim in claims:
            claim = claim.replace("/api/x", "/cart")
            assert beside.redirects("/api/x", "-H", claim) == "https://new.example/api/x", claim
            assert beside.redirects("/inside", "-H", claim) == "https://inside.example/", claim
    finally:
        beside.tell("off", "move")
        beside.tell("off", "some")


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    path = tmp_path_factory.mktemp("big") / "body"
    path.write_bytes(bytes(range(256)) * (50 * 1000 * 1000 // 256))
    return path


def test_50_megabytes(beside, big):
    """They reach the origin whole, and are redirected whole."""
    ways = [(), ("-H", "Transfer-Encoding: chunked")] + [("-H", "Expect:")] * (beside.make.name == "nginx")
    for options in ways:
        beside.reaches_origin("/upload", *options, body=big)
    beside.tell("on", "move", "--path-prefix", "/upload", "--to", "https://new.example{+path}", "--for", "1h", "--reason", "x")
    try:
        for options in ways:
            assert beside.redirects("/upload", *options, body=big) == "https://new.example/upload"
    finally:
        beside.tell("off", "move")
    assert "buffered to a temporary file" not in beside.log()  # nginx says so


def test_50_megabytes_of_a_client_that_reads_last(beside, big):
    """It has written everything before it looks for the answer, which is still there."""
    if beside.make.name in ("caddy", "haproxy"):
        pytest.skip("closes the connection while the client still sends; the manual says so")
    beside.tell("on", "move", "--path-prefix", "/upload", "--to", "https://new.example{+path}", "--for", "1h", "--reason", "x")
    try:
        content = big.read_bytes()
        with Conn(("127.0.0.1", beside.port)) as c:
            c.send(f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(content)}\r\n\r\n").send(content)
            answer = c.sock.recv(100)
            assert answer.startswith(b"HTTP/1.1 307 "), answer
    finally:
        beside.tell("off", "move")


def test_a_detour_that_ends_between_the_two_questions_of_nginx(body):
    """nginx has been told to have it answered by Detour, which has nothing to say any more."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with placed_beside("nginx") as it, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as decider:
        it.start_detour()
        it.decision = decider.server_address[1]
        threading.Thread(target=decider.serve_forever, args=(0.05,), daemon=True).start()
        it.make.start(it)
        wait_until(it.listens, what="nginx")
        assert it.redirects("/cart?item=1") == f"http://{HOST}/cart?item=1"
        assert it.redirects("/cart?item=1", body=body) == f"http://{HOST}/cart?item=1"
        decider.shutdown()


def test_head(beside):
    """The same fields without content, and the connection goes on where the proxy lets it."""
    beside.tell("on", "move", "--path-prefix", "/api", "--to", "https://new.example{+path}", "--for", "1h", "--reason", "x")
    try:
        connection = http.client.HTTPConnection("127.0.0.1", beside.port, timeout=FOREVER)
        for _ in range(3):
            connection.request("HEAD", "/api/x", headers={"Host": HOST})
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Location"), answer.read()) == (307, "https://new.example/api/x", b"")
            connection.request("GET", "/cart", headers={"Host": HOST})
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["path"]) == (200, "/cart")
        connection.close()
    finally:
        beside.tell("off", "move")


def test_a_request_without_host_goes_where_it_always_went(beside):
    with Conn(("127.0.0.1", beside.port)) as c:
        c.send("GET /old HTTP/1.0\r\n\r\n")
        assert b" 200 " in c.rest().split(b"\r\n")[0]
    with Conn(("127.0.0.1", beside.port)) as c:
        c.send("POST /old HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
        assert b" 200 " in c.rest().split(b"\r\n")[0]


def test_switching_under_traffic(beside, body):
    """Each request is answered by the site or by the detour, and none is lost."""
    content = body.read_bytes()
    seen, wrong, done = set(), [], threading.Event()

    def ask(method, sent):
        while not done.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", beside.port, timeout=FOREVER)
            connection.request(method, "/api/x", sent, {"Host": HOST})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            where = answer.getheader("Location")
            seen.add((method, answer.status))
            if (answer.status, where) not in ((200, None), (307, "https://new.example/api/x"), (307, f"http://{HOST}/api/x")):
                wrong.append((method, answer.status, where))

    threads = [threading.Thread(target=ask, args=args) for args in (("GET", None), ("POST", content), ("POST", content))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            beside.tell("on", "move", "--path-prefix", "/api", "--to", "https://new.example{+path}", "--for", "1h", "--reason", "x")
            beside.tell("off", "move")
        beside.tell("on", "move", "--path-prefix", "/api", "--to", "https://new.example{+path}", "--for", "1h", "--reason", "x")
        wait_until(lambda: len(seen) == 4, what="both answers to both methods")
    finally:
        done.set()
        for thread in threads:
            thread.join()
        beside.tell("off", "move")
    assert not wrong, wrong


def test_every_example_is_shown_in_the_manual():
    shown = {name for page in (ROOT / "doc" / "man").glob("*.7.scd") for name in re.findall(r"^@proxies/(.+)@$", page.read_text(), re.M)}
    assert shown == {path.name for path in EXAMPLES.iterdir()}


def test_traffic_flows_without_detour(beside, body):
    beside.tell("on", "move", "--path-prefix", "/api", "--to", "https://new.example{+path}", "--for", "1h", "--reason", "x")
    assert beside.redirects("/api/x")
    beside.detour.stop()
    beside.reaches_origin("/api/x")
    wait_until(lambda: beside.curl("/api/x", body=body)[0] == 200, what="the origin's answer to a POST")
    beside.reaches_origin("/api/x", body=body)
    beside.start_detour()
    wait_until(lambda: beside.redirects("/api/x") and beside.redirects("/api/x", body=body), what="redirects")
    beside.tell("off", "move")


@pytest.mark.parametrize("name", MAKES)
def test_traffic_stops_without_detour_where_that_is_wanted(name, body):
    with placed_beside(name, strict=True) as it:
        it.start(with_detour=False)
        assert it.curl("/api/x", body=body)[0] in (500, 502, 503)
        it.start_detour()
        wait_until(lambda: it.curl("/api/x")[0] == 200 == it.curl("/api/x", body=body)[0], what="answers of the origin")


def test_haproxy_gives_a_whole_site_to_detour(body):
    """The cheaper form: a health check says whether a detour is active."""
    with placed_beside("haproxy", make=Haproxy("haproxy-site.cfg")) as it:
        it.start()
        it.reaches_origin("/cart", body=body)
        it.tell("on", "upgrade", "--page", "upgrade", "--for", "1h", "--reason", "x")
        wait_until(lambda: it.redirects("/cart", *BROWSER), what="a redirect")
        assert it.curl("/cart", body=body)[0] == 503
        it.tell("off", "upgrade")
        for _ in range(20):  # from the first moment on, before HAProxy knows
            it.reaches_origin("/cart", *BROWSER)
            it.reaches_origin("/cart", body=body)
        it.tell("on", "upgrade", "--page", "upgrade", "--for", "1h", "--reason", "x")
        wait_until(lambda: it.redirects("/cart", *BROWSER), what="a redirect")
        it.detour.stop()
        wait_until(lambda: it.curl("/cart", *BROWSER)[0] == 200, what="an answer of the origin")
