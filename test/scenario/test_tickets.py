# SPDX-License-Identifier: MIT
"""Signed tickets: a server lets in whom Detour sent, for this method, host, path and time, and nobody
else, whether nginx looks at them, Python or C; and nobody else ever sees the key."""

import base64
import contextlib
import hashlib
import hmac
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
from adminapi import Admin
from detourlib import FOREVER, ROOT, Conn, free_port, request_bytes, run, wait_until

EXAMPLES = ROOT / "examples" / "tickets"
KEYS = ["Pt7sHq1vXo3uYb5wKd9eRf2gTj4hNk6m" * 2, "c0mqLz8aWx1sEd3rFv5tGb7yHn9uJm2k" * 2, "Zq1" * 14]

CONFIG = """
admin: {listen: "unix:$DIR/admin.sock"}
state: state
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: nginx, path: "/nginx/*", pool: nginx, max_age: 1h}
      - {name: found, path: "/found/*", pool: nginx, status: 302}
      - {name: see, path: "/see/*", pool: nginx, status: 303}
      - {name: python, path: "/python/*", pool: python}
      - {name: many, path: "/many/*", pool: many}
      - {name: plain, path: "/plain/*", pool: plain}
pools:
  nginx:
    health: off
    sign: {key_file: $KEY, ttl: 1m}
    servers: [{name: nginx, url: "$NGINX"}]
  python:
    health: off
    sign: {key_file: $KEY, ttl: 1m}
    servers: [{name: python, url: "$PYTHON"}]
  many:
    health: off
    link: true
    sign: {key_file: $KEY, ttl: 2m, param: t.o-k_e~n}
    servers: [{name: e, url: "https://E.example.net:443/m/"}, {name: f, url: "http://f.example.net:8080"}]
  plain:
    health: off
    servers: [{name: p, url: "https://p.example.net"}]
"""


def load_verifier():
    spec = importlib.util.spec_from_file_location("tickets", EXAMPLES / "tickets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VERIFIER = load_verifier()


def key_file(path, *keys):
    new = path.with_suffix(".new")
    new.write_text("".join(key + "\n" for key in keys))
    new.chmod(0o600)
    os.replace(new, path)
    return path


def code(key, method, host, path, expiry):
    """The definition, written down once more."""
    return hmac.new(key.encode(), f"{method}\n{host}\n{path}\n{expiry}".encode(), hashlib.sha256).hexdigest()


def ticket(key, method, host, path, expiry=None):
    expiry = int(time.time()) + 30 if expiry is None else expiry
    return f"{expiry}-{code(key, method, host, path, expiry)}"


def fault(url, method="GET", keys=KEYS[:1], param="ticket", later=0):
    """What Python's verifier says of a Location; later: so many seconds from now."""
    parts = urlsplit(url)
    return VERIFIER.fault([k.encode() for k in keys], method, parts.netloc, url[len(parts.scheme + "://" + parts.netloc):],
                          time.time() + later, param)


# --- Servers ------------------------------------------------------------------------------


class Mirror:
    """Serves the files of a folder below /nginx, /python, … to those who have a ticket."""

    def __init__(self, folder, keys):
        self.folder, self.port = folder, free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self.keys = key_file(folder / "server.key", "", *keys)
        for name in ("nginx", "python", "see", "found"):
            (folder / "www" / name).mkdir(parents=True)
            for file in ("disk.img", "a b.img"):
                (folder / "www" / name / file).write_text(f"the file {file}")
        self.process = None

    def begin(self, *command):
        out = open(self.folder / "log", "wb")
        with out:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_until(self.listens, what="the mirror")
        return self

    def listens(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=FOREVER):
            return True
        return False

    def ask(self, method, target, host=None):
        with Conn(("127.0.0.1", self.port)) as c:
            c.send(request_bytes(method, target, {"Connection": "close"}, host=host or self.host))
            return c.response(head_only=method == "HEAD").status

    def lets_in(self, method, target, host=None):
        """Whether it looked for the file; there are methods that files are not asked with."""
        return self.ask(method, target, host) != 403

    def close(self):
        self.process.kill()
        self.process.wait(FOREVER)


class NginxMirror(Mirror):
    def start(self):
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        script = (EXAMPLES / "tickets.js").read_text()
        assert script.count("/etc/nginx/mirrors.key") == 1
        (self.folder / "tickets.js").write_text(script.replace("/etc/nginx/mirrors.key", str(self.keys)))
        site = (EXAMPLES / "nginx.conf").read_text()
        for old, new in {"/etc/nginx/tickets.js": f"{self.folder}/tickets.js", "listen 80;": f"listen 127.0.0.1:{self.port};",
                         "listen 80 default_server;": f"listen 127.0.0.1:{self.port} default_server;",
                         "server_name eu1.example.net;": "server_name eu1.example.net 127.0.0.1;",
                         "root /srv/mirror;": f"root {self.folder}/www;"}.items():
            assert site.count(old) == 1, old
            site = site.replace(old, new)
        temporary = "".join(f"{k}_temp_path {self.folder}/{k};\n" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            "load_module /usr/lib/nginx/modules/ngx_http_js_module.so;\nuser root;\ndaemon off;\nmaster_process off;\n"
            f"pid {self.folder}/nginx.pid;\nevents {{ worker_connections 256; }}\n"
            f"http {{\naccess_log off;\n{temporary}{site}\n}}\n")
        return self.begin(program, "-e", "stderr", "-c", self.folder / "nginx.conf", "-p", self.folder)


class PythonMirror(Mirror):
    def start(self):
        return self.begin(sys.executable, EXAMPLES / "tickets.py", self.keys, self.host, self.port, self.folder / "www")


    def ask(self, method, target, host=None):
        """It serves files, to GET and HEAD; of other methods its verifier is asked alone."""
        if method in ("GET", "HEAD"):
            return super().ask(method, target, host)
        keys = VERIFIER.read_keys(self.keys)
        return 403 if VERIFIER.fault(keys, method, host or self.host, target, time.time()) else 405


class CMirror(Mirror):
    """No server: a program that is asked whether a request is good."""

    def start(self):
        self.program = self.folder / "tickets"
        done = subprocess.run(
            ["cc", "-std=gnu17", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-o", self.program, EXAMPLES / "tickets.c", "-lcrypto"],
            capture_output=True, text=True, timeout=FOREVER)
        assert done.returncode == 0, done.stderr
        return self

    def lets_in(self, method, target, host=None):
        done = subprocess.run([self.program, self.keys, method, host or self.host, target], capture_output=True, timeout=FOREVER)
        assert done.returncode in (0, 1), done.stderr
        assert (done.stdout == b"good\n") == (done.returncode == 0)
        return done.returncode == 0

    def close(self):
        pass


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory):
    """Servers that accept the first two keys, by name."""
    made = {}
    try:
        for name, kind in {"nginx": NginxMirror, "python": PythonMirror, "c": CMirror}.items():
            made[name] = kind(tmp_path_factory.mktemp(name), KEYS[:2])
            made[name].start()
        yield made
    finally:
        for mirror in made.values():
            if mirror.process is not None:
                mirror.close()


@pytest.fixture(scope="module")
def server(shared_detour, mirrors, tmp_path_factory):
    key = key_file(tmp_path_factory.mktemp("keys") / "mirrors.key", KEYS[0], KEYS[1])
    return shared_detour(CONFIG, workers=1, KEY=key, NGINX=mirrors["nginx"].url, PYTHON=mirrors["python"].url)


# --- Clients ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("name", ["nginx", "python"])
def test_who_was_sent_is_let_in(server, mirrors, name, method):
    mirror = mirrors[name]
    for path in ("disk.img", "a%20b.img?x=1&y", "disk.img?", "none?ticket"):
        r = server.request(method, f"/{name}/{path}", body=b"x" if method == "PUT" else None)
        assert r.status == 307 and r.location.startswith(mirror.url), r
        target = r.location[len(mirror.url):]
        status = mirror.ask(method, target)
        assert status == (404 if path.startswith("none") else 200) or method == "PUT" and status in (405, 501), (status, target)
        assert mirrors["c"].lets_in(method, target, mirror.host)
        plain = target.split("?")[0]
        assert mirror.ask("GET", plain) == 403 and not mirrors["c"].lets_in("GET", plain, mirror.host)


def test_the_method_is_that_of_the_next_request(server, mirrors):
    """A client asks with GET after 303, and after 302 to a POST."""
    for path, method, after in [("/see/disk.img", "PUT", "GET"), ("/see/disk.img", "POST", "GET"),
                                ("/found/disk.img", "POST", "GET"), ("/found/disk.img", "PUT", "PUT")]:
        r = server.request(method, path, body=b"x")
        assert fault(r.location, after) is None, (path, method)
        assert fault(r.location, "GET" if after == "PUT" else "PUT") == "bad"
        assert mirrors["nginx"].lets_in(after, r.location[len(mirrors["nginx"].url):])


@pytest.mark.parametrize("name", ["nginx", "python", "c"])
def test_who_was_not_sent_is_not(mirrors, name):
    mirror = mirrors[name]
    path, now = "/nginx/disk.img" if name == "nginx" else "/python/disk.img", int(time.time())
    good = ticket(KEYS[0], "GET", mirror.host, path)
    expiry, digits = good.split("-")
    other = "0" if digits[-1] != "0" else "1"
    refused = {
        "absent": path,
        "empty": f"{path}?ticket=",
        "no code": f"{path}?ticket={expiry}",
        "another parameter": f"{path}?tickets={good}",
        "two": f"{path}?ticket={good}&ticket={good}",
        "tampered code": f"{path}?ticket={good[:-1]}{other}",
        "code in upper case": f"{path}?ticket={good.upper()}" if good.upper() != good else path,
        "a code cut off": f"{path}?ticket={good[:-1]}",
        "a longer code": f"{path}?ticket={good}0",
        "another time": f"{path}?ticket={int(expiry) + 1}-{digits}",
        "zeros before the time": f"{path}?ticket=0{good}",
        "expired": f"{path}?ticket={ticket(KEYS[0], 'GET', mirror.host, path, now - 1)}",
        "never": f"{path}?ticket={ticket(KEYS[0], 'GET', mirror.host, path, 0)}",
        "another path": f"{path}x?ticket={good}",
        "the path spelled otherwise": f"{path.replace('disk', '%64isk')}?ticket={good}",
        "another method signed": f"{path}?ticket={ticket(KEYS[0], 'PUT', mirror.host, path)}",
        "HEAD signed": f"{path}?ticket={ticket(KEYS[0], 'HEAD', mirror.host, path)}",
        "another host signed": f"{path}?ticket={ticket(KEYS[0], 'GET', '127.0.0.1', path)}",
        "a key that is not known": f"{path}?ticket={ticket(KEYS[2], 'GET', mirror.host, path)}",
        "the key of an empty line": f"{path}?ticket={ticket('', 'GET', mirror.host, path)}",
        **{f"a path with {slash}": f"{hidden}?ticket={ticket(KEYS[0], 'GET', mirror.host, hidden)}" for slash, hidden in (
            ("%2f", f"/public/..%2f{path[1:]}"), ("%2F", path.replace("/d", "%2Fd")), ("%5C", f"/public/..%5C{path[1:]}"))},
    }
    for why, target in refused.items():
        assert not mirror.lets_in("GET", target), why
    accepted = {
        "as it is": f"{path}?ticket={good}",
        "among others": f"{path}?a=1&ticket={good}&b",
        "the second key": f"{path}?ticket={ticket(KEYS[1], 'GET', mirror.host, path)}",
    }
    for why, target in accepted.items():
        assert mirror.lets_in("GET", target), why
    target = accepted["as it is"]
    assert mirror.lets_in("HEAD", target)
    assert not mirror.lets_in("PUT", target)
    assert not mirror.lets_in("GET", target, host="eu1.example.net")
    assert not mirror.lets_in("GET", f"http://eu1.example.net{target}"), "the host of the target"
    named = f"{path}?ticket={ticket(KEYS[0], 'GET', 'eu1.example.net', path)}"
    if name != "python":  # which has one name
        assert mirror.lets_in("GET", named, host="EU1.example.net")
    if name != "c":  # it is asked about the hosts of its caller
        other = f"{path}?ticket={ticket(KEYS[0], 'GET', 'eu2.example.net', path)}"
        assert not mirror.lets_in("GET", other, host="eu2.example.net"), "another server's ticket"


# --- What Detour sends --------------------------------------------------------------------


def test_the_location(server):
    r = server.get("/many/x%2Cy?q=1")
    expiry = int(re.search(r"n=(\d+)-", r.location)[1])
    assert 110 < expiry - time.time() <= 121
    urls = {"e": ("https://e.example.net/m/many/x%2Cy", "e.example.net", "/m/many/x%2Cy"),
            "f": ("http://f.example.net:8080/many/x%2Cy", "f.example.net:8080", "/many/x%2Cy")}
    named = re.findall(r"<([^>]*)>", ", ".join(r.all("Link")))
    assert len(named) == 1
    for location in (r.location, *named):
        url, host, path = urls[urlsplit(location).hostname[0]]
        until = int(re.search(r"n=(\d+)-", location)[1])
        assert location == f"{url}?q=1&t.o-k_e~n={until}-{code(KEYS[0], 'GET', host, path, until)}"
        assert fault(location, param="t.o-k_e~n") is None and fault(location, param="t.o-k_e~n", later=121) == "expired"


def test_what_a_client_brings_is_taken_out(server):
    for query, rest in {"ticket=x": "", "ticket=1&a=2&ticket=3": "a=2&", "a&TICKET=x&%74ick%65t=y&ticketx=1": "a&ticketx=1&",
                        "ticket": "", "b=ticket=1": "b=ticket=1&"}.items():
        r = server.get(f"/python/disk.img?{query}")
        assert re.fullmatch(rf"[^?]*\?{rest}ticket=\d+-[0-9a-f]{{64}}", r.location), (query, r.location)
        assert fault(r.location) is None


def test_caches_forget_it_in_time(server):
    r = server.get("/nginx/disk.img")
    assert r.get("Cache-Control") == "private, max-age=30"


def test_a_pool_without_it_is_left_alone(server):
    assert server.get("/plain/x?ticket=1").location == "https://p.example.net/plain/x?ticket=1"


def test_explain_says_that_there_is_one(server):
    done = run("explain", "-c", server.file, "http://a.example/many/x?t.o-k_e~n=1&y")
    assert done.returncode == 0, done.stderr
    assert "with a signed ticket, t.o-k_e~n=..., good for 120 s" in done.stdout
    assert re.search(r"Location: \S+/many/x\?y$", done.stdout, re.M), done.stdout
    told = json.loads(run("explain", "-c", server.file, "--json", "http://a.example/many/x").stdout)
    assert told["ticket"] == {"param": "t.o-k_e~n", "ttl_s": 120} and "e~n=" not in told["location"]
    told = json.loads(run("explain", "-c", server.file, "--json", "http://a.example/plain/x").stdout)
    assert told["ticket"] is None


# --- The key ------------------------------------------------------------------------------

SMALL = """
admin: {listen: "unix:$DIR/admin.sock"}
state: state
sites:
  - name: a
    hosts: [a.example]
    routes: [{name: all, path: "/*", pool: mirrors}]
pools:
  mirrors:
    health: off
    sign: {key_file: $KEY}
    servers: [{name: e, url: "https://e.example.net"}]
"""


@pytest.fixture
def keys(tmp_path):
    """In a folder of its own."""
    (tmp_path / "keys").mkdir()
    return key_file(tmp_path / "keys" / "mirrors.key", KEYS[0])


def signs_with(server, key):
    return fault(server.get("/x").location, keys=[key]) is None


def both_sign_with(server, key):
    """Each worker is asked; a connection belongs to one."""
    return all(signs_with(server, key) for _ in range(20))


def test_a_reload_takes_the_new_key(detour, keys):
    server = detour(SMALL, KEY=keys)
    assert both_sign_with(server, KEYS[0])
    key_file(keys, KEYS[1], KEYS[0])
    assert both_sign_with(server, KEYS[0])  # nobody looks at the file until told
    server.reload()
    wait_until(lambda: both_sign_with(server, KEYS[1]), what="the new key")


@pytest.mark.parametrize("harm, message", [
    (lambda f: f.write_text("short\n"), "at least 32 characters"),
    (lambda f: f.write_text("x" * 129), "at most 128"),
    (lambda f: f.write_text("\n".join(KEYS)), "more than two keys"),
    (lambda f: f.write_text(KEYS[1] + "\r\n"), "visible ASCII"),
    (lambda f: f.write_text(""), "it is empty"),
    (lambda f: f.write_bytes(b"x" * 10000), "larger than 4 KiB"),
    (lambda f: f.unlink(), "No such file"),
    (lambda f: (f.unlink(), f.mkdir()), "directory"),
    (lambda f: (f.unlink(), os.mkfifo(f)), "it is empty"),
], ids=["short", "long", "three", "crlf", "empty", "large", "gone", "folder", "pipe"])
def test_a_broken_file_changes_nothing(detour, keys, harm, message):
    server = detour(SMALL, KEY=keys, workers=1)
    harm(keys)
    done = run("check", "-c", server.file)
    line = next(n for n, text in enumerate(server.file.read_text().splitlines(), 1) if "key_file" in text)
    assert done.returncode == 1 and f"detour.yaml:{line}:22: error: cannot " in done.stderr and message in done.stderr, done.stderr
    server.reload()
    wait_until(lambda: "nothing was changed" in server.stderr(), what="the refusal")
    assert message in server.stderr() and signs_with(server, KEYS[0])
    if keys.is_dir():
        keys.rmdir()
    key_file(keys, KEYS[1])
    server.reload()
    wait_until(lambda: signs_with(server, KEYS[1]), what="the new key")


def test_a_first_file_that_is_broken(detour, keys):
    keys.write_text("short\n")
    server = detour(SMALL, wait=False, KEY=keys)
    assert server.process.wait(FOREVER) == 1
    server.expected_exit = 1
    assert "at least 32 characters" in server.stderr()


def test_a_key_that_others_can_read(detour, keys):
    server = detour(SMALL, KEY=keys, workers=1)
    for mode, said in ((0o604, "can read"), (0o602, "can change"), (0o660, "can change"), (0o640, None), (0o600, None)):
        keys.chmod(mode)
        done = run("check", "-c", server.file)
        assert done.returncode == 0
        assert ("chmod 600" in done.stderr and said in done.stderr) if said else done.stderr == "", done.stderr


@pytest.mark.parametrize("role", ["_worker", "_control"])
def test_a_process_that_dies_forgets_no_key(detour, keys, role):
    server = detour(SMALL, KEY=keys)
    key_file(keys, KEYS[1])  # nobody has said that it counts
    for _ in range(2):
        server.kill_one(role)
        wait_until(server.answers, what="an answer")
        assert both_sign_with(server, KEYS[0])
    admin = Admin(server)
    wait_until(lambda: "going on from the last good" in server.stderr() if role == "_control" else True, what="control")
    wait_until(lambda: admin_answers(admin), what="the admin API")
    admin.on("d", admin.detour("/detoured"), "a")  # another snapshot, with the keys of before
    wait_until(lambda: server.get("/detoured").location == "https://live.example/", what="the detour")
    assert both_sign_with(server, KEYS[0])
    admin.close()
    server.reload()
    wait_until(lambda: both_sign_with(server, KEYS[1]), what="the new key")


def admin_answers(admin):
    with contextlib.suppress(OSError, Exception):
        return admin.ask("GET", "/v1/detours").status == 200
    return False


def test_another_start_signs_again(detour, keys):
    server = detour(SMALL, KEY=keys)
    kids = [*server.worker_pids(), server.control_pid(), server.logger_pid()]
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(FOREVER)
    wait_until(lambda: not any(os.path.exists(f"/proc/{k}") for k in kids), what="the end of the children")
    key_file(keys, KEYS[1])
    server.start()
    assert both_sign_with(server, KEYS[1])


def test_pools_come_and_go(detour, keys):
    """Keys and snapshot change together, whatever the order."""
    plain = re.sub(r"\n    sign: .*", "", SMALL)
    second = key_file(keys.parent / "second.key", KEYS[2])
    server = detour(SMALL, KEY=keys)  # so that the folder is known
    assert both_sign_with(server, KEYS[0])
    steps = [(SMALL, second, KEYS[2]), (plain, keys, None), (SMALL, keys, KEYS[0]), (SMALL, second, KEYS[2])]
    for config, file, key in steps:
        server.values["KEY"] = file
        server.reload(config)
        if key is None:
            wait_until(lambda: all(server.get("/x").location == "https://e.example.net/x" for _ in range(20)), what="no ticket")
        else:
            wait_until(lambda key=key: both_sign_with(server, key), what="the key")
    assert "is not used" not in server.stderr()


def spellings(key):
    """Ways in which somebody might write it down."""
    raw = key.encode()
    yield raw
    yield raw.hex().encode()
    for shift in range(3):  # wherever it stands in what is encoded
        inner = base64.b64encode(b"\0" * shift + raw)
        yield inner[8:-4]


def test_nobody_is_shown_the_key(detour, keys):
    key_file(keys, KEYS[0], KEYS[1])
    server = detour(SMALL, KEY=keys, metrics=True, log=True)
    admin = Admin(server)
    seen = {"answer": server.get("/x").raw_head}
    admin.on("d", admin.detour("/detoured"), "a")
    for path in ("/v1/pools", "/v1/export", "/v1/detours", "/v1/history", "/v1/status", "/v1/config"):
        seen[path] = admin.ask("GET", path).body
    key_file(keys, KEYS[0], "short")
    server.reload()
    wait_until(lambda: "nothing was changed" in server.stderr(), what="the refusal")
    key_file(keys, KEYS[0], KEYS[1])
    for words in (("check",), ("explain", "http://a.example/x"), ("export",), ("pools",), ("status",), ("history",), ("targets",)):
        done = run(*words, "-c", server.file)
        seen[" ".join(words)] = (done.stdout + done.stderr).encode()
    server.kill_one("_control")
    wait_until(lambda: "going on from" in server.stderr(), what="control")
    server.wait_log(1)
    for pid in (server.pid, *server.worker_pids(), server.control_pid(), server.logger_pid()):
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                seen[f"{name} of {pid}"] = f.read()
    for folder, _, files in os.walk(server.folder):
        for name in files:
            with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as f:
                seen[name] = f.read()
    assert seen["stderr"] and seen["access.log"] and seen["store.mdb"] and b"mirrors.key" in seen["detour.yaml"]
    for where, content in seen.items():
        for key in KEYS[:2]:
            for spelling in spellings(key):
                assert spelling not in content, where
    admin.close()


def test_the_memory_of_others_has_no_key(detour, keys):
    """The supervisor keeps what it cannot read, and the logger never had it. Control reads one key, and
    leaves none of what it read behind."""
    key_file(keys, KEYS[0], KEYS[1])
    server = detour(SMALL, KEY=keys, workers=1)
    assert signs_with(server, KEYS[0])

    def found(pid, key):
        return [name for name, content in memory(pid) if key.encode() in content]

    assert found(server.worker_pids()[0], KEYS[0])  # or nothing could be found at all
    assert found(server.worker_pids()[0], KEYS[1]) == []
    for pid in (server.pid, server.logger_pid()):
        assert found(pid, KEYS[0]) == [] and found(pid, KEYS[1]) == []
    assert all("memfd:" in name for name in found(server.control_pid(), KEYS[0]))
    assert found(server.control_pid(), KEYS[1]) == []


def memory(pid):
    """What a process has written or was given, by the name of each mapping."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            words = line.split(None, 5)
            begin, end = (int(x, 16) for x in words[0].split("-"))
            kept = "w" in words[1] or "memfd:" in line
            if "r" not in words[1] or not kept or end - begin > 1 << 26:
                continue
            with contextlib.suppress(OSError, ValueError, OverflowError):
                mem.seek(begin)
                yield words[5].strip() if len(words) > 5 else "", mem.read(end - begin)
