# SPDX-License-Identifier: MIT
"""The wall clock is set while Detour serves: control notices at once and looks anew at
what is open. The tests set it by a nanosecond, and back."""

import ctypes
import os
import signal
import struct
import time

import pytest
from detourlib import SLACK, Probe, wait_until

CONFIG = """
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: any, path: "/*", to: "https://b.example/{+0}"}
detours:
  - {name: open, site: a, path: "/d/*", to: "https://d.example/{+0}", until: "$END", reason: a test}
"""
CLOCK_WAS_SET = "the clock was set"


def set_clock_by(nanoseconds):
    """adjtimex(2) with ADJ_SETOFFSET. False: not allowed."""
    adj_setoffset, adj_nano = 0x0100, 0x2000
    seconds, rest = divmod(nanoseconds, 10**9)
    timex = bytearray(208)
    struct.pack_into("I", timex, 0, adj_setoffset | adj_nano)
    struct.pack_into("qq", timex, 72, seconds, rest)
    room = ctypes.create_string_buffer(bytes(timex), len(timex))
    return ctypes.CDLL(None, use_errno=True).adjtimex(room) >= 0


@pytest.fixture
def settable_clock():
    if os.geteuid() != 0 or not set_clock_by(1):
        pytest.skip("may not set the clock")
    set_clock_by(-1)


def test_control_notices_that_the_clock_was_set(detour, settable_clock):
    server = detour(CONFIG, metrics=True, END="2099-01-01T00:00:00Z")
    time.sleep(0.2)
    assert server.metrics().sum("snapshot_generation") == 1
    with Probe(server, status=307) as probe:
        for i, step in enumerate([1, -1, 1, -1]):
            assert set_clock_by(step)
            wait_until(lambda: server.stderr().count(CLOCK_WAS_SET) == i + 1, 1 * SLACK)
            assert server.get("/d/x").location == "https://d.example/x"
    probe.assert_healthy()
    # Once for each time, and the alarm did not keep ringing; and it is the same snapshot.
    time.sleep(0.3)
    assert server.metrics().sum("snapshot_generation") == 1
    assert server.stderr().count(CLOCK_WAS_SET) == 4


def test_a_window_still_closes_in_time_after_the_clock_was_set(detour, settable_clock):
    end = time.time() + 3
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
    server = detour(CONFIG, END=stamp)
    assert server.get("/d/x").location == "https://d.example/x"
    assert set_clock_by(1) and set_clock_by(-1)
    wait_until(lambda: server.get("/d/x").location == "https://b.example/d/x", 3 + 1 * SLACK)
    assert int(end) <= time.time() < int(end) + 1 * SLACK


def test_the_clock_is_set_while_control_is_away(detour, settable_clock):
    server = detour(CONFIG, END="2099-01-01T00:00:00Z")
    control = server.control_pid()
    os.kill(control, signal.SIGSTOP)
    assert set_clock_by(1) and set_clock_by(-1) and set_clock_by(1) and set_clock_by(-1)
    os.kill(control, signal.SIGCONT)
    server.reload()
    wait_until(lambda: "generation 2 is in use by all workers" in server.stderr(), 1 * SLACK)
    assert set_clock_by(1) and set_clock_by(-1)
    wait_until(lambda: CLOCK_WAS_SET in server.stderr(), 1 * SLACK)
    assert server.get("/d/x").location == "https://d.example/x"
