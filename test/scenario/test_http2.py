# SPDX-License-Identifier: MIT
"""What HTTP/1.1 is promised holds over HTTP/2 too, in clear and over TLS: statuses, fields,
notes, the log and the metrics, asked for by clients of other makes."""

import json
import os
import re
import subprocess
import time

import pytest
from detourlib import FOREVER, SLACK, free_port, imf_seconds, request_bytes, wait_until
from h2lib import END_HEADERS, Http2, client_context
from uploadlib import HTTP2, HTTP2_CLEAR, make_certificate

CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$TLS_PORT"]
tls: {certificates: [{cert: $FILES/cert.pem, key: $FILES/key.pem}]}
redirect_by: true
sites:
  - name: a
    hosts: [a.example, 127.0.0.1]
    cors: {origins: ["https://app.example"], methods: [PUT], headers: [x-token], max_age: 60s, credentials: true}
    routes:
      - {name: tea, path: /tea, respond: {status: 410, body: gone}}
      - {name: moved, path: /moved, to: "https://b.example/new", status: 308}
      - {name: seen, path: /seen, to: "https://b.example/seen", status: 303}
      - {name: any, path: "/r/*", to: "https://b.example/{+0}"}
      - {name: private, path: /cookie, cookies: {beta: "1"}, to: "https://beta.example/"}
      - {name: posts, path: /form, methods: [POST], to: "https://b.example/form"}
"""


@pytest.fixture(scope="module")
def server(shared_detour, tmp_path_factory):
    files = tmp_path_factory.mktemp("tls")
    make_certificate(files)
    return shared_detour(CONFIG, log=True, metrics=True, TLS_PORT=free_port(), FILES=files)


WIRES = {"clear": None, "tls": client_context()}
every_wire = pytest.mark.parametrize("wire", WIRES)


def connect(server, wire):
    port = server.port if wire == "clear" else server.values["TLS_PORT"]
    return Http2((server.host, int(port)), tls=WIRES[wire])


def h2_request(server, wire, method, path, headers=None, host="a.example"):
    with connect(server, wire) as c:
        return c.ask(1, method, path, host, more=list((headers or {}).items()))


# Each request is sent over HTTP/1.1 and over HTTP/2, and must be answered alike.
SAME = [
    ("GET", "/r/x?y=1", {}),
    ("HEAD", "/r/x", {}),
    ("POST", "/r/x", {}),
    ("DELETE", "/r/x", {}),
    ("BREW", "/r/x", {}),
    ("GET", "/r/a&b'c?d=%22%3Ce", {}),
    ("GET", "/r/%0d%0aSet-Cookie:%20a=b", {}),
    ("GET", "/r//evil", {}),
    ("GET", "/tea", {}),
    ("HEAD", "/tea", {}),
    ("GET", "/moved", {}),
    ("POST", "/seen", {}),
    ("GET", "/none", {}),
    ("GET", "/cookie", {"cookie": "a=b; beta=1"}),
    ("GET", "/cookie", {"cookie": "beta=2"}),
    ("POST", "/form", {}),
    ("GET", "/form", {}),
    ("OPTIONS", "/r/x", {}),
    ("OPTIONS", "*", {}),
    ("OPTIONS", "/r/x", {"origin": "https://app.example", "access-control-request-method": "PUT",
                         "access-control-request-headers": "x-token"}),
    ("OPTIONS", "/r/x", {"origin": "https://evil.example", "access-control-request-method": "PUT"}),
    ("GET", "/r/x", {"origin": "https://app.example"}),
    ("GET", "/r/x", {"expect": "100-continue"}),
    ("GET", "/r/" + "x" * 7990, {}),
    ("GET", "/r/" + "x" * 9000, {}),
    ("GET", "/r/x", {f"a{i}": "b" for i in range(101)}),
    ("GET", "/r/x", {"a": "b" * 20000}),
]


def name_of(case):
    return f"{case[0]} {case[1][:30]} {' '.join(case[2])[:30]}"


@every_wire
@pytest.mark.parametrize("case", SAME, ids=name_of)
def test_the_same_answer_as_over_http_1(server, wire, case):
    method, path, headers = case
    with server.connect() as c:
        c.send(request_bytes(method, path, headers))
        first = c.response(head_only=method == "HEAD")
    second = h2_request(server, wire, method, path, headers)
    assert second.status == first.status
    fields = sorted((n.lower(), v) for n, v in first.fields if n.lower() not in ("connection", "date"))
    assert sorted(f for f in second.fields if f[0] not in (":status", "date")) == fields
    assert second.body == first.body
    assert second.ended
    if 200 <= second.status < 500:
        assert abs(imf_seconds(second["date"]) - time.time()) <= 2 * SLACK


@every_wire
def test_unknown_hosts_and_schemes(server, wire):
    assert h2_request(server, wire, "GET", "/r/x", host="unknown.example").status == 421
    for host in ["A.Example", "a.example.", "a.example:443", "A.EXAMPLE.:80"]:
        assert h2_request(server, wire, "GET", "/r/x", host=host).location == "https://b.example/x", host


def test_https_in_clear_is_421(server):
    """RFC 9110, 7.4."""
    with connect(server, "clear") as c:
        c.scheme = "https"
        assert c.ask(1, path="/r/x").status == 421
        c.scheme = "http"
        assert c.ask(3, path="/r/x").status == 307


@every_wire
def test_no_1xx_and_no_waiting_for_a_body(server, wire):
    with connect(server, wire) as c:
        c.request(1, "PUT", "/r/x", more=[("expect", "100-continue"), ("content-length", "1000")], end=False)
        assert c.response(1, 1 * SLACK).status == 307
        heads = [f for f in c.frames if f.kind == 1]
        assert len(heads) == 1 and heads[0].flags & END_HEADERS
        c.request(3, "PUT", "/r/x", more=[("expect", "coffee")], end=False)
        assert c.response(3).status == 417


@every_wire
def test_the_log_says_http_2(server, wire):
    path = f"/r/log-{wire}?q=1"
    with connect(server, wire) as c:
        assert c.ask(1, "POST", path, more=[("user-agent", "tester/2")]).status == 307
    line = wait_until(lambda: [x for x in server.log_lines() if x["path"] == path], what=path)[0]
    assert line["protocol"] == "HTTP/2"
    assert (line["method"], line["host"], line["status"]) == ("POST", "a.example", 307)
    assert (line["rule"], line["user_agent"]) == ("a/routes/any", "tester/2")
    assert line["location"] == f"https://b.example/log-{wire}?q=1"
    assert 0 <= line["duration_us"] < 1e7


def test_control_bytes_stay_out_of_the_log(server):
    with connect(server, "clear") as c:
        c.ask(1, path="/r/\x9b31m\xff", more=[("user-agent", "\x9b31m \xff\xfe \"q\" \\")])
        c.ask(3, path="/r/ansi\x1b[2J")
    wait_until(lambda: [x for x in server.log_lines() if "9b31m" in x["path"].lower() or "\x9b31m" in x["path"]])
    raw = server.log_path.read_bytes()
    raw.decode("utf-8")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw)


def test_metrics_count_requests(server):
    def hits():
        return server.metrics().hits("a/routes/moved")

    before = hits()
    with connect(server, "tls") as c:
        for i in range(1, 60, 2):
            assert c.ask(i, path="/moved").status == 308
    wait_until(lambda: hits() == before + 30, 1 * SLACK)


def test_a_reload_and_a_drain_lose_nothing(detour, server):
    """Connections go on through a reload; SIGTERM answers what is under way, then GOAWAY."""
    own = detour(CONFIG, TLS_PORT=free_port(), FILES=server.values["FILES"])
    with connect(own, "clear") as clear, connect(own, "tls") as tls:
        for c in (clear, tls):
            assert c.ask(1, path="/r/x").status == 307
        own.reload(CONFIG.replace("b.example", "c.example"))
        wait_until(lambda: clear.ask(2 * next(clear.numbers) + 1, path="/r/x").location == "https://c.example/x", 1 * SLACK)
        assert tls.ask(3, path="/r/x").location.endswith("/x")
        own.signal(15)
        for c in (clear, tls):
            c.until(lambda c=c: c.goaway)
            assert c.goaway == (0, 0x7fffffff)
            c.request(2001, path="/r/late")  # it may have been under way
        for c in (clear, tls):
            assert c.response(2001).status == 307
            assert c.end() == 0 and not c.cut
            assert c.goaway == (0, 2001)
    wait_until(lambda: own.process.poll() is not None)


# Clients of other makes


def client(*command, timeout=FOREVER):
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run([str(x) for x in command], capture_output=True, text=True, timeout=timeout, env=env, check=False)
    return done.stdout, done.stderr


@pytest.mark.parametrize("wire", [HTTP2_CLEAR, HTTP2], ids=lambda wire: wire.name)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_curl(server, wire, method):
    out, err = client("curl", "-s", "-o", "/dev/null", "-X", method, *wire.curl, "-w",
                      "%{http_code} %{http_version} %{redirect_url}", wire.url(server, "/r/x?y=1"))
    assert out == "307 2 https://b.example/x?y=1", err


def test_curl_that_offers_an_upgrade(server):
    """--http2 in clear asks for h2c by Upgrade, which RFC 9113 has given up: HTTP/1.1 it is."""
    out, err = client("curl", "-s", "-o", "/dev/null", "--http2", "-w", "%{http_code} %{http_version}",
                      HTTP2_CLEAR.url(server, "/r/x"))
    assert out == "307 1.1", err


def test_curl_head_and_many(server):
    out, err = client("curl", "-sIk", "--http2", HTTP2.url(server, "/r/x"))
    assert out.startswith("HTTP/2 307") and "location: https://b.example/x" in out, err
    urls = [HTTP2.url(server, f"/r/{i}") for i in range(50)]
    out, err = client("curl", "-sk", "--http2", "--parallel", "--parallel-max", "50", "-w", "%{http_code}\n",
                      *(x for url in urls for x in ("-o", "/dev/null", url)))
    assert out.split() == ["307"] * 50, err


@pytest.mark.parametrize("wire", [HTTP2_CLEAR, HTTP2], ids=lambda wire: wire.name)
def test_nghttp(server, wire):
    out, err = client("nghttp", "-nv", "-y", wire.url(server, "/r/x"), wire.url(server, "/r/y"))
    assert out.count(":status: 307") == 2, out + err
    assert "location: https://b.example/x" in out and "location: https://b.example/y" in out
    assert not re.search(r"error_code=(?!NO_ERROR)", out), out


@pytest.mark.parametrize("wire", [HTTP2_CLEAR, HTTP2], ids=lambda wire: wire.name)
def test_python_h2(server, wire):
    """It holds the server to RFC 9113 by itself."""
    with wire.connect(server) as c:
        for i in range(20):
            c.begin(method="GET", target=f"/r/{i}", end=True)
            assert c.status() == 307
        c.begin(10, target="/r/x").end(10)
        assert c.status() == 307


NODE = """
const http2 = require('http2');
const session = http2.connect(process.argv[1], {rejectUnauthorized: false});
const seen = [];
let closed = 0;
function ask(i) {
  const stream = session.request({':path': '/r/' + i, ':method': i % 2 ? 'POST' : 'GET'});
  stream.on('response', (fields) => seen.push([fields[':status'], fields['location']]));
  stream.on('error', (e) => seen.push([String(e)]));
  stream.on('close', () => { if (++closed == 20) { session.close(); console.log(JSON.stringify(seen)); } });
  stream.resume();
  stream.end(i % 2 ? 'body' : undefined);
}
session.on('error', (e) => console.log(JSON.stringify([String(e)])));
for (let i = 0; i < 20; i++) ask(i);
"""


@pytest.mark.parametrize("wire", [HTTP2_CLEAR, HTTP2], ids=lambda wire: wire.name)
def test_node(server, wire):
    out, err = client("node", "-e", NODE, wire.url(server, ""))
    assert sorted(json.loads(out)) == sorted([307, f"https://b.example/{i}"] for i in range(20)), err


@pytest.mark.parametrize("wire", [HTTP2_CLEAR, HTTP2], ids=lambda wire: wire.name)
def test_h2load(server, wire):
    out, err = client("h2load", "-n", "3000", "-c", "10", "-m", "32", wire.url(server, "/r/x"))
    assert "status codes: 0 2xx, 3000 3xx, 0 4xx, 0 5xx" in out, out + err
    assert "0 errored, 0 timeout" in out, out
