# SPDX-License-Identifier: MIT
"""Where else a client could go, in Link, and where to go as JSON: with real servers, and clients
that go there."""

import json
import re
import shutil
import subprocess

import pytest
from detourlib import FOREVER, Conn, environment, free_port, run, wait_until
from h2lib import Http2
from healthlib import Farm
from uploadlib import HTTP1, HTTP2, HTTP2_CLEAR, TLS, Resets, make_certificate

CONFIG = """
listen:
  - "http://127.0.0.1:$PORT"
  - "https://127.0.0.1:$TLS_PORT"
  - {address: "http://127.0.0.1:$FORWARDED", answer: decision, original: X-Forwarded-Uri}
  - {address: "http://127.0.0.1:$URL", answer: decision, original: X-Original-URL, detour_status: 401}
tls: {certificates: [{cert: $FILES/cert.pem, key: $FILES/key.pem}]}
trusted_proxies: [127.0.0.2/32]
forwarded_header: X-Forwarded-For
sites:
  - name: a
    hosts: [a.example, 127.0.0.1]
    cors: {origins: ["https://app.example"], methods: [PUT], expose: [Link, Detour-X]}
    routes:
      - {path: "/files/*", pool: mirrors}
      - {path: "/strip/*", pool: both}
      - {path: "/key/*", pool: keyed}
pools:
  mirrors:
    link: true
    json: true
    health: {$HEALTH}
    servers: [$SERVERS]
  both:
    link: true
    json: true
    path: strip
    health: off
    servers:
      - {name: a, url: "https://a.example.net", schemes: [http, https]}
      - {name: b, url: "https://b.example.net", schemes: https, priority: 2}
      - {name: c, url: "http://c.example.net", schemes: http, priority: 3}
  keyed:
    link: {max: 8}
    balance: {hash: path}
    health: off
    servers: [KEYED]
""".replace("KEYED", ", ".join(f"https://k{i}.example.net" for i in range(12)))
SIZE = 100 << 20
WIRES = [HTTP1, TLS, HTTP2, HTTP2_CLEAR]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder)
    return folder


def three(folder):
    farm = Farm(folder)
    for _ in range(3):
        farm.add()
    yield farm
    farm.close()


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("farm")
    folder.chmod(0o755)
    yield from three(folder)


@pytest.fixture
def own_farm(folder):
    """For who breaks it."""
    yield from three(folder)


# Nobody fails while a test looks at something else.
SELDOM = "path: /healthz, interval: 1h, timeout: 1m"


def start(detour, certificate, servers, health=SELDOM, **more):
    stanzas = [f'{{name: s{i}, url: "{s.url}", priority: {i + 1}}}' for i, s in enumerate(servers)]
    return detour(CONFIG, FILES=certificate, TLS_PORT=free_port(), FORWARDED=free_port(), URL=free_port(),
                  SERVERS=", ".join(stanzas), HEALTH=health, **more)


@pytest.fixture(scope="module")
def server(shared_detour, certificate, farm):
    return start(shared_detour, certificate, farm.servers)


def curl(*args):
    done = subprocess.run(["curl", "-sS", "--max-time", str(FOREVER), *args], capture_output=True, env=environment(), check=False)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


def headed(text):
    """The status and the fields of one head that curl has printed, in order, without what differs."""
    lines = text.decode().strip().splitlines()
    fields = [tuple(line.split(": ", 1)) for line in lines[1:]]
    return int(lines[0].split()[1]), [(n.lower(), v) for n, v in fields if n.lower() not in ("date", "connection")]


def links(response):
    return [re.fullmatch(r"<([^<>]*)>; rel=duplicate; pri=(\d+)", v).groups() for v in response.all("Link")]


def test_alternatives_can_be_fetched(server, farm):
    for s in farm.servers:
        (s.folder / "www" / "files" / "x y").write_text("the same")
    r = server.get("/files/x%20y?v=1")
    assert r.status == 307
    first, second, third = [s.url + "/files/x%20y?v=1" for s in farm.servers]
    assert r.location == first
    assert links(r) == [(second, "2"), (third, "3")]
    assert [curl(url) for url in (first, second, third)] == [b"the same"] * 3


def test_whoever_fails_is_no_alternative(detour, certificate, own_farm):
    server = start(detour, certificate, own_farm.servers, "path: /healthz, interval: 100ms, timeout: 100ms, fall: 1, rise: 1")

    def named(*names):
        r = server.get("/files/x")
        urls = [r.location, *[url for url, _ in links(r)]]
        return urls == [f"{s.url}/files/x" for s in names]

    one, two, three = own_farm.servers
    wait_until(lambda: named(one, two, three))
    two.kill()
    wait_until(lambda: named(one, three))
    one.mark("sick")
    wait_until(lambda: named(three))
    two.start()
    wait_until(lambda: named(two, three))


@pytest.mark.parametrize("wire", WIRES, ids=lambda w: w.name)
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_head_is_the_head_of_get(server, wire, accept):
    url = wire.url(server, "/files/x")
    asked = [*wire.curl, "-H", f"Accept: {accept}", url]
    get = headed(curl("-D-", "-o", "/dev/null", *asked))
    assert get == headed(curl("-I", *asked))
    status, fields = get
    assert status == (200 if accept == "application/json" else 307)
    assert [n for n, _ in fields].count("link") == (0 if status == 200 else 2)
    assert "Accept" in dict(fields)["vary"].split(", ")


@pytest.mark.parametrize("wire", WIRES, ids=lambda w: w.name)
def test_json_says_where(server, farm, wire):
    for s in farm.servers:
        (s.folder / "www" / "files" / "x").write_text("content")
    out = curl(*wire.curl, "-i", "-H", "Accept: application/json", wire.url(server, "/files/x?y=1"))
    head, body = out.replace(b"\r", b"").split(b"\n\n", 1)
    status, fields = headed(head)
    assert status == 200
    fields = dict(fields)
    assert (fields["content-type"], fields["cache-control"]) == ("application/json", "no-store")
    assert "location" not in fields
    told = json.loads(body)
    first, second, third = [s.url + "/files/x?y=1" for s in farm.servers]
    assert told == {"url": first, "status": 307, "method": "GET",
                    "alternatives": [{"url": second, "priority": 2}, {"url": third, "priority": 3}]}
    assert curl(told["url"]) == b"content"


def test_the_log_says_the_url(detour, certificate, farm):
    server = start(detour, certificate, farm.servers, log=True)
    server.get("/files/x", headers={"Accept": "application/json"})
    (line,) = server.wait_log(1)
    assert (line["status"], line["location"]) == (200, f"{farm.servers[0].url}/files/x")


class Weighed:
    """Counts the bytes that come in at some ports."""

    def __init__(self, *ports):
        self.table = f"weighed_{ports[0]}"
        Resets.nft(f"""table inet {self.table} {{ chain in {{
            type filter hook input priority 0;
            tcp dport {{ {", ".join(map(str, ports))} }} counter
        }}
        }}""")

    def end(self):
        listed = Resets.nft(f"list table inet {self.table}")
        Resets.nft(f"delete table inet {self.table}")
        return int(re.search(r"counter packets \d+ bytes (\d+)", listed)[1])


def told_by_http1(server, wire):
    """A client that waits before it sends, and is told before it has sent anything."""
    with wire.connect(server) as c:
        c.begin(SIZE, "PUT", "/files/big", {"Accept": "application/json", "Expect": "100-continue"})
        return c.response()


def told_by_http2(server, wire):
    with Http2((server.host, int(server.port))) as c:
        c.request(1, "PUT", "/files/big", more=[("accept", "application/json"), ("content-length", str(SIZE))], end=False)
        return c.response(1)


def put_there(url):
    host, port, path = re.fullmatch(r"http://([^:/]+):(\d+)(/.*)", url).groups()
    with Conn((host, int(port))) as c:
        c.send(f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {SIZE}\r\n\r\n")
        for _ in range(SIZE >> 20):
            c.send(bytes(1 << 20))
        c.sock.settimeout(FOREVER)
        return int(c.sock.recv(4096).split()[1])


@pytest.mark.parametrize("ask", [told_by_http1, told_by_http2])
def test_an_upload_travels_once(server, farm, own_network, ask):
    """The client is told the URL first, and sends all of it there."""
    weighed = Weighed(server.port)
    r = ask(server, HTTP1)
    assert r.status == 200
    told = json.loads(r.body)
    assert (told["method"], told["status"]) == ("PUT", 307)
    assert put_there(told["url"]) in (201, 204)
    assert (farm.servers[0].folder / "www" / "files" / "big").stat().st_size == SIZE
    assert weighed.end() < 8192


def test_who_sends_at_once_is_told_too(server, farm):
    """What is on its way already is not waited for; small content is gone over."""
    with server.connect() as c:
        c.send(b"POST /files/x HTTP/1.1\r\nHost: a.example\r\nAccept: application/json\r\nContent-Length: 5\r\n\r\nhello")
        assert json.loads(c.response().body)["method"] == "POST"
        c.assert_open()
    out = curl("-T", __file__, "-H", "Accept: application/json", "-H", "Expect:", f"http://127.0.0.1:{server.port}/files/sent")
    assert json.loads(out)["url"] == f"{farm.servers[0].url}/files/sent"
    assert not any("/files/sent" in line for s in farm.servers for line in s.asked())


def test_each_client_is_told_its_scheme(server):
    plain = server.get("/strip/x")
    assert plain.location == "http://a.example.net/x"
    assert links(plain) == [("http://c.example.net/x", "2")]
    out = curl(*TLS.curl, "-H", "Accept: application/json", TLS.url(server, "/strip/x"))
    told = json.loads(out)
    assert told["url"] == "https://a.example.net/x"
    assert told["alternatives"] == [{"url": "https://b.example.net/x", "priority": 2}]


def test_keys_have_the_same_alternatives_at_each_worker(server):
    for key in range(20):
        got = {(r.location, tuple(links(r))) for r in (server.get(f"/key/{key}") for _ in range(6))}
        assert len(got) == 1
        location, named = got.pop()
        assert len({location, *[url for url, _ in named]}) == 9


def ask_decision(server, listener, *fields):
    with Conn((server.host, int(server.values[listener])), source="127.0.0.2") as c:
        c.send("\r\n".join(["GET /decide HTTP/1.1", "Host: detour", *fields, "X-Forwarded-For: 198.51.100.1", "", ""]))
        return c.response()


def test_a_proxy_that_asks_is_given_the_redirect(server, farm):
    """A 200 would let the request pass."""
    url = f"{farm.servers[0].url}/files/x"
    r = ask_decision(server, "FORWARDED", "X-Forwarded-Method: PUT", "X-Forwarded-Proto: http", "X-Forwarded-Host: a.example",
                     "X-Forwarded-Uri: /files/x", "Accept: application/json")
    assert (r.status, r.location) == (307, url)
    assert r.all("Link") == []  # what is sent has no copies, and a head has little room
    r = ask_decision(server, "URL", "X-Original-Method: GET", "X-Original-URL: http://a.example/files/x",
                     "Accept: application/json")
    assert (r.status, r["Detour-Status"], r.location) == (401, "307", url)
    assert len(r.all("Link")) == 2


def test_scripts_of_other_origins_can_read_it(server):
    asked = {"Origin": "https://app.example", "Accept": "application/json"}
    r = server.get("/files/x", headers=asked)
    assert r["Access-Control-Allow-Origin"] == "https://app.example"
    assert r["Access-Control-Expose-Headers"] == "Link, Detour-X"
    assert "Origin" in r["Vary"]
    assert json.loads(r.body)["url"]


def test_explain_says_what_would_be_told(server):
    said = run("explain", "-c", server.file, "--json", "-H", "Accept: application/json", "http://a.example/files/x")
    told = json.loads(said.stdout)
    assert told["status"] == 200
    assert told["told"]["url"] == told["location"]
    assert [s["alternative"] for s in told["servers"]] == [None, 2, 3]


# --- aria2, which reads Link ---------------------------------------------------------------

ARIA2 = shutil.which("aria2c")


def aria2(server, folder, name, *options):
    done = subprocess.run(
        [ARIA2, "--no-conf", "--disable-ipv6", "--file-allocation=none", "--max-tries=1", "--dir", str(folder), "--out=got",
         "--min-split-size=1M", "--timeout=10", *options, f"http://127.0.0.1:{server.port}/files/{name}"],
        capture_output=True, text=True, timeout=FOREVER, env=environment(), check=False)
    assert done.returncode == 0, done.stdout
    return (folder / "got").read_bytes()


@pytest.mark.skipif(ARIA2 is None, reason="aria2 is not here")
def test_aria2_loads_from_all_of_them(server, farm, tmp_path):
    content = bytes(range(256)) * (12 << 12)
    for s in farm.servers:
        (s.folder / "www" / "files" / "all").write_bytes(content)
    assert aria2(server, tmp_path, "all", "--split=3", "--max-connection-per-server=1") == content
    assert [any("/files/all" in line for line in s.asked()) for s in farm.servers] == [True, True, True]


@pytest.mark.skipif(ARIA2 is None, reason="aria2 is not here")
def test_aria2_goes_on_without_the_first(server, farm, tmp_path):
    """The one it is sent to has lost the file, which no probe finds out."""
    content = bytes(range(256)) * (8 << 12)
    for s in farm.servers[1:]:
        (s.folder / "www" / "files" / "some").write_bytes(content)
    assert aria2(server, tmp_path, "some", "--split=2", "--max-connection-per-server=1") == content
    assert any("/files/some" in line and " 404 " in line for line in farm.servers[0].asked())
