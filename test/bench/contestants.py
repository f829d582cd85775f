# SPDX-License-Identifier: MIT
"""The servers that are compared: their configurations, and how each is started and pinned."""
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time

SERVER_CORE = 0
LOAD_CORE = 1
TARGET = "https://new.example.com"

# The routes are a third each `*`, `:name` and literal, in turn; the last one is a `*`, the
# two before it are the last of their kind.
ROUTES = 10_000
KINDS = ("star", "name", "literal")


def kind_of(index):
    return KINDS[(ROUTES - 1 - index) % 3]


def path_of(index):
    return {"star": f"/s{index}/", "name": f"/n{index}/", "literal": f"/l{index}/page"}[
        kind_of(index)]


def request_path(kind):
    """What a request for the last route of this kind asks for."""
    index = ROUTES - 1 - KINDS.index(kind)
    return {"star": f"/s{index}/a/b", "name": f"/n{index}/a", "literal": f"/l{index}/page"}[kind]


def indexes(routes):
    """Which routes a configuration holds: all, or only the last of one kind."""
    if routes == "all":
        return range(ROUTES)
    return [ROUTES - 1 - KINDS.index(routes)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pin(core):
    def before_exec():
        os.sched_setaffinity(0, {core})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        os.setpgid(0, 0)
    return before_exec


def tree(pid):
    """The process and all that it started."""
    found = [pid]
    for each in found:
        for task in pathlib.Path(f"/proc/{each}/task").glob("*/children"):
            try:
                found += [int(word) for word in task.read_text().split()]
            except OSError:
                pass
    return found


# What is spoken: HTTP/1.1 and HTTP/2, each in clear and over TLS.
CLEAR, H2, TLS, H2TLS = "http1", "h2", "tls", "h2tls"


def make_certificate(folder):
    """ECDSA P-256, for localhost: PEM files cert, key, and pem with both."""
    cert, key = folder / "cert", folder / "key"
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-subj", "/CN=localhost", "-days", "2",
                    "-addext", "subjectAltName=DNS:localhost", "-out", cert, "-keyout", key],
                   check=True, stderr=subprocess.DEVNULL)
    (folder / "pem").write_text(cert.read_text() + key.read_text())


class Contestant:
    """A server, started with `routes`: None for one route /old/*, a kind, or "all"."""

    name = ""
    memory_note = ""

    def __init__(self, folder, routes=None, wrapper=(), speaks=CLEAR):
        self.folder = pathlib.Path(folder)
        self.speaks = speaks
        self.secure = speaks in (TLS, H2TLS)
        self.routes = routes
        self.port = free_port()
        self.process = None
        self.wrapper = list(wrapper)

    fields = ()  # of each request, beside the usual ones

    def command(self):
        raise NotImplementedError

    @staticmethod
    def version():
        return ""

    def start(self, path="/old/a/b", timeout=60):
        log = open(self.folder / f"{self.name}-{self.port}.log", "wb")
        self.process = subprocess.Popen([*self.wrapper, *self.command()], stdout=log, stderr=log,
                                        stdin=subprocess.DEVNULL, preexec_fn=pin(SERVER_CORE))
        log.close()
        deadline = time.monotonic() + timeout
        while True:
            answer = self.status(path)
            if answer == "307":
                break
            if time.monotonic() > deadline or self.process.poll() is not None:
                text = (self.folder / f"{self.name}-{self.port}.log").read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"{self.name} does not answer 307: {answer[:200]!r}\n"
                                   + text[-2000:])
            time.sleep(0.02)
        # A program that pins its workers itself would not be compared on one core.
        for pid in tree(self.process.pid):
            os.sched_setaffinity(pid, {SERVER_CORE})
        return self

    def status(self, path):
        """The status of one answer, as text; anything else if there is none."""
        if self.speaks == CLEAR:
            return self.ask(path)[9:12].decode(errors="replace")
        return run_text(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-m", "5",
                         *(["--http2-prior-knowledge"] if self.speaks == H2 else []),
                         *(["--http1.1"] if self.speaks == TLS else []),
                         f"{'https' if self.secure else 'http'}://localhost:{self.port}{path}"])

    def ask(self, path, close=False):
        """The raw bytes of one answer, by a connection of its own."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(request_bytes(path, close, self.fields))
                answer = b""
                while True:
                    more = client.recv(65536)
                    answer += more
                    head, end, body = answer.partition(b"\r\n\r\n")
                    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                    if not more or end and len(body) >= int(length[1] if length else 0):
                        return answer
        except OSError:
            return b""

    def stop(self, wait=20):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(wait)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def cpu_ns(self):
        """User and system time of all processes; the scheduler counts in nanoseconds."""
        total = 0
        for pid in tree(self.process.pid):
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += int(task.read_text().split()[0])
        return total

    def user_and_system_ticks(self):
        user = system = 0
        for pid in tree(self.process.pid):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            user += int(fields[11])
            system += int(fields[12])
        return user, system

    def memory_bytes(self):
        """User memory of all processes; what several share is counted once."""
        total = 0
        for pid in tree(self.process.pid):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += 1024 * int(re.search(r"^Pss: +(\d+)", text, re.MULTILINE)[1])
        return total


def request_bytes(path, close, fields=()):
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n"
    head += "".join(f"{field}\r\n" for field in fields)
    return (head + ("Connection: close\r\n" if close else "") + "\r\n").encode()


def run_text(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.stdout


class Floor(Contestant):
    name = "floor"
    binary = None
    answer = None
    answer_to_close = None

    def __init__(self, folder, close=False, **rest):
        super().__init__(folder, **rest)
        self.close = close

    def command(self):
        path = self.folder / f"answer-{self.port}"
        path.write_bytes(self.answer_to_close if self.close else self.answer)
        return [str(self.binary), str(self.port), str(path),
                "close" if self.close else "keep", *([self.folder / "pem"] if self.secure else [])]


class FloorH2(Floor):
    name = "bare nghttp2"

    def command(self):
        path = self.folder / f"answer-{self.port}"
        path.write_bytes(self.answer)
        return [str(self.binary) + "_h2", str(self.port), str(path),
                *([self.folder / "pem"] if self.secure else [])]


class Detour(Contestant):
    name = "detour"
    binary = None

    def command(self):
        scheme = "https" if self.secure else "http"
        lines = [f'listen: "{scheme}://127.0.0.1:{self.port}"', "workers: 1"]
        if self.secure:
            lines += [f"tls: {{certificates: [{{cert: {self.folder}/cert, "
                      f"key: {self.folder}/key}}]}}"]
        lines += ["sites:", "  - name: bench", "    hosts: [localhost, 127.0.0.1]", "    routes:"]
        if self.routes is None:
            lines += [f'      - {{name: old, path: "/old/*", to: "{TARGET}/{{+0}}"}}']
        else:
            for index in indexes(self.routes):
                pattern, target = {"star": ("*", "{+0}"), "name": (":slug", "{slug}"),
                                   "literal": ("", "page")}[kind_of(index)]
                lines += [f'      - {{name: r{index}, path: "{path_of(index)}{pattern}", '
                          f'to: "{TARGET}/{target}"}}']
        file = self.folder / f"detour-{self.port}.yaml"
        file.write_text("\n".join(lines) + "\n")
        # valgrind makes system calls of its own, which the sandbox would refuse.
        sandbox = ["--sandbox", "off"] if self.wrapper else []
        return [str(self.binary), "serve", *sandbox, "-c", str(file)]

    @classmethod
    def version(cls):
        return run_text([str(cls.binary), "--version"]).strip()


class Nginx(Contestant):
    name = "nginx"
    memory_note = "connection slots are allocated at start and not seen here"

    def command(self):
        if self.routes is None:
            places = [f"location /old/ {{ return 307 {TARGET}$request_uri; }}"]
        else:
            places = []
            for index in indexes(self.routes):
                path = path_of(index)
                places += [{"star": f"location ^~ {path} {{ return 307 {TARGET}$request_uri; }}",
                            "name": f"location ~ ^{path}([^/]+)$ {{ return 307 {TARGET}/$1; }}",
                            "literal": f"location = {path} {{ return 307 {TARGET}/page; }}"}[
                                kind_of(index)]]
        listen = f"127.0.0.1:{self.port} backlog=4096"
        listen += " ssl" if self.secure else ""
        listen += " http2" if self.speaks in (H2, H2TLS) else ""
        file = self.folder / f"nginx-{self.port}.conf"
        file.write_text(f"""
daemon off; worker_processes 1; worker_rlimit_nofile 20000; user root;
pid {self.folder}/nginx-{self.port}.pid; error_log stderr crit;
events {{ worker_connections 10240; }}
http {{
  access_log off; keepalive_timeout 600s; keepalive_requests 100000000; tcp_nodelay on;
  server_tokens off;
  client_body_temp_path {self.folder}/nb; proxy_temp_path {self.folder}/np;
  fastcgi_temp_path {self.folder}/nf; uwsgi_temp_path {self.folder}/nu;
  scgi_temp_path {self.folder}/ns;
  ssl_certificate {self.folder}/cert; ssl_certificate_key {self.folder}/key;
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{ listen {listen}; {chr(10).join(places)} }}
}}
""")
        single = ["-g", "master_process off;"] if self.wrapper else []
        return ["/usr/sbin/nginx", "-c", str(file), *single]

    @staticmethod
    def version():
        return run_text(["/usr/sbin/nginx", "-v"]).strip().removeprefix("nginx version: ")


class Haproxy(Contestant):
    name = "haproxy"

    def command(self):
        rule = "  http-request redirect code 307 "
        if self.routes is None:
            rules = [f"{rule}prefix {TARGET} if {{ path_beg /old/ }}"]
        else:
            rules = []
            for index in indexes(self.routes):
                path = path_of(index)
                rules += [{"star": f"{rule}prefix {TARGET} if {{ path_beg {path} }}",
                           "name": f"{rule}location {TARGET}/%[path,field(3,/)] "
                                   f"if {{ path_reg ^{path}[^/]+$ }}",
                           "literal": f"{rule}location {TARGET}/page if {{ path {path} }}"}[
                               kind_of(index)]]
        options = f" ssl crt {self.folder}/pem alpn h2,http/1.1" if self.secure else ""
        options += " proto h2" if self.speaks == H2 else ""
        file = self.folder / f"haproxy-{self.port}.cfg"
        file.write_text(f"""global
  nbthread 1
  maxconn 9500
defaults
  mode http
  timeout client 600s
  timeout http-keep-alive 600s
  timeout http-request 600s
  timeout connect 5s
  timeout server 5s
frontend bench
  bind 127.0.0.1:{self.port} backlog 4096{options}
""" + "\n".join(rules) + "\n  http-request return status 404\n")
        return ["/usr/sbin/haproxy", "-db", "-f", str(file)]

    @staticmethod
    def version():
        return " ".join(run_text(["/usr/sbin/haproxy", "-v"]).split()[:3])


class H2o(Contestant):
    name = "h2o"

    def command(self):
        paths = ["/old/"] if self.routes is None else [path_of(i) for i in indexes(self.routes)]
        places = "".join(f"""      "{path}":
        redirect: {{status: 307, url: "{TARGET}/"}}
""" for path in paths)
        tls = (f", ssl: {{certificate-file: {self.folder}/cert, key-file: {self.folder}/key}}"
               if self.secure else "")
        file = self.folder / f"h2o-{self.port}.yaml"
        # As root it would become another user, who may not write callgrind's files.
        user = "user: root\n" if os.geteuid() == 0 else ""
        file.write_text(f"""{user}num-threads: 1
max-connections: 12000
tcp-fastopen: 0
http1-request-timeout: 600
http2-idle-timeout: 600
listen: {{host: 127.0.0.1, port: {self.port}{tls}}}
hosts:
  default:
    paths:
{places}""")
        return ["/usr/bin/h2o", "-m", "worker", "-c", str(file)]

    @staticmethod
    def version():
        return " ".join(run_text(["/usr/bin/h2o", "--version"]).split()[:3])
