# SPDX-License-Identifier: MIT
"""Clients of many kinds, driven through the cases of `detour conformance`.

Each runs every case, says how it ended, and gives the table. A client is a name and a function that
takes one case, as /cases.json has it, and gives "STATUS URL" or "error".
"""
import concurrent.futures
import json
import os
import shlex
import shutil
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
import warnings
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
BROWSER = TOOLS.parent / "browser"
AT_ONCE = 4
LIMIT = 30  # seconds for one case, which is never met where all is well

ANY_CERTIFICATE = ssl._create_unverified_context()  # pylint: disable=protected-access
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, data=None):
    with DIRECT.open(urllib.request.Request(url, data), timeout=LIMIT) as answer:
        return answer.read()


def content(case):
    text = case["content"] * (case["content_bytes"] // len(case["content"]) + 1)
    return text[: case["content_bytes"]].encode()


def run(base, key, name, client, groups=None):
    """base: "http://127.0.0.1:PORT". Gives the table as /report/KEY.json has it. groups: only these."""
    cases = json.loads(ask(f"{base}/cases.json?key={key}"))["cases"]
    cases = [case for case in cases if groups is None or case["group"] in groups]

    def one(case):
        ask(f"{base}/say/{key}/{case['id']}", client(case).encode())

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, cases))
    return finish(base, key, name)


def finish(base, key, name):
    ask(f"{base}/done/{key}", name.encode())
    return json.loads(ask(f"{base}/report/{key}.json"))


# --- curl: the very commands that /cases shows ---------------------------------------------


def curl(case):
    done = subprocess.run(f"{case['curl']} -q --noproxy '*' -w '%{{http_code}} %{{url_effective}}\\n'", shell=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=LIMIT, check=False)
    return done.stdout.splitlines()[-1] if done.returncode == 0 else "error"


def curl_name():
    return " ".join(subprocess.run(["curl", "--version"], capture_output=True, text=True,
                                   check=True).stdout.split()[:2])


# --- Python ----------------------------------------------------------------------------------


def urllib_request(case):
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ANY_CERTIFICATE)]
    handlers += [urllib.request.HTTPCookieProcessor()] if case["jar"] else []
    opener = urllib.request.build_opener(*handlers)
    said = "error"
    for _ in range(case["times"]):
        request = urllib.request.Request(case["url"], content(case) or None, case["fields"], method=case["method"])
        try:
            with opener.open(request, timeout=LIMIT) as answer:
                answer.read()
                said = f"{answer.status} {answer.geturl()}"
        except urllib.error.HTTPError as e:
            said = f"{e.code} {e.url}"
        except Exception:  # pylint: disable=broad-exception-caught
            said = "error"  # http.client and urllib have many of them
    return said


def requests(case):
    import requests as library  # pylint: disable=import-outside-toplevel

    said = "error"
    with library.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of urllib3, about the certificate
        session.trust_env = False
        session.verify = False
        for _ in range(case["times"]):
            try:
                answer = session.request(case["method"], case["url"], headers=case["fields"],
                                         data=content(case) or None, timeout=LIMIT)
                said = f"{answer.status_code} {answer.url}"
            except Exception:  # pylint: disable=broad-exception-caught
                said = "error"  # those of urllib3 and of the socket come through
    return said


# --- libdetour ----------------------------------------------------------------------------------


def trace(program, mode):
    """detour trace, with a store, so that what it is told to remember it does."""

    def client(case):
        words = [str(program), "trace", "--mode", mode, "--json", "-x", "", "-X", case["method"]]
        for name, value in case["fields"].items():
            words += ["-H", f"{name}: {value}"]
        with tempfile.TemporaryDirectory() as folder:
            words += ["--store", f"{folder}/store"]
            words += ["-c", "/dev/null"] if case["jar"] else []
            words += ["-k"] if case["secure"] else []
            if case["content_bytes"]:
                Path(folder, "content").write_bytes(content(case))
                words += ["--data-binary", f"@{folder}/content"]
            for _ in range(case["times"]):
                done = subprocess.run([*words, case["url"]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      timeout=LIMIT, check=False)
        end = json.loads(done.stdout)["verdict"]
        return f"{end['status']} {end['url']}" if end["outcome"] == "delivered" else "error"

    return client


# --- Node and browsers, which have a loop of their own -------------------------------------------


def node(base, key):
    subprocess.run(["node", "--no-warnings", str(TOOLS / "node.mjs"), base, key], check=True, timeout=LIMIT,
                   env=dict(os.environ, NODE_TLS_REJECT_UNAUTHORIZED="0"))
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return finish(base, key, f"Node {version}, fetch()")


def chromium(base, key):
    """The page runs by itself; it is only opened here. None: there is no browser."""
    if (BROWSER / "node_modules" / ".no-network").exists() or not shutil.which("chromium"):
        return None
    with subprocess.Popen(["node", "bridge.mjs"], cwd=BROWSER, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as bridge:
        stuck = threading.Timer(2 * LIMIT, bridge.kill)
        stuck.start()

        def tell(do, **what):
            bridge.stdin.write(json.dumps({"do": do, **what}) + "\n")
            bridge.stdin.flush()
            return hear()

        def hear():
            answer = json.loads(bridge.stdout.readline())
            assert "error" not in answer, answer["error"]
            return answer["value"]

        try:
            version = hear()
            page = tell("open", options={"ignoreHTTPSErrors": True})
            tell("goto", page=page, url=f"{base}/?key={key}")
            tell("run", page=page, code="new Promise((done) => { const look = () => "
                 "document.documentElement.dataset.done ? done(true) : setTimeout(look, 20); look(); })")
        finally:
            stuck.cancel()
            bridge.stdin.close()
            bridge.wait(LIMIT)
    return finish(base, key, f"Chromium {version}")


class Referee:
    """A running `detour conformance` on ports that the kernel chose."""

    def __init__(self, program, **options):
        self.process = subprocess.Popen([str(program), "conformance", "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        line = self.process.stderr.readline()
        assert line.startswith("open http://"), line
        self.base = shlex.split(line)[1].rstrip("/")
        self.output = ""
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        self.output = self.process.stdout.read()

    def close(self):
        """Gives what it has printed."""
        self.process.terminate()
        self.process.wait(LIMIT)
        self.reader.join(LIMIT)
        errors = self.process.stderr.read()
        self.process.stderr.close()
        self.process.stdout.close()
        assert self.process.returncode == 0, (self.process.returncode, errors)
        return self.output

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.close()
