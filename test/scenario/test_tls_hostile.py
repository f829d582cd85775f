# SPDX-License-Identifier: MIT
"""FAULTS, TLS: what is refused, what is cut, how connections end, and that certificates change
under load without a lost one. What ordinary clients are promised is in test_tls.py."""

import contextlib
import random
import socket
import ssl
import subprocess
import threading
import time

import pytest
from detourlib import FOREVER, SLACK, Closed, Conn, Probe, free_port, parse_all, wait_until
from h2lib import DATA, HEADERS, WHOLE, Http2, client_context, frame, literal
from test_tls import CONFIG as TWO_CERTIFICATES
from test_tls import BOTH, ask, connect, der, make, session_of, shown
from test_tls import client_context as http1_context

LIMITS = "limits: {header_timeout: 1s, idle_timeout: 2s, lingering: {bytes: 1MiB, time: 2s, idle: 1s}}\n"
CONFIG = LIMITS + TWO_CERTIFICATES
HANDSHAKES_MAX = 512  # at a time, of one worker


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls")
    make(path, "a", ["a.example"])
    make(path, "b", ["*.b.example"], kind="rsa")
    return path


@pytest.fixture(scope="module")
def secure(shared_detour, files):
    return shared_detour(CONFIG, metrics=True, workers=1, SECURE=free_port(), FILES=files)


def address(server):
    return (server.host, server.values["SECURE"])


@contextlib.contextmanager
def healthy(server):
    with Probe(server) as probe:
        yield
    probe.assert_healthy()
    with connect(server) as c:
        assert b" 307 " in ask(c)


def handshakes(server, result):
    return server.metrics().sum("tls_handshakes", result=result)


# A client whose bytes are looked at


class Records:
    """TLS between two heaps of memory: the test carries the bytes, and sees them."""

    def __init__(self, server, context=None, name="a.example"):
        self.sock = socket.create_connection(address(server), timeout=FOREVER)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or http1_context()).wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.heard = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self, pieces=None):
        data = self.outgoing.read()
        for at in range(0, len(data), pieces or max(1, len(data))):
            self.sock.sendall(data[at : at + (pieces or len(data))])

    def take(self):
        data = self.sock.recv(65536)
        self.heard += data
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return data

    def handshake(self, pieces=None):
        while True:
            try:
                self.tls.do_handshake()
                self.flush(pieces)
                return self
            except ssl.SSLWantReadError:
                self.flush(pieces)
                self.take()

    def send(self, data, pieces=None):
        self.tls.write(data)
        self.flush(pieces)
        return self

    def rest(self):
        """What comes in clear until close_notify; then FIN must follow, and nothing else.
        Without close_notify the library raises SSLEOFError."""
        plain = b""
        while True:
            try:
                got = self.tls.read(65536)
                if not got:
                    break
                plain += got
            except ssl.SSLWantReadError:
                self.take()
        assert self.incoming.pending == 0, "bytes behind close_notify"
        while self.take():
            assert False, "bytes behind close_notify"
        return plain


REQUEST = b"GET /x HTTP/1.1\r\nHost: a.example\r\n"
ENDS = {
    "Connection: close": REQUEST + b"Connection: close\r\n\r\n",
    "a bad request": b"GET /x HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "half a head": REQUEST,
    "nothing": b"",
    "idleness": REQUEST + b"\r\n",
    "a body that stops": b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\nabc",
    "Expect": b"PUT /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
}
STATUSES = {"Connection: close": 307, "a bad request": 400, "half a head": 408, "idleness": 307,
            "a body that stops": 307, "Expect": 307}


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("name", ENDS)
def test_close_notify_comes_before_fin(secure, version, name):
    with Records(secure, http1_context(version)) as c:
        c.handshake()
        if ENDS[name]:
            c.send(ENDS[name])
        assert [r.status for r in parse_all(c.rest())] == ([STATUSES[name]] if ENDS[name] else [])
        if version == ssl.TLSVersion.TLSv1_2:  # there the type of the last record can be seen
            assert record_kinds(c.heard)[-1] == 21


def record_kinds(data):
    kinds = []
    while data:
        kinds.append(data[0])
        data = data[5 + int.from_bytes(data[3:5], "big") :]
    return kinds


def test_close_notify_of_http2(secure):
    with Http2(address(secure), tls=client_context()) as c:
        assert c.ask(1).status == 307
        c.send(frame(DATA, 0, 0, b"x"))
        c.end()  # SSLEOFError without it
        assert c.goaway and not c.cut


@pytest.mark.parametrize("version", BOTH)
def test_a_client_that_says_close_notify_first(secure, version):
    """It has said all, and still has its answer; or at least an end in order."""
    with Records(secure, http1_context(version)) as c:
        c.handshake().send(REQUEST + b"\r\n")
        with contextlib.suppress(ssl.SSLWantReadError):
            c.tls.unwrap()
        c.flush()
        c.sock.settimeout(1 * SLACK)
        while c.take():
            pass


@pytest.mark.parametrize("version", BOTH)
def test_everything_in_single_octets(secure, version):
    with Records(secure, http1_context(version)) as c:
        c.handshake(pieces=1).send(ENDS["Connection: close"], pieces=1)
        assert parse_all(c.rest())[0].location == "https://new.example/x"


# What is refused


def openssl(server, *args, text=b"", name="a.example"):
    command = ["openssl", "s_client", "-connect", "%s:%s" % address(server), "-servername", name, *map(str, args)]
    command += ["-ign_eof"] if text else []
    done = subprocess.run(command, input=text, capture_output=True, timeout=FOREVER, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


def test_renegotiation_is_refused(secure):
    """The R is for openssl: it asks for another handshake."""
    command = ["openssl", "s_client", "-connect", "%s:%s" % address(secure), "-servername", "a.example", "-tls1_2",
               "-legacy_renegotiation"]
    before = handshakes(secure, "full")
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: handshakes(secure, "full") > before)
        client.stdin.write(b"R\n")
        client.stdin.flush()
        said = client.communicate(timeout=FOREVER)[0].decode(errors="replace")
    finally:
        client.kill()
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said
    assert handshakes(secure, "full") == before + 1


def test_early_data_is_refused(secure, tmp_path):
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(REQUEST + b"\r\n")
    said = openssl(secure, "-tls1_3", "-sess_out", session, text=REQUEST + b"Connection: close\r\n\r\n")
    assert "Early data was not sent" in said and "307" in said
    assert "Max Early Data: 0" in openssl(secure, "-tls1_3", "-sess_in", session, "-early_data", early,
                                          text=REQUEST + b"Connection: close\r\n\r\n")


def test_garbage_for_a_handshake(secure):
    rng = random.Random(8446)
    hello = client_hello()
    failed = handshakes(secure, "failed")
    with healthy(secure):
        for _ in range(200):
            data = bytearray(rng.choice([hello, hello, b"\x16\x03\x01\x02\x00" + rng.randbytes(512), rng.randbytes(300)]))
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            with socket.create_connection(address(secure), timeout=FOREVER) as s:
                with contextlib.suppress(OSError):
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
    assert handshakes(secure, "failed") > failed + 50


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        http1_context().wrap_bio(incoming, outgoing, server_hostname="a.example").do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("part", ["nothing", "one octet", "half a hello", "a hello", "garbage behind the handshake"])
def test_a_handshake_that_stops_is_cut(secure, part):
    hello = client_hello()
    data = {"nothing": b"", "one octet": hello[:1], "half a hello": hello[: len(hello) // 2], "a hello": hello}
    begin = time.monotonic()
    if part not in data:
        with Records(secure) as c:
            c.handshake()
            c.sock.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
            while c.take():
                pass
        return
    with socket.create_connection(address(secure), timeout=1 * SLACK) as s:
        s.sendall(data[part])
        while s.recv(65536):
            pass
    assert 0.5 < time.monotonic() - begin < 1 * SLACK


def test_a_handshake_that_trickles_is_cut_all_the_same(secure):
    begin = time.monotonic()
    with socket.create_connection(address(secure), timeout=FOREVER) as s:
        with contextlib.suppress(OSError):
            for octet in client_hello():
                s.sendall(bytes([octet]))
                s.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    if not s.recv(1):
                        break
    assert time.monotonic() - begin < 1 * SLACK


def test_a_flood_of_handshakes_is_capped(detour, files):
    """Connections that begin a handshake are closed at once while so many go on; nothing in
    clear notices, and with the flood the cap goes."""
    config = TWO_CERTIFICATES + f"limits: {{header_timeout: {FOREVER}s}}\n"
    server = detour(config, metrics=True, workers=1, SECURE=free_port(), FILES=files)
    with healthy(server):
        waiting = [socket.create_connection(address(server), timeout=FOREVER) for _ in range(HANDSHAKES_MAX + 100)]
        closed = 0
        for s in waiting[HANDSHAKES_MAX + 10 :]:
            s.settimeout(1 * SLACK)
            with contextlib.suppress(ConnectionResetError):
                closed += s.recv(1) == b""
        assert closed == 90
        assert HANDSHAKES_MAX <= server.metrics().sum("connections_active") <= HANDSHAKES_MAX + 20
        for s in waiting:
            s.close()
        wait_until(lambda: server.metrics().sum("connections_active") < 20)


def test_a_flood_of_hellos_leaves_the_others_healthy(secure):
    """They cost the server a signature each, and the client nothing."""
    hello, ending = client_hello(), threading.Event()

    def flood():
        while not ending.is_set():
            with contextlib.suppress(OSError), socket.create_connection(address(secure), timeout=1) as s:
                s.sendall(hello)

    threads = [threading.Thread(target=flood, daemon=True) for _ in range(4)]
    with healthy(secure):
        for t in threads:
            t.start()
        time.sleep(1.5)
        ending.set()
        for t in threads:
            t.join(FOREVER)


# Which certificate, which session


def test_alpn(secure):
    for offered, chosen in [(("h2", "http/1.1"), "h2"), (("http/1.1", "h2"), "h2"), (("http/1.1",), "http/1.1"),
                            (("x", "http/1.1"), "http/1.1"), (("h2",), "h2")]:
        for version in BOTH:
            with connect(secure, context=client_context(offered, version)) as c:
                assert c.selected_alpn_protocol() == chosen, offered
    with connect(secure, context=http1_context(alpn=[])) as c:
        assert c.selected_alpn_protocol() is None
        assert b" 307 " in ask(c)


@pytest.mark.parametrize("version", BOTH)
def test_a_session_of_one_name_is_none_of_another(secure, files, version):
    context = http1_context(version)
    with connect(secure, context=context) as c:
        ask(c)
        session = c.session
    with connect(secure, "x.b.example", context, session) as c:
        assert b" 307 " in ask(c, "x.b.example")
        assert not c.session_reused
        assert c.getpeercert(binary_form=True) == der(files, "b")


def test_421_for_a_host_of_another_certificate(secure):
    """RFC 9110, 15.5.20: a client that reuses a connection for it is sent to one of its own."""
    with Http2(address(secure), tls=client_context()) as c:
        for stream, host, status in [(1, "a.example", 307), (3, "x.b.example", 421), (5, "a.example", 307),
                                     (7, "x.b.example:443", 421), (9, "X.B.EXAMPLE", 421)]:
            assert c.ask(stream, host=host).status == status, host
    with connect(secure, "x.b.example") as c:
        assert b" 307 " in ask(c, "x.b.example")
        assert b" 421 " in ask(c, "a.example")


def test_both_kinds_of_key_for_one_name(detour, folder):
    make(folder, "a", ["a.example"])
    make(folder, "r", ["a.example"], kind="rsa")
    server = detour(CONFIG.replace("$FILES/b.", "$FILES/r."), SECURE=free_port(), FILES=folder)
    for suites, file in [("ECDHE-RSA-AES128-GCM-SHA256", "r"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "a")]:
        context = http1_context(ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(suites)
        with connect(server, context=context) as c:
            assert c.getpeercert(binary_form=True) == der(folder, file)


# OCSP


def command(folder, line, **kwargs):
    subprocess.run(line.split(), cwd=folder, check=True, capture_output=True, timeout=FOREVER, **kwargs)


def authority_and_answer(folder):
    """ca.pem, leaf.pem and leaf.key, and what ca says of it in leaf.ocsp."""
    make(folder, "ca", ["ca.example"])
    command(folder, "openssl req -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=a.example "
                    "-keyout leaf.key -out leaf.csr -addext subjectAltName=DNS:a.example")
    (folder / "ext").write_text("subjectAltName=DNS:a.example\n")
    command(folder, "openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 30 -extfile ext -out leaf.pem")
    (folder / "index").write_text("V\t991231235959Z\t\t07\tunknown\t/CN=a.example\n")
    command(folder, "openssl ocsp -issuer ca.pem -cert leaf.pem -reqout request.der")
    command(folder, "openssl ocsp -index index -CA ca.pem -rsigner ca.pem -rkey ca.key -reqin request.der "
                    "-ndays 7 -respout leaf.ocsp")


def test_ocsp_is_stapled(detour, folder):
    authority_and_answer(folder)
    config = CONFIG.replace("{cert: $FILES/a.pem, key: $FILES/a.key}",
                            "{cert: $FILES/leaf.pem, key: $FILES/leaf.key, ocsp: $FILES/leaf.ocsp}")
    make(folder, "b", ["*.b.example"])
    server = detour(config, SECURE=free_port(), FILES=folder)
    for version in ["-tls1_2", "-tls1_3"]:
        said = openssl(server, "-status", version)
        assert "OCSP Response Status: successful" in said and "Cert Status: good" in said
        assert "OCSP response: no response sent" in openssl(server, "-status", version, name="x.b.example")
    assert "OCSP Response" not in openssl(server)


# Under load


class Load:
    """Requests over connections that stay and over new ones, until it is told to end."""

    def __init__(self, server, threads=3):
        self.server, self.ending, self.errors, self.count = server, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def run(self):
        kept = [connect(self.server) for _ in range(5)]
        try:
            while not self.ending.is_set():
                for c in kept:
                    self.see(ask(c))
                with connect(self.server) as c:
                    self.see(ask(c))
                with Http2(address(self.server), tls=client_context()) as c:
                    assert c.ask(1).status == 307
        except (OSError, AssertionError, Closed) as e:
            self.errors.append(repr(e))
        for c in kept:
            c.close()

    def see(self, answer):
        assert b" 307 " in answer, answer
        self.count += 1

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for t in self.threads:
            t.join(FOREVER)


def test_certificates_change_under_load(detour, folder):
    make(folder, "a", ["a.example"])
    make(folder, "b", ["*.b.example"], kind="rsa")
    server = detour(TWO_CERTIFICATES, SECURE=free_port(), FILES=folder)
    with Load(server) as load:
        for _ in range(8):
            make(folder, "a", ["a.example"])
            server.reload(TWO_CERTIFICATES)
            wait_until(lambda: shown(server, "a.example") == der(folder, "a"), 1 * SLACK)
        (folder / "a.pem").write_text("nonsense")
        server.reload(TWO_CERTIFICATES)
        wait_until(lambda: "nothing was changed" in server.stderr(), 1 * SLACK)
    assert not load.errors
    assert load.count > 100


# Ways in


def test_https_redirect_leads_to_where_it_says(detour, files):
    port = free_port()
    config = TWO_CERTIFICATES.replace("hosts: [a.example, x.b.example],", f"hosts: [a.example], https_redirect: {{port: {port}}},")
    server = detour(config, SECURE=port, FILES=files)
    first = server.get("/p?q=1")
    assert (first.status, first.location) == (307, f"https://a.example:{port}/p?q=1")
    done = subprocess.run(
        ["curl", "-skL", "-o", "/dev/null", "--max-redirs", "1", "--resolve", f"a.example:{server.port}:127.0.0.1",
         "--resolve", f"a.example:{port}:127.0.0.1", f"http://a.example:{server.port}/p",
         "-w", "%{num_redirects} %{http_code} %{http_version} %{redirect_url}"],
        capture_output=True, text=True, timeout=FOREVER, check=False)
    assert done.stdout == "1 307 2 https://new.example/p"


def test_unix_socket_with_proxy_and_tls(detour, files):
    config = TWO_CERTIFICATES.replace(
        '"https://127.0.0.1:$SECURE"', '{address: "https://unix:$DIR/s.sock", proxy_protocol: true}')
    server = detour(config, log=True, FILES=files)
    for protocol, version in [("http/1.1", "HTTP/1.1"), ("h2", "HTTP/2")]:
        with Conn(server.folder / "s.sock") as c:
            c.send("PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\n")
            c.sock = client_context((protocol,)).wrap_socket(c.sock, server_hostname="a.example")
            if protocol == "h2":
                fields = [(":method", "GET"), (":scheme", "https"), (":path", "/x"), (":authority", "a.example")]
                c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4)
                       + frame(HEADERS, WHOLE, 1, b"".join(literal(*field) for field in fields)))
                time.sleep(0.1)
            else:
                assert c.send(REQUEST + b"\r\n").response().location == "https://new.example/x"
        line = wait_until(lambda: [x for x in server.log_lines() if (x["protocol"], x["host"]) == (version, "a.example")], what=version)[0]
        assert line["client"].startswith("192.0.2.7") and line["status"] == 307


def test_the_header_of_proxy_in_the_same_octets_as_the_hello(detour, files):
    config = TWO_CERTIFICATES.replace(
        '"https://127.0.0.1:$SECURE"', '{address: "https://127.0.0.1:$SECURE", proxy_protocol: true}')
    server = detour(config, SECURE=free_port(), FILES=files)
    with Records(server) as c:
        with contextlib.suppress(ssl.SSLWantReadError):
            c.tls.do_handshake()
        c.sock.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\n" + c.outgoing.read())
        c.take()
        c.handshake().send(ENDS["Connection: close"])
        assert parse_all(c.rest())[0].status == 307


def test_handshakes_are_counted(detour, files):
    server = detour(TWO_CERTIFICATES, metrics=True, SECURE=free_port(), FILES=files)
    context = http1_context()
    session, _ = session_of(server, context)
    for _ in range(3):
        session, _ = session_of(server, context, session)
    with pytest.raises(ssl.SSLError):
        connect(server, context=http1_context(alpn=["ftp"]))
    wait_until(lambda: handshakes(server, "failed") == 1, 1 * SLACK)
    assert (handshakes(server, "full"), handshakes(server, "resumed")) == (1, 3)
