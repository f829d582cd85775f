# SPDX-License-Identifier: MIT
"""TLS: the certificate that the client asks for, sessions that every worker takes up again,
certificates that are renewed without a lost connection, and files that are refused by name."""

import os
import signal
import socket
import ssl
import subprocess
import time

import pytest
from detourlib import SLACK, free_port, run, wait_until

CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
tls:
  certificates:
    - {cert: $FILES/a.pem, key: $FILES/a.key}
    - {cert: $FILES/b.pem, key: $FILES/b.key}
sites:
  - {name: all, hosts: [a.example, x.b.example], default: {to: "https://new.example{+path}"}}
"""


def make(folder, name, names, kind="ec"):
    key = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["rsa:2048"]
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", *key, "-subj", f"/CN={name}", "-days", "30",
         "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names),
         "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
        check=True, stderr=subprocess.DEVNULL)


def make_old(folder, name, of):
    """The certificate of another one, over since yesterday."""
    subprocess.run(
        ["openssl", "x509", "-in", folder / f"{of}.pem", "-signkey", folder / f"{of}.key", "-days", "-1",
         "-out", folder / f"{name}.pem"],
        check=True, stderr=subprocess.DEVNULL)


def der(folder, name):
    return ssl.PEM_cert_to_DER_cert((folder / f"{name}.pem").read_text())


@pytest.fixture
def secure(detour, folder):
    make(folder, "a", ["a.example"])
    make(folder, "b", ["*.b.example"], kind="rsa")
    return detour(CONFIG, SECURE=free_port(), FILES=folder)


def client_context(version=None, alpn=("http/1.1",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def connect(server, name="a.example", context=None, session=None):
    raw = socket.create_connection(("127.0.0.1", server.values["SECURE"]), timeout=20)
    return (context or client_context()).wrap_socket(raw, server_hostname=name, session=session)


def ask(connection, host="a.example", path="/x"):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        got = connection.recv(65536)
        assert got, f"closed after {data!r}"
        data += got
    return data


def shown(server, name):
    with connect(server, name) as c:
        return c.getpeercert(binary_form=True)


BOTH = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", BOTH)
def test_a_307_over_tls(secure, version):
    with connect(secure, context=client_context(version)) as c:
        assert ask(c).startswith(b"HTTP/1.1 307 ")
        assert b"Location: https://new.example/y\r\n" in ask(c, path="/y")


def test_the_certificate_that_was_asked_for(secure, folder):
    for name, file in [("a.example", "a"), ("x.b.example", "b"), ("b.example", "a"), ("c.example", "a")]:
        assert shown(secure, name) == der(folder, file), name


def test_old_versions_are_refused(secure):
    context = client_context(ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version|unsupported"):
        connect(secure, context=context)


def test_an_unknown_protocol_is_refused(secure):
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        connect(secure, context=client_context(alpn=["ftp"]))


def session_of(server, context, session=None):
    """Connects, and gives the session and whether it was an old one."""
    with connect(server, context=context, session=session) as c:
        ask(c)
        return c.session, c.session_reused


@pytest.mark.parametrize("version", BOTH)
def test_every_worker_takes_a_session_up(secure, version):
    context = client_context(version)
    session, _ = session_of(secure, context)
    for _ in range(20):
        session, reused = session_of(secure, context, session)
        assert reused


def test_sessions_outlive_a_reload_and_every_child(secure):
    context = client_context()
    session, _ = session_of(secure, context)
    secure.reload(CONFIG)
    wait_until(lambda: "generation 2 is in use" in secure.stderr(), 1 * SLACK)
    assert session_of(secure, context, session)[1]
    for role in ["_worker", "_control"]:
        secure.kill_one(role)
        wait_until(secure.answers)
        assert session_of(secure, context, session)[1]
    # The new control has the keys too.
    secure.reload(CONFIG)
    wait_until(lambda: secure.stderr().count("is in use") >= 3, 1 * SLACK)
    assert session_of(secure, context, session)[1]


def test_a_renewed_certificate(secure, folder):
    before = der(folder, "a")
    with connect(secure) as kept:
        assert kept.getpeercert(binary_form=True) == before
        ask(kept)
        make(folder, "a", ["a.example"])
        secure.reload(CONFIG)
        wait_until(lambda: shown(secure, "a.example") == der(folder, "a"), 1 * SLACK)
        assert b" 307 " in ask(kept)
    assert der(folder, "a") != before


def test_a_broken_certificate_changes_nothing(secure, folder):
    before = der(folder, "a")
    (folder / "a.key").write_text("nonsense")
    secure.reload(CONFIG)
    wait_until(lambda: "nothing was changed" in secure.stderr(), 1 * SLACK)
    assert "a.key: there is no private key in it" in secure.stderr()
    assert shown(secure, "a.example") == before
    # What is served is not what is in the files: a worker that is replaced has it too.
    secure.kill_one("_worker")
    for _ in range(10):
        assert shown(secure, "a.example") == before


def test_tls_can_be_taken_out_and_put_back(secure):
    clear = CONFIG.replace(', "https://127.0.0.1:$SECURE"', "")
    clear = clear[: clear.index("tls:")] + clear[clear.index("sites:") :]
    secure.reload(clear)

    def gone():
        try:
            socket.create_connection(("127.0.0.1", secure.values["SECURE"]), timeout=20).close()
        except ConnectionRefusedError:
            return True

    wait_until(gone, 1 * SLACK)
    secure.reload(CONFIG)
    wait_until(lambda: not gone(), 1 * SLACK)
    with connect(secure) as c:
        assert b" 307 " in ask(c)


def test_a_request_in_clear_on_the_secure_port(secure):
    with socket.create_connection(("127.0.0.1", secure.values["SECURE"]), timeout=20) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert b"307" not in s.recv(100)
    with connect(secure) as c:
        assert b" 307 " in ask(c)


def check(folder, certificates, hosts="a.example"):
    (folder / "detour.yaml").write_text(
        "listen: https://127.0.0.1:1\n"
        f"tls: {{certificates: [{certificates}]}}\n"
        f"sites: [{{name: s, hosts: [{hosts}], default: {{status: 404}}}}]\n")
    return run("check", "-c", folder / "detour.yaml", cwd="/")


@pytest.mark.parametrize("certificates, status, said", [
    ("{cert: a.pem, key: a.key}", 0, "(0 warnings)"),
    ("{cert: none.pem, key: a.key}", 1, "2:29: error: cannot read $DIR/none.pem: No such file"),
    ("{cert: a.pem, key: none.key}", 1, "2:41: error: cannot read $DIR/none.key: No such file"),
    ("{cert: a.pem, key: b.key}", 1, "2:41: error: cannot use b.key: it is not the key of"),
    ("{cert: a.pem}", 1, "2:29: error: cannot use a.pem: there is no private key in it"),
    ("{cert: both.pem}", 0, "(0 warnings)"),
    ("{cert: a.key, key: a.key}", 1, "2:29: error: cannot use a.key: there is no \"BEGIN CERT"),
    ("{cert: a.pem, key: a.key, ocsp: a.pem}", 1, "2:54: error: cannot use a.pem: it is not a succ"),
    ("{cert: b.pem, key: b.key}", 0, "3:9: warning: no certificate covers a.example; clients"),
    ("{cert: a.pem, key: a.key}, {cert: a.pem, key: a.key}", 0, "2:56: warning: the certificate of line 2 has"),
    ("{cert: old.pem, key: a.key}", 0, "2:29: warning: the certificate was over on "),
    ("{cert: .., key: a.key}", 1, "2:29: error: cannot read $DIR/..: Is a directory"),
    ("{cert: long, key: a.key}", 1, "2:29: error: cannot read $DIR/long: it is larger than 128 KiB"),
])
def test_check_names_the_file(folder, certificates, status, said):
    make(folder, "a", ["a.example"])
    make(folder, "b", ["b.example"])
    make_old(folder, "old", of="a")
    (folder / "both.pem").write_text((folder / "a.pem").read_text() + (folder / "a.key").read_text())
    (folder / "long").write_bytes(b"x" * 200000)
    done = check(folder, certificates)
    assert said.replace("$DIR", str(folder)) in done.stdout + done.stderr
    assert done.returncode == status


def test_a_key_that_may_not_be_read(folder):
    if os.geteuid() != 0:
        pytest.skip("needs to become another user")
    make(folder, "a", ["a.example"])
    (folder / "a.key").chmod(0o600)
    check(folder, "{cert: a.pem, key: a.key}")
    done = run("check", "-c", folder / "detour.yaml", prepare=lambda: os.setuid(65534))
    assert "cannot read " in done.stderr and "a.key: Permission denied" in done.stderr
    assert done.returncode == 1
    # To explain, nobody needs the key.
    done = run("explain", "-c", folder / "detour.yaml", "https://a.example/", prepare=lambda: os.setuid(65534))
    assert done.returncode == 0, done.stderr


def test_a_drain_ends_with_close_notify(secure):
    with connect(secure) as c:
        ask(c)
        secure.signal(signal.SIGTERM)
        assert c.recv(100) == b""  # a FIN alone would be an SSLEOFError
    wait_until(lambda: secure.process.poll() is not None)


def garbage(length=32):
    """A record that nobody can open."""
    return b"\x17\x03\x03" + length.to_bytes(2, "big") + b"g" * length


@pytest.mark.parametrize("request_line", ["GET", "POST"])
def test_garbage_behind_the_handshake(secure, request_line):
    """Also in the middle of a body: the client is told, and whatever comes then is thrown away."""
    workers = secure.worker_pids()
    for _ in range(4):
        raw = socket.create_connection(("127.0.0.1", secure.values["SECURE"]), timeout=20)
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context().wrap_bio(came, goes, server_hostname="a.example")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(goes.read())
                came.write(raw.recv(65536))
        if request_line == "POST":
            tls.write(b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nx")
        raw.sendall(goes.read())
        for _ in range(4):
            raw.sendall(garbage())
            time.sleep(0.02)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            pass
        raw.close()
    assert secure.worker_pids() == workers
    assert secure.get("/x").status == 307
