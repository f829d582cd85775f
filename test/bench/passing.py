# SPDX-License-Identifier: MIT
"""Requests that are passed on to an origin: what one costs beside nginx's proxy_pass, and how
fast large contents flow."""
import http.client
import os
import resource
import socket
import statistics
import subprocess
import sys
import time

import changes
import contestants as c
import measure

ANSWER_BYTES = 1024
BODY_BYTES = 1 << 30
ROUNDS = 5
SLOW_DOWNLOADS = 1_000
SWITCHES = 100

# Reads a request with its content, answers when it has all of it; run by a process of its own.
SINK = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
room = bytearray(1 << 20)
while True:
    conn, _ = listener.accept()
    with conn:
        head = b""
        while b"\\r\\n\\r\\n" not in head:
            more = conn.recv(65536)
            if not more:
                break
            head += more
        else:
            head, _, rest = head.partition(b"\\r\\n\\r\\n")
            lines = [line.split(b":") for line in head.lower().split(b"\\r\\n")[1:]]
            left = [int(line[1]) for line in lines if line[0] == b"content-length"]
            left = (left or [0])[0] - len(rest)
            while left > 0:
                got = conn.recv_into(room)
                if not got:
                    break
                left -= got
            conn.sendall(b"HTTP/1.1 307 Temporary Redirect\\r\\nLocation: /\\r\\nContent-Length: 0\\r\\n"
                         b"Connection: close\\r\\n\\r\\n")
"""


class Near(c.Floor):
    """The origin: fixed bytes. It shares the core of the load, so that only what stands between
    is measured."""

    answer = (b"HTTP/1.1 307 Temporary Redirect\r\nServer: origin\r\n"
              b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\n"
              b"Location: /\r\nETag: \"6b0466e9-400\"\r\nContent-Length: 1024\r\n\r\n"
              + b"x" * ANSWER_BYTES)

    def start(self, *args, **kwargs):
        super().start(*args, **kwargs)
        os.sched_setaffinity(self.process.pid, {c.LOAD_CORE})
        return self


class Files(c.Nginx):
    """The origin of large contents."""

    def command(self):
        file = self.folder / "1g"
        with open(file, "wb") as body:
            body.truncate(BODY_BYTES)
        command = super().command()
        conf = self.folder / f"nginx-{self.port}.conf"
        conf.write_text(conf.read_text().replace(
            "location /old/", f"location /1g {{ root {self.folder}; sendfile on; }} location /old/"))
        return command

    def start(self, *args, **kwargs):
        super().start(*args, **kwargs)
        for pid in c.tree(self.process.pid):
            os.sched_setaffinity(pid, {c.LOAD_CORE})
        return self


class Sink(c.Contestant):
    name = "sink"

    def command(self):
        return [sys.executable, "-c", SINK, str(self.port)]

    def start(self, *args, **kwargs):
        super().start(*args, **kwargs)
        os.sched_setaffinity(self.process.pid, {c.LOAD_CORE})
        return self


class PassingDetour(c.Detour):
    def __init__(self, folder, origin, **rest):
        super().__init__(folder, **rest)
        self.origin = origin

    def command(self):
        file = self.folder / f"detour-{self.port}.yaml"
        file.write_text(f'listen: "http://127.0.0.1:{self.port}"\nworkers: 1\nsites:\n'
                        f'  - {{name: bench, hosts: [localhost, 127.0.0.1], '
                        f'default: {{origin: "http://127.0.0.1:{self.origin.port}"}}}}\n')
        return [str(self.binary), "serve", "-c", str(file)]


class SwitchingDetour(changes.Changing):
    """In front of an origin, with an admin API."""

    def __init__(self, folder, origin, **rest):
        super().__init__(folder, **rest)
        self.origin = origin

    def command(self):
        command = super().command()
        with open(command[-1], "r+", encoding="ascii") as file:
            text = file.read().replace(
                "    routes:", f'    default: {{origin: "http://127.0.0.1:{self.origin.port}"}}\n    routes:')
            file.seek(0)
            file.write(text)
        return command


class PassingNginx(c.Nginx):
    def __init__(self, folder, origin, **rest):
        super().__init__(folder, **rest)
        self.origin = origin

    def command(self):
        command = super().command()
        conf = self.folder / f"nginx-{self.port}.conf"
        place = ("location / { proxy_pass http://origin; proxy_http_version 1.1; "
                 'proxy_set_header Connection ""; proxy_set_header Host $http_host; '
                 "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; "
                 "proxy_set_header X-Forwarded-Proto $scheme; proxy_request_buffering off; "
                 "client_max_body_size 0; }")
        text = conf.read_text().replace(
            "  server {", f"  upstream origin {{ server 127.0.0.1:{self.origin.port}; keepalive 128; "
            "keepalive_requests 100000000; }\n  server {")
        begin = text.index("location /old/")
        conf.write_text(text[:begin] + place + text[text.index("}", begin) + 1:])
        return command


def compare_small(bench, origin):
    """One request each way."""
    ours = PassingDetour(bench.folder, origin)
    other = PassingNginx(bench.folder, origin)
    try:
        ours.start()
        other.start()
        load = measure.Load(ours, "/old/a/b", 64, 1)
        base = measure.Load(other, "/old/a/b", 64, 1)
        found = measure.compare(load, base, bench.pairs)
        load.close()
        base.close()
    finally:
        ours.stop()
        other.stop()
    return found


def seconds(server, *options):
    """What curl needs for one content."""
    done = subprocess.run(
        ["curl", "-q", "-s", "-S", "-o", "/dev/null", "-w", "%{time_total} %{size_download} %{size_upload}",
         "-H", "Expect:", *options],
        stdout=subprocess.PIPE, text=True, check=True, preexec_fn=c.pin(c.LOAD_CORE))
    took, down, up = done.stdout.split()
    if int(down) + int(up) < BODY_BYTES:
        raise RuntimeError(f"{server.name} passed on {down} and {up} bytes")
    return float(took)


def compare_large(bench, origin, path, *options):
    """(our bytes a second, nginx's), medians of alternating rounds."""
    servers = [PassingDetour(bench.folder, origin), PassingNginx(bench.folder, origin)]
    took = [[], []]
    try:
        for server in servers:
            server.start()
        for turn in range(2 * (3 if bench.quick else ROUNDS)):
            which = turn % 2
            url = f"http://127.0.0.1:{servers[which].port}{path}"
            took[which].append(seconds(servers[which], *options, url))
    finally:
        for server in servers:
            server.stop()
    return [BODY_BYTES / statistics.median(each) for each in took]


def slow_bytes(server):
    """How much more memory it has with SLOW_DOWNLOADS whose readers take next to nothing. Not for
    nginx as it stands here, which would write them all to its disk."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server.start()
    before = server.memory_bytes()
    socks = []
    try:
        for _ in range(SLOW_DOWNLOADS):
            sock = socket.socket()
            socks.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(30)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(b"GET /1g HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for sock in socks:
            if sock.recv(12) != b"HTTP/1.1 200":
                raise RuntimeError(f"{server.name} did not answer")
        last, now = 0, 1
        while now > last:  # until all that flows has come to rest
            time.sleep(0.5)
            last, now = now, server.memory_bytes()
        return max(last, now) - before
    finally:
        for sock in socks:
            sock.close()
        server.stop()


def switch(bench, origin):
    """How often a detour over all that is asked for was switched on, and off again, under full
    load. The load generator ends when a request fails; the origin's answers and the detour's
    have the same status."""
    server = SwitchingDetour(bench.folder, origin).begin(yielding=True)
    done = []
    failed = []

    def meanwhile(ending):
        try:
            while not ending.is_set():
                server.change(len(done), "all", "/site")
                server.drop("all")
                done.append(time.monotonic())
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            failed.append(error)

    try:
        while len(done) < SWITCHES and not failed:
            changes.loaded(server, 20_000, meanwhile, "/site/a/b")
    finally:
        server.end()
    if failed:
        raise failed[0]
    return len(done)


def passing(bench):
    rows = []
    origin = Near(bench.folder).start()
    try:
        found = compare_small(bench, origin)
        rows.append(["1 KiB answers, CPU µs a request", found.cost_us.text(2), found.base_us.text(2),
                     found.ratio.text(2), "≤ 1.5", bench.report.verdict(found.ratio.median, 1.5)])
    except (OSError, RuntimeError) as error:
        rows.append(["1 KiB answers", "", "", "", "", bench.report.failed(PassingDetour, error)])
    finally:
        origin.stop()
    plan = [("1 GiB down", Files, "/1g", []), ("1 GiB up", Sink, "/up", ["-T", bench.folder / "1g"])]
    for title, kind, path, options in plan:
        origin = kind(bench.folder).start()
        try:
            ours, other = compare_large(bench, origin, path, *options)
            rows.append([f"{title}, MB a second", f"{ours / 1e6:.0f}", f"{other / 1e6:.0f}",
                         f"{ours / other:.2f}", "≥ 0.7", bench.report.verdict(other / ours, 1 / 0.7)])
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            rows.append([title, "", "", "", "", bench.report.failed(PassingDetour, error)])
        finally:
            origin.stop()
    origin = Near(bench.folder).start()
    try:
        rows.append([f"{switch(bench, origin)} detours on and off under load, requests that failed", "0", "",
                     "", "0", bench.report.verdict(0, 0)])
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        rows.append(["detours on and off under load", "", "", "", "0", bench.report.failed(PassingDetour, error)])
    finally:
        origin.stop()
    title = f"{SLOW_DOWNLOADS:,} slow downloads, MiB"
    origin = Files(bench.folder).start()
    try:
        ours = slow_bytes(PassingDetour(bench.folder, origin)) / 2**20
        rows.append([title, f"{ours:.1f}", "", "", "≤ 64", bench.report.verdict(ours, 64)])
    except (OSError, RuntimeError) as error:
        rows.append([title, "", "", "", "", bench.report.failed(PassingDetour, error)])
    finally:
        origin.stop()
    bench.report.table("Passed on to an origin, over kept connections",
                       ["what", "detour", "nginx proxy_pass", "× nginx", "asked", "reached"], rows)
