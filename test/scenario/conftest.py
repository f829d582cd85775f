# SPDX-License-Identifier: MIT
"""Fixtures of the scenario tests: a network namespace for the run, servers for the tests."""

import shutil
import tempfile
from pathlib import Path

import pytest

pytest.register_assert_rewrite("detourlib")

import clientlib  # noqa: E402
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


def new_folder():
    """One that other users can look into too."""
    path = Path(tempfile.mkdtemp(prefix="detour-test-"))
    path.chmod(0o755)
    return path


@pytest.fixture
def folder():
    path = new_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def says():
    """says({path: bytes}) starts a server for commands that are clients; see clientlib."""
    yield from clientlib.servers(clientlib.Says)


@pytest.fixture
def detour():
    """detour(CONFIG, …) starts a server; at the end it must stop cleanly."""
    yield from servers()


@pytest.fixture(scope="module")
def shared_detour():
    """The same for servers that all tests of a file use."""
    yield from servers()


def servers():
    started = []

    def start(config, wait=True, **kwargs):
        server = Detour(config, new_folder(), **kwargs)
        started.append(server)
        server.start(wait)
        return server

    yield start
    problems = []
    for server in started:
        try:
            print(f"{server.folder}:\n{server.stderr()}")  # pytest shows it when the test failed
            server.stop()
        except AssertionError as e:
            problems.append(str(e))
            server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)
    assert not problems, "\n".join(problems)


@pytest.fixture
def target():
    t = Target()
    yield t
    t.close()
