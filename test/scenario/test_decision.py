# SPDX-License-Identifier: MIT
"""A listener that a proxy asks about other requests: each proxy's own words, who may ask, what no
client can change, and what hostile questions get."""

import json
import subprocess

import pytest
from detourlib import FOREVER, Closed, Conn, free_port, request_bytes, wait_until

CONFIG = """
listen:
  - "http://127.0.0.1:$PORT"
  - {address: "http://127.0.0.1:$FORWARDED", answer: decision, original: X-Forwarded-Uri}
  - {address: "http://127.0.0.1:$URL", answer: decision, original: X-Original-URL, detour_status: 401}
  - {address: "http://127.0.0.1:$PREFIX", answer: decision, original: path, pass_status: 200}
  - {address: "http://127.0.0.1:$EITHER", answer: decision, pass_status: 418}
trusted_proxies: [127.0.0.1/32]
forwarded_header: X-Forwarded-For
sites:
  - name: shop
    hosts: [shop.example]
    cors: {origins: ["https://www.example"]}
    default: pass
    routes:
      - {path: "/moved/*", to: "https://new.example/{+0}", methods: [GET, POST]}
      - {path: /who, clients: [192.0.2.0/24], to: "https://new.example/inside"}
      - {path: /scheme, to: "https://new.example/{scheme}/{host}/{port}"}
      - {path: /gone, respond: {status: 410}}
      - {path: /cookie, cookies: {team: a}, to: "https://new.example/a"}
  - name: silent
    hosts: [silent.example]
  - name: lives
    hosts: [lives.example]
    default: {origin: "http://127.0.0.1:9"}
    routes:
      - {path: /app, origin: "http://127.0.0.1:9"}
      - {path: /a, to: "https://new.example/a"}
  - name: strict
    hosts: [strict.example]
    default: {status: 404}
pages:
  wait: {title: Back soon}
detours:
  - {name: checkout, site: shop, path_prefix: /checkout, except: [/checkout/health], page: wait, until: off, reason: x}
  - {name: all, site: silent, path: "/*", to: "https://new.example{+path}", until: off, reason: x}
"""
PORTS = ("FORWARDED", "URL", "PREFIX", "EITHER")


class Asker:
    def __init__(self, server):
        self.server = server

    def ask(self, listener, head, body=b"", source="127.0.0.1"):
        """head: the lines of a question, as a proxy sends them."""
        with self.connect(listener, source) as c:
            c.send("\r\n".join(head) + "\r\n\r\n").send(body)
            return c.response()

    def connect(self, listener, source="127.0.0.1"):
        self.server.port, port = self.server.values[listener], self.server.port
        try:
            return self.server.connect(source=source)
        finally:
            self.server.port = port

    def forwarded(self, method, uri, *more, host="shop.example", source="127.0.0.1", listener="FORWARDED"):
        return self.ask(listener, ["GET /decide HTTP/1.1", "Host: detour", f"X-Forwarded-Method: {method}", "X-Forwarded-Proto: https",
                                   f"X-Forwarded-Host: {host}", f"X-Forwarded-Uri: {uri}", "X-Forwarded-For: 198.51.100.1", *more],
                        source=source)

    def url(self, method, url, *more, listener="URL"):
        return self.ask(listener, ["GET / HTTP/1.1", "Host: detour", f"X-Original-Method: {method}", f"X-Original-URL: {url}",
                                   "X-Forwarded-For: 198.51.100.1", *more])

    def prefix(self, method, path, *more, host="shop.example"):
        return self.ask("PREFIX", [f"{method} /.well-known/detour/decide{path} HTTP/1.1", f"Host: {host}", "x-forwarded-proto: https",
                                   "x-forwarded-for: 198.51.100.1", *more])


@pytest.fixture(scope="module")
def asker(shared_detour):
    return Asker(shared_detour(CONFIG, log=True, **{name: free_port() for name in PORTS}))


def test_the_words_of_traefik(asker):
    """forwardAuth, as it sends them."""
    head = ["GET /decide HTTP/1.1", "Host: 127.0.0.1:8309", "User-Agent: curl/7.88.1", "Accept: */*", "Accept-Encoding: gzip",
            "X-Forwarded-For: 198.51.100.1", "X-Forwarded-Host: shop.example", "X-Forwarded-Method: %s", "X-Forwarded-Port: 443",
            "X-Forwarded-Proto: https", "X-Forwarded-Server: traefik-1", "X-Forwarded-Uri: %s", "X-Real-Ip: 198.51.100.1"]

    def asked(method, uri):
        text = "\n".join(head) % (method, uri)
        return asker.ask("FORWARDED", text.split("\n"))

    assert asked("GET", "/cart?a=b").status == 204
    for method in "GET", "POST":
        answer = asked(method, "/moved/a%20b?c=d")
        assert (answer.status, answer.location) == (307, "https://new.example/a%20b?c=d")
    answer = asked("POST", "/checkout")
    assert answer.status == 503
    assert int(answer["Retry-After"]) > 0
    assert asked("PUT", "/moved/a").status == 204
    assert asked("GET", "/gone").status == 410


def test_the_words_of_envoy(asker):
    """ext_authz over HTTP, with a path prefix: the original's method and host, and Content-Length: 0."""
    more = ["content-length: 0", "x-request-id: 5f1", "x-envoy-internal: true"]
    assert asker.prefix("GET", "/cart?a=b", *more).status == 200
    for method in "GET", "POST":
        answer = asker.prefix(method, "/moved/a?c=d", *more)
        assert (answer.status, answer.location, answer.closes) == (307, "https://new.example/a?c=d", False)
    assert asker.prefix("POST", "/checkout", *more).status == 503
    assert asker.prefix("GET", "/scheme").location == "https://new.example/https/shop.example/443"


def test_the_words_of_a_gateway(asker):
    """External authorization over HTTP: path, method, host and Authorization, and allowed fields."""
    head = ["POST /.well-known/detour/decide/moved/a HTTP/1.1", "Host: shop.example", "Content-Length: 0", "Authorization: Bearer x",
            "X-Forwarded-For: 198.51.100.1"]
    assert asker.ask("PREFIX", head).location == "https://new.example/a"
    assert asker.ask("PREFIX", [head[0].replace("moved", "other"), *head[1:]]).status == 200


def test_nothing_to_do(asker):
    """Whatever the reason, the status is the one that was asked for, without content."""
    for answer, status in [(asker.forwarded("GET", "/x"), 204), (asker.url("GET", "http://shop.example/x"), 204),
                           (asker.prefix("GET", "/x"), 200), (asker.url("GET", "/x", "X-Forwarded-Host: shop.example", listener="EITHER"), 418)]:
        assert (answer.status, answer.body, answer["Cache-Control"]) == (status, b"", "no-store")
    assert asker.forwarded("GET", "/x", host="unknown.example").status == 204
    assert asker.forwarded("OPTIONS", "*").status == 204
    assert asker.forwarded("GET", "/.well-known/detour/wait/abc").status == 204
    assert asker.forwarded("GET", "/checkout/health").status == 204
    # Where an origin is declared, the proxy goes there by itself.
    for path, status in ("/x", 204), ("/app", 204), ("/a", 307):
        assert asker.forwarded("POST", path, host="lives.example").status == status
    # A default that somebody has written is meant.
    assert asker.forwarded("GET", "/x", host="strict.example").status == 404


def test_a_preflight_follows_the_request_that_it_announces(asker):
    more = ["Origin: https://www.example", "Access-Control-Request-Method: POST"]
    assert asker.url("OPTIONS", "http://shop.example/cart", *more).status == 204
    answer = asker.url("OPTIONS", "http://shop.example/moved/a", *more)
    assert (answer.status, answer["Detour-Status"], answer["Access-Control-Allow-Origin"]) == (401, "204", "https://www.example")


def test_one_status_for_all_that_is_detoured(asker):
    answer = asker.url("GET", "http://shop.example/moved/a")
    assert (answer.status, answer["Detour-Status"], answer.location, answer.body) == (401, "307", "https://new.example/a", b"")
    answer = asker.url("POST", "http://shop.example/checkout")
    assert (answer.status, answer["Detour-Status"], answer.body) == (401, "503", b"")
    assert int(answer["Retry-After"]) > 0
    # What the proxy does wrong is said as it is.
    assert asker.ask("URL", ["GET / HTTP/1.1", "Host: shop.example"]).status == 400


def test_who_the_client_is(asker):
    assert asker.forwarded("GET", "/who").status == 204
    head = ["GET / HTTP/1.1", "Host: detour", "X-Original-Method: GET", "X-Original-URL: http://shop.example/who"]
    assert asker.ask("URL", [*head, "X-Forwarded-For: 198.51.100.1, 192.0.2.7"]).location == "https://new.example/inside"
    assert asker.ask("URL", [*head, "X-Forwarded-For: 192.0.2.7, 198.51.100.1"]).status == 204
    assert asker.ask("URL", [*head, "X-Forwarded-For: 198.51.100.1", "Forwarded: for=192.0.2.7"]).status == 204


def test_cookies_of_the_original(asker):
    assert asker.forwarded("GET", "/cookie").status == 204
    assert asker.forwarded("GET", "/cookie", "Cookie: x=y; team=a").status == 307


def test_only_trusted_proxies_are_answered(asker):
    for listener in PORTS:
        head = ["GET /.well-known/detour/decide/moved/a HTTP/1.1", "Host: shop.example", "X-Forwarded-Method: GET", "X-Forwarded-Uri: /moved/a",
                "X-Original-Method: GET", "X-Original-URL: /moved/a", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: shop.example"]
        answer = asker.ask(listener, head, source="127.0.0.2")
        assert (answer.status, answer.location) == (403, None)
        head[0] = "GET /.well-known/detour/active?site=shop&path=/checkout HTTP/1.1"
        assert asker.ask(listener, head, source="127.0.0.2").status == 403


CLAIMS = ["X-Forwarded-Method: POST", "X-Forwarded-Uri: /moved/evil", "X-Original-Method: POST", "X-Original-URL: http://shop.example/moved/evil",
          "Forwarded: for=192.0.2.7;host=evil.example;proto=http", "X-Forwarded-Server: evil", "X-Real-IP: 192.0.2.7",
          "X-Rewrite-URL: /moved/evil", "X-HTTP-Method-Override: POST", "X-Forwarded-Prefix: /moved", "Via: 1.1 evil"]


def test_no_field_of_a_client_changes_a_decision(asker):
    """What a proxy lets pass of the client's fields, beside those that it writes itself."""
    own = {"FORWARDED": "X-Forwarded-", "URL": "X-Original-", "PREFIX": "-"}
    asks = {"FORWARDED": lambda path, *more: asker.forwarded("GET", path, *more),
            "URL": lambda path, *more: asker.url("GET", f"https://shop.example{path}", *more),
            "PREFIX": lambda path, *more: asker.prefix("GET", path, *more)}
    for listener, ask in asks.items():
        plain = {path: ask(path) for path in ("/x", "/moved/a", "/who", "/scheme")}
        for claim in CLAIMS:
            if claim.startswith(("X-Forwarded-Uri", "X-Forwarded-Method", "X-Original")) and claim.startswith(own[listener]):
                continue  # it would be replaced by the proxy's own
            for path, want in plain.items():
                answer = ask(path, claim)
                assert (answer.status, answer.location) == (want.status, want.location), (listener, claim, path)
    # Where host and scheme are said by the form itself, nobody else is heard of them.
    for claim in "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1", "X-Forwarded-Proto: http":
        assert asks["URL"]("/scheme", claim).location == "https://new.example/https/shop.example/443"
    for claim in "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1":
        assert asks["PREFIX"]("/scheme", claim).location == "https://new.example/https/shop.example/443"


def test_two_forms_are_refused_where_nobody_has_said_which(asker):
    one = ["X-Forwarded-Method: GET", "X-Forwarded-Uri: /moved/a", "X-Forwarded-Host: shop.example"]
    other = ["X-Original-Method: GET", "X-Original-URL: http://shop.example/moved/a"]
    ask = ["GET / HTTP/1.1", "Host: detour"]
    assert asker.ask("EITHER", ask + one).status == 307
    assert asker.ask("EITHER", ask + other).status == 307
    assert asker.ask("EITHER", ask + one + other).status == 400
    assert asker.ask("EITHER", ["GET /.well-known/detour/decide/moved/a HTTP/1.1", "Host: shop.example"]).status == 307
    assert asker.ask("EITHER", ["GET /.well-known/detour/decide/moved/a HTTP/1.1", "Host: shop.example", *one]).status == 400
    assert asker.ask("EITHER", ask).status == 400


HOSTILE = [
    ("GET", "http://evil.example/moved/a"), ("GET", "moved/a"), ("GET", "/moved/a#b"), ("GET", "/moved/a b"), ("GET", ""),
    ("GET", "*"), ("CONNECT", "/moved/a"), ("GE T", "/moved/a"), ("", "/moved/a"),
    ("G" * 33, "/moved/a"), ("GET,POST", "/moved/a"), ("GET", "/" + "a" * 8192),
]


@pytest.mark.parametrize("method,uri", HOSTILE)
def test_what_is_no_request_is_400(asker, method, uri):
    with asker.connect("FORWARDED") as c:
        for _ in range(2):  # and the connection goes on
            c.send(f"GET /decide HTTP/1.1\r\nHost: d\r\nX-Forwarded-Method: {method}\r\nX-Forwarded-Uri: {uri}\r\n"
                   "X-Forwarded-Host: shop.example\r\n\r\n")
            answer = c.response()
            assert answer.location is None
            assert answer.status == 400, answer


@pytest.mark.parametrize("host", ["a@evil", "shop.example/evil", 'a"b', "shop.example:80:80", "shop.example:99999", "[::1", "a\\b", "%73hop.example", "a b"])
def test_a_host_that_is_none_is_400(asker, host):
    assert asker.forwarded("GET", "/moved/a", host=host).status == 400
    answer = asker.url("GET", f"http://{host}/moved/a")
    # "http://shop.example/evil/moved/a" is a URL.
    assert answer.status == (204 if "/" in host else 401)
    assert answer.location is None
    if answer.status == 401:
        assert answer["Detour-Status"] == "400"


def test_line_ends_in_a_field(asker):
    """A bare CR, LF or NUL ends the question; nothing of it is read."""
    for byte in "\r", "\n", "\0":
        with asker.connect("FORWARDED") as c:
            c.send(f"GET /decide HTTP/1.1\r\nHost: d\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /moved/a{byte}X-Evil: 1\r\n"
                   "X-Forwarded-Host: shop.example\r\n\r\n")
            answer = c.response()
            assert (answer.status, answer.location) == (400, None)
    answer = asker.forwarded("GET", "/moved/a%0d%0aX-Evil:%201")
    assert answer.location == "https://new.example/a%0d%0aX-Evil:%201"
    assert answer["X-Evil"] is None


def test_two_of_a_field(asker):
    for more in "X-Forwarded-Uri: /x", "X-Forwarded-Method: GET":
        answer = asker.forwarded("GET", "/moved/a", more)
        assert (answer.status, answer.location) == (400, None)
    for more in "X-Original-URL: /x", "X-Original-Method: GET":
        answer = asker.url("GET", "http://shop.example/moved/a", more)
        assert (answer.status, answer.location) == (400, None)


def test_paths_do_not_slip_past(asker):
    """As on any listener: what a browser takes for the same path is the same."""
    for uri in "/checkout", "//checkout", "/%63heckout", "/x/../checkout", "/checkout/./a":
        assert asker.forwarded("POST", uri).status == 503, uri


def test_content_is_never_asked_for(asker):
    """A proxy may announce the original's content and send none: the answer comes at once, and the
    next question is not taken for content."""
    with asker.connect("FORWARDED") as c:
        c.send("GET /decide HTTP/1.1\r\nHost: d\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /moved/a\r\nX-Forwarded-Host: shop.example\r\n"
               "Content-Length: 50000000\r\nExpect: 100-continue\r\n\r\n")
        answer = c.response()
        assert (answer.status, answer.closes) == (307, True)
    with asker.connect("FORWARDED") as c:
        c.send("GET /decide HTTP/1.1\r\nHost: d\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /x\r\nX-Forwarded-Host: shop.example\r\n"
               "Content-Length: 10\r\n\r\n")
        assert c.response().closes
        c.send("GET /decide HTTP/1.1\r\nHost: d\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /moved/a\r\n\r\n")
        with pytest.raises((Closed, OSError)):
            c.response()


def test_many_questions_on_one_connection(asker):
    question = ("GET /decide HTTP/1.1\r\nHost: d\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Uri: /moved/%d\r\n"
                "X-Forwarded-Host: shop.example\r\nContent-Length: 0\r\n\r\n")
    with asker.connect("FORWARDED") as c:
        c.send("".join(question % i for i in range(500)))
        for i in range(500):
            assert c.response().location == f"https://new.example/{i}"


def test_whether_a_detour_is_active(asker):
    def active(query, method="GET", version="1.1"):
        with asker.connect("URL") as c:
            c.send(f"{method} /.well-known/detour/active{query} HTTP/{version}\r\nHost: x\r\n\r\n")
            return c.response(head_only=method == "HEAD")

    for query, status in [("?site=shop", 404), ("?site=silent", 200), ("?site=shop&path=/checkout", 200), ("?site=shop&path=/checkout/a", 200),
                          ("?path=%2fcheckout%2Fa&site=%73hop", 200), ("?site=shop&path=/checkout/health", 404), ("?site=shop&path=/", 404),
                          ("?site=shop&path=/x/../checkout", 200), ("?site=strict", 404), ("?site=nobody", 400), ("", 400), ("?site=", 400),
                          ("?site=shop&path=", 400), ("?site=shop&path=checkout", 400), ("?site=" + "a" * 5000, 400)]:
        answer = active(query)
        assert answer.status == status, query
        if status != 400:
            assert json.loads(answer.body)["active"] == (status == 200)
            assert answer["Cache-Control"] == "no-store"
    assert json.loads(active("?site=silent").body)["detour"] == "silent/detours/all"
    assert active("?site=silent", "HEAD").status == 200
    assert active("?site=silent", version="1.0").status == 200
    assert active("?site=silent", "POST").status == 405


def test_an_ordinary_listener_hears_no_questions(asker):
    server = asker.server
    answer = server.get("/x", {"X-Forwarded-Method": "POST", "X-Forwarded-Uri": "/moved/a", "X-Original-URL": "/moved/a"}, host="shop.example")
    assert answer.status == 204
    assert server.get("/.well-known/detour/active?site=silent", host="shop.example").status == 404
    assert server.get("/.well-known/detour/decide/moved/a", host="shop.example").status == 404


def test_a_question_over_http2(asker):
    done = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_version} %{http_code} %{redirect_url}", "--http2-prior-knowledge",
         "-H", "X-Forwarded-Method: POST", "-H", "X-Forwarded-Uri: /scheme", "-H", "X-Forwarded-Host: shop.example",
         "-H", "X-Forwarded-Proto: https", f"http://127.0.0.1:{asker.server.values['FORWARDED']}/decide"],
        capture_output=True, text=True, timeout=FOREVER, check=True)
    assert done.stdout == "2 307 https://new.example/https/shop.example/443"


def test_a_question_over_a_unix_socket(detour):
    """Its peer has no address, and so is called ::."""
    server = detour("""
listen:
  - "http://127.0.0.1:$PORT"
  - {address: "http://unix:$DIR/decision.sock", answer: decision, original: X-Forwarded-Uri}
trusted_proxies: ["::"]
forwarded_header: X-Forwarded-For
sites:
  - {hosts: [a.example], default: pass, routes: [{path: /a, clients: [192.0.2.0/24], to: "https://b.example/"}]}
""")
    with Conn(server.folder / "decision.sock") as c:
        for client, status in ("192.0.2.7", 307), ("198.51.100.7", 204):
            c.send(request_bytes("GET", "/", {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/a", "X-Forwarded-For": client}))
            assert c.response().status == status


def test_the_log_tells_of_the_original(asker):
    asker.url("POST", "http://shop.example/moved/logged?x=1")
    path = asker.server.log_path

    def found():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if "logged" in json.dumps(line)]

    line = wait_until(found, what="a line of the log")[0]
    assert line["method"] == "POST"
    assert line["path"] == "/moved/logged?x=1"
    assert line["host"] == "shop.example"
    assert line["client"].startswith("198.51.100.1")


def test_an_ordinary_listener_with_a_pass_status(detour):
    server = detour("""
listen: {address: "http://127.0.0.1:$PORT", pass_status: 418}
sites:
  - {hosts: [a.example], default: pass, routes: [{path: /a, to: "https://b.example/"}, {path: /b, respond: {status: 204}}]}
""")
    assert [server.get(path).status for path in ("/x", "/a", "/b")] == [418, 307, 204]


def test_a_listener_takes_on_another_answer(detour):
    """A reload changes what is answered on an address that stays."""
    text = """
listen: %s
trusted_proxies: [127.0.0.1]
forwarded_header: X-Forwarded-For
sites:
  - {hosts: [a.example], default: pass, routes: [{path: /a, to: "https://b.example/"}]}
"""
    server = detour(text % '["http://127.0.0.1:$PORT"]', workers=1)  # each takes it on by itself
    question = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/a"}
    assert server.get("/x", question).status == 204
    server.write(text % '[{address: "http://127.0.0.1:$PORT", answer: decision, original: X-Forwarded-Uri}]')
    server.signal(1)
    wait_until(lambda: server.get("/x", question).status == 307, what="the new answer")
    with server.connect() as c:
        c.send(request_bytes("GET", "/x", question))
        assert c.response().status == 307
