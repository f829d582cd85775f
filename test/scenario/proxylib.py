# SPDX-License-Identifier: MIT
"""Real proxies beside a real Detour, each with the very files of examples/proxies, in which only
addresses and paths are others."""

import contextlib
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading

from detourlib import FOREVER, ROOT, Conn, Detour, alive, free_port, request_bytes, run, wait_until

EXAMPLES = ROOT / "examples" / "proxies"
HOST = "shop.example.com"
PIECE = 1 << 20


class Origin:
    """Where the site lives: says what reached it, and that it was the whole."""

    def __init__(self):
        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_):
                """A proxy may drop its connection; what a test wants to know is in its answers."""

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pieces(self):
                if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        yield self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return
                left = int(self.headers.get("Content-Length") or 0)
                while left:
                    piece = self.rfile.read(min(left, PIECE))
                    assert piece, "the request ended before its content did"
                    left -= len(piece)
                    yield piece

            def any(self):
                digest, length = hashlib.sha256(), 0
                for piece in self.pieces():
                    digest.update(piece)
                    length += len(piece)
                said = {"method": self.command, "path": self.path, "length": length, "sha256": digest.hexdigest(),
                        "host": self.headers.get("Host")}
                answer = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = any

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Beside:
    """A proxy, the origin behind it, and the Detour that it asks."""

    def __init__(self, folder, make, configuration, strict=False):
        """strict: configured so that traffic stops without Detour."""
        self.folder, self.make, self.strict = folder, make, strict
        self.origin = Origin()
        self.port, self.decision, self.plain, self.spare = (free_port() for _ in range(4))
        self.detour = Detour(self.filled(configuration), folder / "detour", path=None)
        self.process = None

    def filled(self, name):
        """An example with our ports and paths."""
        text = (EXAMPLES / name).read_text()
        for file, pattern, instead in self.make.strict if self.strict else ():
            if file == name:
                text, count = re.subn(pattern, instead, text, flags=re.S)
                assert count == 1, pattern
        ports = {8309: self.decision, 8307: self.plain, 8080: self.origin.port, 8311: self.spare}
        text = re.sub(r"(?<=:)(8309|8307|8080|8311)\b", lambda m: str(ports[int(m[1])]), text)
        text = text.replace("/run/detour/", f"{self.folder}/detour/").replace("/var/lib/detour", f"{self.folder}/detour/state")
        return text

    def start(self, with_detour=True):
        if with_detour:
            self.start_detour()
        self.make.start(self)
        wait_until(self.answers, what=f"an answer of {self.make.name}")

    def start_detour(self):
        self.detour.port = self.plain
        self.detour.start()

    def spawn(self, *command, **options):
        out = open(self.folder / "proxy.log", "ab")
        with out:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, cwd=self.folder, **options)

    def answers(self):
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(OSError), Conn(("127.0.0.1", self.port)) as c:
            c.send(f"GET /ready HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")
            return b" 50" in c.rest() if self.strict else b" 200 " in c.rest()
        return False

    def listens(self):
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(OSError), Conn(("127.0.0.1", self.port)):
            return True
        return False

    def log(self):
        return "".join(f"{p.name}:\n{p.read_text(errors='replace')}\n" for p in self.folder.glob("*.log"))

    def tell(self, *args):
        """A command, as its user gives it."""
        done = run(*args, "--config", self.detour.file)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(FOREVER / 4)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.origin.close()
        if self.detour.process is not None:
            if self.detour.process.poll() is None:
                self.detour.stop()

    # Requests, by curl

    def curl(self, path, *options, body=None):
        """(status, fields, content); body: a file that is sent with POST."""
        command = ["curl", "-sS", "-i", "--http1.1", "-H", f"Host: {HOST}", "--max-time", str(FOREVER), *options]
        if body is not None:
            command += ["--data-binary", f"@{body}", "-H", "Content-Type: application/octet-stream"]
        done = subprocess.run([*command, f"http://127.0.0.1:{self.port}{path}"], capture_output=True, check=False)
        assert done.returncode == 0, f"curl: {done.stderr.decode()}\n{self.log()}"
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head, _, content = content.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return int(lines[0].split()[1]), fields, content

    def redirects(self, path, *options, body=None):
        """Where to; None: it does not."""
        status, fields, _ = self.curl(path, *options, body=body)
        return fields["location"] if status == 307 else None

    def reaches_origin(self, path, *options, body=None, method=None):
        status, _, content = self.curl(path, *options, body=body)
        assert status == 200, (status, content, self.log())
        said = json.loads(content)
        sent = body.read_bytes() if body else b""
        assert (said["path"], said["host"]) == (path, HOST)
        assert said["method"] == method or ("POST" if body else "GET")
        assert (said["length"], said["sha256"]) == (len(sent), hashlib.sha256(sent).hexdigest())


class Nginx:
    name = "nginx"
    program = "nginx"
    strict = [("nginx.conf", r"        proxy_intercept_errors on;\n        error_page 502 504 = @flow;\n", "")]

    def start(self, beside):
        site = beside.filled("nginx.conf").replace("listen 80;", f"listen 127.0.0.1:{beside.port};")
        folder = beside.folder
        (folder / "site.conf").write_text(site)
        (folder / "nginx.conf").write_text(
            f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log warn;\n"
            "events { worker_connections 256; }\n"
            f"http {{\n access_log off;\n"
            + "".join(f" {k}_temp_path {folder}/{k};\n" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + f" include {folder}/site.conf;\n}}\n")
        beside.spawn("nginx", "-c", folder / "nginx.conf", "-p", folder)


class Caddy:
    name = "caddy"
    program = "caddy"
    strict = [("Caddyfile", r"127\.0\.0\.1:8309 127\.0\.0\.1:8311 \{\n(.*?uri /decide\n).*?\n\t\t\}", r"127.0.0.1:8309 {\n\1\t\t}")]

    def start(self, beside):
        site = beside.filled("Caddyfile").replace(f"http://{HOST} {{", f"http://{HOST}:{beside.port} {{\n\tbind 127.0.0.1")
        path = beside.folder / "Caddyfile"
        path.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
        environment = dict(os.environ, HOME=str(beside.folder), XDG_DATA_HOME=str(beside.folder), XDG_CONFIG_HOME=str(beside.folder))
        beside.spawn("caddy", "run", "--config", path, "--adapter", "caddyfile", env=environment)


class Haproxy:
    name = "haproxy"
    program = "haproxy"
    strict = [("detour.lua", "flow_without = true", "flow_without = false"),
              ("haproxy.cfg", "#   (http-request deny deny_status 503 unless alive)", r"\n    \1")]

    def __init__(self, file="haproxy.cfg"):
        self.file = file

    def start(self, beside):
        lua = beside.folder / "detour.lua"
        lua.write_text(beside.filled("detour.lua"))
        text = beside.filled(self.file).replace("bind :80", f"bind 127.0.0.1:{beside.port}")
        path = beside.folder / "haproxy.cfg"
        path.write_text(text.replace("/etc/haproxy/detour.lua", str(lua)))
        beside.spawn("haproxy", "-db", "-f", path)


class Apache:
    name = "apache"
    program = "apache2"
    strict = [("detour-apache.lua", "flow_without = true", "flow_without = false")]
    modules = ("mpm_event", "authz_core", "lua", "proxy", "proxy_http", "headers")

    def start(self, beside):
        lua = beside.folder / "detour.lua"
        lua.write_text(re.sub(r'"127\.0\.0\.1", 8309', f'"127.0.0.1", {beside.decision}', beside.filled("detour-apache.lua")))
        site = beside.filled("apache.conf").replace("/etc/apache2/detour.lua", str(lua))
        site = site.replace("<VirtualHost *:80>", f"<VirtualHost 127.0.0.1:{beside.port}>")
        path = beside.folder / "apache.conf"
        path.write_text(
            "".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n" for m in self.modules)
            + f"ServerRoot {beside.folder}\nPidFile {beside.folder}/apache.pid\nErrorLog {beside.folder}/error.log\n"
            f"DefaultRuntimeDir {beside.folder}\nListen 127.0.0.1:{beside.port}\nServerName localhost\n"
            "StartServers 1\nServerLimit 2\nThreadsPerChild 16\nMinSpareThreads 4\nMaxSpareThreads 32\n" + site)
        environment = dict(os.environ, APACHE_RUN_DIR=str(beside.folder))
        beside.spawn("apache2", "-D", "FOREGROUND", "-f", path, env=environment)


class Varnish:
    name = "varnish"
    program = "varnishd"
    strict = [("varnish.vcl", r"sub vcl_backend_error \{.*?\n\}\n", ""),
              ("varnish.vcl", r"if \(std\.healthy\(detour\)\)", "if (true)")]

    def start(self, beside):
        vcl = beside.filled("varnish.vcl")
        for port, ours in ((8309, beside.decision), (8307, beside.plain), (8080, beside.origin.port)):
            vcl = vcl.replace(f'"{port}"', f'"{ours}"')
        path = beside.folder / "site.vcl"
        path.write_text(vcl)
        beside.folder.chmod(0o755)
        beside.spawn("varnishd", "-F", "-a", f"127.0.0.1:{beside.port}", "-f", path, "-n", beside.folder / "varnish",
                     "-s", "malloc,32m", "-p", "thread_pool_min=10", "-p", "thread_pools=1")
