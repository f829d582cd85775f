# SPDX-License-Identifier: MIT
"""The nearest server: by a database of places that is read, replaced and broken; whom a server
serves; and clients that stay with theirs."""

import json
import os
from collections import Counter

import pytest
from detourlib import FOREVER, run, wait_until
from mmdblib import flat, place, write
from originlib import Nginx

PLACES = {
    "10.1.0.0/16": place(52.5, 13.4, "DE", "EU"),
    "10.2.0.0/16": place(40.7, -74.0, "US", "NA"),
    "10.3.0.0/16": flat(35.7, 139.7, "JP"),
    "10.4.0.0/16": {"country": {"iso_code": "FR"}, "continent": {"code": "EU"}},
    "2001:db8:1::/48": place(52.5, 13.4, "DE", "EU"),
    "2001:db8:2::/64": place(40.7, -74.0, "US", "NA"),
    "2001:db8:3::/80": place(35.7, 139.7, "JP", "AS"),
}
NEAR = """
geo: {file: $PLACES}
trusted_proxies: [127.0.0.0/8]
forwarded_header: X-Forwarded-For
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {path: "/**", pool: near}
pools:
  near:
    balance: nearest
    health: off
    servers:
      - {name: berlin, url: "https://berlin.example", at: [52.52, 13.405]}
      - {name: york, url: "https://york.example", at: [40.71, -74.01], exclude: {continents: [EU]}}
      - {name: tokyo, url: "https://10.3.9.9"}
"""


@pytest.fixture(scope="module")
def server(shared_detour, tmp_path_factory):
    file = tmp_path_factory.mktemp("places") / "places.mmdb"
    write(file, PLACES)
    return shared_detour(NEAR, PLACES=file)


def chosen(server, client):
    return server.get("/x", {"X-Forwarded-For": client}).location.split("/")[2]


NEAREST = [
    ("10.1.2.3", "berlin.example"),
    ("10.2.0.0", "york.example"),
    ("10.2.255.255", "york.example"),
    ("10.3.1.1", "10.3.9.9"),
    ("2001:db8:1::1", "berlin.example"),
    ("2001:db8:2::ffff:1", "york.example"),
    ("2001:db8:3::1", "10.3.9.9"),
]


@pytest.mark.parametrize("client, host", NEAREST)
def test_the_nearest(server, client, host):
    assert {chosen(server, client) for _ in range(4)} == {host}


@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db9::1"])
def test_an_unknown_address_goes_by_weight(server, client):
    assert set(Counter(chosen(server, client) for _ in range(12))) == {"berlin.example", "york.example", "10.3.9.9"}


def test_a_country_without_a_place_goes_by_weight_where_it_is_served(server):
    assert set(Counter(chosen(server, "10.4.0.1") for _ in range(12))) == {"berlin.example", "10.3.9.9"}


def test_a_broken_database_leaves_the_old_one_in_use(detour, folder):
    file = folder / "places.mmdb"
    write(file, PLACES)
    server = detour(NEAR, PLACES=file)
    for broken in (b"", b"nothing of the kind", file.read_bytes()[:-40], file.read_bytes()[200:]):
        new = folder / "new.mmdb"
        new.write_bytes(broken)
        os.replace(new, file)
        before = server.stderr()
        server.reload()
        wait_until(lambda: "nothing was changed" in server.stderr()[len(before):], FOREVER)
        assert "places.mmdb cannot be used" in server.stderr()[len(before):]
        assert chosen(server, "10.2.0.1") == "york.example"
    moved = dict(PLACES, **{"10.2.0.0/16": PLACES["10.1.0.0/16"]})
    write(folder / "new.mmdb", moved)
    os.replace(folder / "new.mmdb", file)
    server.reload()
    wait_until(lambda: chosen(server, "10.2.0.1") == "berlin.example", FOREVER)


TWO = NEAR.replace("$PLACES", "[$V4, $V6]").replace("10.3.9.9", "[2001:db8:3::9]")


def test_a_file_for_each_family(detour, folder):
    v4, v6 = folder / "v4.mmdb", folder / "v6.mmdb"
    write(v4, {n: data for n, data in PLACES.items() if ":" not in n})
    write(v6, {n: data for n, data in PLACES.items() if ":" in n})
    server = detour(TWO, V4=v4, V6=v6)
    for client, host in NEAREST:
        assert chosen(server, client) == host.replace("10.3.9.9", "[2001:db8:3::9]"), client
    text = server.file.read_text()
    for files, error in [(f"[{v4}, {v6}, {v4}]", "take it away"), (f"[{v4}, {folder}/no.mmdb]", "No such file"),
                         (f"[{server.file}, {v6}]", "it is not an MMDB file"), ("[]", "must be 1 to 4 MMDB files")]:
        server.file.write_text(text.replace(f"[{v4}, {v6}]", files))
        done = run("check", "-c", str(server.file))
        assert done.returncode == 1 and error in done.stderr and ":4:" in done.stderr, done.stderr
    # One of them moves, and the other family stays.
    server.file.write_text(text)
    write(folder / "new.mmdb", {"2001:db8:1::/48": place(40.7, -74.0, "US", "NA")})
    os.replace(folder / "new.mmdb", v6)
    server.reload()
    wait_until(lambda: chosen(server, "2001:db8:1::1") == "york.example", FOREVER)
    assert chosen(server, "10.1.2.3") == "berlin.example"


def test_explain_of_the_server_that_runs(detour, folder):
    file = folder / "places.mmdb"
    write(file, PLACES)
    server = detour(NEAR + 'admin: {listen: "unix:$DIR/admin.sock"}\n', PLACES=file)
    ask = ("explain", "--live", "-c", str(server.file), "--from", "10.3.0.1", "http://a.example/x")
    done = run(*ask)
    assert "10.3.9.9" in done.stdout and "another one is nearer" in done.stdout and not done.stderr, done
    file.unlink()
    done = run(*ask)
    assert done.returncode == 0 and "No such file or directory; so nobody knows here" in done.stderr, done


@pytest.mark.parametrize("broken", [None, b"nothing of the kind"])
def test_control_dies_while_the_database_is_broken(detour, folder, broken):
    """Clients go on being placed, and servers where `at` says so."""
    file = folder / "places.mmdb"
    write(file, PLACES)
    server = detour(NEAR + 'admin: {listen: "unix:$DIR/admin.sock"}\n', PLACES=file)
    if broken is None:
        file.unlink()
    else:
        file.write_bytes(broken)
    server.kill_one("_control")
    wait_until(lambda: "clients of before go on being placed" in server.stderr(), FOREVER)
    wait_until(lambda: run("pools", "-c", server.file).returncode == 0, FOREVER)
    assert [chosen(server, client) for client in ("10.1.2.3", "10.2.0.1", "2001:db8:2::1")] == [
        "berlin.example", "york.example", "york.example"]
    write(folder / "new.mmdb", PLACES)
    os.replace(folder / "new.mmdb", file)
    server.reload()
    wait_until(lambda: chosen(server, "10.3.1.1") == "10.3.9.9", FOREVER)


def test_check_and_explain(server):
    done = run("check", "-c", str(server.file))
    assert done.returncode == 0, done.stderr
    done = run("explain", "-c", str(server.file), "--json", "--from", "10.1.0.1", "http://a.example/x")
    rows = {row["server"]: row for row in json.loads(done.stdout)["servers"]}
    assert rows["near/berlin"]["chosen"] and rows["near/berlin"]["km"] < 10
    assert rows["near/york"]["reason"] == "it does not serve where the client is"
    assert rows["near/tokyo"]["reason"] == "another one is nearer" and 8000 < rows["near/tokyo"]["km"] < 10000
    lost = server.folder / "lost.yaml"
    lost.write_text(server.file.read_text().replace("places.mmdb", "lost.mmdb"))
    done = run("check", "-c", str(lost))
    assert done.returncode == 1 and "lost.mmdb cannot be used: No such file or directory" in done.stderr
    assert f"lost.yaml:4:13: error:" in done.stderr


LEVELS = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {path: "/**", pool: levels}
pools:
  levels:
    min_healthy: 2
    sticky: {cookie: mirror}
    health: {path: /, interval: 200ms, timeout: 200ms, fall: 1, rise: 1}
    fallback: {status: 503, retry_after: 7s}
    servers:
      - {name: a, url: "http://127.0.0.1:$A"}
      - {name: b, url: "http://127.0.0.1:$B"}
      - {name: c, url: "http://127.0.0.1:$C", priority: 2}
"""


def test_real_servers_go_one_after_the_other(detour, folder):
    origins = {name: Nginx(folder / name) for name in "abc"}
    try:
        for origin in origins.values():
            (origin.www / "index.html").write_text("here")
        server = detour(LEVELS, **{name.upper(): origin.port for name, origin in origins.items()})
        ports = {str(origin.port): name for name, origin in origins.items()}

        def ask(count=6, headers=None):
            got = [server.get("/x", headers or {}) for _ in range(count)]
            return {ports[r.location.split("/")[2].split(":")[1]] if r.location else r.status for r in got}

        wait_until(lambda: ask() == {"a", "b"}, FOREVER)
        first = server.get("/x")
        held = {"Cookie": first["Set-Cookie"].split(";")[0]}
        mine = ports[first.location.split("/")[2].split(":")[1]]
        other = "b" if mine == "a" else "a"
        assert ask(headers=held) == {mine}
        origins[mine].close()
        wait_until(lambda: ask() == {other, "c"}, FOREVER)
        assert mine not in ask(headers=held)
        origins[other].close()
        wait_until(lambda: ask() == {"c"}, FOREVER)
        origins["c"].close()
        wait_until(lambda: ask() == {503}, FOREVER)
        wait_until(lambda: "its `fallback` answers" in server.stderr(), FOREVER)
        assert server.stderr().count("its `fallback` answers") == 1
    finally:
        for origin in origins.values():
            origin.close()

