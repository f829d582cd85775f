# SPDX-License-Identifier: MIT
"""Origins behind a Detour: one that says exactly what a test wants, and a real nginx; and a reader
of answers that are framed in any way."""

import contextlib
import shutil
import socket
import subprocess
import threading

from detourlib import FOREVER, Closed, free_port, wait_until

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


class Stream:
    """A socket that is read by line, by length and by what HTTP/1.1 says of its framing."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed(f"closed; had {self.buffer[:200]!r}")
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.fill()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def exactly(self, length):
        pieces, missing = [], length
        while missing > len(self.buffer):
            pieces.append(self.buffer)
            missing -= len(self.buffer)
            self.buffer = b""
            self.fill()
        pieces.append(self.buffer[:missing])
        self.buffer = self.buffer[missing:]
        return b"".join(pieces)

    def digest(self, length, digest):
        """Reads so much, however much that is, and only remembers its digest."""
        length -= len(self.buffer)
        assert length >= 0
        digest.update(self.buffer)
        self.buffer = b""
        room = bytearray(1 << 20)
        while length:
            got = self.sock.recv_into(room, min(length, len(room)))
            if not got:
                raise Closed(f"closed; {length} bytes are missing")
            digest.update(memoryview(room)[:got])
            length -= got
        return digest.hexdigest()

    def everything(self):
        with contextlib.suppress(Closed):
            while True:
                self.fill()
        found, self.buffer = self.buffer, b""
        return found

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def chunks(self):
        """Content of a chunked body, and the lines of its trailers."""
        content = []
        while size := int(self.until(b"\r\n").split(b";")[0], 16):
            content.append(self.exactly(size))
            assert self.exactly(2) == b"\r\n"
        trailers = []
        while line := self.until(b"\r\n"):
            trailers.append(line.decode("latin-1"))
        return b"".join(content), trailers

    def close(self):
        self.sock.close()


class Head:
    def __init__(self, raw):
        lines = raw.decode("latin-1").split("\r\n")
        self.raw, self.first = raw, lines[0]
        self.fields = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines[1:]]

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return ", ".join(values) if values else None

    def content(self, stream):
        """Of a request: all of it."""
        if (self.get("Transfer-Encoding") or "") == "chunked":
            return stream.chunks()[0]
        return stream.exactly(int(self.get("Content-Length") or 0))


class Answer(Head):
    """An answer, with those of 1xx that came before it."""

    def __init__(self, stream, method="GET"):
        self.interim = []
        while True:
            super().__init__(stream.until(b"\r\n\r\n"))
            self.status = int(self.first.split(" ")[1])
            if self.status >= 200 or self.status == 101:
                break
            self.interim.append(Head(self.raw))
        self.trailers, self.body = [], b""
        if method == "HEAD" or self.status in (101, 204, 304):
            return
        if self.get("Transfer-Encoding") == "chunked":
            self.body, self.trailers = stream.chunks()
        elif self.get("Content-Length") is not None:
            self.body = stream.exactly(int(self.get("Content-Length")))
        else:
            assert self.get("Connection") == "close", self.raw
            self.body = stream.everything()


class Client(Stream):
    def __init__(self, server, timeout=FOREVER):
        super().__init__(socket.create_connection(server.address, timeout=timeout))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, method="GET", target="/", fields=(), content=b""):
        lines = [f"{method} {target} HTTP/1.1", "Host: a.example", *fields]
        self.send("\r\n".join(lines) + "\r\n\r\n")
        self.send(content)
        return Answer(self, method)

    def ended(self):
        """The other side has closed or reset."""
        try:
            return self.sock.recv(65536) == b""
        except ConnectionResetError:
            return True


class Origin:
    """Serves each connection by a function of the test's, in a thread. What it raises is kept."""

    def __init__(self, serve, tls=None, port=0):
        self.serve, self.tls = serve, tls
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.connections, self.heads, self.problems, self.streams = 0, [], [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.run, args=(sock,), daemon=True).start()

    def run(self, sock):
        try:
            sock.settimeout(FOREVER)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = Stream(self.tls.wrap_socket(sock, server_side=True) if self.tls else sock)
            self.streams.append(stream)
            with stream.sock:
                self.serve(self, stream)
        except (Closed, OSError):
            pass
        except Exception as e:  # noqa: BLE001: whatever it is, the test is to hear of it
            self.problems.append(e)

    def head(self, stream):
        head = Head(stream.until(b"\r\n\r\n"))
        self.heads.append(head)
        return head

    def deaf(self):
        """Nobody can connect any more."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread, as closing does not
        self.listener.close()

    def close(self):
        self.deaf()
        for stream in self.streams:
            stream.close()
        assert not self.problems, self.problems


def answering(*answers):
    """Serves requests with these answers in turn, the last one again and again; on any
    connection."""
    turn = iter(range(1 << 30))

    def serve(origin, stream):
        while True:
            head = origin.head(stream)
            head.body = head.content(stream)
            answer = answers[min(next(turn), len(answers) - 1)]
            stream.send(answer)

    return serve


NGINX_CONFIG = """
daemon off; worker_processes 1; error_log $DIR/error.log; pid $DIR/pid; $USER
events { worker_connections 4096; }
http {
    access_log $DIR/access.log;
    client_body_temp_path $DIR/t1; proxy_temp_path $DIR/t2; fastcgi_temp_path $DIR/t3;
    uwsgi_temp_path $DIR/t4; scgi_temp_path $DIR/t5;
    client_max_body_size 0; keepalive_requests 1000000; default_type text/plain;
    server { listen 127.0.0.1:$PORT; root $DIR/www; location / { dav_methods PUT; } $MORE }
}
"""


class Nginx:
    def __init__(self, folder, more=""):
        self.folder, self.port = folder, free_port()
        self.www = folder / "www"
        self.www.mkdir(parents=True)
        text = NGINX_CONFIG.replace("$DIR", str(folder)).replace("$PORT", str(self.port)).replace("$MORE", more)
        self.file = folder / "nginx.conf"
        self.file.write_text(text.replace("$USER", "user root;"))
        self.process = subprocess.Popen([NGINX, "-e", str(folder / "error.log"), "-c", str(self.file)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.listens, what="nginx")

    def listens(self):
        assert self.process.poll() is None, (self.folder / "error.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def lines(self):
        return (self.folder / "access.log").read_text().splitlines()

    def close(self):
        self.process.terminate()
        self.process.wait(FOREVER)
