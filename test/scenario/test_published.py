# SPDX-License-Identifier: MIT
"""A snapshot is published only when it says something new, and many ramps cost no more of them
than one."""

import os
import time

import pytest
from adminapi import CONFIG, Admin, later
from detourlib import wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs unix sockets")


@pytest.fixture
def admin(detour):
    one = Admin(detour(CONFIG))
    yield one
    one.close()


def generation(admin):
    return admin.good("GET", "/v1/status").json["generation"]


def test_what_changes_nothing_publishes_nothing(admin):
    said = {**admin.detour(), "from": "2026-01-01T00:00:00Z"}
    made = admin.on("d", said)
    before = generation(admin)
    again = admin.on("d", said, tag=made.etag, why="to be sure")
    assert again.status == 200 and again.etag != made.etag
    assert generation(admin) == before and admin.where() == "live.example/"
    assert [one["why"] for one in admin.changes()][0] == "to be sure"
    time.sleep(1.2)  # a sign of life is given, the clock ticks
    assert generation(admin) == before
    changed = admin.on("d", {**said, "to": "https://other.example/"}, tag=again.etag)
    assert changed.status == 200
    assert generation(admin) == before + 1 and admin.where() == "other.example/"


def test_many_ramps_wait_for_each_other(admin):
    """Each of 20 makes a step every 200 ms, at its own time: 100 in a second, of which four are
    seen."""
    for i in range(20):
        admin.on(f"d{i}", {**admin.detour(f"/ramp{i}"), "from": later(-2 - i * 0.011), "until": "off", "ramp": "20s"})
    begin, before = time.monotonic(), generation(admin)
    wait_until(lambda: time.monotonic() - begin > 1.5)
    lasted = time.monotonic() - begin
    published = generation(admin) - before
    assert 1 <= published <= (lasted + 0.5) * 4 + 1
