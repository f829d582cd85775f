# SPDX-License-Identifier: MIT
"""What each process gave up, as the kernel shows it, and that everything works without it:
under `kill`, whoever starts Detour, wherever its files are."""

import ctypes
import os
import pwd
import signal
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path

import pytest
from detourlib import SANDBOX, SLACK, Target, alive, free_port, run, wait_until
from test_processes import as_nobody  # noqa: F401: a fixture
from test_tls import ask, client_context, connect, make

CONFIG = """
sites:
  - {name: a, hosts: [a.example], default: {to: "https://b.example{+path}"}}
"""
NOBODY = 65534
CAPABILITIES_OF_CONTROL = 0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
confined = pytest.mark.skipif(SANDBOX == "off", reason="the sanitizers need more than the sandbox leaves")


def status(pid, task=None):
    path = f"/proc/{pid}/task/{task}/status" if task else f"/proc/{pid}/status"
    lines = (line.split(":", 1) for line in Path(path).read_text().splitlines())
    return {name: value.split() for name, value in lines}


def user_of(pid):
    uids = set(status(pid)["Uid"])
    assert len(uids) == 1, f"a way back: {uids}"
    return int(uids.pop())


def capabilities(pid):
    """All that it has or could get back."""
    shown = status(pid)
    return {int(shown[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} - {0}


def settled(server):
    """Everybody has entered the sandbox: the logger may be later than the first answer, and so may
    be whoever comes in the place of one that died."""

    def roles():
        found = {role: server.role_pids("_" + role) for role in ("worker", "logger", "control")}
        return found if all(status(pid)["Seccomp"] == ["2"] for pid in sum(found.values(), [])) else None

    wait_until(lambda: len(server.worker_pids()) == server.workers)
    return wait_until(roles, what="the sandbox of all")


def assert_confined(pids):
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            shown = status(pid, task)
            assert shown["NoNewPrivs"] == ["1"], pid
            assert shown["Seccomp"] == ["2"], pid


# --- Who they are -------------------------------------------------------------------------


@as_root
@confined
@pytest.mark.parametrize("user", [None, "www-data", "1234"])
def test_root_is_given_up(detour, user):
    server = detour(CONFIG, log=True, options=["--user", user] if user else [],
                    prepare=lambda: os.setgroups([4, 24]))
    uid = NOBODY if user is None else int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    roles = settled(server)
    assert_confined(sum(roles.values(), []))
    for pid in roles["worker"] + roles["logger"]:
        assert user_of(pid) == uid
        assert status(pid)["Groups"] == []
        assert capabilities(pid) == set()
    assert user_of(roles["control"][0]) == 0
    assert capabilities(roles["control"][0]) == {CAPABILITIES_OF_CONTROL}
    assert user_of(server.pid) == 0  # it binds, and starts others as somebody else
    # Whoever comes in the place of one that died is no other.
    for role in ("_worker", "_logger", "_control"):
        server.kill_one(role)
    wait_until(server.answers, what="an answer")
    roles = settled(server)
    assert {user_of(pid) for pid in roles["worker"] + roles["logger"]} == {uid}
    assert_confined(sum(roles.values(), []))
    server.stop()


@as_root
@confined
def test_root_who_stays_root_has_no_power(detour):
    server = detour(CONFIG, options=["--user", "root"])
    for pid in settled(server)["worker"]:
        assert user_of(pid) == 0
        assert capabilities(pid) == set()


@as_root
@confined
def test_an_ordinary_user(detour, folder, as_nobody):  # noqa: F811
    folder.chmod(0o777)
    server = detour(CONFIG, log=folder / "access.log", **as_nobody)
    roles = settled(server)
    for pid in sum(roles.values(), []):
        assert user_of(pid) == NOBODY
        assert capabilities(pid) == set()
    assert_confined(sum(roles.values(), []))
    assert server.get("/x").status == 307
    assert len(server.wait_log(1)) == 1


PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_SET_KEEPCAPS = 47, 2, 8
CAP_NET_BIND_SERVICE = 10


def become_nobody_who_may_bind():
    """As a service manager with AmbientCapabilities does."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    header = struct.pack("=Ii", 0x20080522, 0)
    word = 1 << CAP_NET_BIND_SERVICE
    assert libc.capset(header, struct.pack("=6I", word, word, word, 0, 0, 0)) == 0
    assert libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0


@as_root
@confined
def test_an_ordinary_user_who_may_bind(detour, as_nobody):  # noqa: F811
    """Only the supervisor binds: the others have no use of it."""
    server = detour('listen: ["http://127.0.0.1:80", "http://127.0.0.1:$PORT"]' + CONFIG,
                    program=as_nobody["program"], prepare=become_nobody_who_may_bind)
    assert capabilities(server.pid) == {1 << CAP_NET_BIND_SERVICE}
    for pid in sum(settled(server).values(), []):
        assert capabilities(pid) in (set(), None), pid
    server.reload('listen: ["http://127.0.0.1:81", "http://127.0.0.1:$PORT"]' + CONFIG)
    wait_until(lambda: "generation 2 is in use" in server.stderr(), what="a new port below 1024")


CLONE_NEWUSER = 0x10000000


def new_user_namespace():
    """One that has root and nobody else."""
    uid, gid = os.geteuid(), os.getegid()
    assert ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) == 0
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def may_make_user_namespaces():
    pid = os.fork()
    if pid == 0:
        try:
            new_user_namespace()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


@pytest.fixture
def user_namespace():
    if not may_make_user_namespaces():
        pytest.skip("may not make user namespaces")
    return new_user_namespace


@confined
def test_root_of_a_user_namespace(detour, user_namespace):
    server = detour(CONFIG, log=True, prepare=user_namespace)
    assert "root may not become nobody here" in server.stderr()
    roles = settled(server)
    assert_confined(sum(roles.values(), []))
    for pid in roles["worker"] + roles["logger"]:
        assert capabilities(pid) == set()
    server.reload()
    wait_until(lambda: "generation 2 is in use" in server.stderr(), what="the reload")


@confined
def test_a_user_who_is_not_in_the_namespace(folder, user_namespace):
    file = folder / "detour.yaml"
    file.write_text(CONFIG)
    done = run("serve", "--user", "nobody", "-c", file, prepare=user_namespace)
    assert done.returncode == 2
    assert "root may not become that user here" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("options, said", [
    (["--sandbox", "perhaps"], "the sandbox is off, deny or kill"),
    (["--user", "no-such-user"], "there is no such user"),
])
def test_words_that_are_none(folder, options, said):
    (folder / "detour.yaml").write_text(CONFIG)
    done = run("serve", *options, "-c", folder / "detour.yaml")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@as_root
def test_only_root_becomes_somebody_else(folder, as_nobody):  # noqa: F811
    (folder / "detour.yaml").write_text(CONFIG)
    done = run("serve", "--user", "www-data", "-c", folder / "detour.yaml", **as_nobody)
    assert (done.returncode, "only root can become another user" in done.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [["_worker"], ["_worker", "deny:0:0"], ["_logger", "deny:0:0"],
                                       ["_control", "deny:0:0", "/x"], ["_control", "x:y", "/x"]])
def test_a_childs_command_by_hand(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "is for detour serve" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("mode", ["off", "deny"])
def test_the_other_modes(detour, mode):
    if SANDBOX == "off" and mode != "off":
        pytest.skip("the sanitizers need more than the sandbox leaves")
    server = detour(CONFIG, log=True, metrics=True, options=["--sandbox", mode])
    assert server.get("/x").status == 307
    assert len(server.wait_log(1)) == 1
    want = {"off": ["0"], "deny": ["2"]}[mode]
    for pid in server.worker_pids() + [server.logger_pid()]:
        assert status(pid)["Seccomp"] == want
    assert "going on without" not in server.stderr()


@as_root
def test_a_user_without_a_sandbox(detour):
    server = detour(CONFIG, options=["--sandbox", "off", "--user", "www-data"])
    for pid in server.worker_pids():  # one may still be about to become it
        wait_until(lambda pid=pid: user_of(pid) == pwd.getpwnam("www-data").pw_uid, what="another user")


# --- A kernel that knows less ---------------------------------------------------------------

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
LANDLOCK_CREATE_RULESET, SECCOMP, PRCTL = 444, 317, 157
ENOSYS, EINVAL = 38, 22


def become_old():
    """A filter around all of Detour answers for the kernel (see seccomp(2))."""
    load, equal, give, error, allow = 0x20, 0x15, 0x06, 0x50000, 0x7FFF0000
    code = [
        (load, 0, 0, 0),
        (equal, 0, 1, LANDLOCK_CREATE_RULESET),
        (give, 0, 0, error | ENOSYS),
        (equal, 3, 0, SECCOMP),
        (equal, 0, 3, PRCTL),
        (load, 0, 0, 16),
        (equal, 0, 1, PR_SET_SECCOMP),
        (give, 0, 0, error | EINVAL),
        (give, 0, 0, allow),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *c) for c in code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    what = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(program)))
    assert libc.prctl(PR_SET_SECCOMP, 2, what, 0, 0) == 0


@confined
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are this machine's")
def test_an_old_kernel_costs_warnings(detour):
    server = detour(CONFIG, log=True, prepare=become_old)
    for role in ("worker", "logger", "control"):
        for layer in ("Landlock", "seccomp"):
            warning = f"{role}: warning: this kernel has no {layer} for us"
            wait_until(lambda: warning in server.stderr(), what=warning)  # noqa: B023
    if os.geteuid() == 0:
        wait_until(lambda: {user_of(pid) for pid in server.worker_pids()} == {NOBODY}, what="the other worker")
    assert server.get("/x").status == 307


# --- Everything works ------------------------------------------------------------------------

CONFIG_ALL = """
listen:
  - "http://127.0.0.1:$PORT"
  - "https://127.0.0.1:$SECURE"
  - {address: "http://127.0.0.1:$PROXIED", proxy_protocol: true}
trusted_proxies: [127.0.0.1]
forwarded_header: X-Forwarded-For
tls: {certificates: [{cert: $FILES/a.pem, key: $FILES/a.key}]}
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {name: some, path: '/:number(\\d+)x', to: "https://b.example/{+path}"}
      - {name: pool, path_prefix: /pool, pool: probed}
    default: {to: "https://b.example{+path}"}
pools:
  probed:
    servers:
      - {name: clear, url: "http://localhost:$CLEAR"}
      - {name: secret, url: "https://localhost:$SECRET"}
      - {name: none, url: "http://no-such-name.invalid:$CLEAR"}
    health: {path: /, interval: 1s, timeout: 900ms, fall: 1, rise: 1}
detours:
  - {name: soon, site: a, path: "/d/*", to: "https://d.example/{+0}", until: "$END", reason: a test}
"""


@pytest.fixture
def secret_target(folder):
    """A server behind a certificate that nobody trusts."""
    make(folder, "t", ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "t.pem", folder / "t.key")
    target = Target()
    target.server.socket = context.wrap_socket(target.server.socket, server_side=True)
    yield target
    target.close()


def h2(port):
    done = subprocess.run(["nghttp", "-nv", "-t", "10", "-H:authority: a.example", f"http://127.0.0.1:{port}/h2"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=30)
    return b":status: 307" in done.stdout


def test_everything_works(detour, folder, target, secret_target):
    make(folder, "a", ["a.example"])
    end = time.time() + 4
    server = detour(CONFIG_ALL, log=True, metrics=True, FILES=folder, SECURE=free_port(), PROXIED=free_port(),
                    CLEAR=target.port, SECRET=secret_target.port,
                    END=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)))

    def ask_all():
        assert server.get("/x").status == 307
        assert server.post("/x", body=b"x" * 100000).status == 307
        assert h2(server.port)
        for alpn in ("http/1.1", "h2"):
            with connect(server, context=client_context(alpn=(alpn,))) as c:
                assert c.selected_alpn_protocol() == alpn
                if alpn == "http/1.1":
                    assert b" 307 " in ask(c)
        with socket.create_connection(("127.0.0.1", server.values["PROXIED"])) as c:
            c.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
                      b"GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
            assert c.recv(4096).startswith(b"HTTP/1.1 307 ")

    ask_all()
    # Probes by name, in clear and over TLS, and of a name that does not exist.
    for what in ("probed/secret is down", "probed/none is down"):
        wait_until(lambda: what in server.stderr(), what=what)
    assert "SSL certificate problem" in server.stderr()
    assert "could not be looked up" in server.stderr()
    assert "probed/clear is down" not in server.stderr()
    assert server.get("/pool/x").location.startswith(f"http://localhost:{target.port}/")
    # The logs are rotated, and what control reads is read again.
    server.log_path.rename(folder / "old.log")
    before = server.stderr().count("is in use by all workers")
    server.reload()
    wait_until(lambda: server.stderr().count("is in use by all workers") > before, what="the reload")
    wait_until(server.log_path.exists, what="a new log")
    server.get("/rotated")
    wait_until(lambda: any(x.get("path") == "/rotated" for x in server.log_lines()), what="a line in the new log")
    assert server.log_path.stat().st_uid == os.geteuid()
    # The window closes, processes die.
    wait_until(lambda: server.get("/d/x").location == "https://b.example/d/x", 4 + SLACK, "the end of the window")
    for role in ("_worker", "_control", "_logger"):
        server.kill_one(role)
        wait_until(server.answers, what="an answer")
    ask_all()
    assert server.metrics().sum("restarts") == 3
    server.get("/late")
    server.stop()
    assert any(x.get("path") == "/late" for x in server.log_lines())


# --- Where the files are ------------------------------------------------------------------------


def write_version(root, number, target):
    """A ConfigMap as Kubernetes mounts it: the file is a link, through a link that is switched."""
    version = root / f"..v{number}"
    version.mkdir()
    (version / "detour.yaml").write_text(target)
    (root / "..data.new").symlink_to(version.name)
    os.replace(root / "..data.new", root / "..data")


def test_a_configuration_behind_links(detour, folder):
    port = free_port()
    config = f'listen: ["http://127.0.0.1:{port}"]\nworkers: 2\n' + CONFIG
    mount = folder / "mount"
    mount.mkdir()
    write_version(mount, 1, config)
    (mount / "detour.yaml").symlink_to("..data/detour.yaml")
    server = detour(config, wait=False, path=mount / "detour.yaml")
    server.port = port
    server.wait_ready()
    write_version(mount, 2, config.replace("b.example", "c.example"))
    server.reload()
    wait_until(lambda: server.get("/x").location == "https://c.example/x", what="the new version")


def test_files_in_other_folders(detour, folder):
    """Relative to where the configuration stands, through links, and renewed by a rename."""
    for name in ("keys", "live", "log"):
        (folder / name).mkdir()
    make(folder / "keys", "a", ["a.example"])
    for suffix in ("pem", "key"):
        (folder / "live" / f"a.{suffix}").symlink_to(f"../keys/a.{suffix}")
    (folder / "log" / "kept").mkdir()
    (folder / "log" / "here").symlink_to("kept")
    secure = free_port()
    config = f"""
listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:$SECURE"]
workers: 2
access_log: {folder}/log/here/access.log
tls: {{certificates: [{{cert: ../{folder.name}/live/a.pem, key: ../{folder.name}/live/a.key}}]}}
""" + CONFIG
    server = detour(config, path="detour.yaml", SECURE=secure)
    with connect(server) as c:
        first = c.getpeercert(binary_form=True)
    os.mkdir(folder / "new")
    make(folder / "new", "a", ["a.example"])
    for suffix in ("pem", "key"):
        os.replace(folder / "new" / f"a.{suffix}", folder / "keys" / f"a.{suffix}")
    os.rename(folder / "log/kept/access.log", folder / "log/kept/access.log.1")
    server.reload()
    wait_until(lambda: "generation 2 is in use" in server.stderr(), what="the renewed certificate")
    with connect(server) as c:
        assert c.getpeercert(binary_form=True) != first
    assert (folder / "log/kept/access.log").exists()


def outputs(folder, kind):
    """Standard output as a file, a pipe or nothing else than a device."""
    if kind == "file":
        return os.open(folder / "out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), None
    if kind == "pipe":
        reader, writer = os.pipe()
        return writer, reader
    master, slave = os.openpty()
    return slave, master


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
@pytest.mark.parametrize("kind", ["file", "pipe", "terminal"])
def test_the_log_on_standard_output(detour, folder, name, kind):
    writer, reader = outputs(folder, kind)
    server = detour(f'access_log: "{name}"\n' + CONFIG, workers=1, prepare=lambda: os.dup2(writer, 1))
    got = b""

    def has(path):
        nonlocal got
        if reader is None:
            got = (folder / "out").read_bytes()
        else:
            got += os.read(reader, 65536)
        return path in got

    try:
        server.get("/first")
        wait_until(lambda: has(b"/first"), what="a line")
        server.reload()
        wait_until(lambda: "generation 2 is in use" in server.stderr(), what="the reload")
        server.get("/second")
        wait_until(lambda: has(b"/second"), what="a line after the reload")
    finally:
        for fd in (writer, reader):
            if fd is not None:
                os.close(fd)


@confined
@pytest.mark.parametrize("what", ["log", "certificate"])
def test_a_reload_that_names_a_new_folder(detour, folder, what):
    """It is refused with the mend, and all goes on; whoever follows control has it no better."""
    make(folder, "a", ["a.example"])
    server = detour(CONFIG)
    config = {
        "log": f"access_log: {folder}/access.log\n" + CONFIG,
        "certificate": f'listen: ["http://127.0.0.1:$PORT", "https://127.0.0.1:{free_port()}"]\n'
                       f"tls: {{certificates: [{{cert: {folder}/a.pem, key: {folder}/a.key}}]}}\n" + CONFIG,
    }[what]
    settled(server)
    for attempt in (1, 2):
        server.reload(config.replace("b.example", "c.example"))
        wait_until(lambda: server.stderr().count("nothing was changed") == attempt, what="a refusal")
        assert "restart Detour" in server.stderr().splitlines()[-1] + server.stderr().splitlines()[-2]
        assert server.get("/x").location == "https://b.example/x"
        server.kill_one("_control")
        settled(server)
    server.stop()
    server.start()
    assert server.get("/x").location == "https://c.example/x"


def test_a_log_whose_folder_comes_late(detour, folder):
    (folder / "detour.yaml").write_text(f"access_log: {folder}/late/access.log\n" + CONFIG)
    done = run("serve", "-c", folder / "detour.yaml")
    assert done.returncode == 2
    assert f"cannot open {folder}/late/access.log: No such file or directory" in done.stderr


@as_root
def test_logs_are_rotated_as_root(detour, folder):
    """As logrotate does: a rename, SIGHUP; the folder and the files are root's."""
    logs = folder / "logs"
    logs.mkdir(mode=0o700)
    server = detour(CONFIG, log=logs / "access.log")
    for number in (1, 2, 3):
        server.get(f"/{number}")
        server.wait_log(1)
        os.rename(logs / "access.log", logs / f"access.log.{number}")
        server.reload()
        wait_until(lambda: f"generation {number + 1} is in use" in server.stderr(), what="the reload")
        assert (logs / "access.log").stat().st_uid == 0
    assert [f"/{n}" in (logs / f"access.log.{n}").read_text() for n in (1, 2, 3)] == [True] * 3


# --- The end of the supervisor ---------------------------------------------------------------


def test_nobody_outlives_the_supervisor(detour):
    """The kernel forgets the wish to die with it when the user changes; it is told again. A
    stopped process cannot see that its channel is gone."""
    server = detour(CONFIG, log=True)
    kids = [*server.worker_pids(), server.logger_pid(), server.control_pid()]
    for pid in kids:
        os.kill(pid, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    server.expected_exit = -signal.SIGKILL
    try:
        wait_until(lambda: not any(alive(pid) for pid in kids), 1 * SLACK, "the end of the children")
    finally:
        for pid in kids:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
