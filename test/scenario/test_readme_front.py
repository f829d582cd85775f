# SPDX-License-Identifier: MIT
"""The README's walk in front of an existing site, with the very files that stand there: curl goes
through it, and so does a browser."""

import re
import subprocess

import pytest
from detourlib import BINARY, FOREVER, ROOT, environment, free_port, wait_until
from originlib import NGINX
from test_wait_page_browser import CHROMIUM_LIMIT, Page, browser  # noqa: F401: a fixture

SECTION = "### In front of an existing site"


def walk():
    """The section's blocks: the site, the configuration, the commands."""
    text = (ROOT / "README.md").read_text()
    section = text.split(SECTION, 1)[1].split("\n### ", 1)[0]
    return re.findall(r"^```\w*\n(.*?)^```$", section, re.M | re.S)


class Site:
    """The README's nginx, on another port."""

    def __init__(self, folder, text):
        self.folder, self.port = folder, free_port()
        (folder / "site.conf").write_text(text.replace("8080", str(self.port)))
        self.process = subprocess.Popen([NGINX, "-p", str(folder), "-c", "site.conf"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)

    def close(self):
        self.process.terminate()
        self.process.wait(FOREVER)


@pytest.fixture
def site(folder):
    folder = folder / "site"
    folder.mkdir()
    (folder / "logs").mkdir()
    started = Site(folder, walk()[0])
    yield started
    started.close()


@pytest.fixture
def server(detour, folder, site):
    (folder / "state").mkdir()
    config = walk()[1].replace("8080", str(site.port)).replace("/tmp/detour-front.sock", str(folder / "front.sock"))
    assert "sites:" in config and config.index("state:") > config.index("origin")
    started = detour(config)
    wait_until(lambda: started.get("/", {"Host": "127.0.0.1"}).status == 200, what="the site")
    return started


def shell(server, command):
    """A line of the README."""
    command = command.replace("127.0.0.1:8307", f"127.0.0.1:{server.port}").replace("build/detour", str(BINARY))
    command = command.replace("front.yaml", str(server.file))
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment(), timeout=FOREVER,
                          cwd=server.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands():
    """What is typed, and what the README says comes of it."""
    found = []
    for block in walk()[2:]:
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_the_walk(server):
    order, on, refused, off = commands()
    assert shell(server, order[0]) == order[1]
    said = shell(server, on[0])
    moment = r"[0-9-]{10} [0-9:]{8} \w+"
    assert re.sub(moment, "T", said) == re.sub(moment, "T", on[1])
    assert shell(server, refused[0]) == refused[1] == "503\n"
    person = server.get("/", {"Host": "127.0.0.1", "Accept": "text/html"})
    assert person.status == 307
    assert "/.well-known/detour/wait/" in person.location
    assert "upgrade is off" in shell(server, off[0])
    assert shell(server, order[0]) == order[1]


@pytest.mark.slow  # a page that waits asks every few seconds
def test_the_same_in_a_browser(server, browser):  # noqa: F811
    order, on, _, off = commands()
    there = f"http://127.0.0.1:{server.port}/cart?item=1#row=3"
    page = Page(browser)
    assert page.goto(url=there) == 200
    shell(server, on[0])
    assert page.goto(url=there.replace("?item", "?again&item")) == 200
    assert "/.well-known/detour/wait/" in page.url()
    assert "a new database" in page.run(code="document.body.innerText")
    shell(server, off[0])
    wait_until(lambda: page.run(code="document.title") == "shop", CHROMIUM_LIMIT, "the way back")
    assert page.url() == there.replace("?item", "?again&item")
    page.run(code="document.querySelector('button').click()")
    wait_until(lambda: page.run(code="document.title") == "thanks", CHROMIUM_LIMIT, "the form")
    page.close()
