# SPDX-License-Identifier: MIT
"""A list of redirects checked by `detour audit`, beside curl, which follows the same list."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

import contestants as c
import measure

LINES = 10_000
HOPS = 3
CPU_LIMIT = 0.7  # of curl's
MEMORY_LIMIT = 64 << 20

NGINX = """\
daemon off; worker_processes 1; pid FOLDER/audit.pid; error_log FOLDER/audit.log;
events { worker_connections 4096; }
http {
    access_log off; keepalive_requests 100000000;
    client_body_temp_path FOLDER; proxy_temp_path FOLDER; fastcgi_temp_path FOLDER;
    uwsgi_temp_path FOLDER; scgi_temp_path FOLDER;
    server {
        listen 127.0.0.1:PORT backlog=4096;
        location ~ ^/a(\\d+)$ { return 301 /b$1; }
        location ~ ^/b(\\d+)$ { return 301 /c$1; }
        location ~ ^/c(\\d+)$ { return 301 /d$1; }
        location ~ ^/d { return 200 ok; }
    }
}
"""


def spent(command):
    """CPU seconds, and the most memory."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def wait_for(port):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    raise RuntimeError("nginx does not listen")


def write_lists(folder, port, lines):
    table, config = folder / "audit.csv", folder / "audit.curl"
    url = f"http://127.0.0.1:{port}"
    table.write_text("".join(f"{url}/a{i},{url}/d{i},301\n" for i in range(lines)))
    config.write_text("".join(f'url = "{url}/a{i}"\noutput = "/dev/null"\n' for i in range(lines)))
    return table, config


def audit(bench):
    folder = pathlib.Path(bench.folder)
    port = c.free_port()
    file = folder / "audit.conf"
    file.write_text(NGINX.replace("FOLDER", str(folder)).replace("PORT", str(port)))
    server = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-e", str(folder / "audit.log"), "-c", str(file)])
    try:
        wait_for(port)
        table, config = write_lists(folder, port, LINES // (10 if bench.quick else 1))
        ours, theirs, ratios, peaks = [], [], [], []
        for _ in range(5 if bench.quick else 11):
            cpu, peak = spent([str(c.Detour.binary), "audit", str(table)])
            other, _ = spent(["curl", "-s", "--parallel", "-L", "-K", str(config)])
            ours.append(cpu)
            theirs.append(other)
            ratios.append(cpu / other)
            peaks.append(peak)
    finally:
        server.terminate()
        server.wait()
    ratio = measure.estimate(ratios)
    report = bench.report
    lines = LINES // (10 if bench.quick else 1)
    report.table(f"A list of {lines:,} URLs with {HOPS} hops each, on loopback",
                 ["", "CPU s", "× curl", "asked", "reached"],
                 [["curl --parallel -L", measure.estimate(theirs).text(2), "1", "", ""],
                  ["detour audit", measure.estimate(ours).text(2), ratio.text(2),
                   f"≤ {CPU_LIMIT}", report.verdict(ratio.median, CPU_LIMIT)],
                  ["its memory", f"{max(peaks) / 2**20:.0f} MiB", "", "≤ 64 MiB",
                   report.verdict(max(peaks), MEMORY_LIMIT)]])
