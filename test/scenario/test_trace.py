# SPDX-License-Identifier: MIT
"""`detour trace`: what it sends on, what it never does, what it says, against servers that mean
harm and against a real Detour."""

import gzip
import json
import os
import pty
import socket
import subprocess
import sys
import time

import h2.config
import h2.connection
import h2.events
import pytest
from clientlib import Says, Trace, client, ok, to
from detourlib import BINARY, FOREVER, environment

CREDENTIALS = ["-u", "me:secret", "-b", "a=1", "-H", "Authorization2: x"]


# What went wrong in other clients


def test_credentials_are_not_sent_again_after_a_b_a(says):
    b = says({"/b": lambda request, sock: to(f"http://127.0.0.1:{a.port}/again")})
    a = says({"/a": to("http://127.0.0.1:$OTHER/b"), "/again": to("/there")}, other=b)
    trace = Trace("-u", "me:secret", "-b", "a=1", a.url("/a"))
    assert trace.way == ["GET a", "GET b", "GET again", "GET there"] and trace.exit == 0
    assert a.seen[0].get("Authorization") == "Basic bWU6c2VjcmV0" and a.seen[0].get("Cookie") == "a=1"
    for request in (b.seen[0], a.seen[1], a.seen[2]):
        assert request.get("Authorization") is None and request.get("Cookie") is None
    assert "credentials-dropped" in trace.notes(0)
    assert "secret" not in json.dumps(trace.whole) and "bWU6" not in json.dumps(trace.whole)


def test_an_own_host_is_not_kept(says):
    server = says({"/a": to("/b")})
    Trace("-H", "Host: own.example", server.url("/a"))
    assert [request.get("Host") for request in server.seen] == [f"127.0.0.1:{server.port}"] * 2


def test_location_trusted_keeps_them_and_says_so(says):
    b = says({})
    a = says({"/a": to("http://127.0.0.1:$OTHER/b")}, other=b)
    trace = Trace("--location-trusted", "-u", "me:secret", a.url("/a"))
    assert b.seen[0].get("Authorization") == "Basic bWU6c2VjcmV0"
    assert "credentials-sent" in trace.notes(0)


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (307, "POST", "POST"), (308, "POST", "POST"),
     (301, "PUT", "PUT"), (302, "PUT", "PUT"), (303, "PUT", "GET"), (303, "DELETE", "GET"), (307, "PUT", "PUT")],
)
def test_method_and_body(says, status, method, becomes):
    server = says({"/a": to("/b", status)})
    Trace("-X", method, "--data-binary", "body", "-H", "Content-Type: text/x", server.url("/a"))
    first, second = server.seen
    assert (first.method, first.body) == (method, b"body")
    assert second.method == becomes
    kept = becomes != "GET"
    assert second.body == (b"body" if kept else b"")
    assert (second.get("Content-Type") is not None) == kept and (second.get("Content-Length") is not None) == kept


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_head_stays_head(says, status):
    server = says({"/a": f"HTTP/1.1 {status} X\r\nLocation: /b\r\nContent-Length: 9\r\n\r\n".encode(),
                   "/b": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"})
    assert Trace("-I", server.url("/a")).way == ["HEAD a", "HEAD b"]


def test_a_body_on_307_is_really_sent_again_out_of_a_file(says, folder):
    big = os.urandom(300_000)
    (folder / "big").write_bytes(big)
    server = says({"/a": to("/b")})
    trace = Trace("-T", folder / "big", server.url("/a"))
    assert [request.body for request in server.seen] == [big, big]
    assert "body-resent" in trace.notes(0)


def test_a_large_body_travels_once_thanks_to_100_continue(says, folder):
    (folder / "big").write_bytes(bytes(300_000))
    server = says({"/a": to("/b", more=b"Connection: close\r\n")}, early=["/a"])
    trace = Trace("-T", folder / "big", server.url("/a"))
    assert [hop["sent_bytes"] for hop in trace.hops] == [0, 300_000]
    assert [len(request.body) for request in server.seen] == [0, 300_000]
    assert trace.hops[1]["interim"][0]["status"] == 100


def test_a_pipe_that_was_begun_is_not_sent_twice(says):
    def slow(request, sock):
        return to("/b")

    server = says({"/a": slow})
    trace = Trace("-T", "-", server.url("/a"), data=bytes(100_000))
    assert trace.exit == 3 and trace.verdict["reason"] == "body-spent"
    assert [request.target for request in server.seen] == ["/a"] and len(server.seen[0].body) == 100_000


def test_a_pipe_that_was_not_begun_is_followed(says):
    server = says({"/a": to("/b", more=b"Connection: close\r\n")}, early=["/a"])
    trace = Trace("-T", "-", server.url("/a"), data=b"x" * 100_000)
    assert trace.exit == 0 and trace.way == ["PUT a", "PUT b"]
    assert server.seen[1].body == b"x" * 100_000


def test_417_is_repeated_without_expect(says, folder):
    (folder / "big").write_bytes(bytes(100_000))

    def refuse(request, sock):
        if request.get("Expect"):
            return b"HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        return ok()

    class Server(Says):
        def body(self, request, sock, buffered):
            return b"" if request.get("Expect") else super().body(request, sock, buffered)

    server = Server({"/a": refuse})
    trace = Trace("-T", folder / "big", server.url("/a"))
    server.close()
    assert [hop["status"] for hop in trace.hops] == [417, 200]
    assert [hop["action"] for hop in trace.hops] == ["repeat", "deliver"]
    assert len(server.seen[1].body) == 100_000 and server.seen[1].get("Expect") is None


@pytest.mark.parametrize("location", ["file:///etc/passwd", "data:text/plain,x", "javascript:alert(1)", "ftp://a/",
                                      "gopher://127.0.0.1/"])
def test_other_schemes_are_never_followed(says, location):
    server = says({"/a": to(location)})
    trace = Trace(server.url("/a"))
    assert trace.exit == 3 and trace.verdict["reason"] == "scheme" and len(trace.hops) == 1
    assert trace.hops[0]["location"] == location


def test_a_fragment_goes_along(says):
    server = says({"/a": to("/b"), "/b": to("/c#own")})
    trace = Trace(server.url("/a#top"))
    assert trace.verdict["url"].endswith("/c#own") and trace.hops[1]["request"]["url"].endswith("/b#top")
    assert all("#" not in request.target for request in server.seen)


def test_a_cookie_and_a_redirect_to_itself_is_no_loop(says):
    def gate(request, sock):
        return ok() if request.get("Cookie") == "seen=1" else to("/a", 302, b"Set-Cookie: seen=1\r\n")

    for mode in "browser", "rfc":
        trace = Trace("--mode", mode, says({"/a": gate}).url("/a"))
        assert trace.exit == 0 and [hop["status"] for hop in trace.hops] == [302, 200] and "loop" not in trace.notes(0)


def test_loops(says):
    server = says({"/a": to("/b"), "/b": to("/a")})
    rfc = Trace("--mode", "rfc", server.url("/a"))
    assert rfc.exit == 3 and rfc.verdict["reason"] == "loop" and len(rfc.hops) == 2
    browser = Trace(server.url("/a"))
    assert browser.verdict["reason"] == "too-many" and len(browser.hops) == 21
    assert Trace("--max-redirs", "3", server.url("/a")).verdict["redirects"] == 3
    assert "loop" in browser.notes(1)


def test_the_twentieth_redirect_is_followed(says):
    server = says({f"/{i}": to(f"/{i + 1}") for i in range(21)})
    assert Trace(server.url("/1")).exit == 0
    assert Trace(server.url("/0")).verdict["reason"] == "too-many"


def test_several_locations(says):
    two = b"HTTP/1.1 302 F\r\nLocation: /b\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
    server = says({"/differ": two % b"/c", "/same": two % b"/b"})
    assert Trace(server.url("/differ")).verdict["reason"] == "locations-differ"
    assert Trace(server.url("/same")).exit == 0 and [r.target for r in server.seen] == ["/differ", "/same", "/b"]


def test_a_redirect_is_not_decoded(says, folder):
    broken = b"this is no gzip"
    packed = gzip.compress(b"hello")
    server = says({"/a": to("/b", more=b"Content-Encoding: gzip\r\n", body=broken),
                   "/b": ok(packed, b"Content-Encoding: gzip\r\n")})
    assert Trace("-o", folder / "out", server.url("/a")).exit == 0
    assert (folder / "out").read_bytes() == packed


@pytest.mark.parametrize("location", ["http://[::1%25.foo.com]/", "http://[::1%25lo]/", "http://a b/", "http://a:99999/",
                                      "http://%00/", "http://1.2.3.4.5/"])
def test_host_confusions_are_refused(says, location):
    trace = Trace(says({"/a": to(location)}).url("/a"))
    assert trace.exit == 3 and trace.verdict["reason"] in ("url-invalid", "no-host"), trace.verdict


def test_backslashes_and_tabs_are_read_as_browsers_do(says):
    server = says({"/a": to(b"\\b\tc")})
    trace = Trace(server.url("/a"))
    assert server.seen[1].target == "/bc" and "location-mended" in trace.notes(0)


def test_userinfo_in_a_location(says):
    server = says({"/a": to("http://u:p@127.0.0.1:$PORT/b")})
    trace = Trace(server.url("/a"))
    assert trace.exit == 0 and server.seen[1].get("Authorization") is None
    assert Trace("--mode", "rfc", server.url("/a")).verdict["reason"] == "userinfo"


@pytest.mark.parametrize("said", [b"Connection: close\r\n", b""])
def test_an_answer_that_is_followed_by_a_reset_counts(says, folder, said):
    """The server answers in the middle of an upload, and what is still on its way meets a reset."""
    (folder / "big").write_bytes(bytes(4_000_000))

    def reset(request, sock):
        sock.recv(1000)
        sock.sendall(to("/b", 303, more=said))
        time.sleep(0.1)  # libcurl gives up when a reset comes between its looking and its sending
        return None

    server = says({"/a": reset}, early=["/a"])
    trace = Trace("-H", "Expect:", "-T", folder / "big", server.url("/a"))
    assert server.seen[0].get("Expect") is None
    assert trace.way == ["PUT a", "GET b"] and trace.exit == 0, trace.verdict


@pytest.mark.parametrize("status", [200, 413, 503])
def test_so_does_one_that_is_delivered(says, folder, status):
    (folder / "big").write_bytes(bytes(4_000_000))

    def reset(request, sock):
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % status)
        time.sleep(0.1)
        return None

    trace = Trace("-H", "Expect:", "-T", folder / "big", says({"/a": reset}, early=["/a"]).url("/a"))
    assert trace.verdict["outcome"] == "delivered" and trace.verdict["status"] == status, trace.verdict


# Heads that mean harm


def test_endless_heads_contents_and_interims_are_bounded(says):
    def endless(line):
        def send(request, sock):
            sock.sendall(b"HTTP/1.1 302 F\r\nLocation: /b\r\n" if line != b"c" else
                         b"HTTP/1.1 302 F\r\nLocation: /b\r\nConnection: close\r\n\r\n")
            for _ in range(2000):
                sock.sendall(line * 10_000 if line == b"c" else line * 200)
            return None
        return send

    server = says({"/head": endless(b"X: y\r\n"), "/content": endless(b"c"),
                   "/interim": b"HTTP/1.1 103 E\r\n\r\n" * 70 + ok()})
    assert Trace(server.url("/head")).exit in (3, 4)
    assert Trace(server.url("/content")).exit == 0
    assert Trace(server.url("/interim")).verdict["reason"] == "interim"


def test_interim_answers_are_shown(says):
    server = says({"/a": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + to("/b")})
    trace = Trace(server.url("/a"))
    assert trace.hops[0]["interim"] == [{"status": 103, "fields": [["Link", "</x>"]]}]
    assert trace.hops[0]["status"] == 307


def test_a_folded_field_is_one(says):
    trace = Trace(says({"/a": b"HTTP/1.1 302 F\r\nX: a\r\n b\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"}).url("/a"))
    assert ["X", "a b"] in trace.hops[0]["fields"] and trace.exit == 0


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"", b"HTTP/1.1 302 F\r\nLocation: /b\0c\r\n\r\n", b"HTTP/1.1 30"])
def test_what_is_no_http(says, answer):
    def send(request, sock):
        sock.sendall(answer)

    trace = Trace(says({"/a": send}).url("/a"))
    assert trace.exit == 4 and trace.verdict["failure"]["kind"] in ("protocol", "closed"), trace.verdict
    assert trace.hops[0]["status"] is None


LINE = b"X: " + b"y" * 50_000 + b"\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FAILURES = {
    "line": (b"HTTP/1.1 301 F\r\nX: " + b"y" * 120_000 + b"\r\n\r\n", "protocol", "head of the answer is too long"),
    "status-line": (b"HTTP/1.1 301 " + b"y" * 120_000 + b"\r\n\r\n", "protocol", "head of the answer is too long"),
    "lines": (b"HTTP/1.1 301 F\r\n" + LINE * 8 + b"\r\n", "protocol", "head of the answer is too long"),
    "cut": (b"HTTP/1.1 301 F\r\nX: y", "closed", "ended within the head"),
    "cut-behind-interim": (b"HTTP/1.1 103 F\r\n\r\n", "closed", "ended within the head"),
    "none": (b"", "closed", "ended without an answer"),
    "switched": (b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "protocol", "101 (Switching Protocols)"),
    "chunk": (CHUNKED + b"zz\r\n", "protocol", "content is not sound"),
    "trailer": (CHUNKED + b"0\r\nX: " + b"y" * 120_000 + b"\r\n\r\n", "protocol", "content is not sound"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_is_wrong_is_said(says, name):
    answer, kind, text = FAILURES[name]

    def send(request, sock):
        sock.sendall(answer)

    url = says({"/a": send}).url("/a")
    trace = Trace(url)
    assert trace.verdict["failure"]["kind"] == kind and text in trace.verdict["failure"]["text"], trace.verdict
    assert trace.verdict["status"] == trace.hops[0]["status"] == (200 if answer.startswith(CHUNKED) else None)
    done = client("audit", "--json", "--retry", "0", "-", data=f"{url}\n".encode())
    assert text in json.loads(done.stdout)["rows"][0]["reason"]


@pytest.mark.parametrize("args", [[], ["-I"], ["-X", "PUT", "-d", "body"], ["-X", "DELETE"]])
def test_kept_connections_may_die_as_often_as_they_like(says, args):
    """Each takes one request, and closes in the place of an answer to the second."""
    asked = {}

    def once(request, sock):
        asked[sock] = asked.get(sock, 0) + 1
        return to(f"/{int(request.target[1:]) + 1}") if asked[sock] == 1 else None

    server = says({f"/{i}": once for i in range(19)})
    trace = Trace(*args, server.url("/0"))
    assert trace.exit == 0 and len(trace.hops) == 20, trace.verdict
    assert len(server.seen) == 38


def test_one_that_dies_is_not_asked_for_ever(says):
    server = says({"/0": to("/1"), "/1": lambda request, sock: None})
    trace = Trace(server.url("/0"))
    assert trace.verdict["failure"]["kind"] == "closed" and len(server.seen) == 3, trace.verdict


def test_http2_by_an_upgrade(says):
    """RFC 7540, 3.2"""
    def upgrade(request, sock):
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        conn.initiate_upgrade_connection(request.get("HTTP2-Settings").encode())
        conn.send_headers(1, [(":status", "307"), ("location", "/b")], end_stream=True)
        sock.sendall(b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + conn.data_to_send())
        while data := sock.recv(65536):
            for event in conn.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    conn.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
            sock.sendall(conn.data_to_send())

    trace = Trace("--http2", says({"/a": upgrade}).url("/a"))
    assert trace.way == ["GET a", "GET b"] and trace.exit == 0, trace.verdict
    assert [hop["protocol"] for hop in trace.hops] == ["HTTP/2", "HTTP/2"]
    assert [head["status"] for head in trace.hops[0]["interim"]] == [101]


def test_nothing_is_obeyed_by_the_terminal(says):
    server = says({"/a": to(b"/\x1b[31mred\x07", body=b"x")})
    out = client("trace", "-v", server.url("/a")).stdout
    assert b"\x1b" not in out and b"\x07" not in out


# Limits and options


def test_json_holds_nothing_that_a_terminal_obeys(says):
    server = says({"/a": b"HTTP/1.1 200 OK\r\nX: \xc2\x9b31m\x9b32m\xff\r\nContent-Length: 0\r\n\r\n"})
    out = client("trace", "--json", server.url("/a")).stdout
    assert out.isascii() and not any(c < 32 and c != 10 for c in out) and b"31m" in out and b"32m" in out


def test_no_private(says):
    server = says({})
    trace = Trace("--no-private", server.url("/"))
    assert trace.exit == 4 and trace.verdict["failure"]["kind"] == "private" and not server.seen
    name = Trace("--no-private", "--resolve", f"public.example:{server.port}:127.0.0.1",
                 f"http://public.example:{server.port}/")
    assert name.verdict["failure"]["kind"] == "private" and not server.seen
    assert client("trace", "--no-private", "-x", "http://127.0.0.1:1", "http://a/").returncode == 2


PUBLIC = "93.184.216.34"


def test_no_private_at_each_hop(own_network, says):
    """A public address, which in this namespace is ours, leads to a private one."""
    subprocess.run(["ip", "address", "replace", f"{PUBLIC}/32", "dev", "lo"], check=True)
    private = says({})
    for location in (private.url("/x"), f"http://name.example:{private.port}/x", f"http://[::ffff:127.0.0.1]:{private.port}/"):
        public = says({"/a": to(location)}, address=PUBLIC)
        args = ["--no-private", "--resolve", f"name.example:{private.port}:127.0.0.1", f"http://{PUBLIC}:{public.port}/a"]
        trace = Trace(*args)
        assert trace.hops[0]["status"] == 307 and trace.hops[0]["address"] == PUBLIC
        assert trace.exit == 4 and trace.verdict["failure"]["kind"] == "private", trace.verdict
    assert not private.seen


def test_time_is_bounded(says):
    def sleep(request, sock):
        sock.recv(1)

    trace = Trace("-m", "0.2", says({"/a": sleep}).url("/a"))
    assert trace.exit == 4 and trace.verdict["failure"]["kind"] == "timeout"


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    trace = Trace(f"http://127.0.0.1:{port}/")
    assert trace.exit == 4 and trace.verdict["failure"]["kind"] == "connect"


def test_resolve_and_connect_to(says):
    server = says({})
    Trace("--resolve", f"a.example:{server.port}:127.0.0.1", f"http://a.example:{server.port}/")
    Trace("--connect-to", f"b.example:80:127.0.0.1:{server.port}", "http://b.example/")
    assert [request.get("Host") for request in server.seen] == [f"a.example:{server.port}", "b.example"]


def test_a_proxy(says):
    server = says({"http://a.example/": to("/b"), "http://a.example/b": ok()})
    trace = Trace("-x", f"http://127.0.0.1:{server.port}", "http://a.example/")
    assert trace.exit == 0 and [request.target for request in server.seen] == ["http://a.example/", "http://a.example/b"]


def test_fields_agents_referers_and_cookies(says, folder):
    server = says({"/a": to("/b", more=b"Set-Cookie: jar=1; Max-Age=1000\r\n")})
    Trace("-A", "me", "-e", "http://ref.example/;auto", "-H", "X: y", "-H", "Accept:", "-H", "Empty;", "-c", folder / "jar",
          server.url("/a"))
    first, second = server.seen
    assert (first.get("User-Agent"), first.get("X"), first.get("Accept"), first.get("Empty")) == ("me", "y", None, "")
    assert first.get("Referer") == "http://ref.example/" and second.get("Referer") == server.url("/a")
    assert second.get("Cookie") == "jar=1" and "jar" in (folder / "jar").read_text()
    Trace("-b", folder / "jar", server.url("/c"))
    assert server.seen[2].get("Cookie") == "jar=1"


@pytest.mark.parametrize("option", ["-b", "-c"])
def test_files_of_cookies_that_cannot_be_used_are_told_before_anything_is_sent(says, folder, option):
    server = says({})
    for path in (folder / "nowhere" / "jar", folder if option == "-c" else "nothing"):
        done = client("trace", option, path, server.url("/a"))
        assert done.returncode == 2 and done.stderr.startswith(b"detour trace: cannot "), done.stderr
    assert not server.seen
    assert client("trace", option, "/dev/null", server.url("/a")).returncode == 0


FALSE = [(["-H", "Content-Length: 2", "-d", "abcdef"], None), (["-H", "Content-Length: 5", "-d", "abc"], None),
         (["-H", "Content-Length: 5"], None), (["-H", "content-length: 2", "-T", "-"], b"abcdef"),
         (["-H", "Content-Length: 3", "-H", "Content-Length: 3", "-d", "abc"], None),
         (["-H", "Content-Length: 3", "-H", "Transfer-Encoding: chunked", "-d", "abc"], None),
         (["-H", "Transfer-Encoding: chunked"], None), (["-H", "Transfer-Encoding: gzip", "-d", "abc"], None)]


@pytest.mark.parametrize(("args", "data"), FALSE)
def test_what_would_hide_a_request_behind_another_is_refused(says, args, data):
    server = says({})
    done = client("trace", *args, server.url("/"), data=data)
    assert done.returncode == 2 and b"leave it out" in done.stderr and not server.seen
    assert data or "-d" in args or client("audit", *args, "-", data=server.url("/").encode()).returncode == 2


@pytest.mark.parametrize("args", [["-H", "Content-Length: 3", "-d", "abc"], ["-H", "Content-Length: 0", "-X", "POST"],
                                  ["-H", "Transfer-Encoding: chunked", "-d", "abc"]])
def test_what_is_true_of_the_content_may_be_said(says, args):
    server = says({"/": to("/b", 303)})
    assert Trace(*args, server.url("/")).way == ["POST ", "GET b"]
    assert server.seen[0].body == (b"abc" if "-d" in args else b"")


def test_without_standard_streams_nothing_is_printed_elsewhere(says, folder):
    """The first file that is opened would have the number of one of them."""
    server = says({"/a": ok(b"content")})
    closed = "import os, sys; [os.close(fd) for fd in range(3)]; os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", closed, BINARY, "trace", "-o", folder / "out", "--store",
                           folder / "store", server.url("/a")], env=environment(), timeout=FOREVER, check=False)
    assert done.returncode == 2 and (folder / "out").read_bytes() == b"content"
    assert b"GET" not in (folder / "store").read_bytes() and b"detour" not in (folder / "store").read_bytes()
    assert Trace("--store", folder / "store", server.url("/a")).exit == 0


def test_data_is_joined_and_read_as_curl_does(says, folder):
    (folder / "d").write_bytes(b"x=1\r\n&y=2\n")
    server = says({})
    Trace("-d", "a=b", "-d", f"@{folder}/d", server.url("/"))
    Trace("--data-binary", f"@{folder}/d", server.url("/"))
    Trace("-d", "@-", server.url("/"), data=b"from a pipe")
    assert [request.body for request in server.seen] == [b"a=b&x=1&y=2", b"x=1\r\n&y=2\n", b"from a pipe"]
    assert server.seen[0].get("Content-Type") == "application/x-www-form-urlencoded"
    assert server.seen[0].method == "POST"


def test_forms(says, folder):
    (folder / "f.txt").write_text("content")
    server = says({"/a": to("/b")})
    Trace("-F", "name=value", "-F", f"file=@{folder}/f.txt;type=text/plain", "-F", f"text=<{folder}/f.txt", server.url("/a"))
    for request in server.seen:
        boundary = request.get("Content-Type").split("boundary=")[1].encode()
        parts = request.body.split(b"--" + boundary)
        assert len(parts) == 5 and parts[4] == b"--\r\n"
        assert parts[1] == b'\r\nContent-Disposition: form-data; name="name"\r\n\r\nvalue\r\n'
        assert b'name="file"; filename="f.txt"\r\nContent-Type: text/plain\r\n\r\ncontent' in parts[2]
        assert parts[3].endswith(b'name="text"\r\n\r\ncontent\r\n')
    assert len(server.seen) == 2


def test_the_name_of_an_uploaded_file(says, folder):
    server = says({})
    for name, written in [("f.txt", "f.txt"), ("50% of #1?.txt", "50%25%20of%20%231%3F.txt")]:
        (folder / name).write_text("content")
        Trace("-T", folder / name, server.url("/dir/"))
        assert server.seen[-1].target == f"/dir/{written}" and server.seen[-1].method == "PUT"


def test_retry_after_in_rfc_mode_is_waited_for_but_not_for_long(says):
    server = says({"/a": to("/b", more=b"Retry-After: 3600\r\n")})
    trace = Trace("--mode", "rfc", server.url("/a"))
    assert trace.exit == 4 and trace.verdict["failure"]["kind"] == "wait"
    assert Trace(server.url("/a")).exit == 0


def test_the_store_remembers_what_it_is_told(says, folder):
    server = says({"/bare": to("/b"), "/fresh": to("/b", more=b"Cache-Control: max-age=100\r\n"), "/perm": to("/b", 308)})
    for path, remembered in (("/bare", False), ("/fresh", True), ("/perm", True)):
        Trace("--store", folder / "store", server.url(path))
        again = Trace("--store", folder / "store", server.url(path))
        assert again.hops[0]["from_store"] == remembered and again.exit == 0
    assert [request.target for request in server.seen].count("/fresh") == 1


def test_bad_status_has_its_exit_code(says):
    server = says({"/a": to("/b"), "/b": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"})
    trace = Trace(server.url("/a"))
    assert trace.exit == 1 and trace.verdict["way"] == "temporary"


@pytest.mark.parametrize("args", [[], ["a", "b"], ["-u", "nobody", "http://a/"], ["--mode", "x", "http://a/"],
                                  ["-d", "x", "-T", "y", "http://a/"], ["-d", "@/nowhere", "http://a/"],
                                  ["-H", "nonsense", "http://a/"], ["-m", "x", "http://a/"], ["--max-redirs", "-1", "http://a/"],
                                  ["--http2", "--http1.1", "http://a/"], ["--store", "/nowhere/store", "http://a/"]])
def test_wrong_usage(args):
    done = client("trace", *args)
    assert done.returncode == 2 and done.stderr.startswith(b"detour trace: ") and not done.stdout


def test_no_url_is_refused():
    assert Trace("nonsense").verdict["reason"] == "url-invalid"
    assert Trace("ftp://a/").exit == 3


# What people see


def test_text(says):
    server = says({"/a": to("/b", 301), "/b": to("http://127.0.0.1:$PORT/c", 302)})
    out = client("trace", server.url("/a")).stdout.decode()
    assert f" 1 GET {server.url('/a')}\n" in out and f" 3 GET {server.url('/c')}\n" in out
    assert f"301 Moved Permanently, permanent; HTTP/1.1 from 127.0.0.1:{server.port}\n" in out
    assert "Location: /b\n" in out and f"=> {server.url('/b')}\n" in out and "\x1b" not in out
    assert "   = 200 OK after 2 redirects (mixed) in " in out


def on_terminal(args, extra):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(BINARY, ["detour", *args], environment(extra))
    out = b""
    try:
        while data := os.read(fd, 65536):
            out += data
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(fd)
    return out.decode()


def test_colours_on_a_terminal_alone(says):
    server = says({"/a": to("/b")})
    coloured = on_terminal(["trace", server.url("/a")], {})
    assert "\x1b[33m307" in coloured and "│" in coloured
    plain = on_terminal(["trace", server.url("/a")], {"NO_COLOR": "1", "LC_ALL": "C"})
    assert "\x1b" not in plain and "   | " in plain


def test_content_on_standard_output_leaves_the_trace_to_standard_error(says):
    done = client("trace", "-o", "-", says({"/a": to("/b"), "/b": ok(b"content")}).url("/a"))
    assert done.stdout == b"content" and b"307" in done.stderr


# A real Detour

CONFIG = """
sites:
  - hosts: [a.example]
    routes:
      - {path: "/old/*", to: "http://127.0.0.1:$FAR/{+0}"}
      - {path: "/home", to: "http://127.0.0.1:$FAR/", status: 308}
"""


def test_against_detour_itself(detour, says):
    target = says({})
    server = detour(CONFIG, FAR=target.port)
    where = ["--resolve", f"a.example:{server.port}:127.0.0.1", f"http://a.example:{server.port}/old/x?y"]
    for protocol in ([], ["--http1.1"]):
        trace = Trace("-d", "body", *protocol, *where)
        assert trace.way == ["POST old/x?y", "POST x?y"] and trace.exit == 0
        assert trace.hops[0]["class"] == "temporary" and trace.hops[0]["cache"]["verdict"] == "method"
    assert [(request.method, request.target, request.body) for request in target.seen] == [("POST", "/x?y", b"body")] * 2
    prior = Trace("-I", "--http2-prior-knowledge", "--max-redirs", "0", *where)
    assert prior.hops[0]["protocol"] == "HTTP/2" and prior.verdict["reason"] == "too-many"
