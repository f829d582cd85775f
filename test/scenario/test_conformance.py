# SPDX-License-Identifier: MIT
"""The referee for clients: what curl, Python, Node, Chromium and libdetour make of redirects. Asserted is
what must not change with a version of theirs; doc/conformance.md has the whole."""

import http.client
import json
import re
import sys

import pytest
from detourlib import BINARY, ROOT, Conn, environment, free_port, run

sys.path.insert(0, str(ROOT / "test" / "conformance"))
import clients  # noqa: E402: it is a neighbour, not a package

GROUPS = {"method", "credentials", "loop", "upload", "cache", "location", "status", "referer", "fragment", "content",
          "wait"}


@pytest.fixture(scope="module")
def referee():
    with clients.Referee(BINARY, env=environment()) as running:
        yield running


def verdicts(report):
    return {case["id"]: case["verdict"] for case in report["cases"]}


def seen(report):
    return {case["id"]: case["saw"] for case in report["cases"]}


def assert_rows(report, **groups):
    """assert_rows(report, wrong=[...], standard=[...])"""
    found = verdicts(report)
    for verdict, ids in groups.items():
        assert {id: found[id] for id in ids} == dict.fromkeys(ids, verdict)


def test_cases_for_people_and_for_programs(referee):
    listed = json.loads(clients.ask(f"{referee.base}/cases.json?key=k"))
    ids = [case["id"] for case in listed["cases"]]
    text = clients.ask(f"{referee.base}/cases?key=k").decode()
    assert len(set(ids)) == len(ids) and {case["group"] for case in listed["cases"]} == GROUPS
    for case in listed["cases"]:
        assert case["url"].split("/", 3)[3].split("#")[0] == f"t/k/{case['id']}/0"
        assert case["url"].startswith(f"{referee.base}/") == (case["id"] not in ("authorization-down", "referer-down"))
        assert case["url"].startswith("http://") or case["secure"]
        assert f"\n{case['id']}: " in f"\n{text}" and case["curl"] in text
    for status in 301, 302, 303, 307, 308:
        assert {f"{status}-{method}" for method in ("GET", "HEAD", "POST", "PUT", "DELETE")} <= set(ids)


def test_each_case_is_in_the_tables_of_the_manual(referee):
    cases = json.loads(clients.ask(f"{referee.base}/cases.json?key=k"))["cases"]
    page = (ROOT / "doc" / "conformance.md").read_text()
    told = re.findall(r"^\| ([^|]+) \| ([^|]+) \([^|]+\) \|", page, re.M)
    assert told == [(case["title"], case["right"]) for case in cases], "make conformance writes them anew"
    manual = (ROOT / "doc" / "man" / "detour-clients.7.scd").read_text()
    assert re.findall(r"^([\w-]+) +(?:yes|may|NO|-)  ", manual, re.M) == [case["id"] for case in cases]


def test_curl(referee):
    report = clients.run(referee.base, "curl", clients.curl_name(), clients.curl)
    assert report["unseen"] == 0
    saw = seen(report)
    for status in 301, 302, 303:
        assert saw[f"{status}-POST"] == "POST became GET"
    for status in 307, 308:
        assert saw[f"{status}-POST"] == "POST stayed POST" and saw[f"{status}-PUT"] == "PUT stayed PUT"
    assert_rows(report, standard=["303-HEAD", "authorization-host", "loop-cookie", "hops-20", "early-307",
                                  "early-307-expect", "early-303", "cache-307-bare", "location-file", "307-POST-up",
                                  "authorization-up", "authorization-down"])


def test_python(referee):
    report = clients.run(referee.base, "urllib", "urllib", clients.urllib_request)
    assert seen(report)["307-POST"] == "did not follow"
    assert_rows(report, standard=["302-POST", "303-POST", "loop-self", "cache-307-bare", "location-file"],
                wrong=["authorization-host", "authorization-up", "authorization-down"])


def test_requests(referee):
    pytest.importorskip("requests")
    report = clients.run(referee.base, "requests", "requests", clients.requests)
    assert_rows(report, standard=["307-POST", "308-PUT", "authorization-host", "fragment-kept", "loop-cookie"],
                wrong=["302-DELETE"])


def test_node(referee):
    report = clients.node(referee.base, "node")
    methods = [case["id"] for case in report["cases"] if case["group"] in ("method", "status")]
    assert_rows(report, standard=[*methods, "authorization-port", "authorization-back", "authorization-up", "cookie-back",
                                  "proxy-authorization", "hops-20", "hops-21",
                                  "location-missing", "location-data", "location-backslash"])


def test_chromium_and_libdetour_agree(referee):
    """In browser mode, with two exceptions. Chromium takes an empty Location for none, where Fetch resolves
    it; and fetch() refuses a Location with userinfo, which a navigation follows without it."""
    chromium = clients.chromium(referee.base, "chromium")
    if chromium is None:
        pytest.skip("no Chromium; see tools/browser.sh")
    assert chromium["client"].startswith("Chromium ") and chromium["wrong"] == 0
    # A script may set neither Host, Cookie nor Expect.
    assert_rows(chromium, unseen=["cookie-port", "cookie-host", "cookie-back", "proxy-authorization", "host-relative",
                                  "early-307-expect"],
                standard=["authorization-up", "authorization-down", "307-POST-up"])
    detour = clients.run(referee.base, "trace", "detour trace", clients.trace(BINARY, "browser"))
    assert detour["wrong"] == 0
    one, other = verdicts(chromium), verdicts(detour)
    differ = {id for id in one if one[id] != other[id] and "unseen" not in (one[id], other[id])}
    assert differ == {"location-empty", "location-userinfo"}
    one, other = seen(chromium), seen(detour)
    assert all(one[id] == other[id] for id in one if id.startswith(("30", "hops", "loop", "fragment")))


def test_libdetour_by_the_rfcs_alone(referee):
    report = clients.run(referee.base, "rfc", "detour trace --mode rfc", clients.trace(BINARY, "rfc"),
                         groups={"method", "status", "referer", "wait"})
    assert report["wrong"] == 0
    assert_rows(report, allowed=["301-POST", "302-POST", "status-300", "referer-policy"],
                standard=["307-POST-up", "retry-after", "referer-down"])


def ask(referee, method, path, body=None, **headers):
    connection = http.client.HTTPConnection(referee.base.removeprefix("http://"), timeout=20)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_a_body_that_changes_on_the_way_is_noticed(referee):
    for step, body in enumerate(("redirect=me&", "redirect=ME&")):
        ask(referee, "POST", f"/t/changed/307-POST/{step}", body)
    _, text = ask(referee, "GET", "/report/changed.json")
    assert verdicts(json.loads(text))["307-POST"] == "wrong"


def test_chunked_content_counts_as_any_other(referee):
    for step in 0, 1:
        ask(referee, "POST", f"/t/chunked/307-POST/{step}", iter([b"redirect", b"=me&"]))
    _, text = ask(referee, "GET", "/report/chunked.json")
    assert verdicts(json.loads(text))["307-POST"] == "standard"


def test_two_clients_at_once_are_two(referee):
    ask(referee, "GET", "/t/one/301-GET/0", **{"User-Agent": "one/1 \xe9"})
    ask(referee, "GET", "/t/two/301-GET/0", **{"User-Agent": "two/2"})
    ask(referee, "GET", "/t/two/301-GET/1")
    one, two = (json.loads(ask(referee, "GET", f"/report/{key}.json")[1]) for key in ("one", "two"))
    assert one["client"] == "one/1 ?" and two["client"] == "two/2"
    assert (verdicts(one)["301-GET"], verdicts(two)["301-GET"]) == ("allowed", "standard")


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/nothing", 404), ("GET", "/t/k/no-case/0", 404), ("GET", "/t//301-GET/0", 404),
    ("GET", f"/t/{'k' * 33}/301-GET/0", 404), ("GET", "/report/nobody", 404), ("GET", "/say/k/301-GET", 404),
    ("POST", "/say/k/no-case", 404), ("GET", "/cases?key=%2F", 400), ("OPTIONS", "/t/k/301-GET/0", 204)])
def test_what_is_not_there(referee, method, path, status):
    assert ask(referee, method, path)[0].status == status


def test_what_is_said_has_a_bound(referee):
    assert ask(referee, "POST", "/say/long/fragment-kept", "200 " + "x" * 100000)[0].status == 200
    assert ask(referee, "POST", "/done/long", "x" * 100000)[0].status == 200
    assert len(json.loads(ask(referee, "GET", "/report/long.json")[1])["client"]) == 200


def test_a_client_that_goes_away_in_the_middle(referee):
    host, port = referee.base.removeprefix("http://").split(":")
    with Conn((host, int(port))) as conn:
        conn.send(f"POST /t/gone/307-POST/0 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 12\r\n\r\nredi")
    for i in range(40):  # more than there is room for; the oldest give way
        assert ask(referee, "GET", f"/t/many{i}/301-GET/0")[0].status == 301


def test_tables_are_printed():
    running = clients.Referee(BINARY, env=environment())
    clients.ask(f"{running.base}/done/first", b"the first")
    ask(running, "GET", "/t/second/303-HEAD/0", **{"User-Agent": "the second"})
    printed = running.close()
    assert printed.index("first: the first") < printed.index("second: the second")
    assert printed.count("\n303-HEAD ") == 2


def test_what_it_does_not_listen_on():
    for address in "0.0.0.0:8390", "https://127.0.0.1:8390", "127.0.0.1:65535", "127.0.0.1:x", "unix:/tmp/x":
        done = run("conformance", "--listen", address)
        assert done.returncode == 2 and address in done.stderr and done.stdout == ""
    port = free_port()
    with http.client.socket.create_server(("127.0.0.1", port)):
        done = run("conformance", "--listen", f"127.0.0.1:{port}")
        assert done.returncode == 2 and "in use" in done.stderr
