# SPDX-License-Identifier: MIT
"""A listener that answers as the admin API might, and keeps what it was asked."""

import json
import os
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit


class Asked:
    def __init__(self, handler, body):
        url = urlsplit(handler.path)
        self.method = handler.command
        self.path = url.path
        self.segments = [unquote(part) for part in url.path.split("/")[1:]]
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.fields = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.method} {self.path} {self.query} {self.body!r}>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self, body)
        self.server.fake.asked.append(asked)
        status, fields, content = self.server.fake.answer_to(asked)
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do

    def log_message(self, *_):
        pass

    def address_string(self):
        return "somebody"


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class FakeAdmin:
    """answers: {"GET /v1/detours": (status, value, fields)}; a value that is text is YAML,
    others are JSON; status and fields may be left out."""

    def __init__(self, path=None):
        self.asked = []
        self.answers = {}
        self.server = UnixServer(str(path), Handler) if path else TcpServer(("127.0.0.1", 0), Handler)
        self.server.fake = self
        self.address = f"unix:{path}" if path else f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def answer_to(self, asked):
        answer = self.answers.get(f"{asked.method} {asked.path}")
        if answer is None:
            answer = (404, {"type": "about:blank", "title": "Not found", "status": 404,
                            "detail": f"there is no {asked.path}"})
        if not isinstance(answer, tuple):
            answer = (200, answer)
        status, value, fields = (*answer, {})[:3]
        kind = "application/json" if status < 400 else "application/problem+json"
        if isinstance(value, str):
            kind, value = "text/yaml", value.encode()
        elif not isinstance(value, bytes):
            value = json.dumps(value).encode()
        return status, {"Content-Type": kind, **fields}, value

    def refuse(self, what, status, detail, errors=None):
        problem = {"type": "about:blank", "title": "Refused", "status": status, "detail": detail}
        if errors:
            problem["errors"] = errors
        self.answers[what] = (status, problem)

    def last(self, method):
        return [asked for asked in self.asked if asked.method == method][-1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        path = self.address.removeprefix("unix:")
        if path.startswith("/"):
            os.unlink(path)
