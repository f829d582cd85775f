# SPDX-License-Identifier: MIT
"""What it costs to probe many servers: CPU time of control, by kind of probe."""
import contextlib
import os
import pathlib
import subprocess
import time

import contestants as c

SERVERS = 1_000
INTERVAL_S = 2
LIMIT = 0.10  # of one core


class Probing(c.Detour):
    """A pool of many servers, which are loopback addresses of one nginx."""

    def __init__(self, folder, target_port, health, **rest):
        super().__init__(folder, **rest)
        self.target_port, self.health = target_port, health
        self.socket = self.folder / f"admin-{self.port}.sock"

    def command(self):
        command = super().command()
        lines = [f'admin: {{listen: "unix:{self.socket}"}}', "pools:", "  many:",
                 f"    health: {{{self.health}, interval: {INTERVAL_S}s}}", "    servers:"]
        for i in range(SERVERS):
            address = f"127.1.{i // 250}.{i % 250 + 1}"
            lines.append(f'      - "http://{address}:{self.target_port}"')
        with open(command[-1], "a", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        return command


class Everywhere(c.Nginx):
    """On all addresses, with an answer for probes."""

    def command(self):
        command = super().command()
        file = self.folder / f"nginx-{self.port}.conf"
        text = file.read_text().replace(f"listen 127.0.0.1:{self.port}", f"listen {self.port}")
        file.write_text(text.replace("location /old/",
                                     "location = /healthz { return 200 ok; } location /old/", 1))
        return command


def control_of(server):
    return next(pid for pid in c.tree(server.process.pid)
                if b"_control" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(server, seconds):
    """CPU seconds for a second of probing."""
    pid = control_of(server)
    time.sleep(2 * INTERVAL_S)  # until all of them have had their first turn
    began, used = time.monotonic(), cpu_s(pid)
    time.sleep(seconds)
    return (cpu_s(pid) - used) / (time.monotonic() - began)


def probes(bench):
    rows = []
    target = Everywhere(bench.folder)
    seconds = 6 if bench.quick else 20
    try:
        target.start("/old/a")
        for title, health in [("GET", "path: /healthz"),
                              ("GET, and its body", "path: /healthz, expect: {body: ok}"),
                              ("TCP", "type: tcp")]:
            server = Probing(bench.folder, target.port, health)
            try:
                server.start("/old/a")
                share = measured(server, seconds)
            except (OSError, RuntimeError, StopIteration, subprocess.SubprocessError) as error:
                rows.append([title, "", "", bench.report.failed(c.Detour, error)])
                continue
            finally:
                with contextlib.suppress(OSError):
                    server.stop()
            rows.append([title, f"{share:.1%}", f"< {LIMIT:.0%}", bench.report.verdict(share, LIMIT)])
    finally:
        target.stop()
    bench.report.table(f"Probing {SERVERS:,} servers every {INTERVAL_S} s: CPU of the control process",
                       ["probe", "of a core", "asked", "reached"], rows)
