# SPDX-License-Identifier: MIT
"""`detour audit` over plain HTTP/1.1, which it speaks itself: connections that are kept, that die,
that say too much, and answers of every kind, sound, sloppy and hostile."""

import json
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest
from clientlib import Says, client, ok, servers, to
from detourlib import BINARY, FOREVER, environment

SLOPPY = {
    "folded": b"HTTP/1.1 301 F\r\nX: a\r\n b\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n",
    "bare-lf": b"HTTP/1.1 301 F\nLocation: /end\nContent-Length: 0\n\n",
    "padded-chunk": b"HTTP/1.1 301 F\r\nLocation: /end\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n",
    "fields": b"HTTP/1.1 301 F\r\n" + b"X: y\r\n" * 200 + b"Location: /end\r\nContent-Length: 0\r\n\r\n",
    "long": b"HTTP/1.1 301 F\r\nX: " + b"y" * 60_000 + b"\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n",
}
NO_HTTP = [b"SSH-2.0-x\r\n", b"", b"HTTP/1.1 301 F\r\nLocation: /b\0c\r\n\r\n", b"HTTP/1.1 30", b"\r\n\r\n", b"\xff" * 70_000,
           b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
           b"HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"]


class Counts(Says):
    """Counts connections. `leaves`: closes them behind each answer without a word."""

    def __init__(self, answers, leaves=False, **kwargs):
        self.connections, self.leaves = 0, leaves
        super().__init__(answers, **kwargs)

    def talk(self, sock):
        self.connections += 1
        super().talk(sock)

    def one(self, sock, buffered):
        return super().one(sock, buffered) and not self.leaves

    @property
    def targets(self):
        return [request.target for request in self.seen]


@pytest.fixture
def says():
    yield from servers(Counts)


def audit(*args, rows):
    data = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    done = client("audit", "--json", "--retry-delay", "0.01", *args, "-", data=data)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)["rows"]


def kinds(rows):
    return [[each["kind"] for each in row["findings"]] for row in rows]


# Connections


def test_one_connection_is_enough_for_one_at_a_time(says):
    answers = {f"/{i}": to(f"/x{i}", 301, body=b"gone over there") for i in range(20)}
    server = says(answers)
    rows = audit("--per-host", "1", rows=[(server.url(f"/{i}"), server.url(f"/x{i}"), 301) for i in range(20)])
    assert kinds(rows) == [[]] * 20
    assert server.connections == 1 and len(server.seen) == 40


@pytest.mark.parametrize("last", [
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto its end",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
])
def test_what_says_that_it_closes_is_not_asked_again(says, last):
    answers = {f"/{i}": last for i in range(5)}

    server = says(answers, leaves=True)
    rows = audit("--per-host", "1", "--retry", "0", rows=[(server.url(f"/{i}"), "", 200) for i in range(5)])
    assert kinds(rows) == [[]] * 5 and server.connections == 5 and len(server.seen) == 5


def test_a_connection_that_says_close_is_left_even_if_it_stays(says):
    server = says({path: b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok" for path in ("/a", "/b")})
    assert kinds(audit("--per-host", "1", rows=[(server.url("/a"), ""), (server.url("/b"), "")])) == [[], []]
    assert server.connections == 2


def test_a_kept_connection_may_be_closed_at_any_time(says):
    server = says({}, leaves=True)
    rows = audit("--per-host", "2", "--retry", "0", rows=[(server.url(f"/{i}"), "", 200) for i in range(100)])
    assert kinds(rows) == [[]] * 100
    assert sorted(server.targets) == sorted(f"/{i}" for i in range(100))


def test_what_dies_on_a_kept_connection_is_asked_once_more(says):
    """The server takes the second request of each connection and says nothing."""
    asked = {}

    def second(request, sock):
        asked[sock] = asked.get(sock, 0) + 1
        return ok() if asked[sock] == 1 else None

    server = says({f"/{name}": second for name in "abc"})
    rows = audit("--per-host", "1", "--retry", "0", rows=[(server.url(f"/{name}"), "", 200) for name in "abc"])
    assert kinds(rows) == [[]] * 3
    assert server.targets == ["/a", "/b", "/b", "/c", "/c"]


def test_nobody_is_asked_for_ever(says):
    server = says({"/b": lambda request, sock: None})
    rows = audit("--per-host", "1", "--retry", "0", rows=[(server.url("/a"), ""), (server.url("/b"), "")])
    assert kinds(rows) == [[], ["failed"]]
    assert server.targets == ["/a", "/b", "/b"]


def test_a_new_connection_that_dies_is_not_asked_again(says):
    server = says({"/a": lambda request, sock: None})
    assert kinds(audit("--retry", "0", rows=[(server.url("/a"), "")])) == [["failed"]]
    assert server.targets == ["/a"]


def test_what_comes_unasked_is_nobodys_answer(says):
    server = says({"/a": ok() + to("/wrong", 301), "/b": to("/end", 308)})
    rows = audit("--per-host", "1", rows=[(server.url("/a"), "", 200), (server.url("/b"), server.url("/end"), 308)])
    assert kinds(rows) == [[], []] and server.connections == 2
    assert "/wrong" not in server.targets


@pytest.mark.parametrize("args", [[], ["--parallel", "2"]])
def test_many_origins_with_few_descriptors(says, folder, args):
    """Connections that wait make room for those that are needed, and no more lines are under way than there are
    descriptors for."""
    server = says({"/a": to("/b", 301)}, address="0.0.0.0")
    origins = [f"http://127.0.0.{i}:{server.port}" for i in range(1, 81)]
    (folder / "list.csv").write_text("".join(f"{origin}/a,{origin}/b,301\n" for origin in origins))
    done = subprocess.run(["sh", "-c", 'ulimit -n 40; exec "$0" "$@"', BINARY, "audit", *args, "--retry", "0",
                           folder / "list.csv"], env=environment(), capture_output=True, timeout=FOREVER, check=False)
    assert done.returncode == 0, done.stdout
    assert server.connections == 80 and len(server.seen) == 160


# Answers


def test_sound_answers_of_every_form(says):
    server = says({
        "/interim": b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" + to("/end", 301),
        "/chunked": b"HTTP/1.1 301 F\r\nLocation: /end\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nT: v\r\n\r\n",
        "/bare": b"HTTP/1.1 301 F\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n",
        "/none": b"HTTP/1.1 204\r\n\r\n",
        "/large": to("/end", 301, body=b"x" * 60_000),
    })
    rows = [(server.url(f"/{name}"), server.url("/end"), 301) for name in ("interim", "chunked", "bare", "large")]
    assert kinds(audit("--per-host", "1", rows=[*rows, (server.url("/none"), "", 204)])) == [[]] * 5
    assert server.connections == 1


def test_a_head_that_comes_byte_by_byte(says):
    def trickle(request, sock):
        for byte in to("/end", 301, body=b"ok"):
            sock.sendall(bytes([byte]))
        return b""

    server = says({"/a": trickle})
    assert kinds(audit(rows=[(server.url("/a"), server.url("/end"), 301)])) == [[]]
    assert server.connections == 1


def test_head_asks_for_heads(says):
    server = says({"/a": b"HTTP/1.1 301 F\r\nLocation: /b\r\nContent-Length: 900\r\n\r\n",
                   "/b": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"})
    assert kinds(audit("-I", rows=[(server.url("/a"), server.url("/b"), 301)])) == [[]]
    assert [request.method for request in server.seen] == ["HEAD", "HEAD"] and server.connections == 1


@pytest.mark.parametrize("name", SLOPPY)
def test_sloppy_answers_are_understood_as_libcurl_does(says, name):
    """Asked twice at first: then this origin is known."""
    server = says({f"/{i}": SLOPPY[name] for i in range(5)})
    rows = [(server.url(f"/{i}"), server.url("/end"), 301) for i in range(5)]
    assert kinds(audit("--per-host", "1", "--retry", "0", rows=rows)) == [[]] * 5
    assert server.targets.count("/0") == 2 and len(server.seen) == 11


@pytest.mark.parametrize("answer", NO_HTTP, ids=range(len(NO_HTTP)))
def test_what_is_no_http(says, answer):
    def send(request, sock):
        sock.sendall(answer)

    server = says({"/a": send, "/b": to("/end", 301)})
    rows = audit("--retry", "0", "--per-host", "1", rows=[(server.url("/a"), ""), (server.url("/b"), server.url("/end"), 301)])
    assert kinds(rows) == [["failed"], []]
    assert server.targets.count("/a") <= 2


def test_resets_in_the_middle(says):
    def reset(request, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc"[: 60 if request.target == "/content" else 12])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server = says({"/content": reset, "/head": reset})
    rows = audit("--retry", "0", rows=[(server.url("/content"), ""), (server.url("/head"), "")])
    assert kinds(rows) == [["failed"], ["failed"]] and len(server.seen) == 2


def test_endless_answers_are_bounded(says):
    sent = {}

    def endless(head, more):
        def send(request, sock):
            sock.sendall(head)
            for sent[request.target] in range(4000):
                sock.sendall(more * (1000 if len(more) < 1000 else 1))
        return send

    server = says({
        "/head": endless(b"HTTP/1.1 301 F\r\n", b"X: y\r\n"),
        "/content": endless(b"HTTP/1.1 301 F\r\nLocation: /end\r\nContent-Length: 99999999\r\n\r\n", b"c"),
        "/chunks": endless(b"HTTP/1.1 301 F\r\nLocation: /end\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nc\r\n"),
        "/interim": b"HTTP/1.1 103 E\r\n\r\n" * 70 + ok(),
        "/hints": endless(b"", b"HTTP/1.1 103 E\r\nX: " + b"y" * 20_000 + b"\r\n\r\n"),
    })
    others = [(server.url(f"/{name}"), server.url("/end"), 301) for name in ("content", "chunks")]
    assert kinds(audit("--retry", "0", rows=[(server.url("/interim"), ""), *others])) == [["refused"], [], []]
    assert kinds(audit("--retry", "0", rows=[(server.url("/head"), "")])) == [["failed"]]
    [row] = audit("--retry", "0", rows=[(server.url("/hints"), "")])
    assert kinds([row]) == [["failed"]] and "too long" in row["reason"]
    assert max(sent.values()) < 3999


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 301 F\r\nLoc", b"HTTP/1.1 301 F\r\nLocation: /b\r\nContent-Length: 9\r\n\r\nx"],
                         ids=["nothing", "half", "content"])
def test_time_is_bounded(says, first):
    def sleep(request, sock):
        sock.sendall(first)
        sock.recv(1)

    server = says({"/a": sleep})
    [row] = audit("-m", "0.2", "--retry", "0", rows=[(server.url("/a"), "")])
    assert kinds([row]) == [["failed"]] and "too long" in row["reason"]
    assert row["hops"][0]["status"] == (301 if b"Length" in first else None)


@pytest.fixture
def small_buffers(own_network):
    """A socket of this namespace takes a few KiB at a time."""
    file = Path("/proc/sys/net/ipv4/tcp_wmem")
    before = file.read_text()
    file.write_text("4096 8192 8192")
    yield
    file.write_text(before)


def test_a_request_that_does_not_fit_into_the_socket(says, small_buffers):
    value = "x" * 8000
    fields = [word for i in range(40) for word in ("-H", f"X-{i}: {value}")]
    server = says({"/a": to("/b", 301)})
    assert kinds(audit("--per-host", "1", *fields, rows=[(server.url("/a"), server.url("/b"), 301)])) == [[]]
    assert all(request.get("X-39") == value for request in server.seen) and len(server.seen) == 2


# Requests


def test_what_is_sent(says):
    server = says({"/a?q=%20": to("/b", 303)})
    audit("-H", "X-A: b", "-H", "X-Empty;", "-u", "me:secret", "-b", "k=v", "-A", "auditor", rows=[(server.url("/a?q= #f"), "")])
    first, second = server.seen
    assert (first.target, second.target, first.version) == ("/a?q=%20", "/b", "HTTP/1.1")
    for request in server.seen:
        assert dict(request.fields) == {
            "Host": f"127.0.0.1:{server.port}", "User-Agent": "auditor", "Accept": "*/*", "X-A": "b", "X-Empty": "",
            "Authorization": "Basic bWU6c2VjcmV0", "Cookie": "k=v"}


def test_fields_of_the_connection_go_no_further(says):
    server = says({"/a": to("/b", 301)})
    assert kinds(audit("-H", "Connection: close", rows=[(server.url("/a"), server.url("/b"), 301)])) == [[]]
    assert [request.get("Connection") for request in server.seen] == ["close", None]


def test_resolve_and_connect_to(says):
    server = says({"/a": to("/b", 301)})
    name, other = f"http://a.example:{server.port}", "http://b.example"
    rows = [(f"{name}/a", f"{name}/b", 301), (f"{other}/a", f"{other}/b", 301)]
    args = ["--resolve", f"a.example:{server.port}:127.0.0.1", "--connect-to", f"b.example:80:127.0.0.1:{server.port}"]
    assert kinds(audit(*args, rows=rows)) == [[], []]
    assert sorted(request.get("Host") for request in server.seen) == [f"a.example:{server.port}"] * 2 + ["b.example"] * 2


def test_ipv6(says):
    with socket.socket(socket.AF_INET6) as listener:
        listener.bind(("::1", 0))
        listener.listen()
        listener.settimeout(FOREVER)
        url = f"http://[::1]:{listener.getsockname()[1]}/"
        seen = []

        def serve():
            sock, _ = listener.accept()
            with sock:
                while data := sock.recv(65536):
                    seen.append(data)
                    sock.sendall(ok())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert kinds(audit("--per-host", "1", rows=[(url, ""), (url + "x", "")])) == [[], []]
        thread.join(FOREVER)
    assert len(seen) == 2 and f"Host: {url[7:-1]}\r\n".encode() in seen[0]


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    [row] = audit("--retry", "0", rows=[(f"http://127.0.0.1:{port}/", "")])
    assert "onnect" in row["reason"]


PUBLIC = "93.184.216.34"


def test_no_private_at_each_hop_and_each_connection(own_network, says):
    """A public address, which in this namespace is ours, leads to private ones."""
    subprocess.run(["ip", "address", "replace", f"{PUBLIC}/32", "dev", "lo"], check=True)
    private = says({})
    ways = {"/a": private.url("/x"), "/b": f"http://name.example:{private.port}/x",
            "/c": f"http://[::ffff:127.0.0.1]:{private.port}/"}
    public = says({path: to(location) for path, location in ways.items()}, address=PUBLIC)
    base = f"http://{PUBLIC}:{public.port}"
    rows = audit("--no-private", "--per-host", "1", "--retry", "0", "--resolve", f"name.example:{private.port}:127.0.0.1",
                 rows=[*((base + path, "") for path in ways), (base + "/end", "", 200)])
    assert ["failed" in each for each in kinds(rows)] == [True, True, True, False]
    assert not private.seen and public.connections == 1


def test_an_environment_with_a_proxy_is_heard(says):
    proxy = says({"http://a.example/x": ok()})
    data = b"http://a.example/x\n"
    done = client("audit", "--json", "-", data=data, env={"http_proxy": proxy.url("")})
    assert done.returncode == 0 and proxy.targets == ["http://a.example/x"]
