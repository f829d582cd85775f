# SPDX-License-Identifier: MIT
"""Drives a real `detour serve` as a user and as an enemy: starts and stops it, speaks raw
bytes to it, reads its answers strictly, finds its processes, and watches its health."""

import calendar
import contextlib
import ctypes
import datetime
import fcntl
import http.client
import http.server
import json
import os
import re
import signal
import socket
import string
import struct
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("DETOUR_BIN", ROOT / "build" / "detour")).resolve()
# A system call that is not on the list is a failed test. The sanitizers make calls of their own.
SANDBOX = "off" if b"__asan_init" in BINARY.read_bytes() else "kill"

# A promise of wall-clock time is asserted at five times its value: the machine is shared.
SLACK = 5
# How long anything may take before it counts as never.
FOREVER = 20

SANITIZER = re.compile(
    rb"AddressSanitizer|LeakSanitizer|ThreadSanitizer|MemorySanitizer|runtime error:|Assertion"
)


# --- Network namespace ------------------------------------------------------------------


def enter_network_namespace():
    """An own loopback, so that counters are clean and ports are free. False: not allowed."""
    if os.geteuid() != 0 or os.environ.get("DETOUR_NETNS") == "0":
        return False
    clone_newnet = 0x40000000
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        get_flags, set_flags, up = 0x8913, 0x8914, 0x1
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(s, get_flags, request))[1]
        fcntl.ioctl(s, set_flags, struct.pack("16sh14x", b"lo", flags | up))
    return True


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def resets_sent():
    """TCP resets that this network namespace has sent so far."""
    lines = Path("/proc/self/net/snmp").read_text().splitlines()
    names, values = [line.split()[1:] for line in lines if line.startswith("Tcp:")]
    return int(dict(zip(names, values))["OutRsts"])


# --- Waiting ----------------------------------------------------------------------------


def wait_until(condition, timeout=FOREVER, what="the condition"):
    """Polls until condition() is true; gives what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.005)


# --- Responses, read strictly -----------------------------------------------------------

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) ([A-Za-z' -]*)")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff\t]*[\x21-\x7e\x80-\xff])?)?")
IMF_FIXDATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT"
)
ONCE = {"content-length", "content-type", "date", "location", "retry-after", "connection"}


class Closed(Exception):
    """The connection ended where an answer was awaited."""


class Response:
    def __init__(self, status, reason, fields, body, raw_head):
        self.status, self.reason, self.fields = status, reason, fields
        self.body, self.raw_head = body, raw_head

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    __getitem__ = get

    @property
    def location(self):
        return self.get("Location")

    @property
    def closes(self):
        return "close" in (self.get("Connection") or "").lower()

    @property
    def directives(self):
        """Cache-Control as a dict; empty when there is none."""
        out = {}
        for item in (self.get("Cache-Control") or "").split(","):
            if item.strip():
                name, _, value = item.strip().partition("=")
                out[name.lower()] = value
        return out

    def __repr__(self):
        return f"<{self.status} {self.fields}>"


def imf_seconds(text):
    assert IMF_FIXDATE.fullmatch(text), f"not an IMF-fixdate: {text!r}"
    parsed = datetime.datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")
    assert parsed.strftime("%a") == text[:3], f"the weekday is wrong: {text!r}"
    return calendar.timegm(parsed.timetuple())


def parse_head(head):
    """head: bytes up to and without the empty line."""
    lines = head.split(b"\r\n")
    for line in lines:
        assert b"\n" not in line and b"\r" not in line, f"bare CR or LF: {line!r}"
    m = STATUS_LINE.fullmatch(lines[0])
    assert m, f"bad status line: {lines[0]!r}"
    status, fields = int(m[1]), []
    for line in lines[1:]:
        f = FIELD.fullmatch(line)
        assert f, f"bad field line: {line!r}"
        fields.append((f[1].decode("latin-1"), (f[2] or b"").decode("latin-1")))
    names = [n.lower() for n, _ in fields]
    for name in ONCE:
        assert names.count(name) <= 1, f"{name} more than once: {head!r}"
    assert "transfer-encoding" not in names, head
    response = Response(status, m[2].decode(), fields, b"", head)
    if 200 <= status < 500:
        assert response["Date"], f"no Date: {head!r}"
        assert abs(imf_seconds(response["Date"]) - time.time()) < 60, response["Date"]
    if status in (301, 302, 303, 307, 308):
        assert response.location, f"a redirect without Location: {head!r}"
    if status in (204, 304) or status < 200:
        assert "content-length" not in names, f"Content-Length on {status}"
    else:
        assert "content-length" in names, f"no Content-Length: {head!r}"
        assert re.fullmatch("[0-9]+", response["Content-Length"])
    return response


def parse_response(data, head_only=False):
    """One response off the front of data: (response, rest), or None when it is not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        assert b"\n\n" not in data, f"bare LF: {data!r}"
        return None
    response = parse_head(data[:end])
    rest = data[end + 4 :]
    length = 0 if head_only or response.status in (204, 304) else int(response["Content-Length"] or 0)
    if len(rest) < length:
        return None
    response.body, rest = rest[:length], rest[length:]
    return response, rest


# --- A client that says exactly what it is told ------------------------------------------


class Conn:
    def __init__(self, address, timeout=FOREVER, source=None):
        if isinstance(address, (str, Path)):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(str(address))
        else:
            self.sock = socket.create_connection(
                address, timeout=timeout, source_address=(source, 0) if source else None
            )
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def response(self, head_only=False, timeout=FOREVER):
        deadline = time.monotonic() + timeout
        while True:
            parsed = parse_response(self.buffer, head_only)
            if parsed:
                self.buffer = parsed[1]
                return parsed[0]
            self.sock.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                raise Closed(f"reset; had {self.buffer!r}") from None
            if not data:
                raise Closed(f"closed; had {self.buffer!r}")
            self.buffer += data

    def rest(self, timeout=FOREVER):
        """All bytes until the server closes its side."""
        self.sock.settimeout(timeout)
        while True:
            data = self.sock.recv(65536)
            if not data:
                out, self.buffer = self.buffer, b""
                return out
            self.buffer += data

    def assert_closed(self, timeout=FOREVER):
        """No further byte comes, and the server closes."""
        rest = self.rest(timeout)
        assert rest == b"", f"more than was asked for: {rest!r}"

    def assert_open(self, host="a.example"):
        """The connection still serves: a second request on it is answered."""
        self.send(f"OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n")
        return self.response()


def request_bytes(method, target, headers=None, body=None, host="a.example", version="1.1"):
    fields = {"Host": host} if host is not None else {}
    fields.update(headers or {})
    if body is not None and "Content-Length" not in fields and "Transfer-Encoding" not in fields:
        fields["Content-Length"] = str(len(body))
    head = f"{method} {target} HTTP/{version}\r\n"
    head += "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    return head.encode("latin-1") + b"\r\n" + (body or b"")


# --- Processes --------------------------------------------------------------------------


def process_stat(pid):
    """(state, parent) of a process; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1])


def alive(pid):
    stat = process_stat(pid)
    return stat is not None and stat[0] not in "ZX"


def children(parent):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = process_stat(int(entry))
            if stat and stat[1] == parent and stat[0] not in "ZX":
                found.append(int(entry))
    return found


def arguments(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


# --- Commands ---------------------------------------------------------------------------


def environment(extra=None):
    env = dict(os.environ)
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    env["LC_ALL"] = "C.UTF-8"
    env.pop("http_proxy", None)
    env.update(extra or {})
    return env


def run(*args, cwd=None, program=BINARY, prepare=None):
    """Runs `detour ARGS` to its end: stdout and stderr as text. program, prepare: as Detour's."""
    done = subprocess.run(
        [str(program), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=FOREVER,
        cwd=cwd,
        env=environment(),
        preexec_fn=prepare,
    )
    assert not SANITIZER.search(done.stderr), done.stderr.decode(errors="replace")
    assert done.returncode >= 0, f"killed by signal {-done.returncode}: {done.stderr!r}"
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


def fill(text, **values):
    """Puts values where $NAME stands in a configuration."""
    return string.Template(text).substitute({k: str(v) for k, v in values.items()})


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# --- The server -------------------------------------------------------------------------


class Detour:
    """A `detour serve`. A configuration without `listen` gets one on a free port."""

    def __init__(self, config, folder, workers=2, metrics=False, log=None, program=BINARY, prepare=None, options=(),
                 path=None, **values):
        """prepare: called in the new process before it becomes the program. options: more of
        them on its command line. path: what it calls its file."""
        self.program, self.prepare, self.options, self.path = program, prepare, options, path
        self.folder = Path(folder)
        self.port = free_port()
        self.workers = workers
        self.metrics_port = free_port() if metrics else None
        self.log_path = None
        if log:
            self.log_path = self.folder / "access.log" if log is True else Path(log)
        self.values = values
        self.file = self.folder / "detour.yaml"
        self.process = None
        self.stderr_path = self.folder / "stderr"
        self.expected_exit = 0
        self.write(config)

    # Configuration

    def whole(self, config):
        config = fill(config, PORT=self.port, DIR=self.folder, **self.values)
        head = ""
        if not re.search(r"^listen:", config, re.M):
            head += f'listen: ["http://127.0.0.1:{self.port}"]\n'
        if not re.search(r"^workers:", config, re.M):
            head += f"workers: {self.workers}\n"
        if self.metrics_port and not re.search(r"^metrics:", config, re.M):
            head += f'metrics: {{listen: "http://127.0.0.1:{self.metrics_port}"}}\n'
        if self.log_path and not re.search(r"^access_log:", config, re.M):
            head += f"access_log: {self.log_path}\n"
        return head + config

    def write(self, config):
        """Replaces the file as an editor does."""
        new = self.file.with_suffix(".new")
        new.write_text(self.whole(config))
        os.replace(new, self.file)

    # Life

    def start(self, wait=True):
        with open(self.stderr_path, "wb") as err, open(self.folder / "stdout", "wb") as out:
            self.process = subprocess.Popen(
                [str(self.program), "serve", "--sandbox", SANDBOX, *self.options, "-c", str(self.path or self.file)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment(),
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=self.prepare,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"detour ended with {self.process.returncode}: {self.stderr()}\n{self.file.read_text()}"
                )
            return len(self.worker_pids()) == self.workers and self.answers()

        wait_until(ready, what="an answer of detour")

    def answers(self):
        try:
            with Conn((self.host, self.port), timeout=FOREVER) as c:
                c.send("OPTIONS * HTTP/1.1\r\nHost: ready.example\r\nConnection: close\r\n\r\n")
                return c.response()
        except OSError:
            return None

    host = "127.0.0.1"

    @property
    def address(self):
        return (self.host, self.port)

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        os.kill(self.pid, number)

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def stdout(self):
        return (self.folder / "stdout").read_text(errors="replace")

    def stop(self, timeout=FOREVER):
        """SIGTERM; it must end with 0, leave nobody behind, and no sanitizer may have spoken."""
        awaited = self.process.returncode is not None
        running = self.process.poll() is None
        assert awaited or running, f"it had ended by itself with {self.process.returncode}"
        kids = children(self.pid) if running else []
        if running:
            self.signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end it: {self.stderr()}") from None
        self.check_stderr()
        assert self.process.returncode == self.expected_exit, (
            f"exit {self.process.returncode}: {self.stderr()}"
        )
        wait_until(lambda: not any(alive(k) for k in kids), what="the end of the children")

    def check_stderr(self):
        data = self.stderr_path.read_bytes()
        assert not SANITIZER.search(data), data.decode(errors="replace")
        assert b"signal 31 " not in data, f"the sandbox ended a process: {data.decode(errors='replace')}"

    def kill(self):
        """For a test that has failed already: ends everything that we started."""
        if self.process.poll() is None:
            for pid in [self.pid, *children(self.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()

    # Processes

    def role_pids(self, role):
        return sorted(p for p in children(self.pid) if role in arguments(p))

    def worker_pids(self):
        return self.role_pids("_worker")

    def control_pid(self):
        pids = self.role_pids("_control")
        return pids[0] if pids else None

    def logger_pid(self):
        pids = self.role_pids("_logger")
        return pids[0] if pids else None

    def kill_one(self, role):
        """Ends one process of a role and waits for another in its place; gives the moment."""
        before = self.role_pids(role)
        moment = time.monotonic()
        os.kill(before[0], signal.SIGKILL)

        def replaced():
            now = self.role_pids(role)
            return len(now) == len(before) and before[0] not in now

        wait_until(replaced, what=f"another {role}")
        return moment

    # Requests

    def connect(self, **kwargs):
        return Conn(self.address, **kwargs)

    def request(self, method, target, headers=None, body=None, source=None, **kwargs):
        with self.connect(source=source) as c:
            c.send(request_bytes(method, target, headers, body, **kwargs))
            return c.response(head_only=method == "HEAD")

    def get(self, target, headers=None, **kwargs):
        return self.request("GET", target, headers, **kwargs)

    def post(self, target, headers=None, body=b"x", **kwargs):
        return self.request("POST", target, headers, body, **kwargs)

    def raw(self, data):
        """What comes back for these bytes until the server closes, or stays silent after we
        half-closed: a list of responses, read strictly."""
        with self.connect() as c:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                c.send(data)
                c.half_close()
            return parse_all(c.rest())

    def bad(self, data, status=400):
        """These bytes get this status and a close, and no second answer."""
        with self.connect() as c:
            c.send(data)
            r = c.response()
            assert r.status == status, f"{r} for {data[:200]!r}"
            assert r.closes, f"no Connection: close: {r}"
            c.assert_closed()
            return r

    # Reload

    def reload(self, config=None):
        if config is not None:
            self.write(config)
        self.signal(signal.SIGHUP)

    # Metrics and logs

    def metrics(self):
        c = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=FOREVER)
        try:
            c.request("GET", "/metrics")
            r = c.getresponse()
            assert r.status == 200
            assert r.getheader("Content-Type").startswith("application/openmetrics-text")
            return Metrics(r.read().decode())
        finally:
            c.close()

    def log_lines(self):
        """The whole lines of the access log so far; each must be JSON."""
        data = self.log_path.read_bytes() if self.log_path.exists() else b""
        return [json.loads(line) for line in data.split(b"\n")[:-1]]

    def wait_log(self, count, timeout=FOREVER):
        """The lines, without those of the harness asking whether the server is there."""

        def enough():
            lines = [x for x in self.log_lines() if x.get("host") != "ready.example"]
            return lines if len(lines) >= count else None

        return wait_until(enough, timeout, f"{count} lines of the access log")


def parse_all(data):
    out = []
    while data:
        parsed = parse_response(data)
        assert parsed, f"half a response: {data!r}"
        out.append(parsed[0])
        data = parsed[1]
    return out


class Metrics:
    """OpenMetrics text, read strictly enough to notice when it is not."""

    SAMPLE = re.compile(
        r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)(?: \S+)?'
    )
    LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')

    def __init__(self, text):
        self.text, self.samples, self.types = text, [], {}
        assert text.endswith("# EOF\n"), text[-200:]
        for line in text.split("\n")[:-2]:
            if line.startswith("#"):
                words = line.split(" ")
                assert words[1] in ("TYPE", "HELP", "UNIT"), line
                if words[1] == "TYPE":
                    assert words[2] not in self.types, f"twice: {line}"
                    self.types[words[2]] = words[3]
                continue
            m = self.SAMPLE.fullmatch(line)
            assert m, f"not a sample: {line!r}"
            labels = dict(self.LABEL.findall(m[2] or ""))
            family = re.sub("_(total|info)$", "", m[1])
            assert family in self.types or m[1] in self.types, f"no TYPE for {line!r}"
            self.samples.append((m[1], labels, float(m[3])))
        keys = [(n, tuple(sorted(l.items()))) for n, l, _ in self.samples]
        assert len(keys) == len(set(keys)), "a sample stands twice"

    def sum(self, name, **labels):
        """The sum over samples whose name contains `name`; None when there is none."""
        values = [
            v
            for n, l, v in self.samples
            if name in n and all(l.get(k) == x for k, x in labels.items())
        ]
        return sum(values) if values else None

    def hits(self, rule):
        return self.sum("rule_hits", rule=rule)


# --- Health -----------------------------------------------------------------------------


class Probe:
    """A hundred requests a second on the side. Each is (start, end, error or None)."""

    def __init__(self, server, target="/probe", status=None, headers=None):
        self.server, self.target, self.status = server, target, status
        self.bytes = request_bytes("GET", target, {"Connection": "close", **(headers or {})})
        self.results, self.ending = [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def once(self):
        try:
            with Conn(self.server.address, timeout=FOREVER) as c:
                c.send(self.bytes)
                r = c.response()
            if self.status and r.status != self.status:
                return f"status {r.status}"
        except (OSError, Closed, AssertionError) as e:
            return f"{type(e).__name__}: {e}"
        return None

    def run(self):
        due = time.monotonic()
        while not self.ending.is_set():
            start = time.monotonic()
            error = self.once()
            self.results.append((start, time.monotonic(), error))
            due = max(due + 0.01, time.monotonic() - 1)
            self.ending.wait(max(0, due - time.monotonic()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(FOREVER)

    def errors(self, except_at=()):
        """Errors, but for requests that were under way at one of the given moments."""
        return [
            r
            for r in self.results
            if r[2] and not any(r[0] - 0.005 <= t <= r[1] + 0.005 for t in except_at)
        ]

    def assert_healthy(self, except_at=()):
        assert self.results, "the probe never ran"
        assert not self.errors(except_at), self.errors(except_at)[:5]

    def slowest(self):
        return max(end - start for start, end, _ in self.results)


# --- Where redirects lead ----------------------------------------------------------------


class Target:
    """A real HTTP server of another make, which remembers what arrived."""

    def __init__(self):
        self.seen = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
                    body = b"".join(self.chunks())
                seen.append((self.command, self.path, body, dict(self.headers)))
                answer = json.dumps([self.command, self.path, len(body)]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def chunks(self):
                while size := int(self.rfile.readline(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
