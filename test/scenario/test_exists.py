# SPDX-License-Identifier: MIT
"""`require: exists`: nobody is sent to a server that is not known to have what is asked for. The
servers are real nginx instances."""

import hmac
import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from adminapi import Admin, kill_control
from detourlib import FOREVER, run, wait_until
from healthlib import Farm

CONFIG = """
admin: {listen: "unix:$DIR/admin.sock"}
sites: [{name: a, hosts: [a.example], routes: [{name: any, path: "/*", pool: mirrors}]}]
pools:
  mirrors:
    health: $PROBES
    require: $REQUIRE
$EXTRA
    fallback: $FALLBACK
    servers: [$SERVERS]
"""
REQUIRE = "{exists: {found: 60s, missing: 1s}}"


class Mirrors(Farm):
    """Three servers behind a Detour."""

    def begin(self, start, require=REQUIRE, fallback="{status: 503}", health="off", more="", servers=None, **kwargs):
        self.detour = start(CONFIG, SERVERS=servers or self.stanza(), REQUIRE=require, FALLBACK=fallback,
                            PROBES=health, EXTRA=more, **{"workers": 1, **kwargs})
        return self.detour

    def put(self, path, *servers, text="something\n", date=1700000000):
        for i in servers:
            file = self.servers[i].folder / "www" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            os.utime(file, (date, date))

    def remove(self, path, *servers):
        for i in servers:
            (self.servers[i].folder / "www" / path).unlink()

    def where(self, path="x", method="GET"):
        """Who is given: its number, or the status."""
        answer = self.detour.request(method, f"/{path}")
        if answer.location is None:
            return answer.status
        return int(answer.location.split("/")[2].partition(":")[0].rpartition(".")[2]) - 2

    def settled(self, *expected, path="x", count=6):
        """Until just these are given."""

        def there():
            return {self.where(path) for _ in range(count)} == set(expected)

        wait_until(there, what=f"{expected} for {path}")

    def counts(self):
        admin = Admin(self.detour)
        try:
            return {s["name"]: s["exists"] for s in admin.good("GET", "/v1/pools").json["pools"][0]["servers"]}
        finally:
            admin.close()


@pytest.fixture
def mirrors(folder):
    farm = Mirrors(folder)
    for _ in range(3):
        farm.add()
    yield farm
    farm.close()


def test_only_who_has_it_is_given(mirrors, detour):
    mirrors.put("x", 1)
    mirrors.put("everywhere", 0, 1, 2)
    mirrors.begin(detour)
    first = mirrors.detour.get("/x")
    assert first.status == 503 and first["Retry-After"] == "1" and b"known to have" in first.body
    mirrors.settled(1)
    assert mirrors.where("nowhere") == 503
    mirrors.settled(0, 1, 2, path="everywhere")
    assert mirrors.where(method="HEAD") == 1
    assert mirrors.where("nowhere", method="POST") in (0, 1, 2)


def test_what_appears_is_found_and_what_vanishes_is_noticed(mirrors, detour):
    mirrors.put("x", 0)
    mirrors.begin(detour, "{exists: {found: 2s, missing: 1s}}")
    mirrors.settled(0)
    mirrors.put("x", 2)
    mirrors.settled(0, 2)
    mirrors.remove("x", 0)
    mirrors.settled(2)
    mirrors.remove("x", 2)
    mirrors.settled(503)
    counts = mirrors.counts()
    assert counts["s0"]["yes"] > 0 and counts["s0"]["no"] > 0 and counts["s1"]["yes"] == 0
    assert all(c["failed"] == 0 and c["dropped"] == 0 for c in counts.values())


@pytest.mark.slow
def test_what_is_wanted_is_never_forgotten(mirrors, detour):
    """It is asked for again before its time is over, so nobody gets the fallback in between."""
    mirrors.put("x", 0)
    mirrors.begin(detour, "{exists: {found: 8s, missing: 1s}}")
    mirrors.settled(0)
    before = mirrors.counts()["s0"]["yes"]
    seen = set()
    wait_until(lambda: seen.add(mirrors.where()) or mirrors.counts()["s0"]["yes"] >= before + 1)
    with pytest.raises(AssertionError):
        wait_until(lambda: seen.add(mirrors.where()), timeout=3)
    assert seen == {0}


def test_size_and_date_must_be_those_of_the_first_server(mirrors, detour):
    mirrors.put("x", 0, 1, 2)
    mirrors.put("long", 0, 1, 2)
    mirrors.put("long", 1, text="something else\n")
    mirrors.put("old", 0, 1, 2)
    mirrors.put("old", 2, date=1600000000)
    mirrors.put("others", 1, 2)
    mirrors.begin(detour, "{exists: {found: 60s, missing: 60s, same: [size, date]}}")
    mirrors.settled(0, 1, 2)
    mirrors.settled(0, 2, path="long")
    mirrors.settled(0, 1, path="old")
    assert mirrors.where("others") == 503
    wait_until(lambda: sum(c["no"] for c in mirrors.counts().values()) == 5)
    assert mirrors.where("others") == 503


def test_a_server_that_hangs_costs_its_own_questions_only(mirrors, detour):
    mirrors.put("x", 0, 1)
    mirrors.begin(detour)
    mirrors.settled(0, 1)
    mirrors.servers[0].stop()
    for i in range(20):
        mirrors.put(f"new{i}", 0, 1)
    for i in range(20):
        mirrors.where(f"new{i}")
    for i in range(20):
        mirrors.settled(1, path=f"new{i}", count=2)
    mirrors.servers[0].cont()
    mirrors.settled(0, 1, path="new0")


def writes(pid):
    """How often it has called write(2) and its kin."""
    return int(dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())["syscw"])


def test_nobody_waits_for_control(mirrors, detour):
    mirrors.put("x", 1)
    server = mirrors.begin(detour)
    mirrors.settled(1)
    control, worker = server.control_pid(), server.worker_pids()[0]
    os.kill(control, signal.SIGSTOP)
    try:
        before = writes(worker)
        with server.connect() as c:
            for i in range(300):
                c.send(f"GET /{'x' if i % 3 == 0 else i} HTTP/1.1\r\nHost: a.example\r\n\r\n")
                assert c.response().status == (307 if i % 3 == 0 else 503)
        # One for each answer, and the bell once: whoever sleeps is not rung for twice.
        assert 300 <= writes(worker) - before <= 301
    finally:
        os.kill(control, signal.SIGCONT)
    mirrors.put("later", 2)
    mirrors.settled(2, path="later")


def test_what_is_known_outlives_control_and_workers(mirrors, detour):
    mirrors.put("x", 1)
    mirrors.begin(detour, "{exists: {found: 60s, missing: 60s}}")
    mirrors.settled(1)
    wait_until(lambda: mirrors.counts()["s2"]["no"] == 1)
    kill_control(Admin(mirrors.detour))
    assert [mirrors.where() for _ in range(6)] == [1] * 6
    mirrors.detour.kill_one("_worker")
    assert [mirrors.where() for _ in range(6)] == [1] * 6
    assert {c["yes"] + c["no"] for c in mirrors.counts().values()} == {0}, "nobody was asked again"
    mirrors.put("y", 2)
    mirrors.settled(2, path="y")


def test_a_server_that_is_down_is_not_asked(mirrors, detour):
    mirrors.put("x", 0, 1)
    mirrors.begin(detour, health="{path: /healthz, interval: 100ms, timeout: 100ms, fall: 1, rise: 1}")
    mirrors.servers[0].mark("sick")
    wait_until(lambda: "down" in server_states(mirrors.detour))
    mirrors.settled(1)
    assert mirrors.counts()["s0"] == {"yes": 0, "no": 0, "failed": 0, "dropped": 0}
    mirrors.servers[0].unmark("sick")
    mirrors.settled(0, 1)


def server_states(server):
    admin = Admin(server)
    try:
        return [s["state"] for s in admin.good("GET", "/v1/pools").json["pools"][0]["servers"]]
    finally:
        admin.close()


def test_fallback_all_takes_whoever_may_have_it(mirrors, detour):
    mirrors.put("x", 1)
    mirrors.begin(detour, fallback="all")
    assert mirrors.where() in (0, 1, 2)
    mirrors.settled(1)
    wait_until(lambda: [mirrors.where("nowhere") for _ in range(2)]
               and sum(c["no"] for c in mirrors.counts().values()) >= 3)
    assert mirrors.where("nowhere") in (0, 1, 2)


def test_a_client_stays_with_its_server(mirrors, detour):
    """What its own server lacks it gets elsewhere, and its cookie stays as it is."""
    mirrors.put("x", 0, 1, 2)
    mirrors.put("only", 1)
    server = mirrors.begin(detour, more="    sticky: {cookie: at, ttl: 1h}")
    mirrors.settled(0, 1, 2)
    mirrors.settled(1, path="only")
    while True:
        answer = server.get("/x")
        if ".3:" not in answer.location:  # not s1's
            break
    cookie = answer["Set-Cookie"].partition(";")[0]
    for path, given in (("/only", ".3:"), ("/x", answer.location.split("/")[2])):
        again = server.get(path, {"Cookie": cookie})
        assert given in again.location and again["Set-Cookie"] is None


def test_the_next_by_priority_and_by_key(mirrors, detour):
    mirrors.put("x", 2)
    mirrors.put("y", 0, 1, 2)
    servers = ", ".join(f'{{name: s{i}, url: "{s.url}", priority: {i + 1}}}' for i, s in enumerate(mirrors.servers))
    mirrors.begin(detour, servers=servers)
    mirrors.settled(2)
    mirrors.settled(0, path="y")


def test_with_tls_a_server_must_be_who_it_says(mirrors, detour, folder):
    pem, key = folder / "m.pem", folder / "m.key"
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-subj", "/CN=mirror", "-addext", "subjectAltName=IP:127.0.0.5", "-days", "30", "-keyout", key,
                    "-out", pem], check=True, capture_output=True)
    secure = mirrors.add(tls=(pem, key))
    mirrors.put("x", 3)
    stanza = f'{{name: s, url: "{secure.url}"}}'
    mirrors.begin(detour, servers=stanza, health=f"{{path: /healthz, interval: 10s, ca: {pem}}}")
    mirrors.settled(3)
    mirrors.begin(detour, servers=stanza)
    assert mirrors.where() == 503
    wait_until(lambda: mirrors.counts()["s"]["failed"] == 1)
    assert mirrors.where() == 503


class Strange:
    """Reads a request, and sends what a test wants, over and over."""

    def __init__(self, answer, address="127.0.0.1", again=False):
        self.answer, self.again, self.heads, self.kept = answer, again, [], []
        self.socket = socket.create_server((address, 0))
        self.url = f"http://{address}:{self.socket.getsockname()[1]}"
        self.open = 0
        self.most = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.speak, args=(conn,), daemon=True).start()

    def speak(self, conn):
        self.open += 1
        self.most = max(self.most, self.open)
        with conn:
            try:
                conn.settimeout(FOREVER)
                head = b""
                while b"\r\n\r\n" not in head:
                    more = conn.recv(65536)
                    if not more:
                        break
                    head += more
                self.heads.append(head.decode("latin-1"))
                if self.answer is None:
                    conn.recv(1)  # until the other side has had enough
                conn.sendall(self.answer or b"")
                while self.again:
                    conn.sendall(b"x-more: " + b"y" * 1000 + b"\r\n")
            except OSError:
                pass
            finally:
                self.open -= 1

    def close(self):
        self.socket.close()


STRANGE = {
    "garbage": (b"\x16\x03\x01 not HTTP at all\r\n\r\n", False),
    "endless": (b"HTTP/1.1 200 OK\r\n", True),
    "closing": (b"", False),
    "error": (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
    "elsewhere": (b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
    "with content": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", False),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_servers(mirrors, detour, kind):
    answer, again = STRANGE[kind]
    strange = Strange(answer, again=again)
    mirrors.put("x", 1)
    mirrors.begin(detour, servers=f'{{name: strange, url: "{strange.url}"}}, {mirrors.stanza()}')
    mirrors.settled(*([1, -1] if kind == "with content" else [1]))
    counts = wait_until(lambda: any((c := mirrors.counts()["strange"]).values()) and c)
    expected = {"elsewhere": "no", "with content": "yes"}.get(kind, "failed")
    assert {name for name, n in counts.items() if n} == {expected}
    strange.close()


def test_what_is_asked(mirrors, detour):
    """HEAD, with what is appended to the URL, and without the query and all that the client sent."""
    strange = Strange(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")
    server = mirrors.begin(detour, servers=f'{{name: s, url: "{strange.url}/mirror"}}')
    fields = {"Cookie": "secret=1", "Authorization": "Basic x"}
    server.get("/a%20b/%C3%A9?q=1", fields)
    wait_until(lambda: strange.heads)
    lines = strange.heads[0].split("\r\n")
    assert lines[0] == "HEAD /mirror/a%20b/%C3%A9 HTTP/1.1"
    assert lines[1] == "Host: " + strange.url.partition("//")[2]
    assert "(exists)" in strange.heads[0] and "secret" not in strange.heads[0] and "Basic" not in strange.heads[0]
    wait_until(lambda: server.get("/a%20b/%C3%A9?q=2").status == 307)
    assert len(strange.heads) == 1
    strange.close()


def test_a_flood_of_paths(mirrors, detour):
    """One that does not answer, and ever new paths: at most a few questions on their way, bounded
    memory, and what others are asked goes on."""
    silent = Strange(None)
    mirrors.put("x", 0)
    server = mirrors.begin(
        detour, metrics=True,
        servers=f'{{name: silent, url: "{silent.url}", weight: 1000}}, {mirrors.stanza()}')
    mirrors.settled(0)
    control = server.control_pid()
    before = resident(control)
    with server.connect() as c:
        for start in range(0, 6000, 50):
            c.send(b"".join(b"GET /%06d/%s HTTP/1.1\r\nHost: a.example\r\n\r\n" % (i, b"p" * 1500)
                            for i in range(start, start + 50)))
            for _ in range(50):
                assert c.response().status == 503
    mirrors.put("late", 1)
    mirrors.settled(1, path="late")
    mirrors.settled(0)
    metrics = server.metrics()
    assert metrics.sum("detour_existence_pending") <= 4096 + 128
    assert metrics.sum("detour_existence_questions_dropped_total") > 0
    assert silent.most <= 4
    assert resident(control) - before < 16 << 20
    silent.close()


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("host", [None, "Files.example:81"])
def test_a_ticket_goes_along(mirrors, detour, folder, host):
    """Of servers that serve nobody without one, with the key of now, for the host that is asked for."""
    strange = Strange(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    key = folder / "tickets.key"
    key.write_text("k" * 40 + "\n")
    key.chmod(0o600)
    server = mirrors.begin(detour, servers=f'{{name: s, url: "{strange.url}"}}',
                           health=f'{{path: /, host: "{host}"}}' if host else "off",
                           more=f"    sign: {{key_file: {key}, ttl: 1m, param: t}}")
    wait_until(lambda: server.get("/x").status == 307)
    (head,) = [h for h in strange.heads if h.startswith("HEAD ")]
    expiry, _, code = head.split(" ")[1].removeprefix("/x?t=").partition("-")
    asked = host or strange.url.partition("//")[2]
    assert f"\r\nHost: {asked}\r\n" in head
    text = "\n".join(["GET", asked.lower(), "/x", expiry])
    assert code == hmac.new(b"k" * 40, text.encode(), "sha256").hexdigest()
    strange.close()


def test_explain_says_what_it_does_not_know(mirrors, detour):
    server = mirrors.begin(detour)
    for method, said in (("GET", True), ("POST", False)):
        out = run("explain", "-c", server.file, "-X", method, "http://a.example/x")
        assert ("requires that a server has this" in out.stdout) == said
    out = run("explain", "--json", "-c", server.file, "http://a.example/x")
    assert json.loads(out.stdout)["existence"] == "assumed"


def test_a_reload(mirrors, detour):
    """What is known of a server goes on, and is not believed of another one of its name."""
    mirrors.put("x", 0, 1)
    server = mirrors.begin(detour, "{exists: {found: 60s, missing: 60s}}",
                           servers=f'{{name: s, url: "{mirrors.servers[0].url}"}}')
    mirrors.settled(0)
    text = server.file.read_text()
    server.file.write_text(text.replace("found: 60s", "found: 50s"))
    server.reload()
    wait_until(lambda: "generation 2 is in use" in server.stderr())
    assert mirrors.where() == 0 and mirrors.counts()["s"]["yes"] == 1
    server.file.write_text(text.replace(mirrors.servers[0].url, mirrors.servers[1].url))
    server.reload()
    wait_until(lambda: "generation 3 is in use" in server.stderr())
    assert mirrors.where() == 503
    mirrors.settled(1)


def test_explain_live_says_who_has_it(mirrors, detour):
    mirrors.put("x", 1)
    server = mirrors.begin(detour, "{exists: {found: 60s, missing: 60s}}")
    mirrors.settled(1)
    wait_until(lambda: sum(c["no"] for c in mirrors.counts().values()) == 2)
    out = run("explain", "--live", "-c", server.file, "http://a.example/x")
    assert out.returncode == 0, out.stderr
    assert f"Location: {mirrors.servers[1].url}/x" in out.stdout
    assert out.stdout.count("it does not have this") == 2 and "taken to have" not in out.stdout
    told = json.loads(run("explain", "--live", "--json", "-c", server.file, "http://a.example/y").stdout)
    assert told["existence"] == "known" and told["status"] == 503
    assert {s["reason"] for s in told["servers"]} == {"it is not known whether it has this"}
    admin = Admin(server)
    assert admin.good("POST", "/v1/pools/mirrors/existence", {"path": "/x"}).json["servers"][1]["known"] == "yes"
    for status, pool, content in ((404, "other", {"path": "/x"}), (422, "mirrors", {}),
                                  (422, "mirrors", {"path": "x"}), (422, "mirrors", {"path": "/" + "x" * 2048}),
                                  (422, "mirrors", {"path": "/x", "more": 1})):
        admin.bad(status, "POST", f"/v1/pools/{pool}/existence", content)
    admin.close()
