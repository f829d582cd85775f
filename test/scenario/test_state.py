# SPDX-License-Identifier: MIT
"""The folder of what is changed at run time: who makes it, who may use it, and what is said
when it cannot be used."""

import os
import signal
import stat

import pytest
from detourlib import fill, free_port, run, wait_until

CONFIG = """
state: state
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
"""
ELSEWHERE = CONFIG.replace("state: state", "state: elsewhere")
NOWHERE = CONFIG.replace("state: state", "")


def start_fails(folder, config=CONFIG):
    """One line that says why; no file is changed by it."""
    state = folder / "state"
    before = {p.name: p.read_bytes() for p in state.iterdir()} if state.is_dir() else {}
    (folder / "detour.yaml").write_text(f'listen: ["http://127.0.0.1:{free_port()}"]\n' + fill(config))
    done = run("serve", "-c", str(folder / "detour.yaml"), cwd="/")
    assert done.returncode == 2, done.stderr
    after = {p.name: p.read_bytes() for p in state.iterdir()} if state.is_dir() else {}
    assert after == before
    assert str(folder) in done.stderr
    return done.stderr


def test_the_folder_is_made_beside_the_file(detour):
    server = detour(CONFIG)
    state = server.folder / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "store.mdb").stat().st_mode) == 0o600
    assert server.get("/x").status == 307


def test_nothing_is_made_without_state(detour):
    server = detour(NOWHERE)
    assert not list(server.folder.rglob("store.mdb*"))


def test_workers_know_nothing_of_it(detour):
    server = detour(CONFIG)
    for pid in server.worker_pids():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            assert "state" not in os.readlink(f"/proc/{pid}/fd/{fd}")


def test_a_killed_control_does_not_block_its_successor(detour):
    server = detour(CONFIG)
    for _ in range(5):
        server.kill_one("_control")
    store = str(server.folder / "state" / "store.mdb")

    def has_it():
        pid = server.control_pid()
        fds = f"/proc/{pid}/fd"
        return any(os.readlink(f"{fds}/{fd}") == store for fd in os.listdir(fds))

    wait_until(has_it, what="a control that has the store")
    assert "cannot" not in server.stderr()
    assert server.get("/x").status == 307


def test_two_cannot_share_it(detour, folder):
    server = detour(CONFIG)
    config = CONFIG.replace("state: state", f"state: {server.folder}/state")
    (folder / "detour.yaml").write_text(f'listen: ["http://127.0.0.1:{free_port()}"]\n' + config)
    done = run("serve", "-c", str(folder / "detour.yaml"))
    assert done.returncode == 2
    assert "in use by another process" in done.stderr
    assert server.get("/x").status == 307


@pytest.mark.parametrize("config", [ELSEWHERE, NOWHERE])
def test_another_folder_takes_a_restart(detour, config):
    server = detour(CONFIG)
    server.write(config)
    server.signal(signal.SIGHUP)
    wait_until(lambda: "restart it" in server.stderr(), what="a word about it")
    assert "nothing was changed" in server.stderr()
    assert not (server.folder / "elsewhere").exists()
    assert server.get("/x").status == 307
    server.write(CONFIG)
    server.signal(signal.SIGHUP)
    wait_until(lambda: "generation 2" in server.stderr(), what="a reload")


@pytest.mark.parametrize("damage", [b"", b"no store", bytes(8192), "cut", "flipped"])
def test_a_damaged_store_is_left_alone(folder, detour, damage):
    server = detour(CONFIG)
    server.stop()
    good = (server.folder / "state" / "store.mdb").read_bytes()
    if damage == "cut":
        damage = good[:8192]
    elif damage == "flipped":
        damage = good[:16] + b"\xff" + good[17:]
    (folder / "state").mkdir(mode=0o700)
    (folder / "state" / "store.mdb").write_bytes(damage)
    said = start_fails(folder)
    assert "damaged" in said and "move it away" in said and "store.mdb" in said


def test_a_folder_that_cannot_be_made(folder):
    said = start_fails(folder, CONFIG.replace("state: state", "state: none/state"))
    assert "No such file or directory" in said
    (folder / "file").write_text("x")
    said = start_fails(folder, CONFIG.replace("state: state", "state: file"))
    assert "must name a folder" in said


def test_check_opens_no_store(folder):
    (folder / "detour.yaml").write_text(CONFIG)
    assert run("check", "-c", str(folder / "detour.yaml")).returncode == 0
    assert not (folder / "state").exists()
