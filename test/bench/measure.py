# SPDX-License-Identifier: MIT
"""How the benchmarks measure: counted bursts of load, alternating pairs, medians with
intervals, and instructions by callgrind."""
import dataclasses
import math
import os
import pathlib
import re
import signal
import statistics
import subprocess
import time

from contestants import H2, H2TLS, LOAD_CORE, pin, request_bytes, tree

BURST_NS = 200_000_000
BURST_MIN = 200
BURST_MAX = 400_000


class Load:
    """A load generator beside one server; its connections stay open between bursts.

    depth: requests at a time, 0 for a connection each; handshake: "full" or "resumed"."""

    binary = None

    def __init__(self, server, path, connections, depth, handshake="full"):
        self.server = server
        self.p99_us = None  # of the last burst; not of HTTP/2
        command = [str(self.binary), str(server.port)]
        if server.speaks in (H2, H2TLS):
            command = [str(self.binary) + "_h2", str(server.port), path]
        else:
            file = server.folder / f"request-{server.port}-{depth}"
            file.write_bytes(request_bytes(path, depth == 0, server.fields))
            command.append(str(file))
        self.process = subprocess.Popen(
            [*command, str(connections), str(depth), *([handshake] if server.secure else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pin(LOAD_CORE))

    def send(self, requests):
        if self.process.poll() is not None:
            raise RuntimeError(f"the load on {self.server.name} ended")
        self.process.stdin.write(f"{requests}\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        if len(words) < 2:
            raise RuntimeError(f"the load on {self.server.name} broke off")
        done, other, *latencies = map(int, words)
        self.p99_us = latencies[0] if latencies else None
        if done != requests or other:
            raise RuntimeError(f"{self.server.name}: {requests} requests, but {done} answers "
                               f"with the status that was asked for and {other} others")

    def burst(self, requests):
        """CPU nanoseconds of the server for each request."""
        before = self.server.cpu_ns()
        self.send(requests)
        return (self.server.cpu_ns() - before) / requests

    def fitting(self):
        """How many requests make a burst of about BURST_NS."""
        self.send(BURST_MIN)
        each = max(self.burst(BURST_MIN), 1)
        if each * BURST_MIN < BURST_NS / 20:
            each = max(self.burst(BURST_MIN * 20), 1)
        return max(BURST_MIN, min(BURST_MAX, int(BURST_NS / each)))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@dataclasses.dataclass
class Estimate:
    """A median and the interval that holds the true one in 95 of 100 cases."""
    median: float
    low: float
    high: float

    def text(self, digits):
        return (f"{self.median:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]")


def estimate(values):
    """The interval is between two ordered values; it assumes nothing about how they scatter."""
    ordered = sorted(values)
    count = len(ordered)
    below = 0.0
    rank = 0
    while rank < count // 2:
        below += math.comb(count, rank) / 2 ** count
        if below > 0.025:
            break
        rank += 1
    rank = max(rank, 1)
    return Estimate(statistics.median(ordered), ordered[rank - 1], ordered[count - rank])


@dataclasses.dataclass
class Comparison:
    cost_us: Estimate
    base_us: Estimate
    ratio: Estimate
    user_share: float
    pairs: int


def compare(load, base, pairs):
    """Alternates A B B A, so that a machine that drifts favours neither."""
    load_count, base_count = load.fitting(), base.fitting()
    costs, base_costs = [], []
    ticks = load.server.user_and_system_ticks()
    for pair in range(pairs):
        if pair % 2 == 0:
            costs.append(load.burst(load_count))
            base_costs.append(base.burst(base_count))
        else:
            base_costs.append(base.burst(base_count))
            costs.append(load.burst(load_count))
    after = load.server.user_and_system_ticks()
    user, system = after[0] - ticks[0], after[1] - ticks[1]
    return Comparison(estimate([cost / 1000 for cost in costs]),
                      estimate([cost / 1000 for cost in base_costs]),
                      estimate([cost / floor for cost, floor in zip(costs, base_costs)]),
                      user / max(user + system, 1), pairs)


def dump_instructions(server, path):
    """Instructions of all processes since the last dump; callgrind starts anew after it."""
    for old in server.folder.glob("callgrind.*"):
        old.unlink()
    for pid in tree(server.process.pid):
        command = subprocess.Popen(["callgrind_control", "--dump", str(pid)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        # A program whose threads all sleep in the kernel may not hear it until one wakes up.
        deadline = time.monotonic() + 30
        while command.poll() is None:
            try:
                command.wait(2)
            except subprocess.TimeoutExpired:
                server.status(path)
            if time.monotonic() > deadline:
                os.killpg(command.pid, signal.SIGKILL)
                break
        command.wait()
    total = 0
    for file in server.folder.glob("callgrind.*"):
        found = re.search(r"^(?:totals|summary): (\d+)", file.read_text(errors="replace"),
                          re.MULTILINE)
        total += int(found[1]) if found else 0
    return total


def instructions(server, path, connections, depth, requests, handshake="full"):
    """User instructions for one request: what 2N requests take beyond N, divided by N."""
    server.wrapper = ["valgrind", "--tool=callgrind", "--trace-children=yes", "--quiet",
                      f"--callgrind-out-file={server.folder}/callgrind.%p"]
    server.start(path)
    try:
        load = Load(server, path, connections, depth, handshake)
        load.send(requests)
        dump_instructions(server, path)
        load.send(requests)
        once = dump_instructions(server, path)
        load.send(2 * requests)
        twice = dump_instructions(server, path)
        load.close()
    finally:
        server.stop(60)
    if twice <= once:
        raise RuntimeError(f"callgrind counted nothing for {server.name}")
    return (twice - once) / requests


def idle_bytes(server, path, connections):
    """Growth of the server's memory for each idle connection that has served a request."""
    warm = Load(server, path, 64, 1)
    warm.send(640)
    warm.close()
    before = server.memory_bytes()
    load = Load(server, path, connections, 1)
    load.send(connections)
    after = server.memory_bytes()
    load.close()
    return before, (after - before) / connections


def machine():
    """What a reader must know of the machine."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"kernel": os.uname().release, "cpu": cpu[1] if cpu else os.uname().machine,
            "cores": os.cpu_count(), "load before": " ".join(map(str, os.getloadavg()))}
