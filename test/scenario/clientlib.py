# SPDX-License-Identifier: MIT
"""Servers for the commands that are clients: each path answers with the very bytes that a test
wrote, and what came is remembered."""

import contextlib
import json
import socket
import subprocess
import threading

from detourlib import BINARY, FOREVER, SANITIZER, environment


class Request:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.fields = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines[1:]]
        self.body = body

    def get(self, name):
        values = [v for n, v in self.fields if n.lower() == name.lower()]
        return values[0] if values else None


class Says:
    """Answers by path: bytes, or a function of (request, socket) that gives bytes or None. `$PORT`
    in bytes is the own port; `$OTHER` that of another Says. Expect is answered unless a path is in
    `early`; those are answered before any content comes."""

    def __init__(self, answers, other=None, early=(), address="127.0.0.1"):
        self.answers, self.other, self.early = answers, other, early
        self.seen = []
        self.listener = socket.create_server((address, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(FOREVER)
            threading.Thread(target=self.talk, args=(sock,), daemon=True).start()

    def talk(self, sock):
        with contextlib.suppress(OSError, EOFError, ValueError), sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            buffered = [b""]
            while self.one(sock, buffered):
                pass

    @staticmethod
    def until(sock, buffered, mark):
        while mark not in buffered[0]:
            data = sock.recv(65536)
            if not data:
                raise EOFError
            buffered[0] += data
        found, buffered[0] = buffered[0].split(mark, 1)
        return found

    @staticmethod
    def exactly(sock, buffered, length):
        while len(buffered[0]) < length:
            data = sock.recv(65536)
            if not data:
                raise EOFError
            buffered[0] += data
        found, buffered[0] = buffered[0][:length], buffered[0][length:]
        return found

    def body(self, request, sock, buffered):
        if request.get("Expect") and request.target not in self.early:
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if (request.get("Transfer-Encoding") or "") == "chunked":
            out = b""
            while size := int(self.until(sock, buffered, b"\r\n"), 16):
                out += self.exactly(sock, buffered, size)
                self.until(sock, buffered, b"\r\n")
            self.until(sock, buffered, b"\r\n")
            return out
        return self.exactly(sock, buffered, int(request.get("Content-Length") or 0))

    def one(self, sock, buffered):
        request = Request(self.until(sock, buffered, b"\r\n\r\n"), b"")
        early = request.target in self.early
        if not early:
            request.body = self.body(request, sock, buffered)
        self.seen.append(request)
        answer = self.answers.get(request.target, ok())
        if callable(answer):
            answer = answer(request, sock)
        if answer is None:
            return False
        answer = answer.replace(b"$PORT", str(self.port).encode())
        if self.other:
            answer = answer.replace(b"$OTHER", str(self.other.port).encode())
        sock.sendall(answer)
        return b"connection: close" not in answer.lower()

    def close(self):
        self.listener.close()


def servers(kind):
    """For a fixture: says(answers, …) starts one of that kind; they are closed at the end."""
    started = []

    def start(answers, **kwargs):
        started.append(kind(answers, **kwargs))
        return started[-1]

    yield start
    for server in started:
        server.close()


def ok(body=b"ok", more=b""):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), more, body)


def to(location, status=307, more=b"", body=b""):
    if isinstance(location, str):
        location = location.encode()
    return b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
        status, location, len(body), more, body)


def client(*args, stdin=subprocess.DEVNULL, data=None, cwd=None, env=None):
    """Runs `detour ARGS`; data is what a pipe gives."""
    done = subprocess.run([str(BINARY), *map(str, args)], stdin=None if data is not None else stdin, input=data,
                          capture_output=True, timeout=FOREVER, cwd=cwd, env=environment(env))
    assert not SANITIZER.search(done.stderr), done.stderr.decode(errors="replace")
    assert done.returncode >= 0, f"killed by signal {-done.returncode}: {done.stderr!r}"
    return done


class Trace:
    """`detour trace --json`, read."""

    def __init__(self, *args, **kwargs):
        done = client("trace", "--json", *args, **kwargs)
        self.exit, self.stderr = done.returncode, done.stderr.decode()
        assert done.stdout, self.stderr
        self.whole = json.loads(done.stdout)
        self.hops, self.verdict = self.whole["hops"], self.whole["verdict"]
        assert self.whole["exit"] == self.exit

    @property
    def way(self):
        return [f"{hop['request']['method']} {hop['request']['url'].split('/', 3)[3]}" for hop in self.hops]

    def notes(self, hop):
        return [note["kind"] for note in self.hops[hop]["notes"]]
