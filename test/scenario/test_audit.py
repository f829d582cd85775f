# SPDX-License-Identifier: MIT
"""`detour audit`: a real nginx with a few hundred redirects, right and wrong, of which each planted
fault is found and nothing else; every form of the report read by a parser of its kind."""

import contextlib
import csv
import html.parser
import io
import json
import os
import pty
import re
import socket
import ssl
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree

import pytest
from clientlib import client, ok, to
from detourlib import BINARY, FOREVER, environment, free_port, wait_until
from originlib import NGINX, Nginx

GOOD = 100  # of each kind


def audit(*args, rows=None, **kwargs):
    data = "".join(",".join(map(str, row)) + "\n" for row in rows).encode() if rows is not None else None
    done = client("audit", "--retry-delay", "0.01", *args, *(["-"] if data is not None else []), data=data, **kwargs)
    assert done.returncode in (0, 1), done.stderr
    return done


def findings(*args, rows, **kwargs):
    """What is found in each row."""
    done = audit("--json", *args, rows=rows, **kwargs)
    whole = json.loads(done.stdout)
    found = [[each["kind"] for each in row["findings"]] for row in whole["rows"]]
    assert whole["checked"] == len(found) and whole["faulty"] == sum(map(bool, found)) == bool(done.returncode) * whole["faulty"]
    return found


SITE = """
server {
    listen 127.0.0.1:$PORT2;
    server_name _;
    location / { return 200 "other"; }
}
server {
    listen 127.0.0.1:$PORT3;
    absolute_redirect off;
    location / { return 200 "home"; }
    location ~ ^/m(\\d+)$ { return 301 /new$1; }
    location ~ ^/t(\\d+)$ { return 302 /new$1; }
    location ~ ^/two(\\d+)$ { return 308 /m$1; }
    location ~ ^/new { return 200 "new"; }
    location = /same { return 200 "here"; }
    location = /gone { return 410; }
    location = /wrong-target { return 301 /new1; }
    location = /wrong-status { return 308 /new1; }
    location = /temporary { return 302 /new1; }
    location = /temporary-later { return 301 /t1; }
    location = /permanent { return 301 /new1; }
    location = /long0 { return 301 /long1; }
    location = /long1 { return 301 /long2; }
    location = /long2 { return 301 /long3; }
    location = /long3 { return 301 /new1; }
    location = /loop { return 301 /loop2; }
    location = /loop2 { return 301 /loop; }
    location = /self { return 301 /self; }
    location = /to-404 { return 301 /missing; }
    location = /missing { return 404; }
    location = /to-500 { return 301 /broken; }
    location = /broken { return 500; }
    location = /to-home { return 301 /; }
    location = /no-redirect { return 200 "still here"; }
    location = /gone-already { return 404; }
    location = /file { return 301 file:///etc/passwd; }
    location = /userinfo { return 301 http://u:p@127.0.0.1:$PORT3/new1; }
    location = /token { return 301 http://127.0.0.1:$PORT2/x?token=abc; }
    location = /detour { return 301 http://localhost:$PORT2/back; }
    location = /over { return 301 http://localhost:$PORT4/over; }
}
server {
    listen 127.0.0.1:$PORT4;
    location / { return 301 http://127.0.0.1:$PORT3/new1; }
}
"""

PLANTED = [
    ("/wrong-target", "/new2", 301, ["target"]),
    ("/wrong-status", "/new1", 301, ["status"]),
    ("/temporary", "/new1", 301, ["temporary"]),
    ("/temporary", "/new1", "permanent", ["temporary"]),
    ("/temporary-later", "/new1", 301, ["temporary"]),
    ("/permanent", "/new1", 302, ["permanent"]),
    ("/permanent", "/new1", "temporary", ["permanent"]),
    ("/long0", "/new1", 301, ["hops"]),
    ("/loop", "/new1", 301, ["loop"]),
    ("/self", "/new1", 301, ["loop"]),
    ("/to-404", "/missing", 301, ["bad-end"]),
    ("/to-500", "/broken", 301, ["bad-end"]),
    ("/to-home", "/new1", 301, ["home"]),
    ("/to-home", "", 301, ["home"]),
    ("/no-redirect", "/new1", 301, ["no-redirect"]),
    ("/gone-already", "/new1", 301, ["bad-end"]),
    ("/file", "/new1", 301, ["refused"]),
    ("/userinfo", "/new1", 301, ["credentials"]),
    ("/token?token=abc", "http://127.0.0.1:$PORT2/x?token=abc", 301, ["credentials"]),
    ("/over", "/new1", 301, ["hosts"]),
]


@pytest.fixture
def site(folder):
    ports = {f"$PORT{i}": str(free_port()) for i in (2, 3, 4)}
    more = SITE
    for name, port in ports.items():
        more = more.replace(name, port)
    nginx = Nginx(folder / "nginx", more="")
    nginx.close()
    text = nginx.file.read_text()
    at = text.rindex("}")
    nginx.file.write_text(text[:at] + more + text[at:])
    nginx.process = subprocess.Popen([NGINX, "-e", str(folder / "error.log"), "-c", str(nginx.file)],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(nginx.listens, what="nginx")
    nginx.ports = ports
    nginx.base = f"http://127.0.0.1:{ports['$PORT3']}"
    yield nginx
    nginx.close()


def rows_of(site):
    good = [(f"/m{i}", f"/new{i}", 301) for i in range(GOOD)]
    good += [(f"/t{i}", f"/new{i}", "temporary") for i in range(GOOD)]
    good += [(f"/two{i}", f"{site.base}/new{i}", "permanent") for i in range(GOOD)]
    good += [("/same", "/same", 200), ("/gone", "", 410), ("/", "/", ""), ("/m1", "", "")]
    planted = [(source, target.replace("$PORT2", site.ports["$PORT2"]), status) for source, target, status, _ in PLANTED]
    rows = []
    for i, row in enumerate(good):
        rows.append((row, []))
        if i % 10 == 0 and i // 10 < len(planted):
            rows.append((planted[i // 10], PLANTED[i // 10][3]))
    return rows


def test_each_planted_fault_is_found_and_nothing_else(site):
    rows = rows_of(site)
    assert len(rows) == 3 * GOOD + 4 + len(PLANTED)
    localhost = ["--resolve", f"localhost:{site.ports['$PORT2']}:127.0.0.1"]
    found = findings("--base", site.base, *localhost, rows=[row for row, _ in rows])
    wrong = [(row, got, wanted) for (row, wanted), got in zip(rows, found, strict=True) if got != wanted]
    assert not wrong


def test_every_form_says_the_same(site, folder):
    rows = rows_of(site)
    planted = sum(bool(wanted) for _, wanted in rows)
    (folder / "list.csv").write_text("".join(",".join(map(str, row)) + "\n" for row, _ in rows))
    args = ["--base", site.base, "--junit", folder / "junit.xml", "--html", folder / "page.html", folder / "list.csv"]
    whole = json.loads(audit("--json", *args).stdout)
    assert whole["faulty"] == planted and len(whole["rows"]) == len(rows)
    assert [[each["kind"] for each in row["findings"]] for row in whole["rows"]] == [wanted for _, wanted in rows]

    table = list(csv.DictReader(io.StringIO(audit("--csv", *args).stdout.decode(), newline="")))
    assert [row["findings"].split() for row in table] == [wanted for _, wanted in rows]
    assert all(None not in row and None not in row.values() for row in table)
    assert [int(row["line"]) for row in table] == list(range(1, len(rows) + 1))
    assert {row["final"] for row in table if row["source"].endswith("/m7")} == {f"{site.base}/new7"}

    suite = ElementTree.parse(folder / "junit.xml").getroot().find("testsuite")
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) == len(rows)
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) == planted
    assert {case.find("failure").get("type") for case in cases if len(case)} == {kind for *_, kinds in PLANTED for kind in kinds}

    page = Page()
    page.feed((folder / "page.html").read_text())
    assert page.open == [] and page.rows == len(rows) + 1 and page.bad == planted + 1

    text = audit(*args).stdout.decode()
    assert text.count("\nline ") + text.startswith("line ") == planted
    assert text.splitlines()[-1].startswith(f"{len(rows)} checked, {len(rows) - planted} as expected, {planted} with faults: ")
    assert "\x1b" not in text


class Page(html.parser.HTMLParser):
    """Checks that what is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.rows, self.bad = [], 0, 0

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        self.rows += tag == "tr"
        self.bad += ("class", "bad") in attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


# One thing at a time


def test_allowed_pairs(says):
    server = says({"/a": to("/b?x"), "/h": to("/"), "/c": to("http://localhost:$PORT/d"), "/d": to("http://127.0.0.1:$PORT/e")})
    rows = [(server.url("/a"), server.url("/c2")), (server.url("/h"), server.url("/x"))]
    assert findings(rows=rows) == [["target"], ["home"]]
    assert findings("--allow", "*/a */b*", "--allow", "*/h */", rows=rows) == [[], []]
    over = [(server.url("/c"), server.url("/e"))]
    assert findings(rows=over) == [["hosts"]]
    assert findings("--allow", "*/c http://localhost:*", rows=over) == [[]]


def test_credentials_that_would_leak(says):
    other = says({})
    server = says({"/a": to("http://127.0.0.1:$OTHER/b")}, other=other)
    rows = [(server.url("/a"), other.url("/b"))]
    assert findings(rows=rows) == [[]]
    assert findings("-u", "me:secret", rows=rows) == [["credentials"]]
    assert findings("-H", "X-Api-Key: k", rows=rows) == [["credentials"]]
    assert all(request.get("Authorization") is None for request in other.seen)


def test_downgrade(says, folder):
    server = says({})
    key, certificate = folder / "key.pem", folder / "cert.pem"
    make_certificate(key, certificate, "-subj", "/CN=a.example", "-addext", "subjectAltName=DNS:a.example")
    port = free_port()
    config = folder / "tls.conf"
    config.write_text(f"daemon off; pid {folder}/tls.pid; error_log {folder}/tls.log; events {{}} http {{ access_log off; "
                      f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; "
                      f"return 301 {server.url('/x')}; }} }}")
    nginx = subprocess.Popen([NGINX, "-e", str(folder / "tls.log"), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (folder / "tls.pid").exists() and (folder / "tls.pid").read_text().strip(), what="nginx")
        rows = [(f"https://a.example:{port}/", server.url("/x"), 301)]
        where = ["--resolve", f"a.example:{port}:127.0.0.1"]
        assert findings("--cacert", certificate, *where, rows=rows) == [["downgrade"]]
        assert findings("-k", *where, rows=rows) == [["downgrade"]]
        assert findings(*where, rows=rows) == [["failed"]]
    finally:
        nginx.terminate()
        nginx.wait(FOREVER)


def test_tries_again_and_gives_up(says):
    counts = {}

    def late(request, sock):
        counts[request.target] = counts.get(request.target, 0) + 1
        if counts[request.target] < 3:
            return b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n" if request.target == "/busy" else None
        return ok()

    # Two servers: libcurl itself repeats what was lost on a connection that it had kept.
    rows = [(says({f"/{name}": late}).url(f"/{name}"), "", 200) for name in ("busy", "lost")]
    whole = json.loads(audit("--json", rows=rows).stdout)
    assert [row["tries"] for row in whole["rows"]] == [3, 3] and whole["faulty"] == 0
    counts.clear()
    assert findings("--retry", "1", rows=rows) == [["bad-end"], ["failed"]]


def test_no_more_requests_at_once_than_per_host(says):
    now, most = [0], [0]

    def count(request, sock):
        now[0] += 1
        most[0] = max(most[0], now[0])
        wait_until(lambda: True)
        sock.settimeout(0.02)
        try:
            sock.recv(1)
        except TimeoutError:
            pass
        sock.settimeout(FOREVER)
        now[0] -= 1
        return ok()

    server = says({f"/{i}": count for i in range(30)})
    assert findings("--per-host", "3", rows=[(server.url(f"/{i}"), "") for i in range(30)]) == [[]] * 30
    assert 1 < most[0] <= 3


def test_no_private_at_each_hop(says):
    server = says({})
    assert findings("--no-private", rows=[(server.url("/"), "")]) == [["failed"]]
    assert not server.seen


def test_what_cannot_be_read_is_told_before_anything_is_sent(says, folder):
    server = says({})
    for text, word in ((f'{server.url("/")},"x', "line 1: a quote"), (f"{server.url('/')},,abc", "line 1: the status"),
                       (f"{server.url('/')}\n/path,x", "line 2: the source"), (",x", "line 1: there is no source")):
        done = client("audit", "-", data=text.encode())
        assert done.returncode == 2 and word in done.stderr.decode() and not done.stdout, done.stderr
    assert client("audit", folder / "nothing.csv").returncode == 2
    assert not server.seen


@pytest.mark.parametrize("text", [
    "from;code;to\n$A;307;$B\n", "\ufeffSource,Target,Status\r\n\"$A\",\"$B\",\"307\"\r\n", "# note\n\n$A\t$B\t307\n",
    "id,Redirect From,x,Redirect To,Redirect Type\n1,$A,\"a, b\",$B,temporary\n",
])
def test_tables_of_other_programs(says, text):
    server = says({"/a": to("/b")})
    text = text.replace("$A", server.url("/a")).replace("$B", server.url("/b"))
    done = client("audit", "--json", "-", data=text.encode())
    [row] = json.loads(done.stdout)["rows"]
    assert row["findings"] == [] and row["expected"]["class"] == "temporary" and row["expected"]["target"] == server.url("/b")


def test_a_table_is_not_read_as_something_else(says):
    """Lines that end in CR alone were none, and a list was taken for an empty one."""
    server = says({"/a": to("/b")})
    a = server.url("/a").encode()
    done = client("audit", "--json", "-", data=b"source,target\r%s,/b\r%s,/c\r" % (a, a))
    assert [[f["kind"] for f in row["findings"]] for row in json.loads(done.stdout)["rows"]] == [[], ["target"]]
    for text, word in ((f"{server.url('/a')},".encode("utf-16"), b"UTF-16"), (b'"%s\nb"' % a, b"control character"),
                       (b"%s\0" % a, b"control character"), (b"%s\xe9" % a, b"not UTF-8")):
        done = client("audit", "-", data=text)
        assert done.returncode == 2 and word in done.stderr and not done.stdout


def test_no_report_holds_what_a_terminal_obeys(folder):
    """A certificate says who it is for, and a failure quotes that."""
    subject, terminal = "\x1b[31mevil\r\n\u009b1", re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\xff]")
    server = tls_server(folder, subject)
    (folder / "list.csv").write_text(f"https://127.0.0.1:{server.getsockname()[1]}/\n")
    for form in [], ["--csv"], ["--json"], ["--junit", "/dev/stdout"], ["--html", "/dev/stdout"]:
        done = client("audit", "--retry", "0", "--cacert", folder / "pem", *form, folder / "list.csv")
        out = done.stdout.decode("latin-1")
        assert done.returncode == 1 and "evil" in out and not terminal.search(out), out
        assert "evil\r" not in out
    server.close()


def make_certificate(key, certificate, *args):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    key, "-out", certificate, *args], check=True, capture_output=True)


def tls_server(folder, subject):
    make_certificate(folder / "key", folder / "pem", "-utf8", "-subj", f"/CN={subject}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pem", folder / "key")
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with contextlib.suppress(OSError):
                    context.wrap_socket(sock, server_side=True)

    threading.Thread(target=accept, daemon=True).start()
    return listener


@pytest.mark.parametrize("option", ["--junit", "--html"])
def test_a_report_that_cannot_be_written_is_told_before_anything_is_sent(says, folder, option):
    server = says({})
    for path in folder / "nowhere" / "report", folder:
        done = client("audit", option, path, "-", data=server.url("/").encode())
        assert done.returncode == 2 and done.stderr.startswith(b"detour audit: cannot write ") and not done.stdout
    assert not server.seen
    assert client("audit", option, folder / "report", "-", data=server.url("/").encode()).returncode == 0


def test_an_empty_list_is_as_expected():
    done = client("audit", "--json", "-", data=b"source,target\n")
    assert done.returncode == 0 and json.loads(done.stdout)["rows"] == []


def test_a_bar_on_a_terminal_alone(says, folder):
    server = says({"/a": lambda request, sock: sock.settimeout(0.5) or (sock.recv(0) and None) or slow(sock)})
    (folder / "list.csv").write_text(server.url("/a") + "\n")
    master, slave = pty.openpty()
    with open(folder / "out", "wb") as out:
        process = subprocess.Popen([BINARY, "audit", folder / "list.csv"], stdout=out, stderr=slave, env=environment())
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65536):
                shown += data
        except OSError:
            pass
        assert process.wait(FOREVER) == 0
    os.close(master)
    assert b"] 0 of 1, 0 with faults" in shown
    assert not client("audit", folder / "list.csv").stderr


def slow(sock):
    try:
        sock.recv(1)
    except TimeoutError:
        pass
    return ok()


@pytest.mark.parametrize("args", [[], ["a", "b"], ["--json", "--csv", "-"], ["--parallel", "0", "-"], ["--allow", "x", "-"],
                                  ["--no-private", "-x", "http://a", "-"], ["-u", "x", "-"], ["--mode", "x", "-"],
                                  ["--base", "nonsense", "-"], ["-b", "jar", "-"], ["--http1.1", "--http2", "-"]])
def test_wrong_usage(args):
    done = client("audit", *args, data=b"")
    assert done.returncode == 2 and done.stderr.startswith(b"detour audit: ") and not done.stdout


# A process that was forked from a large one is counted as large as that: so a small one starts it.
PEAK = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")


def test_memory_is_bounded(site, folder):
    """64 MiB for 10,000 lines of three hops: here 3,000."""
    if b"__asan_init" in BINARY.read_bytes():
        pytest.skip("the sanitizer's memory")
    (folder / "list.csv").write_text("".join(f"/two{i},/new{i},308\n" for i in range(3000)))
    done = subprocess.run([sys.executable, "-S", "-c", PEAK, BINARY, "audit", "--base", site.base, "--per-host", "200",
                           folder / "list.csv"], env=environment(), capture_output=True, timeout=FOREVER, check=True)
    assert int(done.stdout) * 1024 < 64 << 20
