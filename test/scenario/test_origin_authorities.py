# SPDX-License-Identifier: MIT
"""Whom an origin's certificate may come from: a file that the configuration names, or the system's;
read by control, kept over its restart, and read again with the file."""

import json
import ssl

import pytest
from detourlib import Target, run, wait_until
from test_tls import make

CONFIG = """
origins: {app: {url: "https://127.0.0.1:$FAR", name: app.internal, $MORE}}
sites:
  - {name: a, hosts: [a.example], default: {origin: app}}
"""


@pytest.fixture
def secret(folder):
    make(folder, "app", ["app.internal"])
    make(folder, "other", ["other.internal"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "app.pem", folder / "app.key")
    target = Target()
    target.server.socket = context.wrap_socket(target.server.socket, server_side=True)
    yield target
    target.close()


def test_authorities_of_a_file(detour, folder, secret):
    server = detour(CONFIG, FAR=secret.port, MORE=f"ca: {folder}/app.pem")
    assert json.loads(server.get("/x").body) == ["GET", "/x", 0]
    # The file is gone: what was read with the configuration counts, also for another control.
    (folder / "app.pem").rename(folder / "gone.pem")
    server.kill_one("_control")
    wait_until(lambda: "going on from the last good configuration" in server.stderr(), what="another control")
    assert server.get("/x").status == 200
    server.reload()
    wait_until(lambda: "cannot read" in server.stderr(), what="the refusal")
    assert server.get("/x").status == 200
    # Another authority takes its place.
    (folder / "app.pem").write_bytes((folder / "other.pem").read_bytes())
    server.reload()
    wait_until(lambda: server.get("/x").status == 502, what="a stranger")


def test_nobody_else_is_believed(detour, folder, secret):
    # Control may read folders that the first file names.
    config = CONFIG.replace("origins: {", f'origins: {{spare: {{url: "https://192.0.2.1", ca: {folder}/app.pem}}, ')
    server = detour(config, FAR=secret.port, MORE="keep_alive: off")
    assert server.get("/x").status == 502  # the system's authorities do not know it
    server.values["MORE"] = "verify: false"
    server.reload(config)
    wait_until(lambda: server.get("/x").status == 200, what="any certificate")
    server.values["MORE"] = f"ca: {folder}/other.pem"
    server.reload(config)
    wait_until(lambda: server.get("/x").status == 502, what="another authority")
    server.values["MORE"] = f"ca: {folder}/app.pem"
    server.reload(config.replace("app.internal", "else.internal"))
    wait_until(lambda: "generation 4 is in use" in server.stderr(), what="another name")
    assert server.get("/x").status == 502


def test_check_reads_it(folder, secret):
    file = folder / "detour.yaml"
    (folder / "empty.pem").write_text("nothing\n")
    for more, said in (("ca: app.pem", None), ("ca: none.pem", "none.pem: No such file"),
                       ("ca: empty.pem", "holds no certificate in PEM")):
        file.write_text(CONFIG.replace("$FAR", str(secret.port)).replace("$MORE", more))
        done = run("check", "-c", file)
        assert done.returncode == (1 if said else 0), done.stderr
        assert not said or f"detour.yaml:2:{CONFIG.splitlines()[1].index('$MORE') + 4 + len(str(secret.port)) - 3}" in done.stderr
        assert not said or said in done.stderr
