# SPDX-License-Identifier: MIT
"""The wait page in Chromium: a browser arrives, waits, and is taken back to the very URL it wanted,
query and fragment included; on a phone, in the dark, without a script, and for all senses."""

import json
import re
import subprocess
import time

import pytest
from detourlib import ROOT, rfc3339, wait_until

TOOLS = ROOT / "test" / "browser"
CHROMIUM_LIMIT = 30

CONFIG = """
sites: [{name: a, hosts: ["127.0.0.1"], default: {status: 404}, routes: [
  {path_prefix: /, respond: {status: 200, body: "<title>here</title>you are there", content_type: text/html}}]}]
pages: {upgrade: {title: We upgrade}, bots: {in_place: true}, own: {file: $FILES/own.html}}
detours:
  - {name: d, path_prefix: /checkout, page: upgrade, from: "$FROM", until: "$UNTIL", reason: "database <upgrade>"}
  - {name: e, path_prefix: /place, page: bots, from: "$FROM", until: "$UNTIL", reason: r}
  - {name: f, path_prefix: /own, page: own, from: "$FROM", until: "$UNTIL", reason: it is ours}
"""
OWN = """<!doctype html><html lang="en"><head><title>own</title><style>p { color: rgb(1, 2, 3) }</style>{{detour}}</head>
<body><p data-detour="reason"></p><p data-detour="state"></p><time data-detour="until"></time>
<p data-detour="left"></p><progress data-detour="progress"></progress><a data-detour="back">x</a>
<script>document.title = "an inline script ran"</script></body></html>"""


class Browser:
    """One Chromium for all tests of this file; see test/browser/bridge.mjs."""

    def __init__(self):
        self.process = subprocess.Popen(["node", "bridge.mjs"], cwd=TOOLS, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.answer(), "Chromium does not start"

    def answer(self):
        line = self.process.stdout.readline()
        assert line, "the browser has ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def ask(self, act, **command):
        self.process.stdin.write(json.dumps({"do": act, **command}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


class Page:
    def __init__(self, browser, **options):
        headers = options.pop("headers", None)
        self.browser, self.number = browser, browser.ask("open", options=options, headers=headers)

    def __getattr__(self, act):
        return lambda **command: self.browser.ask(act, page=self.number, **command)

    def text(self, name):
        return self.run(code=f"document.querySelector('[data-detour=\"{name}\"]').textContent")


@pytest.fixture(scope="module")
def browser():
    if (TOOLS / "node_modules" / ".no-network").exists():
        pytest.skip("no network to install Chromium and playwright-core over; see tools/browser.sh")
    assert (TOOLS / "node_modules" / "playwright-core").exists(), "sh tools/browser.sh installs it"
    browser = Browser()
    yield browser
    browser.close()


def start(detour, folder, left_s=3600):
    (folder / "own.html").write_text(OWN)
    now = time.time()
    return detour(CONFIG, FILES=folder, FROM=rfc3339(now - 1800), UNTIL=rfc3339(now + left_s))


@pytest.fixture
def begin(detour, folder):
    return lambda: start(detour, folder)


def url(server, target):
    return f"http://127.0.0.1:{server.port}{target}"


# Readers who wait at the same time; each test looks at one of them.
SCRIPT, PLACE, PLACE_FRAGMENT, NO_SCRIPT = "a script", "in place", "in place with a fragment", "no script"
WANTED = {
    SCRIPT: "/checkout/cart%20x?item=1&n=%2F#row=3/4",
    PLACE: "/place?a=b",
    PLACE_FRAGMENT: "/place?a=b#c",
    NO_SCRIPT: "/checkout?x=1",
}


@pytest.fixture(scope="module")
def journeys(browser, shared_detour, tmp_path_factory):
    """By name: the URL that was wanted, what the page was when it waited, and the page as it came out."""
    folder = tmp_path_factory.mktemp("own")
    folder.chmod(0o755)
    server = start(shared_detour, folder, left_s=6)
    out = {}
    for name, target in WANTED.items():
        page = Page(browser, javaScriptEnabled=name != NO_SCRIPT)
        status = page.goto(url=url(server, target))
        waiting = {"status": status, "url": page.url(), "text": page.run(code="document.body.innerText")}
        if name == SCRIPT:
            waiting["left"] = page.text("left")
            waiting["link"] = page.run(code="document.querySelector('[data-detour=back]').href")
        out[name] = {"wanted": url(server, target), "waiting": waiting, "page": page}
    for journey in out.values():
        page = journey["page"]
        wait_until(lambda: page.run(code="document.body && document.body.textContent") == "you are there",
                   CHROMIUM_LIMIT, "the way back")
        journey["url"] = page.url()
    return out


def test_a_browser_arrives_waits_and_is_taken_back(journeys):
    journey = journeys[SCRIPT]
    waiting = journey["waiting"]
    assert waiting["status"] == 200 and "/.well-known/detour/wait/" in waiting["url"]
    assert waiting["url"].endswith("#row=3/4")
    assert "database <upgrade>" in waiting["text"] and "Waiting until it is ready." in waiting["text"]
    assert re.fullmatch(r"in [0-9] seconds?|now", waiting["left"])
    assert waiting["link"] == journey["wanted"]
    assert journey["url"] == journey["wanted"]
    seen = journey["page"].seen()
    assert seen["faults"] == []
    assert 1 <= sum("/status/" in u for _, u in seen["requests"]) <= 6
    assert journey["page"].run(code="history.length") <= 2  # Back does not lead to the wait page


@pytest.mark.parametrize("name", [PLACE, PLACE_FRAGMENT])
def test_a_page_in_place_comes_back_by_itself(journeys, name):
    journey = journeys[name]
    assert journey["waiting"]["status"] == 503
    assert journey["waiting"]["url"] == journey["url"] == journey["wanted"]


def test_without_a_script_the_page_reloads_until_it_is_over(journeys):
    journey = journeys[NO_SCRIPT]
    assert "/.well-known/detour/wait/" in journey["waiting"]["url"]
    assert re.search(r"[0-9-]{10} [0-9:]{5} UTC", journey["waiting"]["text"])
    assert journey["url"] == journey["wanted"]


def test_times_are_the_readers_own(begin, browser):
    server = begin()
    shown = {}
    for locale, zone in [("en-US", "America/New_York"), ("de-DE", "Europe/Berlin"), ("fr-FR", "Europe/Paris"), ("es-ES", "Asia/Tokyo")]:
        page = Page(browser, locale=locale, timezoneId=zone)
        page.goto(url=url(server, "/checkout"))
        assert page.run(code="document.documentElement.lang") == locale[:2]
        until = page.run(code="new Date(document.querySelector('time').dateTime).toLocaleTimeString("
                              f"'{locale[:2]}', {{hour: 'numeric', minute: '2-digit'}})")
        shown[locale] = page.text("until")
        assert shown[locale] == until
        left = {"en": "in (59|60) minutes", "de": "in (59|60) Minuten", "fr": "dans (59|60) minutes",
                "es": "dentro de (59|60) minutos"}
        assert re.fullmatch(left[locale[:2]], page.text("left"))
        page.close()
    assert len(set(shown.values())) >= 3


def test_an_operators_page_is_filled_and_its_own_scripts_do_not_run(begin, browser):
    server = begin()
    page = Page(browser)
    page.goto(url=url(server, "/own#x"))
    assert page.text("reason") == "it is ours"
    assert page.run(code="document.title") == "own"
    assert page.run(code="getComputedStyle(document.querySelector('p')).color") == "rgb(1, 2, 3)"
    assert 30 <= page.run(code="document.querySelector('progress').value") <= 36
    assert page.run(code="document.querySelector('a').href") == url(server, "/own#x")
    assert any("Content Security Policy" in fault for fault in page.seen()["faults"])
    page.close()


def test_a_lost_key_costs_the_reader_nothing(begin, browser):
    """A server that is started anew, without a store, knows no old ticket; the page knows the way."""
    server = begin()
    page = Page(browser)
    page.goto(url=url(server, "/checkout?x=1#y"))
    server.stop()
    server.write("sites: [{hosts: ['127.0.0.1'], routes: [{path_prefix: /, respond: {body: b, content_type: text/html}}]}]")
    server.start()
    assert page.until(url=url(server, "/checkout?x=1#y"), timeout=CHROMIUM_LIMIT)
    page.close()


# --- For all senses ---------------------------------------------------------------------------


CONTRAST = """(() => {
const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
  .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const paper = getComputedStyle(document.body).backgroundColor;
return [...document.querySelectorAll("h1, p, a, time, span")].filter((e) => e.textContent && e.offsetParent)
  .map((e) => [e.tagName, ratio(getComputedStyle(e).color, paper)])
  .concat([["bar", ratio(getComputedStyle(document.documentElement).getPropertyValue("--bar").trim()
    .replace(/^#(..)(..)(..)$/, (_, r, g, b) => `rgb(${parseInt(r, 16)}, ${parseInt(g, 16)}, ${parseInt(b, 16)})`), paper)]]);
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(begin, browser, scheme):
    server = begin()
    page = Page(browser, colorScheme=scheme)
    page.goto(url=url(server, "/checkout"))
    ratios = page.run(code=CONTRAST)
    assert len(ratios) >= 7
    assert all(ratio >= (3 if name == "bar" else 4.5) for name, ratio in ratios), ratios  # WCAG 1.4.3, 1.4.11
    dark = page.run(code="getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert dark == (scheme == "dark")
    page.close()


def test_the_page_can_be_read_on_a_phone_and_magnified(begin, browser):
    server = begin()
    for width in [320, 375]:
        page = Page(browser, viewport={"width": width, "height": 640}, deviceScaleFactor=2, isMobile=True, hasTouch=True)
        page.goto(url=url(server, "/checkout/" + "x" * 300))
        assert page.run(code="document.documentElement.scrollWidth") <= width  # WCAG 1.4.10
        assert page.run(code="parseFloat(getComputedStyle(document.querySelector('p')).fontSize)") >= 16
        box = page.run(code="JSON.stringify(document.querySelector('a').getBoundingClientRect())")
        assert json.loads(box)["height"] >= 44 and json.loads(box)["x"] >= 0  # WCAG 2.5.5
        page.close()
    page = Page(browser, viewport={"width": 1280, "height": 800})
    page.goto(url=url(server, "/checkout"))
    page.run(code="document.documentElement.style.fontSize = '200%'")  # WCAG 1.4.4
    assert page.run(code="document.documentElement.scrollWidth") <= 1280
    page.close()


def test_the_page_has_its_landmarks_names_and_roles(begin, browser):
    server = begin()
    page = Page(browser)
    page.goto(url=url(server, "/checkout"))
    one = "document.querySelectorAll('{}').length"
    for selector in ["main", "h1", "progress[aria-label]", "[role=status]", "time[datetime]", "meta[name=viewport]", "title", "html[lang]"]:
        assert page.run(code=one.format(selector)) == 1, selector
    assert "user-scalable" not in page.run(code="document.querySelector('meta[name=viewport]').content")
    assert page.run(code="document.title") == page.run(code="document.querySelector('h1').textContent") == "We upgrade"
    assert page.run(code="document.querySelector('main').contains(document.querySelector('[role=status]'))")
    assert page.run(code="[...document.querySelectorAll('a')].every((a) => a.textContent.trim() && a.href)")
    assert 30 <= page.run(code="document.querySelector('progress').value") <= 36
    assert page.run(code="document.querySelector('progress').position") > 0.3
    page.press(key="Tab")  # everything that can be done can be done by keyboard, and is seen to be
    assert page.run(code="document.activeElement.tagName") == "A"
    assert page.run(code="getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.close()


def test_motion_is_left_out_where_it_is_not_wanted(begin, browser):
    server = begin()
    page = Page(browser, reducedMotion="reduce")
    page.goto(url=url(server, "/checkout"))
    moving = "document.getAnimations().length"
    assert page.run(code=moving) == 0
    assert page.run(code="getComputedStyle(document.querySelector('progress'), '::-webkit-progress-value').transitionDuration") in ("0s", "")
    page.close()
