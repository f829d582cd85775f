# SPDX-License-Identifier: MIT
"""The OpenAPI document that a real server serves is what the server does: every operation is
asked, well and badly, and each answer is held against the document."""

import json
import re
import signal

import jsonschema
import pytest
from adminapi import CONFIG as PLAIN
from adminapi import Admin, back, later, with_stanzas
from detourlib import Conn, free_port, request_bytes

CONFIG = PLAIN.replace("  spare:\n", "  spare:\n    require: exists\n")

YAML = {"Content-Type": "text/yaml"}
NEW = {"If-None-Match": "*"}


class Witness(Admin):
    """Judges every answer; `seen` has what was asked, by operation and status."""

    document = None
    seen = set()

    def judge(self, method, path, r):
        template = next(template for template in self.document["paths"]
                        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.partition("?")[0]))
        operation = self.document["paths"][template][method.lower()]
        described = operation["responses"].get(str(r.status))
        assert described is not None, f"{method} {template}: {r.status} is not described"
        if "$ref" in described:
            described = self.document["components"]["responses"][described["$ref"].rsplit("/", 1)[1]]
        self.seen.add((operation["operationId"], r.status))
        assert ("content" in described) == (r.body != b""), (method, path, r)
        assert r.etag is None or r.status == 304 or "ETag" in described.get("headers", {}), (method, path, r)
        if r.body:
            kind = r.get("Content-Type").partition(";")[0]
            schema = described["content"][kind]["schema"]
            body = r.json if "json" in kind else r.body.decode()
            jsonschema.Draft202012Validator({"components": self.document["components"], **schema}).validate(body)

    def ask(self, method, path, content=None, fields=None, **more):
        r = super().ask(method, path, content, fields, **more)
        self.judge(method, path, r)
        return r


@pytest.fixture
def admin(detour):
    one = Admin(detour(with_stanzas(("filed", "r"), ("other", "r"), config=CONFIG)))
    Witness.document = one.good("GET", "/v1/openapi.json").json
    Witness.seen = set()
    one.close()
    witness = Witness(one.server)
    yield witness
    witness.close()


def read_all(admin):
    for path in ("/v1/detours", "/v1/changes", "/v1/sites", "/v1/pools", "/v1/status", "/v1/export", "/v1/tokens",
                 "/v1/openapi.json", "/healthz", "/readyz"):
        admin.good("GET", path)
    admin.good("GET", "/v1/changes", limit=1)


def write_detours(admin):
    d, filed = admin.path("d"), admin.path("filed")
    admin.good("PUT", d, admin.detour(), NEW, dry_run="true")
    tag = admin.on("d", admin.detour(owner="me", why=None, max_age="1m", until=later(900))).etag
    assert admin.ask("GET", d, None, {"If-None-Match": tag}).status == 304
    admin.good("GET", filed)
    admin.good("POST", d + "/extend", {"for": "5m"}, {"If-Match": tag})
    admin.on("planned", admin.detour(**{"from": later(600), "until": later(900)}))
    admin.on("grows", admin.detour("/grows", ramp="10m", until=later(3600)))
    admin.good("PUT", filed, admin.detour("/filed"), {"If-Match": "*"})
    for dry in ("true", "false"):
        admin.good("DELETE", filed, dry_run=dry)
        admin.good("DELETE", d, dry_run=dry)
    newest = admin.changes()[0]["number"]
    admin.good("GET", f"/v1/changes/{newest}")
    for dry in ("true", "false"):
        admin.good("POST", f"/v1/changes/{newest}/revert", dry_run=dry)
    admin.bad(409, "POST", f"/v1/changes/{newest}/revert")


def change_servers(admin):
    pool = admin.good("GET", "/v1/pools").json["pools"][0]
    servers = f"/v1/pools/{pool['name']}/servers"
    own, new = f"{servers}/{pool['servers'][0]['name']}", f"{servers}/new"
    admin.good("GET", own)
    admin.good("PUT", new, {"url": "https://new.example.com"}, NEW, dry_run="true")
    tag = admin.good("PUT", new, {"url": "https://new.example.com"}, NEW).etag
    assert admin.ask("GET", new, None, {"If-None-Match": tag}).status == 304
    admin.good("PUT", new, {"url": "https://new.example.com", "weight": 3}, {"If-Match": tag})
    admin.bad(428, "PUT", new, {"url": "https://new.example.com"})
    admin.bad(412, "PUT", new, {"url": "https://new.example.com"}, NEW)
    admin.good("PATCH", own, {"state": "drain"}, why="it is slow")
    admin.bad(422, "PATCH", own, {"state": "gone"})
    admin.bad(404, "PATCH", servers + "/none", {"state": "drain"})
    admin.good("GET", own)
    admin.good("DELETE", own)
    admin.good("GET", own)
    number = admin.changes()[0]["number"]
    admin.good("POST", f"/v1/changes/{number}/revert")
    admin.good("PATCH", own, {"state": "ready"})
    admin.good("DELETE", new)
    admin.bad(404, "GET", new)
    admin.bad(404, "GET", "/v1/pools/none/servers/x")
    admin.good("POST", f"/v1/pools/{pool['name']}/existence", {"path": "/x"})
    admin.bad(404, "POST", "/v1/pools/none/existence", {"path": "/x"})
    admin.bad(422, "POST", f"/v1/pools/{pool['name']}/existence", {"path": "x"})


def make_links(admin):
    path = admin.path("tested") + "/link"
    admin.bad(404, "POST", path, {})
    tag = admin.on("tested", admin.detour("/tested")).etag
    admin.bad(409, "POST", path, {})
    admin.on("tested", admin.detour("/tested", bypass={"link": True}), tag=tag)
    admin.good("POST", path, {"for": "1h"})
    admin.bad(422, "POST", path, {"for": "1000h"})
    admin.off("tested")


def refuse_detours(admin):
    d = admin.path("d")
    # If-Match, conflicts, what is not there, what makes no sense
    admin.bad(428, "PUT", d, admin.detour())
    admin.bad(412, "PUT", d, admin.detour(), NEW)
    admin.bad(412, "DELETE", d, None, {"If-Match": '"1"'})
    admin.bad(412, "POST", d + "/extend", {"for": "1m"}, {"If-Match": '"1"'})
    admin.bad(415, "PUT", d, b"x", {**NEW, "Content-Type": "text/plain"})
    admin.bad(415, "POST", "/v1/diff", b"x", {"Content-Type": "text/plain"})
    admin.bad(400, "PUT", d, b"{", NEW)
    admin.bad(400, "GET", "/v1/detours", nothing="1")
    admin.bad(422, "PUT", d, admin.detour(until="2001-01-01T00:00:00Z", nonsense=1), {"If-Match": "*"})
    admin.bad(422, "POST", d + "/extend", {"for": "long"})
    admin.bad(422, "POST", "/v1/diff", b"sites: 7\nx: y\n", YAML)
    admin.bad(413, "PUT", d, b"{" + b" " * 70000 + b"}", NEW)
    admin.bad(404, "PUT", admin.path("d", "nowhere"), admin.detour(), NEW)
    for method, path in [("GET", "{}"), ("DELETE", "{}"), ("POST", "{}/extend")]:
        admin.bad(404, method, path.format(admin.path("none")), {"for": "1m"} if method == "POST" else None)
    admin.bad(404, "GET", "/v1/changes/999")
    admin.bad(404, "POST", "/v1/changes/999/revert")
    with Conn(admin.address) as conn:
        conn.send(request_bytes("PUT", d, {**NEW, "Transfer-Encoding": "chunked"}, host="localhost"))
        r = conn.response()
        r.json, r.etag = json.loads(r.body), None
        admin.judge("PUT", d, r)
    assert admin.ask("GET", "/v1/status", None, {"Origin": "http://evil.example"}).status == 403


def exchange_files(admin):
    admin.good("POST", "/v1/diff", admin.server.whole(CONFIG).encode(), YAML)
    admin.server.write(CONFIG.replace("https://home", "https://hut"))
    admin.good("POST", "/v1/reload", dry_run="true")
    admin.good("POST", "/v1/reload")
    admin.server.write("sites: 7\n")
    assert admin.good("GET", "/v1/status").json["configuration"]["ok"] is True
    admin.bad(422, "POST", "/v1/reload", dry_run="true")
    admin.bad(422, "POST", "/v1/reload")
    assert admin.good("GET", "/v1/status").json["configuration"]["ok"] is False
    admin.server.write(CONFIG)
    admin.good("POST", "/v1/reload")
    assert admin.good("GET", "/v1/status").json["configuration"]["ok"] is True


def use_tokens(admin):
    admin.good("PUT", "/v1/tokens/first", {"scope": "read"}, dry_run="true")
    token = admin.good("PUT", "/v1/tokens/first", {"scope": "read"}).json["token"]
    admin.bad(409, "PUT", "/v1/tokens/first", {"scope": "read"})
    admin.bad(422, "PUT", "/v1/tokens/second", {"scope": "all"})
    admin.bad(404, "DELETE", "/v1/tokens/second")
    admin.good("PUT", "/v1/tokens/second", {"scope": "write"})
    for dry in ("true", "false"):
        admin.good("DELETE", "/v1/tokens/second", dry_run=dry)
    admin.good("GET", "/v1/tokens")
    admin.changes()
    return token


def ask_over_tcp(admin, token):
    admin.close()
    address = ("127.0.0.1", free_port())
    admin.server.write(CONFIG.replace("unix:$DIR/admin.sock", "http://%s:%d" % address))
    admin.server.signal(signal.SIGHUP)
    reader, guest = Witness(admin.server, address, token), Witness(admin.server, address)
    back(reader)
    read_all(reader)
    assert reader.ask("DELETE", "/v1/detours").status == 403
    assert guest.ask("GET", "/v1/status").status == 401
    for _ in range(11):
        last = Witness(admin.server, address, "detour_" + "A" * 32).ask("GET", "/v1/status")
    assert last.status == 429 and last.get("Retry-After")


def test_every_answer_is_as_the_document_says(admin):
    changes = admin.good("GET", "/v1/status").json["store"]["changes"]
    assert changes == 0
    write_detours(admin)
    assert admin.good("GET", "/v1/status").json["store"]["changes"] == len(admin.changes()) > 5
    make_links(admin)
    change_servers(admin)
    refuse_detours(admin)
    read_all(admin)
    exchange_files(admin)
    token = use_tokens(admin)
    for dry in ("true", "false"):
        admin.good("DELETE", "/v1/detours", dry_run=dry)
    ask_over_tcp(admin, token)
    operations = {operation["operationId"]: operation
                  for path in admin.document["paths"].values() for operation in path.values()}
    for name, operation in operations.items():
        for status in ("200", "201", "304", "428"):
            made = (name, int(status)) in admin.seen
            # A token is made, never changed: its only success is 201.
            assert made == (status in operation["responses"]) or (name, status) == ("addToken", "200"), (name, status)
    assert {status for _, status in admin.seen} == {
        200, 201, 304, 400, 401, 403, 404, 409, 411, 412, 413, 415, 422, 428, 429}
