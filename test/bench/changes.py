# SPDX-License-Identifier: MIT
"""Detours at run time: what many of them cost a request, what a change costs, and what the
data path notices of it."""
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import threading
import time

import contestants as c
import measure

MANY = 1_000
SITES = 50  # of those that are not asked
LARGE = (10_000, 5_000)  # routes, and detours in the file
ANSWERS_OTHER = "https://detoured.example.com"
LONG_AGO = "2026-01-01T00:00:00Z"


def detour_line(name, site, prefix):
    return (f'  - {{name: {name}, site: {site}, path_prefix: "{prefix}", '
            f'to: "{ANSWERS_OTHER}/x", from: "{LONG_AGO}", until: off, reason: bench}}')


class Detours(c.Detour):
    """One route /old/*, and detours: how many on other paths of the asked site, on other
    sites, and over the route itself."""

    def __init__(self, folder, here=0, elsewhere=0, over=0, **rest):
        super().__init__(folder, **rest)
        self.here, self.elsewhere, self.over = here, elsewhere, over

    def detour_lines(self):
        lines = [detour_line(f"h{i}", "bench", f"/d{i}/x") for i in range(self.here)]
        lines += [detour_line(f"e{i}", f"s{i % SITES}", f"/old/d{i}") for i in range(self.elsewhere)]
        # It stands in the middle of the others.
        lines.insert(len(lines) // 2, detour_line("over", "bench", "/old") if self.over else "")
        return lines

    def command(self):
        command = super().command()
        file = pathlib.Path(command[-1])
        lines = [file.read_text()]
        lines += [f"  - {{name: s{i}, hosts: [s{i}.example.com], routes: []}}"
                  for i in range(SITES) if self.elsewhere]
        if self.here + self.elsewhere + self.over > 0:
            lines += ["detours:", *self.detour_lines()]
        file.write_text("\n".join(lines) + "\n")
        return command


def detours(bench):
    """callgrind: the differences are far below what a clock could tell."""
    requests = 4_000 // (4 if bench.quick else 1)
    rows = []
    none = None
    plan = [("none", "a route", {}), ("1 on another path", "a route", {"here": 1}),
            (f"{MANY:,} on other paths", "a route", {"here": MANY}),
            (f"{MANY:,} on other sites", "a route", {"elsewhere": MANY}),
            ("1", "that detour", {"over": 1}),
            (f"{MANY:,} on other paths and sites", "one of them",
             {"here": MANY // 2 - 1, "elsewhere": MANY // 2, "over": 1})]
    for active, answers, options in plan:
        limit = 1.1 if sum(options.values()) >= MANY else None
        try:
            count = measure.instructions(Detours(bench.folder, **options), "/old/a/b", 64, 1,
                                         requests)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            rows.append([active, answers, "", "", "", bench.report.failed(c.Detour, error)])
            continue
        none = none or count
        ratio = count / none
        rows.append([active, answers, f"{count:,.0f}", f"{ratio:.3f}",
                     f"≤ {limit:.2f}" if limit else "",
                     bench.report.verdict(ratio, limit) if limit else ""])
    bench.report.table("Active detours, user instructions for a keep-alive request (callgrind)",
                       ["active", "what answers", "instructions", "× none", "asked", "reached"], rows)


# ---- changes ----


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.unix_path))


class Changing(Detours):
    """With a store and the admin API; `routes` and `detours` in the file beside its own."""

    def __init__(self, folder, large=False, **rest):
        super().__init__(folder, routes="all" if large else None,
                         here=LARGE[1] if large else 0, **rest)
        self.state = self.folder / f"state-{self.port}"
        self.socket = self.folder / f"admin-{self.port}.sock"
        self.path = c.request_path("star") if large else "/old/a/b"

    def command(self):
        command = super().command()
        with open(command[-1], "a", encoding="ascii") as file:
            file.write(f'state: "{self.state}"\nadmin: {{listen: "unix:{self.socket}"}}\n')
        return command

    def begin(self, yielding=False):
        self.start(self.path)
        workers = [pid for pid in c.tree(self.process.pid)
                   if b"_worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        # Workers have a core of their own, as they would where there are enough of them. The
        # others share that of the load, and give way to it as if they had a third one.
        for pid in c.tree(self.process.pid):
            os.sched_setaffinity(pid, {c.SERVER_CORE if pid in workers else c.LOAD_CORE})
            if yielding and pid not in workers:
                os.setpriority(os.PRIO_PROCESS, pid, 19)
        self.workers = workers
        self.admin = UnixConnection(self.socket)
        self.tags = {}
        return self

    def end(self):
        self.admin.close()
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)

    def worker_ns(self):
        return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])
                   for pid in self.workers)

    def change(self, number, name, prefix=None):
        """Milliseconds until it is acknowledged by all workers."""
        content = json.dumps({"path_prefix": prefix or f"/live/{name}", "to": f"{ANSWERS_OTHER}/{number}",
                              "until": "off", "reason": "bench"})
        tag = self.tags.get(name)
        begin = time.monotonic()
        self.admin.request("PUT", f"/v1/detours/bench/{name}", content,
                           {"Content-Type": "application/json",
                            **({"If-Match": tag} if tag else {"If-None-Match": "*"})})
        answer = self.admin.getresponse()
        text = answer.read()
        took_ms = (time.monotonic() - begin) * 1000
        if answer.status not in (200, 201):
            raise RuntimeError(f"a change is answered with {answer.status}: {text[:200]!r}")
        self.tags[name] = answer.headers["ETag"]
        return took_ms

    def drop(self, name):
        """Switches off what `change` switched on, when all workers have acknowledged it."""
        self.admin.request("DELETE", f"/v1/detours/bench/{name}",
                           headers={"If-Match": self.tags.pop(name)})
        answer = self.admin.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"to switch off is answered with {answer.status}: {text[:200]!r}")

    def fill(self, count):
        for i in range(count):
            self.change(i, f"f{i}")


def percentile(values, percent):
    return statistics.quantiles(values, n=100)[percent - 1]


def change_costs(bench, title, count, **options):
    """Rows of how long a change takes, and of what its snapshot costs a worker."""
    server = Changing(bench.folder, **options).begin()
    try:
        server.fill(MANY if not options else 1)
        asked = {path: server.status(path) for path in (server.path, "/live/f0/x")}
        before = server.worker_ns()
        took_ms = [server.change(i, f"c{i % 10}") for i in range(count)]
        each_ms = (server.worker_ns() - before) / count / len(server.workers) / 1e6
        if set(asked.values()) != {"307"}:
            raise RuntimeError(f"answers are {asked}")
    finally:
        server.end()
    half, most = statistics.median(took_ms), percentile(took_ms, 99)
    return ([title, "PUT until all workers have it, median", f"{half:.1f} ms", "≤ 20 ms",
             bench.report.verdict(half, 20)],
            [title, "the same, 99th percentile", f"{most:.1f} ms", "", ""],
            [title, "a worker's CPU for a snapshot", f"{each_ms:.2f} ms", "< 1 ms",
             bench.report.verdict(each_ms, 1)])


def loaded(server, requests, meanwhile, path="/old/a/b"):
    """(99th percentile of the latency in µs, requests a second) of full load."""
    load = measure.Load(server, path, 64, 1)
    load.send(measure.BURST_MIN)
    load.send(requests // 10)
    ending = threading.Event()
    changer = threading.Thread(target=meanwhile, args=(ending,))
    changer.start()
    begin = time.monotonic()
    worst = []
    try:
        for _ in range(10):
            load.send(requests // 10)
            worst.append(load.p99_us)
    finally:
        ending.set()
        changer.join()
    rate = requests / (time.monotonic() - begin)
    load.close()
    return statistics.median(worst), rate


def under_load(bench, count):
    """Changes while a worker has all that it can do. No request fails: the load
    generator counts each answer."""
    server = Changing(bench.folder).begin(yielding=True)
    made = []
    failed = []

    def change(ending):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        try:
            while not ending.is_set():
                made.append(server.change(len(made), f"c{len(made) % 10}"))
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            failed.append(error)

    pairs = []
    try:
        _, rate = loaded(server, 20_000, lambda ending: None)
        while (len(made) < count and not failed) or not pairs:
            requests = int(rate * (0.5 if bench.quick else 2)) // 10 * 10
            quiet, _ = loaded(server, requests, lambda ending: None)
            busy, _ = loaded(server, requests, change)
            pairs.append((quiet, busy))
    finally:
        server.end()
    if failed:
        raise failed[0]
    quiet = measure.estimate([pair[0] for pair in pairs])
    busy = measure.estimate([pair[1] for pair in pairs])
    ratio = measure.estimate([pair[1] / pair[0] for pair in pairs])
    title = f"full load, {len(made):,} changes"
    return ([title, "99th percentile of a request, without changes", f"{quiet.text(0)} µs", "", ""],
            [title, "the same during changes", f"{busy.text(0)} µs", "", ""],
            [title, "× without changes", ratio.text(2), "≤ 2.00",
             bench.report.verdict(ratio.median, 2)])


def changes(bench):
    rows = []
    plan = [(change_costs, (f"{MANY:,} detours of run time", 50 if bench.quick else 500), {}),
            (change_costs, (f"{LARGE[1]:,} detours and {LARGE[0]:,} routes in the file",
                            20 if bench.quick else 200), {"large": True}),
            (under_load, (200 if bench.quick else 3_000,), {})]
    for row, arguments, options in plan:
        try:
            rows += row(bench, *arguments, **options)
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            rows.append([str(arguments[0]), "", "", "", bench.report.failed(c.Detour, error)])
    bench.report.table("Changes at run time", ["what there is", "figure", "measured", "asked",
                                               "reached"], rows)
