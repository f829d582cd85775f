# SPDX-License-Identifier: MIT
"""The wait page: readers are sent to it with a ticket, and taken back to the very URL they wanted when
it is over; everybody else is told when to try again; and no input leads anybody elsewhere."""

import json
import re
import subprocess
import time
from urllib.parse import urljoin, urlsplit

import pytest
from detourlib import Closed, free_port, rfc3339, run, wait_until
from uploadlib import make_certificate

BASE = "/.well-known/detour/"
PERSON = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}

CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
tls: {certificates: [{cert: $FILES/cert.pem, key: $FILES/key.pem}]}
sites:
  - {name: a, hosts: [a.example, other.example], default: {status: 404}}
pages:
  upgrade: {title: 'We "upgrade" & mend'}
  bots: {in_place: true}
  own: {file: $FILES/pages/own.html}
detours:
  - {name: checkout, path_prefix: /checkout, page: upgrade, until: "$UNTIL", reason: "new <database>",
     bypass: {cookie: ops=letmein}}
  - {name: shop, path: "/shop/:item", page: upgrade, until: "$UNTIL", reason: r}
  - {name: bots, path_prefix: /bots, page: bots, until: "$UNTIL", reason: r}
  - {name: own, path_prefix: /own, page: own, until: "$UNTIL", reason: "it's ours"}
"""
OVER = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
tls: {certificates: [{cert: $FILES/cert.pem, key: $FILES/key.pem}]}
sites:
  - {name: a, hosts: [a.example, other.example], default: {status: 404}}
"""
OWN_HTML = "<!doctype html><html lang=en><head>{{detour}}</head><body><p data-detour=reason></p></body></html>"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)
    make_certificate(folder)
    return folder


def begin(start, files, config=CONFIG, left_s=3600, **kwargs):
    """A server, with the operator's HTML where its configuration says."""
    pages = files / "pages"
    pages.mkdir(exist_ok=True)
    (pages / "own.html").write_text(OWN_HTML)
    return start(config, SECURE=free_port(), FILES=files, UNTIL=rfc3339(time.time() + left_s), **kwargs)


@pytest.fixture(scope="module")
def server(shared_detour, files):
    return begin(shared_detour, files, metrics=True)


def ticket_of(response):
    match = re.fullmatch(re.escape(BASE) + "wait/([A-Za-z0-9_-]+)", response.location or "")
    assert match, response
    return match[1]


def wait_at(server, target="/checkout", **kwargs):
    """Sends a reader there; gives the ticket."""
    response = server.get(target, PERSON, **kwargs)
    assert response.status == 307, response
    return ticket_of(response)


def page(server, ticket, headers=None, **kwargs):
    return server.get(BASE + "wait/" + ticket, {**PERSON, **(headers or {})}, **kwargs)


def back(server, ticket):
    """Where its reader comes out. Workers hear of a change one after the other."""
    return wait_until(lambda: page(server, ticket).location, what="the way back")


def status(server, ticket, headers=None, **kwargs):
    response = server.get(BASE + "status/" + ticket, headers, **kwargs)
    assert response.status == 200, response
    assert response["Content-Type"] == "application/json"
    return json.loads(response.body)


# --- There and back, on every wire --------------------------------------------------------


WIRES = {"http1": ["--http1.1"], "h2c": ["--http2-prior-knowledge"], "tls": ["-k", "--http1.1"], "h2": ["-k", "--http2"]}


def curl(server, wire, target, *options):
    """(status, fields, body) as curl understands them, which asks for this very target."""
    port = server.values["SECURE"] if "-k" in WIRES[wire] else server.port
    scheme = "https" if "-k" in WIRES[wire] else "http"
    done = subprocess.run(
        ["curl", "-s", "-S", "-i", "--path-as-is", "--max-time", "20", *WIRES[wire], "-H", f"Host: a.example:{port}",
         *options, f"{scheme}://127.0.0.1:{port}{target}"], stdout=subprocess.PIPE, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = {n.lower(): v for n, v in (line.split(": ", 1) for line in lines[1:])}
    return int(lines[0].split()[1]), fields, body


@pytest.mark.parametrize("wire", WIRES)
def test_a_reader_waits_and_is_taken_back(detour, files, wire):
    server = begin(detour, files)
    wanted = "/checkout/a%20b;x?q=1&r=%2F&s"
    html = ["-H", "Accept: text/html"]
    code, fields, _ = curl(server, wire, wanted, *html)
    assert code == 307 and fields["location"].startswith(BASE + "wait/")
    assert "retry-after" not in fields  # on a redirect it would mean: wait before you follow
    ticket = fields["location"].rpartition("/")[2]
    assert "q=1" not in fields["location"]
    code, fields, body = curl(server, wire, BASE + "wait/" + ticket, *html)
    assert code == 200 and b"<html lang=\"en\">" in body
    code, fields, body = curl(server, wire, BASE + "status/" + ticket)
    assert code == 200 and json.loads(body)["over"] is False
    code, _, body = curl(server, wire, wanted, "-H", "Accept: text/html", "-d", "a=b")
    assert code == 503 and b"nothing was done" in body
    server.reload(OVER)
    wait_until(lambda: json.loads(curl(server, wire, BASE + "status/" + ticket)[2])["over"], what="the end")

    def over():
        code, fields, _ = curl(server, wire, BASE + "wait/" + ticket, *html)
        return fields if code == 307 else None

    fields = wait_until(over, what="the way back")
    assert (fields["location"], fields["cache-control"]) == (wanted, "no-store")


def test_it_is_over_by_itself(detour, files):
    server = begin(detour, files, left_s=3)
    ticket = wait_at(server, "/checkout?x=1")
    assert status(server, ticket)["over"] is False
    wait_until(lambda: status(server, ticket)["over"], what="the end of the window")
    assert back(server, ticket) == "/checkout?x=1"


# --- What the page is ------------------------------------------------------------------------


def test_the_page_is_neither_stored_nor_indexed_and_runs_only_its_own_script(server):
    ticket = wait_at(server)
    for response in [page(server, ticket), server.get(BASE + "status/" + ticket)]:
        assert response["Cache-Control"] == "no-store"
        assert response["X-Robots-Tag"] == "noindex"
        assert response["X-Content-Type-Options"] == "nosniff"
    response = page(server, ticket)
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy["script-src"])
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Retry-After"] is None


def test_the_page_says_why_and_until_when_without_a_script(server):
    body = page(server, wait_at(server, "/checkout?a=1&b=2")).body.decode()
    assert "<h1>We &quot;upgrade&quot; &amp; mend</h1>" in body
    assert "new &lt;database&gt;" in body and "<database>" not in body
    assert re.search(r'<time data-detour="until" datetime="[0-9T:Z-]{17}">[0-9-]{10} [0-9:]{5} UTC</time>', body)
    assert 'href="/checkout?a=1&amp;b=2"' in body
    assert re.search(r'<noscript><meta http-equiv="refresh" content="1[0-4]">', body)


@pytest.mark.parametrize("asked, given", [("de-AT,en;q=0.5", "de"), ("fr", "fr"), ("xx", "en"), (None, "en"), ("es;q=0.2,it;q=0.9", "it")])
def test_the_page_is_in_the_readers_language(server, asked, given):
    response = page(server, wait_at(server), {"Accept-Language": asked} if asked else {})
    assert response["Content-Language"] == given
    assert f'<html lang="{given}">' in response.body.decode()


def test_head_gets_the_fields_of_get(server):
    ticket = wait_at(server)
    head = server.request("HEAD", "/checkout", PERSON)
    assert head.status == 307 and ticket_of(head) == ticket and head.body == b""
    for target in [BASE + "wait/" + ticket, BASE + "status/" + ticket]:
        get, head = server.get(target, PERSON), server.request("HEAD", target, PERSON)
        assert head.body == b"" and head["Content-Security-Policy"] == get["Content-Security-Policy"]
        assert head["Content-Length"] == get["Content-Length"]


def test_an_operators_page_gets_the_script(server):
    response = page(server, wait_at(server, "/own/x"))
    body = response.body.decode()
    assert body.startswith("<!doctype html><html lang=en><head><noscript>") and body.endswith("<p data-detour=reason></p></body></html>")
    assert 'data-reason="it&#39;s ours"' in body and "{{detour}}" not in body
    assert "style-src 'self' 'unsafe-inline'" in response["Content-Security-Policy"]
    assert response["Content-Language"] is None


def test_in_place_the_page_has_503_and_retry_after(server):
    for target in ["/bots", "/bots/x?y=z"]:
        response = server.get(target, PERSON)
        assert response.status == 503 and response.location is None
        assert 3500 < int(response["Retry-After"]) < 3600 + 65
        assert response["Cache-Control"] == "no-store"
        assert response["X-Robots-Tag"] is None  # the URL itself stays in the index
        ticket = re.search(r'data-status="/.well-known/detour/status/([\w-]+)"', response.body.decode())[1]
        assert status(server, ticket)["over"] is False
        assert server.get(target).status == 503 and server.get(target)["Content-Type"] == "application/problem+json"


def test_the_page_of_a_whole_site_is_exempt_from_its_detour(detour, files):
    config = """
sites: [{name: a, hosts: [a.example], https_redirect: {}, default: {status: 404}}]
pages: {all: }
detours: [{name: all, page: all, until: off, reason: r}]
"""
    server = detour(config)
    response = server.get("/x", PERSON)
    shown = page(server, ticket_of(response))
    assert shown.status == 200 and "It is not known yet" in shown.body.decode()
    assert "until" not in status(server, ticket_of(response))


# --- Everybody else ----------------------------------------------------------------------------


def test_programs_get_503_a_problem_and_a_time_to_come_back(server):
    told = set()
    for last in range(1, 40):
        response = server.get("/checkout", source=f"127.0.0.{last}")
        assert response.status == 503 and response["Cache-Control"] == "no-store"
        told.add(int(response["Retry-After"]))
        assert response["Content-Type"] == "application/problem+json"
        problem = json.loads(response.body)
        assert problem["status"] == 503 and "not carried out" in problem["detail"]
    assert all(3500 < seconds <= 3600 + 61 for seconds in told)
    assert len(told) > 10, f"they would all come back at once: {told}"


def test_a_form_hears_that_nothing_was_lost_nor_done(server):
    for language, sentence in [("en", "Nothing was lost and nothing was done"), ("de", "Nichts ging verloren und nichts wurde getan")]:
        response = server.post("/checkout", {**PERSON, "Content-Type": "application/x-www-form-urlencoded",
                                             "Accept-Language": language}, b"a=b")
        assert response.status == 503 and int(response["Retry-After"]) > 3500
        assert response["Content-Type"].startswith("text/html") and response["Content-Language"] == language
        assert sentence in response.body.decode()


# --- Tickets -----------------------------------------------------------------------------------


ODD = [
    "/checkout", "/checkout/", "/checkout?", "/checkout?x=/../..//evil.example", "/checkout/%2e%2e%2fetc?a=%0d%0aSet-Cookie:x",
    "/checkout/a%5Cb", "/checkout/'quoted'?q='", "//checkout", "///checkout//x", "/\\checkout", "/x/../checkout", "/checkout/%E2%82%AC",
    "/%63heckout/x", "/checkout/a;b=c:@&=+$,", "//checkout/..//checkout?x#".rstrip("#"),
]


@pytest.mark.parametrize("target", ODD)
def test_each_target_comes_back_and_stays_on_its_host(detour, files, target):
    server = begin(detour, files)
    ticket = wait_at(server, target)
    server.reload(OVER)
    wait_until(lambda: status(server, ticket)["over"], what="the end")
    out = back(server, ticket)
    assert re.fullmatch(r"/([^/\\][!-~]*)?", out) and "\\" not in out, out
    assert urlsplit(urljoin("http://a.example/.well-known/detour/wait/x", out)).netloc == "a.example"
    if not re.match(r"/[/\\]|.*\\", target):
        assert out == target


def test_what_is_no_ticket_leads_nowhere(server):
    ticket = wait_at(server)
    changed = ("B" if ticket[0] == "A" else "A") + ticket[1:]
    for bad in [changed, ticket[:-1], ticket + "A", ticket + "=", "", "A" * 4000, ticket + "/", "%41" + ticket[1:], "../" + ticket]:
        for kind in ["wait/", "status/"]:
            response = server.get(BASE + kind + bad, PERSON)
            assert response.status == 404 and response.location is None, bad
            assert response["Cache-Control"] == "no-store" and response["X-Robots-Tag"] == "noindex"
    assert page(server, ticket, host="other.example").status == 404
    assert page(server, ticket).status == 200


def test_other_paths_there_are_nobodys(server):
    for path in ["", "x", "wait", "status", "waiting/x"]:
        assert server.get(BASE + path, PERSON).status == 404
    for method in ["POST", "PUT", "DELETE"]:
        response = server.request(method, BASE + "wait/" + wait_at(server), PERSON, b"x")
        assert response.status == 405 and response["Allow"] == "GET, HEAD"


def test_a_url_too_long_for_a_ticket_goes_back_to_where_the_detour_begins(detour, files):
    server = begin(detour, files)
    long = wait_at(server, "/checkout/" + "a" * 3000 + "?x=1")
    item = wait_at(server, "/shop/" + "b" * 3000)
    fits = "/checkout?" + "c" * (2048 - len("/checkout?"))
    exact, beyond = wait_at(server, fits), wait_at(server, fits + "c")
    assert len(exact) < 2800 and len(long) < 60
    server.reload(OVER)
    wait_until(lambda: status(server, long)["over"], what="the end")
    assert [back(server, t) for t in (long, item, exact, beyond)] == ["/checkout", "/shop", fits, "/checkout"]


def test_who_bypasses_the_detour_is_taken_back(server):
    ticket = wait_at(server, "/checkout/x?y=1")
    tester = {"Cookie": "ops=letmein"}
    assert status(server, ticket)["over"] is False
    assert status(server, ticket, tester)["over"] is True
    assert page(server, ticket, tester).location == "/checkout/x?y=1"


def test_questions_are_no_hits(server):
    before = server.metrics().hits("a/detours/checkout")
    ticket = wait_at(server)
    for _ in range(5):
        status(server, ticket)
    assert server.metrics().hits("a/detours/checkout") == before + 1


# --- Several workers, and their ends -------------------------------------------------------------


def test_tickets_are_good_at_every_worker_and_after_their_deaths(detour, files):
    server = begin(detour, files, workers=4)
    tickets = {wait_at(server) for _ in range(24)}
    assert len(tickets) == 1  # the same key everywhere
    ticket = tickets.pop()

    def good():
        assert all(status(server, ticket)["over"] is False for _ in range(24))
        assert all(wait_at(server) == ticket for _ in range(24))

    good()
    for role in ["_worker", "_control", "_worker", "_control"]:
        server.kill_one(role)
        wait_until(server.answers, what="an answer")
        good()
    server.reload(OVER)

    def everywhere():
        try:
            return all(status(server, ticket)["over"] for _ in range(24))
        except (OSError, Closed):
            return False

    wait_until(everywhere, what="the end at each worker")


@pytest.mark.parametrize("kept", [True, False], ids=["with a store", "without"])
def test_a_ticket_survives_the_program_where_there_is_a_store(detour, files, kept):
    config = CONFIG + "state: $DIR/state\n" if kept else CONFIG
    server = begin(detour, files, config)
    ticket = wait_at(server, "/checkout?x=1")
    server.stop()
    server.start()
    assert (wait_at(server, "/checkout?x=1") == ticket) == kept
    assert page(server, ticket).status == (200 if kept else 404)
    server.kill_one("_control")
    assert page(server, ticket).status == (200 if kept else 404)


def test_a_new_control_serves_the_html_that_was_served(detour, files):
    server = begin(detour, files)
    ticket = wait_at(server, "/own")
    before = page(server, ticket).body
    html = files / "pages" / "own.html"
    html.unlink()
    generations = server.stderr().count("is in use by all workers")
    server.kill_one("_control")
    wait_until(lambda: server.stderr().count("is in use by all workers") > generations, what="a snapshot of the new one")
    numbers = re.compile(rb'data-now="\d+"|content="\d+"')
    assert numbers.sub(b"", page(server, ticket).body) == numbers.sub(b"", before)
    # A reload wants the file, and says so; the page stays.
    server.reload()
    wait_until(lambda: f"cannot read {html}" in server.stderr(), what="the complaint")
    assert page(server, ticket).status == 200
    html.write_text(OWN_HTML.replace("reason", "title"))
    server.reload()
    wait_until(lambda: b"<p data-detour=title>" in page(server, ticket).body, what="the new HTML")


# --- Where else a page may stand ------------------------------------------------------------------


def test_an_empty_pool_shows_its_page_until_somebody_is_back(detour, target):
    config = """
sites: [{name: a, hosts: [a.example], default: {pool: p}}]
pages: {busy: {}}
pools:
  p: {servers: ["http://127.0.0.1:$BACK"], fallback: {page: busy},
      health: {path: /, interval: 100ms, timeout: 100ms, fall: 1, rise: 1}}
"""
    server = detour(config, BACK=free_port())
    wait_until(lambda: server.get("/x?y", PERSON).location.startswith(BASE), what="an empty pool")
    ticket = wait_at(server, "/x?y")
    assert page(server, ticket).status == 200 and "until" not in status(server, ticket)
    server.reload(config.replace("$BACK", str(target.port)))
    wait_until(lambda: status(server, ticket)["over"], what="a server that is back")
    assert back(server, ticket) == "/x?y"


def test_those_who_are_not_in_the_share_get_the_page(detour):
    server = detour("""
sites: [{name: a, hosts: [a.example], routes: [{path_prefix: /, share: 0%, to: "https://b.example/", rest: {page: p}}]}]
pages: {p: {}}
""")
    assert page(server, wait_at(server, "/")).status == 200


# --- The file, and explain -----------------------------------------------------------------------------


BAD_HTML = {
    "missing": (None, "cannot read {path}: No such file or directory"),
    "unmarked": (b"<html>", "{path} has no {{{{detour}}}}, so nobody would be taken back; put it into the <head>, where the script is to stand"),
    "empty": (b"", "{path} has no {{{{detour}}}}"),
    "twice": (b"{{detour}}{{detour}}", "{path} has {{{{detour}}}} more than once; keep the one in the <head>"),
    "latin1": (b"{{detour}}\xe9", "{path} is not UTF-8; save it as that"),
    "large": (b"{{detour}}" + b"x" * 65536, "cannot read {path}: it is larger than 64 KiB"),
}


@pytest.mark.parametrize("name", BAD_HTML)
def test_html_that_cannot_be_used_is_refused_by_its_place(folder, name):
    html, message = BAD_HTML[name]
    if html is not None:
        (folder / "own.html").write_bytes(html)
    config = folder / "detour.yaml"
    config.write_text("sites: [{hosts: [a.example]}]\npages:\n  own: {file: own.html}\n")
    done = run("check", "-c", config)
    assert done.returncode == 1
    assert f"{config}:3:15: error: " + message.format(path=folder / "own.html") in done.stderr


def test_explain_shows_the_page(folder):
    config = folder / "detour.yaml"
    config.write_text("""
sites: [{name: a, hosts: [a.example], default: {status: 404}}]
pages: {p: {}, bots: {in_place: true}}
detours:
  - {name: d, path_prefix: /x, page: p, until: off, reason: why}
  - {name: e, path_prefix: /y, page: bots, until: off, reason: why}
""")
    done = run("explain", "-c", config, "-H", "Accept: text/html", "http://a.example/x?y")
    assert "307 Temporary Redirect" in done.stdout and f"Location: {BASE}wait/" in done.stdout
    assert "rule: a/detours/d" in done.stdout
    done = run("explain", "-c", config, "-H", "Accept: text/html", "--json", "http://a.example/y")
    told = json.loads(done.stdout)
    assert told["status"] == 503 and told["rule"] == "a/detours/e" and int(told["fields"]["Retry-After"]) >= 60
    done = run("explain", "-c", config, "http://a.example" + BASE + "wait/x")
    assert "why: no such ticket" in done.stdout


def test_the_log_says_what_was_shown(detour, files):
    server = begin(detour, files, log=True)
    ticket = wait_at(server)
    page(server, ticket)
    status(server, ticket)
    page(server, "x" + ticket)
    lines = server.wait_log(4)
    assert sorted(line["why"] for line in lines) == ["detour", "no such ticket", "wait page", "wait page asks"]
