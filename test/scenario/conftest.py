# SPDX-License-Identifier: MIT
"""Fixtures of the scenario tests: a network namespace for the run, servers for the tests."""

import shutil
import tempfile
from pathlib import Path

import pytest

pytest.register_assert_rewrite("detourlib")

import detourlib  # noqa: E402: its asserts are rewritten only when that was asked for before
from detourlib import BINARY, Detour, Target  # noqa: E402

OWN_NETWORK = False


def pytest_configure(config):
    global OWN_NETWORK
    config.addinivalue_line("markers", "slow: takes more than some seconds; see make test-slow")
    OWN_NETWORK = detourlib.enter_network_namespace()


def pytest_report_header(config):
    return f"detour: {BINARY}; own network namespace: {OWN_NETWORK}"


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there; build it or set DETOUR_BIN", returncode=2)


@pytest.fixture
def own_network():
    """For tests that count what the whole machine sends."""
    if not OWN_NETWORK:
        pytest.skip("needs a network namespace of its own")


@pytest.fixture
def folder():
    """A folder that other users can look into too."""
    path = Path(tempfile.mkdtemp(prefix="detour-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def detour():
    """detour(CONFIG, …) starts a server; at the end it must stop cleanly."""
    yield from servers()


@pytest.fixture(scope="module")
def shared_detour():
    """The same for servers that all tests of a file use."""
    yield from servers()


def servers():
    started, folders = [], []

    def start(config, **kwargs):
        path = Path(tempfile.mkdtemp(prefix="detour-test-"))
        path.chmod(0o755)
        folders.append(path)
        server = Detour.__new__(Detour)
        started.append(server)
        server.__init__(config, path, **kwargs)
        return server

    yield start
    problems = []
    for server in started:
        if getattr(server, "process", None) is None:
            continue
        try:
            print(f"{server.folder}:\n{server.stderr()}")  # pytest shows it when the test failed
            server.stop()
        except AssertionError as e:
            problems.append(str(e))
            server.kill()
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    assert not problems, "\n".join(problems)


@pytest.fixture
def target():
    t = Target()
    yield t
    t.close()
