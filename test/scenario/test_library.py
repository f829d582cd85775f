# SPDX-License-Identifier: MIT
"""libdetour as others get it: installed, found by pkg-config, compiled in from C and C++."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from detourlib import BINARY

ROOT = Path(__file__).resolve().parents[2]
BUILD = BINARY.parent if (BINARY.parent / "meson-info").is_dir() else BINARY.resolve().parents[2]


def run(*command, env=None):
    done = subprocess.run([str(word) for word in command], env=env, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The installed tree, as the compilers see it."""
    folder = tmp_path_factory.mktemp("installed")
    run("/usr/bin/meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder)
    [pc] = folder.rglob("libdetour.pc")
    env = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(folder))
    env["LD_LIBRARY_PATH"] = str(pc.parent.parent)
    return folder, pc.parent.parent, env


def flags(env, *options):
    return run("pkg-config", *options, "libdetour", env=env).split()


def sanitizer_flags():
    """What the build was made with, its users need too."""
    options = run("/usr/bin/meson", "introspect", "--buildoptions", BUILD)
    found = re.search(r'"name": "b_sanitize", "value": "([^"]*)"', options)
    chosen = found.group(1) if found else "none"
    return [] if chosen == "none" else [f"-fsanitize={chosen}"]


@pytest.fixture(scope="module")
def compiler():
    if sanitizer_flags():
        pytest.skip("the sanitizers' runtime belongs to the program, not to a library")


CHAIN_SAYS = """\
POST https://www.example.com/form#top
GET https://www.example.com/login#top
    the fragment #top goes along
    POST becomes GET
    the body is not sent on
    temporary (302): the old URL stays the one to use
GET https://other.example.net/#top
    may be remembered until Sun, 06 Nov 1994 08:50:37 GMT
    the fragment #top goes along to another origin
    from https://www.example.com to another origin, https://other.example.net
    temporary (307): the old URL stays the one to use
    Authorization is dropped for good: https://other.example.net is another origin
deliver: nothing special
"""


@pytest.mark.parametrize("link", ["shared", "static"])
def test_the_c_example_is_compiled_and_run(installed, compiler, tmp_path, link):
    _, libdir, env = installed
    libraries = flags(env, "--libs")
    if link == "static":
        libraries = flags(env, "--static", "--libs")
        libraries = [f"{libdir}/libdetour.a" if word == "-ldetour" else word for word in libraries]
    run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers",
        ROOT / "examples/libdetour/chain.c", *flags(env, "--cflags"), *libraries, "-o",
        tmp_path / "chain", env=env)
    linked = "libdetour.so.0" in run("ldd", tmp_path / "chain", env=env)
    assert linked == (link == "shared")
    assert run(tmp_path / "chain", env=env) == CHAIN_SAYS


def test_the_cpp_example_is_compiled_and_run(installed, compiler, tmp_path):
    _, _, env = installed
    run("c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", ROOT / "examples/libdetour/resolve.cc",
        *flags(env, "--cflags", "--libs"), "-o", tmp_path / "resolve", env=env)
    assert run(tmp_path / "resolve", "http://a/b/c/d", "../g?y#z", env=env) == (
        "http://a/b/g?y#z\nsame origin\n")
    assert run(tmp_path / "resolve", "http://a/b/c/d", "//b.example", env=env) == (
        "http://b.example/\nanother origin\n")


@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize("header", ["detour", "store"])
def test_each_header_compiles_alone(installed, tmp_path, language, header):
    _, _, env = installed
    source = tmp_path / "alone.c"
    source.write_text(f"#include <detour/{header}.h>\n#include <detour/{header}.h>\n")
    std = "-std=c99" if language == "c" else "-std=c++11"
    run("cc", "-x", language, std, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
        *flags(env, "--cflags"), source, env=env)


def declared():
    text = "".join(path.read_text() for path in sorted((ROOT / "include/detour").glob("*.h")))
    return set(re.findall(r"DETOUR_API[^;]*?\b(detour_\w+)\(", text))


def names(*command):
    lines = run(*command).splitlines()
    return {line.split()[-1] for line in lines if re.search(r" [A-TV-Z] ", line)}


def test_only_what_the_headers_declare_is_visible(installed):
    _, libdir, _ = installed
    assert names("nm", "-D", "--defined-only", libdir / "libdetour.so") == declared()
    assert names("nm", "-g", "--defined-only", libdir / "libdetour.a") == declared()


def test_the_library_has_its_name_and_version(installed):
    folder, libdir, env = installed
    dynamic = run("readelf", "-d", libdir / "libdetour.so")
    assert "Library soname: [libdetour.so.0]" in dynamic
    version = run("pkg-config", "--modversion", "libdetour", env=env).strip()
    header = (ROOT / "include/detour/detour.h").read_text()
    macros = re.findall(r"#define DETOUR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)
    assert ".".join(macros) == version
    needed = set(re.findall(r"Shared library: \[(.*?)\]", dynamic))
    allowed = {"liblmdb.so.0", "libidn2.so.0", "libc.so.6", "libpthread.so.0",
               "ld-linux-x86-64.so.2"}
    if not sanitizer_flags():
        assert needed <= allowed


def test_each_function_has_its_page_in_the_manual(installed):
    folder, _, _ = installed
    pages = {path.stem: path.read_text().replace("\\", "") for path in folder.rglob("man3/*.3")}
    assert set(pages) == declared() | {"libdetour", "detour_chain", "detour_store", "detour_url"}
    missing = [name for name in declared() if f"{name}(" not in re.sub(r"f[BIRP]", "", pages[name])]
    assert not missing
