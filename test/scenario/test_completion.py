# SPDX-License-Identifier: MIT
"""Completion in shells: what is offered is what the program knows. bash is asked by the call that it would
make itself, zsh at a terminal, fish by its own `complete -C`."""

import os
import pty
import re
import signal
import subprocess
import time

import pytest
from detourlib import BINARY, FOREVER, ROOT, environment, run
from fakeadmin import FakeAdmin

FILES = ROOT / "doc" / "completion"

BASH = """
source "$1"
shift
compopt() { :; }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_detour detour
printf '%s\\n' "${COMPREPLY[@]}"
"""

# Whatever compadd offers goes to a file as well. With -O, -A or -D it offers nothing.
ZSH = """
PS1= PS2= fpath=({files} $fpath)
unsetopt ZLE_BRACKETED_PASTE BEEP
autoload -Uz compinit && compinit -D -u
compadd() {{
    local -a options=("${{(@)@[1,(i)(-|--)]}}")
    if (( ${{options[(I)-[OAD]*]}} )); then builtin compadd "$@"; return; fi
    local -a offered
    builtin compadd -O offered "$@"
    print -rl -- $offered >>{out}
    builtin compadd "$@"
}}
capture() {{ _main_complete; print END >>{out}; compstate[insert]= compstate[list]= }}
zle -C capture complete-word capture
bindkey '^I' capture
print READY >>{out}
"""


class Bash:
    def __init__(self, folder, env):
        self.folder, self.env = folder, env

    def ask(self, *words):
        done = subprocess.run(["bash", "-c", BASH, "bash", FILES / "detour.bash", "detour", *words], cwd=self.folder,
                              env=self.env, capture_output=True, text=True, timeout=FOREVER)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout.splitlines()

    def close(self):
        pass


class Fish(Bash):
    def ask(self, *words):
        done = subprocess.run(["fish", "--no-config", "-c", 'source $argv[1]; complete -C"$argv[2]"',
                               FILES / "detour.fish", " ".join(["detour", *words])], cwd=self.folder, env=self.env,
                              capture_output=True, text=True, timeout=FOREVER)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return [line.split("\t")[0] for line in done.stdout.splitlines()]


class Zsh:
    """One shell at a terminal, for all questions of a test."""

    def __init__(self, folder, env):
        self.out = folder / "offered"
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(["zsh", "-f", "-i"], cwd=folder, env=dict(env, TERM="dumb"), stdin=slave,
                                        stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        os.set_blocking(self.master, False)
        self.typed = b"source " + str(folder / "setup").encode() + b"\r"
        (folder / "setup").write_text(ZSH.format(files=FILES, out=self.out))
        self.out.write_text("")
        self.wait("READY")

    def wait(self, mark):
        os.write(self.master, self.typed)
        deadline = time.monotonic() + FOREVER
        while not self.out.read_text().endswith(f"{mark}\n"):
            assert self.process.poll() is None and time.monotonic() < deadline
            try:
                os.read(self.master, 65536)  # what it shows
            except BlockingIOError:
                time.sleep(0.002)

    def ask(self, *words):
        self.out.write_text("")
        self.typed = b"\x15" + " ".join(["detour", *words]).encode() + b"\t"
        self.wait("END")
        return self.out.read_text().splitlines()[:-1]

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)  # with what it waits for
        self.process.wait()
        os.close(self.master)


def commands():
    return re.findall(r"^  ([a-z]+) ", run("--help").stdout, re.M)


@pytest.fixture(params=[Bash, Zsh, Fish], ids=["bash", "zsh", "fish"])
def offered(request, folder, monkeypatch):
    """offered("on", "--re"): what a shell offers for the last word, sorted."""
    (folder / "detour").symlink_to(BINARY)
    monkeypatch.setenv("DETOUR_ADMIN", f"{folder}/admin.sock")
    # The search for leaks stops a process at its end, and a shell at a terminal may keep it from that.
    env = environment({"ASAN_OPTIONS": "detect_leaks=0"})
    env["PATH"] = f"{folder}:{env['PATH']}"
    shell = request.param(folder, env)
    yield lambda *words: sorted(filter(None, shell.ask(*words)))
    shell.close()


def test_commands(offered):
    assert set(offered("")) - {"--help", "--version"} == set(commands())
    assert offered("-") == ["--help", "--version"]
    assert offered("ex") == ["explain", "export", "extend"]
    assert offered("help", "o") == ["off", "on"]


def test_options_of_each_command(offered):
    for command in commands():
        if command == "help":
            continue
        usage = run(command, "--help").stdout
        wanted = set(re.findall(r"^ +(?:-[a-zA-Z], )?(--[a-z0-9.-]*[a-z0-9])", usage, re.M))
        assert wanted <= set(offered(command, "-")), command
    assert offered("trace", "--data-") == ["--data-binary"]
    assert offered("conformance", "--") == ["--help", "--json", "--listen"]


def test_values(offered, folder):
    (folder / "new.yaml").write_text("")
    assert offered("token", "") == ["add", "list", "remove"]
    assert offered("token", "add", "x", "--scope", "") == ["read", "write"]
    assert offered("serve", "--sandbox", "") == ["deny", "kill", "off"]
    assert offered("audit", "--mode", "") == offered("trace", "--mode", "") == ["browser", "rfc"]
    for words in [("diff", "-c"), ("trace", "-T"), ("trace", "-c"), ("trace", "--store"), ("trace", "--cacert"),
                  ("audit",), ("audit", "--json"), ("audit", "--junit"), ("audit", "--html")]:
        assert offered(*words, "ne") == ["new.yaml"], words
    for words in [("trace",), ("trace", "-H"), ("audit", "--parallel"), ("conformance", "--listen")]:
        assert offered(*words, "") == [], words
    assert offered("off", "") == []  # nobody to ask


def test_names_of_detours(offered, folder):
    fake = FakeAdmin(folder / "admin.sock")
    try:
        fake.answers["GET /v1/detours"] = {"detours": [
            {"site": "shop", "name": name, "state": "active", "detour": {"name": "no", "reason": "r"}}
            for name in ["checkout", "cart"]]}
        assert offered("off", "") == ["cart", "checkout"]
        assert offered("extend", "ca") == ["cart"]
        assert offered("extend", "--owner", "ca") == []  # somebody's own name
    finally:
        fake.close()


def test_names_of_servers(offered, folder):
    fake = FakeAdmin(folder / "admin.sock")
    try:
        fake.answers["GET /v1/pools"] = {"pools": [
            {"name": pool, "panic": False, "servers": [
                {"name": name, "url": "https://x.example", "operator": {"name": "no", "why": "r"}} for name in names]}
            for pool, names in {"mirrors": ["eu1", "us1"], "keyed": ["eu1"]}.items()]}
        for words in (["drain"], ["ready"], ["weight"], ["server", "remove"]):
            assert offered(*words, "") == ["keyed/eu1", "mirrors/eu1", "mirrors/us1"], words
        assert offered("drain", "mirrors/u") == ["mirrors/us1"]
        assert offered("pools", "") == offered("server", "add", "") == ["keyed", "mirrors"]
        assert offered("server", "") == ["add", "remove"]
    finally:
        fake.close()
