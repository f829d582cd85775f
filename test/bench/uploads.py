# SPDX-License-Identifier: MIT
"""Uploads to a server that redirects: how many clients have their answer, what it costs, how
many resets are sent; and what it takes to throw a body away."""
import collections
import contextlib
import os
import re
import socket
import statistics
import subprocess
import time

import contestants as c
import measure

BODY_BYTES = 50_000_000
DRAINED_BYTES = 1 << 30
PIECE = bytes(1 << 20)
SECONDS_MAX = 90  # for one server and protocol: some lose each answer after a wait
CURL = {c.CLEAR: ["--http1.1"], c.TLS: ["--http1.1", "-k"], c.H2TLS: ["--http2", "-k"]}
TITLES = {c.CLEAR: "HTTP/1.1", c.TLS: "HTTP/1.1 over TLS", c.H2TLS: "HTTP/2 over TLS"}


class Reader(c.Contestant):
    """Reads everything and answers nothing."""

    name = "reader"
    binary = None

    def command(self):
        return [str(self.binary), str(self.port)]

    def status(self, path):
        """It is there when it can be connected to."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return "307"
        return ""


class NginxUnlimited(c.Nginx):
    """Its default answers 413 to more than 1 MB."""

    name = "nginx, client_max_body_size 0"

    def command(self):
        command = super().command()
        file = self.folder / f"nginx-{self.port}.conf"
        file.write_text(file.read_text().replace("server_tokens off;",
                                                 "server_tokens off; client_max_body_size 0;"))
        return command


class Resets:
    """Counts the resets that leave a port, where nft may be used."""

    def __init__(self, port):
        self.table = f"detour_bench_{port}"
        self.counts = self.nft(f"table inet {self.table} {{ chain out {{\n"
                               "type filter hook output priority 0;\n"
                               f"tcp sport {port} tcp flags & rst == rst counter\n}}\n}}") is not None

    @staticmethod
    def nft(commands):
        with contextlib.suppress(OSError):
            done = subprocess.run(["nft", "-f", "-"], input=commands, text=True, check=False,
                                  capture_output=True)
            return done.stdout if done.returncode == 0 else None
        return None

    def end(self):
        """How many there were, as text."""
        if not self.counts:
            return "?"
        listed = self.nft(f"list table inet {self.table}") or ""
        self.nft(f"delete table inet {self.table}")
        return re.search(r"counter packets (\d+)|$", listed)[1] or "?"


def upload(server, file):
    """What one curl gets: a status, or why there is none."""
    url = f"http{'s' if server.secure else ''}://127.0.0.1:{server.port}/old/a/b"
    done = subprocess.run(
        ["curl", "-q", "-s", *CURL[server.speaks], "-m", "10", "-H", "Expect:", "-o", "/dev/null",
         "-w", "%{http_code}", "--data-binary", f"@{file}", url],
        stdout=subprocess.PIPE, text=True, preexec_fn=c.pin(c.LOAD_CORE), check=False)
    return done.stdout if done.returncode == 0 else f"curl {done.returncode}"


def upload_to(kind, folder, speaks, file, times):
    """(attempts, what came how often, CPU in ms for each, resets)."""
    server = kind(folder, speaks=speaks)
    try:
        server.start()
        resets = Resets(server.port)
        before = server.cpu_ns()
        begin = time.monotonic()
        came = collections.Counter()
        while came.total() < times and time.monotonic() - begin < SECONDS_MAX:
            came[upload(server, file)] += 1
        each_ms = (server.cpu_ns() - before) / came.total() / 1e6
        return came.total(), came, each_ms, resets.end()
    finally:
        server.stop()


def uploads(bench):
    file = bench.folder / "50mb"
    with open(file, "wb") as body:
        body.truncate(BODY_BYTES)
    rows = []
    kinds = [each for kind in bench.kinds
             for each in ([kind, NginxUnlimited] if kind is c.Nginx else [kind])]
    for speaks, title in TITLES.items():
        for kind in kinds:
            ours = kind is c.Detour
            times = 50 if bench.quick else 1000 if ours else 200
            try:
                count, came, each_ms, resets = upload_to(kind, bench.folder, speaks, file, times)
            except (OSError, RuntimeError) as error:
                rows.append([title, kind.name, "", "", "", "", "", bench.report.failed(kind, error)])
                continue
            others = ", ".join(f"{what}: {n}" for what, n in came.most_common() if what != "307")
            rows.append([title, kind.name, f"{came['307']:,} of {count:,}", others,
                         f"{each_ms:.2f}", resets, "all, no reset" if ours else "",
                         bench.report.verdict(count - came["307"] + int(resets.strip("?") or 0), 0)
                         if ours else ""])
    bench.report.table("POST of 50 MB by curl without Expect",
                       ["over", "server", "307", "otherwise", "CPU ms an upload", "resets sent",
                        "asked", "reached"], rows)


def drained_ms(server, head):
    """CPU of a server for 1 GiB that is sent to it, until it has seen the end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        time.sleep(0.02)
        before = server.cpu_ns()
        client.sendall(head)
        for _ in range(DRAINED_BYTES // len(PIECE)):
            client.sendall(PIECE)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while more := client.recv(65536):
            answer += more
        if answer[:13] != (b"HTTP/1.1 307 " if head else b""):
            raise RuntimeError(f"{server.name} answers {answer[:100]!r}")
        return (server.cpu_ns() - before) / 1e6


def drain1g(bench):
    head = (b"POST /old/a/b HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: %d\r\n\r\n" % DRAINED_BYTES)
    reader, detour = Reader(bench.folder), c.Detour(bench.folder)
    affinity = os.sched_getaffinity(0)
    pairs = []
    try:
        reader.start()
        detour.start()
        os.sched_setaffinity(0, {c.LOAD_CORE})
        for i in range(bench.pairs + 1):
            order = [(reader, b""), (detour, head)]
            taken = {server: drained_ms(server, said) for server, said in order[::1 if i % 2 else -1]}
            pairs.append((taken[reader], taken[detour]))
        del pairs[0]  # it warmed them up
    except (OSError, RuntimeError) as error:
        bench.report.table("1 GiB of a body", ["server", "reached"],
                           [["detour", bench.report.failed(c.Detour, error)]])
        return
    finally:
        os.sched_setaffinity(0, affinity)
        reader.stop()
        detour.stop()
    ratio = measure.estimate([ours / base for base, ours in pairs])
    base = measure.estimate([base for base, _ in pairs])
    ours = measure.estimate([ours for _, ours in pairs])
    rows = [["reads into 64 KiB", base.text(0), "1", "", ""],
            ["detour", ours.text(0), ratio.text(2), "≤ 0.60",
             bench.report.verdict(statistics.median([o / b for b, o in pairs]), 0.6)]]
    bench.report.table("1 GiB of a body over HTTP/1.1, thrown away",
                       ["server", "CPU ms", "× reading", "asked", "reached"], rows)
