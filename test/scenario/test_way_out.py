# SPDX-License-Identifier: MIT
"""A way out: real mirrors that do not have everything send their clients back, and real clients come
to the one that has it, or to the last resort, and never go in circles."""

import re
import subprocess
from urllib.parse import urlsplit

import pytest
from detourlib import FOREVER, free_port, run
from healthlib import NGINX_CONFIG, Server

POOL = """
  {name}:
    avoid: {{param: tried, carry: true}}
    health: off
    fallback: {{to: "http://127.0.0.9:$FARM{{+path}}"}}
    {more}
    servers: {servers}
"""
NAMES = ["m0", "m1", "m2", "m3"]
SAME = "[" + ", ".join(f'{{name: {n}, url: "http://127.0.0.{i + 2}:$FARM"}}' for i, n in enumerate(NAMES)) + "]"
LEVELS = "[" + ", ".join(
    f'{{name: {n}, url: "http://127.0.0.{i + 2}:$FARM", priority: {i // 2 + 1}}}' for i, n in enumerate(NAMES)) + "]"
MANY = "[" + ", ".join(f'{{name: n{i}, url: "http://127.0.0.{i % 4 + 2}:$FARM/n{i}"}}' for i in range(12)) + "]"
POOLS = {
    "weighted": ("", SAME),
    "turns": ("balance: round-robin", SAME),
    "hash": ("balance: {hash: path}", SAME),
    "client": ("balance: {hash: client}", LEVELS),
    "levels": ("", LEVELS),
    "sticky": ("sticky: {cookie: at}", SAME),
    "signed": ('sign: {key_file: "$KEY"}', SAME),
    "many": ("path: strip", MANY),
    "said": ("", SAME),
}
SETTING = """
admin: {listen: "unix:$DIR/admin.sock"}
state: $DIR/state
sites:
  - name: a
    hosts: ["*"]
    routes:
      - {name: loop, path: "/loop/*", pool: loop}
""" + "".join(f'      - {{name: {n}, path: "/{n}/*", pool: {n}}}\n' for n in POOLS) + """
  - name: own
    hosts: [files.example]
    routes: [{name: own, path: "/*", pool: own}]
pools:
  loop:
    avoid: {param: tried, carry: true}
    health: off
    fallback: {to: "http://127.0.0.8:$FARM{+path}?from=pool"}
    servers: """ + SAME + """
  own:
    health: off
    servers: [{name: m0, url: "http://127.0.0.2:$FARM"}]
""" + "".join(POOL.format(name=n, more=more, servers=servers) for n, (more, servers) in POOLS.items()).replace(
    "  said:\n    avoid: {param: tried, carry: true}", "  said:\n    avoid: {param: tried}")

# What it does not have it sends back with its query, as the manual says.
BACK = """
    location / { error_page 404 = @back; }
    location @back { return 302 http://127.0.0.1:DETOUR$request_uri; }
    location /healthz {"""


class Mirror(Server):
    pass


class Mirrors:
    def __init__(self, folder, detour_port, port):
        back = NGINX_CONFIG.replace("    location /healthz {", BACK.replace("DETOUR", str(detour_port)))
        self.port = port
        self.all = {}
        for i, name in [*enumerate([*NAMES], 2), (8, "back"), (9, "last")]:
            Mirror.config = NGINX_CONFIG if name == "last" else back
            self.all[name] = Mirror(folder / name, f"127.0.0.{i}", port)

    def has(self, name, path, text=None):
        file = self.all[name].folder / "www" / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text or name)


@pytest.fixture(scope="module")
def mirrors(shared_detour, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirrors")
    port = free_port()
    (folder / "key").write_text("k" * 48 + "\n")
    (folder / "key").chmod(0o600)
    server = shared_detour(SETTING, workers=1, metrics=True, log=True, FARM=port, KEY=folder / "key")
    mirrors = Mirrors(folder, server.port, port)
    mirrors.server = server
    yield mirrors
    for one in mirrors.all.values():
        one.close()


def curl(mirrors, target, *args):
    """Follows as far as it leads: status, redirects, where it ended, what it got, and the way there."""
    done = subprocess.run(
        ["curl", "-sSL", "-D", "-", "--max-redirs", "20", "-w", "\n%{http_code} %{num_redirects} %{url_effective}",
         *args, f"http://127.0.0.1:{mirrors.server.port}{target}"],
        capture_output=True, text=True, timeout=FOREVER, check=True)
    end = done.stdout.splitlines()[-1].split(" ")
    way = re.findall(r"(?im)^location: (\S+)", done.stdout)
    return int(end[0]), int(end[1]), end[2], done.stdout.splitlines()[-2], way


def of_servers(mirrors, way):
    """The addresses of mirrors on a way, in order."""
    return [urlsplit(u).hostname for u in way if urlsplit(u).port == mirrors.port]


@pytest.mark.parametrize("pool", [n for n in POOLS if n not in ("many", "said")])
def test_a_client_comes_to_the_one_that_has_it(mirrors, pool, tmp_path):
    for place, name in enumerate(NAMES):
        path = f"/{pool}/only-{name}"
        mirrors.has(name, path)
        for _ in range(2):
            status, redirects, url, got, way = curl(mirrors, path + "?v=a%20b", "-c", tmp_path / "jar", "-b",
                                                    tmp_path / "jar")
            assert (status, got) == (200, name), way
            servers = of_servers(mirrors, way)
            assert servers[-1] == f"127.0.0.{place + 2}"
            assert len(set(servers)) == len(servers) <= 4
            assert redirects == 2 * len(servers) - 1
            query = urlsplit(url).query
            assert query.startswith("v=a%20b&tried=")
            assert query.count("tried=") == 1
            assert query.count("ticket=") == (pool == "signed")
            tried = re.search(r"tried=([^&]*)", query)[1].split(",")
            assert [f"127.0.0.{NAMES.index(n) + 2}" for n in tried] == servers


@pytest.mark.parametrize("pool", ["weighted", "hash", "levels", "sticky"])
def test_or_to_the_last_resort(mirrors, pool):
    mirrors.has("last", f"/{pool}/nobody-has-it", "the last one has it")
    status, redirects, url, got, way = curl(mirrors, f"/{pool}/nobody-has-it")
    assert (status, got) == (200, "the last one has it")
    servers = of_servers(mirrors, way)
    assert sorted(servers[:-1]) == [f"127.0.0.{i}" for i in range(2, 6)]
    assert servers[-1] == "127.0.0.9"
    assert redirects == 9
    assert url.endswith(f",*{pool}")


def test_a_loop_is_noticed(mirrors):
    before = mirrors.server.metrics().sum("detour_loops_total")
    status, redirects, url, got, way = curl(mirrors, "/loop/x")
    assert status == 508
    assert redirects == 2 * 4 + 2
    assert of_servers(mirrors, way)[-1] == "127.0.0.8"
    assert urlsplit(url).query.startswith("from=pool&tried=")
    r = mirrors.server.get("/loop/x?tried=m0,m1,m2,m3,*loop")
    assert (r.status, r["Cache-Control"], r["Content-Type"]) == (508, "no-store", "application/problem+json")
    assert b"Loop Detected" in r.body
    assert mirrors.server.metrics().sum("detour_loops_total") == before + 2


def test_eight_servers_are_enough(mirrors):
    """Browsers follow 20 redirects."""
    mirrors.has("last", "/x", "at last")
    for n in range(12):
        mirrors.all[NAMES[n % 4]].folder.joinpath("www", f"n{n}").mkdir(exist_ok=True)
    seen = []
    target = "/many/x"
    for _ in range(9):
        r = mirrors.server.get(target)
        url = urlsplit(r.location)
        seen.append(url.hostname + url.path)
        target = f"/many/x?{url.query}"
    assert seen[-1] == "127.0.0.9/many/x"
    assert len(set(seen[:-1])) == 8
    assert mirrors.server.get(target).status == 508


def test_a_client_says_whom_it_cannot_reach(mirrors):
    mirrors.has("m3", "/weighted/dead")
    mirrors.all["m1"].kill()
    try:
        for field in ("m0, m1, m2", f"127.0.0.2,127.0.0.3:{mirrors.port}", f"http://127.0.0.3:{mirrors.port}/a?b"):
            hosts = {mirrors.server.get("/said/x", {"Detour-Avoid": field}).location.split(":")[1] for _ in range(12)}
            assert "//127.0.0.3" not in hosts
            assert len(hosts) == {"m": 1, "1": 2, "h": 3}[field[0]], (field, hosts)
            done = subprocess.run(
                ["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{redirect_url}",
                 "-H", f"Detour-Avoid: {field}", f"http://127.0.0.1:{mirrors.server.port}/said/x"],
                capture_output=True, text=True, timeout=FOREVER, check=True)
            assert done.stdout.split(":")[1] in hosts
        status, _, _, got, _ = curl(mirrors, "/weighted/dead", "-H", "Detour-Avoid: m1")
        assert (status, got) == (200, "m3")
    finally:
        mirrors.all["m1"].start()


def test_a_parameter_says_it_too_and_stays_here(mirrors):
    r = mirrors.server.get("/said/x?q=1&tried=m0,m1&tried=m2")
    assert r.location == f"http://127.0.0.5:{mirrors.port}/said/x?q=1"
    r = mirrors.server.get("/said/x?q=1&tried=m0,m1,m2,m3")
    assert r.location == f"http://127.0.0.9:{mirrors.port}/said/x?q=1"
    r = mirrors.server.get("/said/x?tried=m0,m1,m2,m3", {"Detour-Avoid": "127.0.0.9"})
    assert (r.status, r.location) == (503, None)
    assert 1 <= int(r["Retry-After"]) <= 75


def test_explain_says_who_is_avoided(mirrors):
    done = run("explain", "-c", mirrors.server.file, "-H", "Detour-Avoid: m1, 127.0.0.4",
               "http://127.0.0.1/levels/x")
    assert done.returncode == 0, done.stderr
    assert "server: levels/m0" in done.stdout
    assert re.search(r"levels/m1 .*the client says that it cannot reach it", done.stdout), done.stdout
    assert re.search(r"levels/m2 .*the client says that it cannot reach it", done.stdout), done.stdout
    assert "tried=m0" in done.stdout


def test_a_server_that_leads_back_is_refused(mirrors):
    before = mirrors.server.get("/x", {"Host": "files.example"}).location
    for url in (f"http://files.example:{mirrors.server.port}", "https://files.example/"):
        done = run("server", "add", "own", "back", url, "--reason", "r", cwd=mirrors.server.folder)
        assert done.returncode == 1, done.stdout
        assert "`own/routes/own` leads back to itself by the server `back` of the pool `own`" in done.stderr
        assert "files.example/sample -> files.example/sample" in done.stderr
    assert mirrors.server.get("/x", {"Host": "files.example"}).location == before
    done = run("server", "add", "own", "other", "http://files.example:1/", "--reason", "r", cwd=mirrors.server.folder)
    assert done.returncode == 0, done.stderr
