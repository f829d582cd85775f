# SPDX-License-Identifier: MIT
"""slowhttptest, a public tool that holds connections open by saying little: slow heads, slow
bodies, ranges, slow reading. A thousand at once change nothing for the others."""

import re
import subprocess

import pytest
from detourlib import FOREVER, Probe, free_port, wait_until
from test_hostile import many_descriptors
from uploadlib import make_certificate

COUNT, TIME_S = 1000, 4
CONFIG = """
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
tls: {certificates: [{cert: $FILES/cert.pem, key: $FILES/key.pem}]}
limits: {header_timeout: 1s, idle_timeout: 1s, write_timeout: 1s, lingering: {bytes: 1MiB, time: 2s, idle: 1s}}
sites:
  - name: a
    hosts: [a.example, 127.0.0.1]
    routes:
      - {name: long, path: /long, respond: {status: 410, body: "$LONG"}}
      - {name: rest, path: "/r/*", to: "https://b.example/{+0}"}
"""


@pytest.fixture(scope="module")
def server(shared_detour, tmp_path_factory):
    many_descriptors(COUNT + 500)
    files = tmp_path_factory.mktemp("tls")
    make_certificate(files)
    return shared_detour(CONFIG, metrics=True, SECURE=free_port(), FILES=files, LONG="0123456789" * 400)


MODES = {
    "slow heads": ["-H", "-i", "1", "-x", "20"],
    "slow bodies": ["-B", "-i", "1", "-x", "20", "-s", "8192"],
    "ranges": ["-R", "-a", "5", "-b", "2000"],
    "slow reading": ["-X", "-n", "1", "-w", "10", "-y", "20", "-z", "5", "-k", "3"],
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("mode", MODES)
def test_slowhttptest(server, scheme, mode):
    port = server.port if scheme == "http" else server.values["SECURE"]
    path = "/long" if mode == "slow reading" else "/r/x"
    accepted = server.metrics().sum("connections_accepted")
    with Probe(server, "/r/probe", status=307) as probe:
        done = subprocess.run(
            ["slowhttptest", *MODES[mode], "-c", str(COUNT), "-r", "500", "-l", str(TIME_S), "-p", "3", "-v", "1",
             "-u", f"{scheme}://127.0.0.1:{port}{path}"],
            capture_output=True, text=True, timeout=FOREVER, check=False)
    probe.assert_healthy()
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    came = server.metrics().sum("connections_accepted") - accepted - len(probe.results)
    assert came >= COUNT / 10, said  # the tool may be slow itself
    assert re.findall(r"service available: +(\w+)", said)[-1:] == ["YES"], said
    wait_until(lambda: server.metrics().sum("connections_active") < 50, what="the end of them all")
