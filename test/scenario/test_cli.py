# SPDX-License-Identifier: MIT
"""Promise 8 on the command line: check finds every problem and says the mend, explain says
why, uri lets one try a pattern, a template, a reference by hand."""

import json
import os
import pathlib
import re
import subprocess

import pytest
from detourlib import BINARY, ROOT, environment, run

CONFIG = """
listen: ["http://127.0.0.1:8307"]
sites:
  - name: shop
    hosts: [shop.example.com]
    routes:
      - {name: api, path: "/api/v1/*", methods: [GET, POST], to: "https://api.example.com/v1/{+0}"}
      - {name: inside, path_prefix: /inside, clients: [10.0.0.0/8], to: "https://in.example.com{+path}"}
      - {name: gold, path: /tier, when: {headers: {X-Tier: gold}}, to: "https://gold.example.com/"}
      - {name: files, path: "/downloads/*", pool: mirrors}
    default: pass
pools:
  mirrors:
    balance: round-robin
    servers: [{name: eu1, url: "https://eu1.example.net"}]
    health: {path: /healthz}
detours:
  - {name: upgrade, site: shop, path_prefix: /checkout, page: "https://m.example.com/", from: "2030-01-01T00:00:00Z", until: "2030-01-02T00:00:00Z", bypass: {cookie: ops=letmein}, reason: database upgrade, owner: payments}
trusted_proxies: [127.0.0.1/32]
forwarded_header: X-Forwarded-For
"""

CONFIG_CLEAN = """
listen: ["http://127.0.0.1:8307"]
sites:
  - hosts: [shop.example.com]
    routes:
      - {path: "/old/*", to: "https://new.example.com/{+0}"}
"""


COMMANDS = ["serve", "check", "explain", "on", "off", "extend", "list", "status", "history", "revert", "export",
            "diff", "reload", "token", "trace", "audit", "conformance", "uri"]


@pytest.fixture
def file(folder):
    path = folder / "detour.yaml"
    path.write_text(CONFIG)
    return path


# The program


def test_help():
    done = run("--help")
    assert done.returncode == 0
    for word in COMMANDS:
        assert f"\n  {word} " in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command):
    done = run(command, "--help")
    assert done.returncode == 0 and f"detour {command}" in done.stdout and done.stderr == ""
    assert all(len(line) <= 96 for line in done.stdout.splitlines())
    assert run("help", command).stdout == done.stdout and run(command, "-h").stdout == done.stdout


def test_version():
    done = run("--version")
    assert done.returncode == 0 and re.search(r"\d+\.\d+", done.stdout)


@pytest.mark.parametrize(
    "args", [[], ["frobnicate"], ["serve"], ["check"], ["serve", "--frobnicate"], ["check", "-c"], ["explain"],
             ["uri"], ["uri", "frobnicate"], ["uri", "match"], ["uri", "match", "/a"], ["uri", "expand", "x"],
             ["check", "-c", "a", "b"]]
)
def test_wrong_usage_is_2_and_says_so(args, folder):
    done = run(*args, cwd=folder)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stderr and done.stdout == ""


def test_output_that_cannot_be_written_is_noticed():
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(BINARY), "--help"], stdout=full, stderr=subprocess.PIPE, env=environment())
    assert done.returncode == 2


# check


def check(folder, text):
    path = folder / "detour.yaml"
    path.write_text(text)
    return run("check", "-c", "detour.yaml", cwd=folder)


def test_check_clean(folder):
    done = check(folder, CONFIG_CLEAN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error" not in done.stderr and "warning" not in done.stderr


def test_check_could_not_run(folder):
    done = run("check", "-c", folder / "none.yaml")
    assert done.returncode == 2 and "none.yaml" in done.stderr


def test_check_reports_all_problems_with_line_and_column(folder):
    done = check(
        folder,
        """\
listen: [ftp://127.0.0.1:1]
sights: 1
sites:
  - hosts: [a.example]
    routes:
      - {path: "/:", to: "https://b.example/"}
      - {path: /x, to: "nonsense"}
      - {path: /y, to: "https://b.example/", status: 399}
      - {path: /z, pool: nowhere}
""",
    )
    assert done.returncode == 1
    found = re.findall(r"^detour\.yaml:(\d+):(\d+): error: (.+)$", done.stdout + done.stderr, re.M)
    assert [int(x[0]) for x in found] == [1, 2, 6, 7, 8, 9], done.stderr
    assert all(int(x[1]) > 0 and len(x[2]) > 10 for x in found)


SITE = "listen: [http://127.0.0.1:8307]\nsites:\n  - name: a\n    hosts: [a.example]\n    routes:\n"

ERRORS = {
    "unknown key": (SITE + "      - {path: /x, to: 'https://b.example/', stauts: 307}\n", "stauts"),
    "wrong type": (SITE + "      - {path: [a], to: 'https://b.example/'}\n", "path"),
    "pattern": (SITE + "      - {path: '/a(', to: 'https://b.example/'}\n", ""),
    "regex": (SITE + "      - {path: '/:a([)', to: 'https://b.example/'}\n", ""),
    "template": (SITE + "      - {path: '/:a', to: 'https://b.example/{a'}\n", ""),
    "unknown variable": (SITE + "      - {path: '/:a', to: 'https://b.example/{b}'}\n", "b"),
    "level 4": (SITE + "      - {path: '/:a', to: 'https://b.example/{a*}'}\n", ""),
    "hidden built-in": (SITE + "      - {path: '/:host', to: 'https://b.example/{host}'}\n", "host"),
    "userinfo": (SITE + "      - {path: /x, to: 'https://me:pw@b.example/'}\n", ""),
    "not http": (SITE + "      - {path: /x, to: 'javascript:alert(1)'}\n", ""),
    "relative": (SITE + "      - {path: /x, to: '/y'}\n", ""),
    "variable glued to the authority": (SITE + "      - {path: '/:x', to: 'https://b.example{x}'}\n", ""),
    "variable in the authority without a list": (SITE + "      - {path: '/:x/y', to: 'https://{x}.b.example/'}\n", ""),
    "variable as scheme": (SITE + "      - {path: '/:x', to: '{x}://b.example/'}\n", ""),
    "status that is no redirect": (SITE + "      - {path: /x, to: 'https://b.example/', status: 304}\n", "304"),
    "two actions": (SITE + "      - {path: /x, to: 'https://b.example/', respond: {status: 200}}\n", ""),
    "no action": (SITE + "      - {path: /x}\n", ""),
    "path and prefix": (SITE + "      - {path: /x, path_prefix: /y, to: 'https://b.example/'}\n", ""),
    "bad cidr": (SITE + "      - {path: /x, clients: [10.0.0.0/33], to: 'https://b.example/'}\n", ""),
    "bad share": (SITE + "      - {path: /x, share: 101%, to: 'https://b.example/', rest: next}\n", ""),
    "bad duration": (SITE + "      - {path: /x, max_age: soon, to: 'https://b.example/'}\n", ""),
    "header that splits": (SITE + '      - {path: /x, to: "https://b.example/", headers: {A: "b\\r\\nC: d"}}\n', ""),
    "same name twice": (SITE + "      - {name: x, path: /x, to: 'https://b.example/'}\n      - {name: x, path: /y, to: 'https://b.example/'}\n", "x"),
    "same key twice": (SITE + "      - {path: /x, path: /y, to: 'https://b.example/'}\n", "path"),
    "self redirect": (SITE + "      - {path: '/*', to: 'http://a.example/{+0}'}\n", ""),
    "no sites": ("listen: [http://127.0.0.1:8307]\n", "sites"),
    "same host twice": ("listen: [http://127.0.0.1:8307]\nsites:\n  - {name: a, hosts: [x.example], routes: []}\n  - {name: b, hosts: [X.example.], routes: []}\n", "x.example"),
    "bad host": ("listen: [http://127.0.0.1:8307]\nsites:\n  - {name: a, hosts: ['a.*.example'], routes: []}\n", ""),
    "detour without until": (CONFIG.replace(', until: "2030-01-02T00:00:00Z"', ""), "until"),
    "detour that ends first": (CONFIG.replace("2030-01-02T", "2029-01-02T"), ""),
    "detour that is permanent": (CONFIG.replace('page: "https://m.example.com/"', 'to: "https://m.example.com/", status: 301'), "301"),
    "detour of an unknown site": (CONFIG.replace("site: shop", "site: shup"), "shup"),
    "unknown zone": (CONFIG.replace("2030-01-01T00:00:00Z", "2030-01-01T00:00:00 Europe/Atlantis"), "Atlantis"),
    "impossible date": (CONFIG.replace("2030-01-01T", "2030-02-31T"), ""),
    "target not allowed": ("allowed_targets: ['https://*.example.org']\n" + CONFIG_CLEAN, ""),
    "not yaml": ("sites: [\n", ""),
    "not utf-8": ("sites: \x85\xff", ""),
    "a list for the whole": ("- a\n", ""),
    "empty": ("", ""),
}


@pytest.mark.parametrize("name", ERRORS)
def test_check_error(folder, name):
    text, word = ERRORS[name]
    path = folder / "detour.yaml"
    path.write_bytes(text.encode("latin-1"))
    done = run("check", "-c", "detour.yaml", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    m = re.search(r"^detour\.yaml:(\d+):(\d+): error: .*$", done.stdout + done.stderr, re.M)
    assert m and word in m[0], done.stdout + done.stderr


WARNINGS = {
    "unreachable": SITE + "      - {path: '/*', to: 'https://b.example/'}\n      - {path: /x, to: 'https://b.example/x'}\n",
    "302 loses bodies": SITE + "      - {path: /x, to: 'https://b.example/', status: 302}\n",
    "301 loses bodies": SITE + "      - {path: /x, to: 'https://b.example/', status: 301}\n",
    "clients without trusted proxies": SITE + "      - {path: /x, clients: [10.0.0.0/8], to: 'https://b.example/'}\n",
    "pool without health": SITE + "      - {path: /x, pool: p}\npools:\n  p: {balance: weighted, servers: [{name: s, url: 'https://b.example'}]}\n",
    "max_age on a pool": SITE + "      - {path: /x, pool: p, max_age: 1m}\npools:\n  p: {balance: weighted, health: {path: /h}, servers: [{name: s, url: 'https://b.example'}]}\n",
    "a slug in a pattern": SITE + "      - {path: '/blog/{slug}', to: 'https://b.example/'}\n",
    "a window that is over": CONFIG.replace("2030-", "2020-"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_check_warning(folder, name):
    done = check(folder, WARNINGS[name])
    out = done.stdout + done.stderr
    assert re.search(r"^detour\.yaml:\d+:\d+: (warning|error): .+$", out, re.M), out
    assert done.returncode == (1 if ": error: " in out else 0)


def test_check_host_in_an_authority_under_a_catch_all_is_an_error(folder):
    done = check(folder, "listen: [http://127.0.0.1:8307]\nsites:\n  - hosts: ['*']\n    routes:\n      - {path: '/*', to: 'https://{host}/x'}\n")
    assert done.returncode == 1 and "host" in done.stderr + done.stdout


def test_check_loop_of_two_sites_names_the_hops(folder):
    done = check(
        folder,
        "listen: ['http://127.0.0.1:80']\nsites:\n"
        "  - {name: a, hosts: [a.example], routes: [{path: '/*', to: 'http://b.example/{+0}'}]}\n"
        "  - {name: b, hosts: [b.example], routes: [{path: '/*', to: 'http://a.example/{+0}'}]}\n",
    )
    out = done.stdout + done.stderr
    assert done.returncode == 1, out
    assert "a.example" in out and "b.example" in out


def test_check_is_not_fooled_by_deep_or_long_files(folder):
    for text in ["a: " * 1000, "[" * 100000, "a: &a [1]\nb: &b [*a,*a]\nc: [*b,*b]\n", "x: " + "y" * 1000000]:
        done = check(folder, text)
        assert done.returncode in (1, 2), text[:20]
        assert len(done.stderr) < 1_000_000


def test_check_escapes_control_bytes_of_the_file(folder):
    done = check(folder, '"\\e[31mred": 1\n')
    assert done.returncode == 1 and "\x1b" not in done.stdout + done.stderr


# explain


def explain(file, *args):
    done = run("explain", "-c", file, "--json", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_explain_text(file):
    done = run("explain", "-c", file, "http://shop.example.com/api/v1/users?x=1")
    assert done.returncode == 0
    assert "307" in done.stdout
    assert "https://api.example.com/v1/users?x=1" in done.stdout
    assert "api" in done.stdout


def test_explain_json(file):
    j = explain(file, "http://shop.example.com/api/v1/users?x=1")
    assert j["decision"]
    assert j["status"] == 307
    assert j["location"] == "https://api.example.com/v1/users?x=1"
    assert j["rule"] == "shop/routes/api"


def test_explain_names_the_losers_and_why(file):
    j = explain(file, "http://shop.example.com/downloads/x")
    assert j["rule"] == "shop/routes/files"
    assert j["location"] == "https://eu1.example.net/downloads/x"
    losers = {x["rule"]: x["reason"] for x in j["losers"]}
    assert "shop/routes/api" in losers and losers["shop/routes/api"]
    assert "shop/detours/upgrade" in losers


def test_explain_method(file):
    assert explain(file, "-X", "POST", "http://shop.example.com/api/v1/a")["status"] == 307
    j = explain(file, "-X", "DELETE", "http://shop.example.com/api/v1/a")
    assert j["rule"] == "shop/default" and j["status"] == 204
    assert "method" in {x["rule"]: x["reason"] for x in j["losers"]}["shop/routes/api"].lower()


def test_explain_from(file):
    url = "http://shop.example.com/inside/x"
    assert explain(file, "--from", "10.1.2.3", url)["rule"] == "shop/routes/inside"
    assert explain(file, "--from", "11.1.2.3", url)["rule"] == "shop/default"


def test_explain_header(file):
    url = "http://shop.example.com/tier"
    assert explain(file, "-H", "X-Tier: gold", url)["rule"] == "shop/routes/gold"
    assert explain(file, url)["rule"] == "shop/default"


def test_explain_at(file):
    url = "http://shop.example.com/checkout/x"
    during = "2030-01-01T12:00:00Z"
    assert explain(file, url)["rule"] == "shop/default"
    j = explain(file, "--at", during, url)
    assert (j["rule"], j["status"]) == ("shop/detours/upgrade", 503)
    j = explain(file, "--at", during, "-H", "Accept: text/html", url)
    assert (j["status"], j["location"]) == (307, "https://m.example.com/")
    assert explain(file, "--at", during, "-H", "Cookie: ops=letmein", url)["rule"] == "shop/default"
    assert explain(file, "--at", "2030-01-02T00:00:00Z", url)["rule"] == "shop/default"


def test_explain_unknown_host(file):
    assert explain(file, "http://other.example.com/")["status"] == 421


@pytest.mark.parametrize(
    "args", [["not a url"], ["ftp://shop.example.com/"], ["--at", "yesterday", "http://shop.example.com/"],
             ["--from", "nobody", "http://shop.example.com/"], ["-H", "nocolon", "http://shop.example.com/"],
             ["-X", "G T", "http://shop.example.com/"]]
)
def test_explain_refuses_nonsense(file, args):
    done = run("explain", "-c", file, *args)
    assert done.returncode == 2 and done.stderr


def test_explain_of_a_bad_file(folder):
    path = folder / "bad.yaml"
    path.write_text("sights: 1\n")
    done = run("explain", "-c", path, "http://a.example/")
    assert done.returncode == 1 and "error" in done.stderr


def test_explain_says_what_a_worker_does(detour):
    """The same function: whatever serve answers, explain foretells."""
    server = detour(CONFIG.replace('listen: ["http://127.0.0.1:8307"]\n', ""))
    for method, path, headers in [
        ("GET", "/api/v1/a%2Fb?c", {}), ("POST", "/api/v1/a", {}), ("DELETE", "/api/v1/a", {}),
        ("GET", "/tier", {"X-Tier": "gold"}), ("GET", "/downloads/x", {}), ("GET", "/none", {}),
        ("GET", "//api/v1/x", {}), ("GET", "/inside/x", {}),
    ]:
        r = server.request(method, path, headers, host="shop.example.com")
        options = [x for n, v in headers.items() for x in ("-H", f"{n}: {v}")]
        j = explain(server.file, "-X", method, *options, "--from", "127.0.0.1", f"http://shop.example.com{path}")
        assert (j["status"], j.get("location")) == (r.status, r.location), (method, path)


# uri


def test_uri_match():
    def match(*args):
        done = run("uri", "match", *args)
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    assert match("/blog/:slug", "/blog/hello") == (0, {"slug": "hello"})
    assert match("/docs/*", "/docs/a/b") == (0, {"0": "a/b"})
    assert match("/shop{/*}?", "/shop") == (0, {"0": None})
    assert match(r"/v:n(\d+)/*", "/v12/x") == (0, {"n": "12", "0": "x"})
    assert match("/blog/:slug", "/other")[0] == 1
    assert match("/blog/:slug", "/blog/")[0] == 1
    assert match("--", "/a", "/a") == (0, {})
    for bad in ["/:", "/a(", "/{", "/:a/:a", "/:x([)"]:
        done = run("uri", "match", bad, "/a")
        assert done.returncode == 2 and done.stderr, bad


def test_uri_match_prints_valid_json_whatever_was_captured():
    done = run("uri", "match", "/*", '/"\\%0a\u00e9')
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout)["0"], str)


@pytest.mark.parametrize(
    "template, variables, result",
    [
        ("https://b.example/{x}", {"x": "a b/c"}, "https://b.example/a%20b%2Fc"),
        ("https://b.example/{+x}", {"x": "a b/c"}, "https://b.example/a%20b/c"),
        ("{x}", {"x": "%2F"}, "%252F"),
        ("{+x}", {"x": "%2F"}, "%2F"),
        ("{#x}", {"x": "a/b"}, "#a/b"),
        ("/p{/a,b}", {"a": "1", "b": "2"}, "/p/1/2"),
        ("/p{?a,b}", {"a": "1", "b": ""}, "/p?a=1&b="),
        ("/p?x=y{&a}", {"a": "1"}, "/p?x=y&a=1"),
        ("{;a,b}", {"a": "1", "b": ""}, ";a=1;b"),
        ("X{.a}", {"a": "tar"}, "X.tar"),
        ("/{undefined}", {}, "/"),
    ],
)
def test_uri_expand(template, variables, result):
    done = run("uri", "expand", "--", template, json.dumps(variables))
    assert (done.returncode, done.stdout) == (0, result + "\n"), done.stderr


@pytest.mark.parametrize("args", [["{x", "{}"], ["{x}", "nonsense"], ["{x}", "[1]"], ["{x*}", "{}"], ["{x:3}", "{}"]])
def test_uri_expand_refuses(args):
    done = run("uri", "expand", *args)
    assert done.returncode == 2 and done.stderr


@pytest.mark.parametrize(
    "base, reference, result",
    [
        ("http://a/b/c/d;p?q", "g", "http://a/b/c/g"),
        ("http://a/b/c/d;p?q", "../../../g", "http://a/g"),
        ("http://a/b/c/d;p?q", "//g", "http://g/"),
        ("http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"),
        ("http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s"),
        ("https://a.example/x", "\\\\evil.example", "https://evil.example/"),
        ("https://B\u00fccher.example/", "x", "https://xn--bcher-kva.example/x"),
    ],
)
def test_uri_resolve(base, reference, result):
    done = run("uri", "resolve", base, reference)
    assert (done.returncode, done.stdout) == (0, result + "\n"), done.stderr


@pytest.mark.parametrize("base, reference", [("nonsense", "x"), ("http://a/", "http://"), ("http://a/", "http://a:99999/"), ("http://a/", "http://[::1%25.foo.com]/")])
def test_uri_resolve_fails(base, reference):
    done = run("uri", "resolve", base, reference)
    assert done.returncode == 1 and done.stdout == ""


COMMANDS = re.findall(r'^    \{"(\w+)", "', (ROOT / "src/cli/main.c").read_text(), re.M)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "help"])
def test_each_command_has_a_page_with_all_its_options(command):
    page = (ROOT / "doc" / "man" / f"detour-{command}.1.scd").read_text()
    assert page.startswith(f"detour-{command}(1)")
    usage = run(command, "--help").stdout
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", usage)) - {"--help"}:
        assert option in page, option
    overview = (ROOT / "doc" / "man" / "detour.1.scd").read_text()
    assert f"*detour-{command}*(1)" in overview


def test_many_problems_take_few_writes(tmp_path):
    """Standard error is unbuffered; a system call for each character took 10 s here."""
    path = tmp_path / "detour.yaml"
    path.write_text("sites:\n" + " - hosts: [h.example]\n" * 20_000)
    with open(tmp_path / "printed", "wb") as printed:
        checking = subprocess.Popen([BINARY, "check", "-c", path], stdout=printed, stderr=printed)
        # What it wrote is to be read before it is reaped.
        os.waitid(os.P_PID, checking.pid, os.WEXITED | os.WNOWAIT)
        counts = pathlib.Path(f"/proc/{checking.pid}/io").read_text()
    assert checking.wait() == 1
    assert (tmp_path / "printed").read_text().count(": error: ") == 19_999
    assert int(re.search(r"^syscw: (\d+)$", counts, re.M)[1]) < 19_999 / 5
