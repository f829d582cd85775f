# SPDX-License-Identifier: MIT
"""Servers of a pool that can fail in many ways: real nginx instances, each on a loopback address of
its own, and agents that say what a test wants."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading

from adminapi import Admin
from detourlib import FOREVER, free_port, wait_until
from uploadlib import Resets

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

# One process, so that a signal to it is one to all of it. What it serves depends on files.
NGINX_CONFIG = """
user root;
daemon off;
master_process off;
pid $DIR/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path $DIR/body;
  proxy_temp_path $DIR/proxy;
  fastcgi_temp_path $DIR/fastcgi;
  uwsgi_temp_path $DIR/uwsgi;
  scgi_temp_path $DIR/scgi;
  server {
    listen $ADDRESS:$PORT $SSL;
    $TLS
    root $DIR/www;
    location /files/ {
      access_log $DIR/access.log;
      client_max_body_size 0;
      client_body_temp_path $DIR/www/files/.body;
      dav_methods PUT;
      create_full_put_path on;
    }
    location /healthz {
      default_type text/plain;
      if (-f $DIR/sick) { return 503 "sick"; }
      if (-f $DIR/slow) { limit_rate 1; }
      if ($host = "other.example") { return 204; }
    }
  }
}
"""


class Server:
    """One nginx on 127.0.0.N."""

    config = NGINX_CONFIG

    def __init__(self, folder, address, port, tls=None):
        self.folder, self.address, self.port, self.tls = folder, address, port, tls
        self.process = None
        (folder / "www").mkdir(parents=True)
        (folder / "www" / "healthz").write_text("all is well\n")
        (folder / "www" / "agent").write_text("up 100%\n")
        (folder / "www" / "files").mkdir()
        more = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else ""
        text = self.config
        for name, value in {"DIR": folder, "ADDRESS": address, "PORT": port, "SSL": "ssl" if tls else "",
                            "TLS": more}.items():
            text = text.replace(f"${name}", str(value))
        (folder / "nginx.conf").write_text(text)
        self.start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.address}:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [NGINX, "-e", str(self.folder / "error.log"), "-c", str(self.folder / "nginx.conf")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.listens, what="nginx")

    def listens(self):
        assert self.process.poll() is None, (self.folder / "error.log").read_text()
        with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), timeout=FOREVER):
            return True
        return False

    # Ways to fail, and back. Each gives the moment after which it does not serve.

    def kill(self):
        self.process.kill()
        self.process.wait(FOREVER)

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def cont(self):
        self.process.send_signal(signal.SIGCONT)

    def wall_off(self):
        Resets.nft(f"""table inet wall_{self.port} {{ chain in {{
            type filter hook input priority 0; ip daddr {self.address} tcp dport {self.port} drop
            }}
        }}""")

    def open_up(self):
        Resets.nft(f"delete table inet wall_{self.port}")

    def mark(self, name):
        (self.folder / name).touch()

    def unmark(self, name):
        (self.folder / name).unlink()

    def asked(self):
        """The requests below /files/ so far, one line each."""
        log = self.folder / "access.log"
        return log.read_text().splitlines() if log.exists() else []

    def agent_says(self, line):
        new = self.folder / "agent.new"
        new.write_text(line + "\n")
        os.replace(new, self.folder / "www" / "agent")

    def close(self):
        if self.process.poll() is None:
            self.cont()
            self.process.kill()
        self.process.wait(FOREVER)


HARMS = {
    "killed": (Server.kill, Server.start),
    "stopped": (Server.stop, Server.cont),
    "walled off": (Server.wall_off, Server.open_up),
    "slow": (lambda s: s.mark("slow"), lambda s: s.unmark("slow")),
    "sick": (lambda s: s.mark("sick"), lambda s: s.unmark("sick")),
}


class Farm:
    """As many as are wanted, on one port."""

    def __init__(self, folder):
        self.folder, self.port, self.servers = folder, free_port(), []

    def add(self, tls=None):
        n = len(self.servers) + 2
        self.servers.append(Server(self.folder / f"s{n}", f"127.0.0.{n}", self.port, tls))
        return self.servers[-1]

    def stanza(self):
        return ", ".join(f'{{name: s{i}, url: "{s.url}"}}' for i, s in enumerate(self.servers))

    def close(self):
        for server in self.servers:
            server.close()


class Agent:
    """Says a line to whoever connects, as agents for HAProxy do; None: says nothing."""

    def __init__(self, line="up\n", address="127.0.0.1"):
        self.line = line
        self.kept = []
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            if self.line is None:
                self.kept.append(conn)
                continue
            with conn, contextlib.suppress(OSError):
                conn.sendall(self.line.encode())

    def close(self):
        self.socket.close()
        for conn in self.kept:
            conn.close()


def given(server, count=30):
    """Who was given to so many clients in a row, by address; the status where there was none."""
    out = []
    with server.connect() as c:
        for _ in range(count):
            c.send("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n")
            r = c.response()
            out.append(r.location.split("/")[2].partition(":")[0] if r.location else r.status)
    return out


def pools(server):
    """/v1/pools, by names of servers of the only pool."""
    admin = Admin(server)
    try:
        answer = admin.good("GET", "/v1/pools")
        return {s["name"]: s for s in answer.json["pools"][0]["servers"]}
    finally:
        admin.close()
