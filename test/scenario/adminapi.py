# SPDX-License-Identifier: MIT
"""Asks the admin API of a running `detour serve`, byte by byte, and reads its answers strictly."""

import json
import signal
import time
from urllib.parse import quote, urlencode

from detourlib import FOREVER, Closed, Conn, request_bytes, rfc3339, wait_until

CONFIG = """
admin: {listen: "unix:$DIR/admin.sock"}
state: state
sites:
  - name: shop
    hosts: [shop.example]
    routes:
      - {name: any, path: "/*", to: "https://home.example/{+0}"}
  - name: blog
    hosts: [blog.example]
    routes:
      - {name: any, path: "/*", to: "https://blog-home.example/"}
pools:
  spare:
    servers: [{url: "https://spare.example"}]
"""
# A stanza of the file, to be put behind it.
STANZA = '  - {name: %s, site: shop, path_prefix: "/%s", to: "https://file.example/", until: off, reason: %s}\n'


def with_stanzas(*stanzas, config=CONFIG):
    return config + "detours:\n" + "".join(STANZA % (name, name, reason) for name, reason in stanzas)


class Admin:
    """Over the unix socket of a server, or over TCP with a token."""

    def __init__(self, server, address=None, token=None):
        self.server = server
        self.address = address or server.folder / "admin.sock"
        self.host = "localhost" if address is None else f"{address[0]}:{address[1]}"
        self.token = token
        self.conn = None

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None

    def send(self, method, path, content=None, fields=None, query=None):
        """On the connection that there is, or on a new one."""
        fields = dict(fields or {})
        if self.token:
            fields["Authorization"] = f"Bearer {self.token}"
        body = None
        if content is not None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            fields.setdefault("Content-Type", "application/json")
        if query:
            path += "?" + urlencode(query)
        self.conn = self.conn or Conn(self.address)
        self.conn.send(request_bytes(method, path, fields, body, host=self.host))
        return self

    def answer(self, method="GET", timeout=FOREVER):
        r = self.conn.response(head_only=method == "HEAD", timeout=timeout)
        if r.closes:
            self.close()
        kind = r.get("Content-Type") or ""
        r.json = json.loads(r.body) if "json" in kind and r.body else None
        r.etag = r.get("ETag")
        assert (r.status >= 400) == kind.startswith("application/problem+json"), r
        if r.status >= 400:
            assert r.json["status"] == r.status and r.json["title"] and r.json["type"], r.json
        return r

    def ask(self, method, path, content=None, fields=None, timeout=FOREVER, **query):
        try:
            return self.send(method, path, content, fields, query).answer(method, timeout)
        except (OSError, Closed, AssertionError):
            self.close()
            raise

    def good(self, *args, **kwargs):
        r = self.ask(*args, **kwargs)
        assert r.status in (200, 201), (r, r.json)
        return r

    def bad(self, status, *args, **kwargs):
        """Refused, with this status, and nothing was changed: neither a detour nor the history."""
        before = self.everything()
        r = self.ask(*args, **kwargs)
        assert r.status == status, (r, r.body[:2000])
        assert self.everything() == before
        r.text = r.json["detail"] + "\n" + "\n".join(r.json.get("errors", []))
        return r

    def everything(self):
        return (self.good("GET", "/v1/detours").json, self.changes(), self.good("GET", "/v1/export").body)

    # What commands do

    @staticmethod
    def path(name, site="shop"):
        return f"/v1/detours/{quote(site, safe='')}/{quote(name, safe='')}"

    @staticmethod
    def detour(prefix="/x", to="https://live.example/", **more):
        out = {"path_prefix": prefix, "to": to, "until": "off", "reason": "a test", **more}
        return {key: value for key, value in out.items() if value is not None}

    def on(self, name, content=None, site="shop", tag=None, **query):
        """tag: of what it replaces."""
        fields = {"If-Match": tag} if tag else {"If-None-Match": "*"}
        return self.good("PUT", self.path(name, site), content or self.detour(), fields, **query)

    def off(self, name, site="shop", **query):
        return self.good("DELETE", self.path(name, site), **query)

    def get(self, name, site="shop"):
        return self.good("GET", self.path(name, site))

    def changes(self):
        return self.good("GET", "/v1/changes", limit=1000).json["changes"]

    def states(self):
        """{"site/name": state} of all."""
        return {f"{one['site']}/{one['name']}": one["state"] for one in self.good("GET", "/v1/detours").json["detours"]}

    def reload(self):
        return self.good("POST", "/v1/reload").json["generation"]

    def where(self, target="/x", host="shop.example"):
        """Where the data path sends a client now, without its scheme; 503 and the like as they are."""
        r = self.server.get(target, host=host)
        return r.location.removeprefix("https://") if r.location else r.status


def back(admin):
    """Waits until control is there again, after it was killed."""

    def there():
        try:
            return admin.ask("GET", "/v1/status")
        except (OSError, Closed):
            return None

    return wait_until(there, what="another control")


def kill_control(admin):
    admin.close()
    admin.server.kill_one("_control")
    back(admin)


def restart(admin):
    """All of the program, as an operator does it."""
    server = admin.server
    admin.close()
    server.stop()
    server.start()
    back(admin)


def reload_by_signal(admin):
    """SIGHUP, and waits for what comes of it."""
    before = admin.good("GET", "/v1/status").json["generation"]
    admin.server.signal(signal.SIGHUP)
    wait_until(lambda: admin.good("GET", "/v1/status").json["generation"] > before, what="a reload")


def later(seconds):
    return rfc3339(time.time() + seconds)
