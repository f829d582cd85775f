# SPDX-License-Identifier: MIT
"""Events: what becomes of detours is told to webhooks, signed and again until it is heard, and
stands in the log. Nothing is told twice under another id, and nothing is forgotten."""

import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from adminapi import CONFIG, Admin, back, kill_control, later, restart
from detourlib import free_port, run, wait_until

KEY = bytes(range(1, 33))
SECRET = "whsec_" + base64.b64encode(KEY).decode()

HOOKED = CONFIG + 'events: {webhooks: [{url: "$HOOK", secret_file: hook.key}]}\n'


def verify(fields, body, key=KEY):
    """As the page of Standard Webhooks says, and nothing taken from the program."""
    signed = f"{fields['webhook-id']}.{fields['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in fields["webhook-signature"].split(" ")


class Message:
    def __init__(self, path, fields, body):
        self.path, self.fields, self.body = path, fields, body
        self.id = fields["webhook-id"]
        self.json = json.loads(body)
        self.type = self.json["type"]
        self.data = self.json["data"]


class Receiver:
    """answers: what it does with the messages that come first; then 204."""

    def __init__(self, port=0):
        self.got, self.answers, self.open = [], [], threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), self.handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?a=b"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def handler(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fields = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver.answers.pop(0) if receiver.answers else 204
                receiver.got.append(Message(self.path, fields, body))
                if callable(answer):
                    answer(self)
                    self.close_connection = True
                    return
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

    def types(self):
        return [m.type for m in self.got]

    def wait(self, count):
        wait_until(lambda: len(self.got) >= count, what=f"{count} messages, of which came {self.types()}")
        assert len(self.got) == count, self.types()
        return self.got[-1]

    def close(self):
        self.open.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def hooked(detour, receiver, folder):
    yield from begin(detour, HOOKED, HOOK=receiver.url)


def begin(detour, config, **values):
    """Beside the file stands the key."""

    def prepare():
        with open("hook.key", "w") as file:
            file.write(SECRET + "\n")

    one = Admin(detour(config, prepare=prepare, **values))
    yield one
    one.close()


def brief(length, **more):
    return Admin.detour(until=None, **{"for": length}, **more)


def status(admin):
    return admin.good("GET", "/v1/status").json["webhooks"]


def delivered(admin):
    """Nothing is on its way any more, and that is durable."""
    wait_until(lambda: all(hook["pending"] == 0 for hook in status(admin)))


def lines(admin, kind):
    return [line for line in admin.server.stderr().splitlines() if f": event {kind}: " in line]


# ---- what is told -----------------------------------------------------------------------


def test_a_detour_is_told_from_its_beginning_to_its_end(hooked, receiver):
    hooked.on("d", why="database upgrade", owner="ops")
    first = receiver.wait(1)
    assert first.path == "/hook?a=b"
    assert first.fields["content-type"] == "application/json"
    assert re.fullmatch(r"evt_[0-9a-f]{32}", first.id)
    assert abs(int(first.fields["webhook-timestamp"]) - time.time()) < 60
    assert first.type == "detour.started" and set(first.json) == {"type", "timestamp", "data"}
    detour = hooked.good("GET", "/v1/detours/shop/d").json
    assert first.data["detour"] == detour
    assert first.data["cause"] == "change"
    assert first.data["change"]["why"] == "database upgrade" and first.data["change"]["owner"] == "ops"
    assert first.data["change"]["who"]["uid"] == os.getuid()
    assert first.data["change"]["number"] == detour["change"]
    hooked.good("DELETE", "/v1/detours/shop/d", why="done")
    second = receiver.wait(2)
    assert second.type == "detour.ended" and second.data["cause"] == "change"
    assert second.data["change"]["why"] == "done"
    assert second.data["detour"]["name"] == "d" and second.data["detour"]["detour"] == detour["detour"]
    assert second.id != first.id
    delivered(hooked)
    assert len(lines(hooked, "started")) == len(lines(hooked, "ended")) == 1
    assert "detour shop/d" in lines(hooked, "started")[0]


def test_time_alone_brings_events(hooked, receiver):
    hooked.on("short", brief("1s"))
    assert receiver.wait(1).type == "detour.started"
    last = receiver.wait(2)
    assert last.type == "detour.ended" and last.data["cause"] == "schedule"
    assert last.json["timestamp"] == receiver.got[0].data["detour"]["closes"]


def test_an_end_that_comes_is_told(detour, receiver):
    config = HOOKED.replace("events: {", "events: {ending: 1h, ")
    for admin in begin(detour, config, HOOK=receiver.url):
        made = admin.on("long", brief("2h"))
        receiver.wait(1)
        admin.on("long", Admin.detour(until=later(3000), **{"from": later(-7200)}), tag=made.etag)
        assert receiver.wait(2).type == "detour.ending"
        admin.on("brief", brief("50m", prefix="/brief", **{"from": later(-5)}))
        receiver.wait(3)
        delivered(admin)
        assert receiver.types() == ["detour.started", "detour.ending", "detour.started"]
        assert "ends at " in lines(admin, "ending")[0]


def test_what_is_held_is_overdue(hooked, receiver):
    hooked.on("held", brief("1s", at_end="hold"))
    receiver.wait(1)
    last = receiver.wait(2)
    assert last.type == "detour.overdue" and last.data["detour"]["overdue"]
    hooked.good("DELETE", "/v1/detours/shop/held")
    assert receiver.wait(3).type == "detour.ended"


def test_a_refused_change_is_told(hooked, receiver):
    r = hooked.bad(422, "PUT", "/v1/detours/shop/d", {"to": "nowhere", "until": "off", "reason": "r", "path": "/x"},
                   {"If-None-Match": "*"}, owner="ops", why="try")
    told = receiver.wait(1)
    assert verify(told.fields, told.body)
    assert told.type == "detour.refused"
    assert told.data["operation"] == "on" and told.data["site"] == "shop" and told.data["name"] == "d"
    assert told.data["status"] == 422 and told.data["detail"] == r.json["detail"]
    assert told.data["errors"] == r.json["errors"]
    assert told.data["who"]["uid"] == os.getuid() and told.data["owner"] == "ops"
    assert "on of detour shop/d" in lines(hooked, "refused")[0]
    hooked.bad(422, "PUT", "/v1/detours/shop/d", {"to": "nowhere", "until": "off", "reason": "r", "path": "/x"},
               {"If-None-Match": "*"}, dry_run="true")
    hooked.on("d")
    assert receiver.wait(2).type == "detour.started"


def test_refusals_without_end_leave_room(hooked, receiver):
    for _ in range(50):
        hooked.bad(404, "DELETE", "/v1/detours/shop/nobody")
    hooked.on("d")
    wait_until(lambda: "detour.started" in receiver.types())
    delivered(hooked)
    assert receiver.types().count("detour.refused") == 30


def test_only_what_was_asked_for(detour, receiver):
    config = HOOKED.replace("hook.key}", "hook.key, events: [ended]}")
    for admin in begin(detour, config, HOOK=receiver.url):
        admin.on("d")
        admin.good("DELETE", "/v1/detours/shop/d")
        receiver.wait(1)
        delivered(admin)
        assert receiver.types() == ["detour.ended"]


def test_the_log_alone(detour):
    admin = Admin(detour(CONFIG))
    admin.on("d")
    assert len(lines(admin, "started")) == 1
    assert status(admin) == []
    kill_control(admin)
    admin.good("DELETE", "/v1/detours/shop/d")
    wait_until(lambda: len(lines(admin, "ended")) == 1)
    assert len(lines(admin, "started")) == 1
    admin.close()


# ---- how it is told ---------------------------------------------------------------------


def test_signed_by_each_secret(detour, receiver):
    other = b"another secret of enough bytes"

    def prepare():
        with open("hook.key", "w") as file:
            file.write(f"{SECRET}\n{other.decode()}\n")

    admin = Admin(detour(HOOKED, prepare=prepare, HOOK=receiver.url))
    admin.on("d")
    got = receiver.wait(1)
    assert verify(got.fields, got.body) and verify(got.fields, got.body, other)
    assert not verify(got.fields, got.body + b" ") and not verify(got.fields, got.body, b"x" * 32)
    admin.close()


def test_told_again_until_it_is_heard(hooked, receiver):
    receiver.answers = [500, 500]
    hooked.on("d")
    receiver.wait(3)
    delivered(hooked)
    assert len({m.id for m in receiver.got}) == 1 and len({m.body for m in receiver.got}) == 1
    assert all(verify(m.fields, m.body) for m in receiver.got)
    log = hooked.server.stderr()
    assert log.count(f"webhook {receiver.url}: 500; its messages are sent again later") == 1
    assert log.count(f"webhook {receiver.url} takes messages again") == 1
    hook = status(hooked)[0]
    assert hook["url"] == receiver.url and hook["pending"] == 0
    assert hook["last"]["ok"] and hook["last"]["result"] == "204"


def test_a_receiver_that_was_away_and_a_control_that_died(detour):
    port = free_port()
    for admin in begin(detour, HOOKED, HOOK=f"http://127.0.0.1:{port}/"):
        admin.on("d")
        wait_until(lambda: status(admin)[0]["last"])
        assert not status(admin)[0]["last"]["ok"] and status(admin)[0]["pending"] == 1
        kill_control(admin)
        wait_until(lambda: status(admin)[0]["pending"] == 1)
        kill_control(admin)
        again = Receiver(port)
        try:
            assert again.wait(1).type == "detour.started"
            delivered(admin)
            kill_control(admin)
            admin.good("DELETE", "/v1/detours/shop/d")
            assert again.wait(2).type == "detour.ended"
            delivered(admin)
        finally:
            again.close()


def store_commits(admin):
    """The number of the newest transaction, which stands in one of the two header pages of LMDB."""
    data = (admin.server.folder / "state" / "store.mdb").read_bytes()
    return max(int.from_bytes(data[at + 144 : at + 152], "little") for at in (0, 4096))


def test_very_many_that_start_at_once(detour):
    """More than may wait are dropped, and that costs no write each: control is there again at once."""
    stanza = '  - {name: d%d, site: shop, path_prefix: "/%d", to: "https://file.example/", until: off, reason: many}\n'
    for admin in begin(detour, HOOKED, HOOK=f"http://127.0.0.1:{free_port()}/"):
        before = store_commits(admin)
        admin.server.write(HOOKED + "detours:\n" + "".join(stanza % (i, i) for i in range(1100)))
        admin.reload()
        assert status(admin)[0]["pending"] == 1000
        assert admin.server.stderr().count("is dropped") == 100
        assert store_commits(admin) - before < 20
        # Nor when nobody wants them any more, which the next program notices.
        admin.server.write(CONFIG)
        before = store_commits(admin)
        restart(admin)
        assert "1000 messages to webhooks from before" in admin.server.stderr() and status(admin) == []
        assert store_commits(admin) - before < 20


def test_what_happened_while_nobody_looked(hooked, receiver):
    hooked.on("ends", brief("2s"))
    end = datetime.datetime.fromisoformat(hooked.get("ends").json["closes"].replace("Z", "+00:00"))
    receiver.wait(1)
    delivered(hooked)
    hooked.close()
    hooked.server.stop()
    wait_until(lambda: time.time() > end.timestamp())
    hooked.server.start()
    back(hooked)
    last = receiver.wait(2)
    assert last.type == "detour.ended" and last.id != receiver.got[0].id
    assert last.json["timestamp"] == receiver.got[0].data["detour"]["closes"]
    delivered(hooked)
    restart(hooked)
    hooked.on("next")
    assert receiver.wait(3).data["detour"]["name"] == "next"


def test_nobody_is_held_up_by_a_slow_one(detour, receiver):
    slow = Receiver()
    slow.answers = [lambda _: slow.open.wait()] * 20
    config = CONFIG + """events: {webhooks: [
        {url: "$SLOW", secret_file: hook.key}, {url: "$HOOK", secret_file: hook.key}]}\n"""
    try:
        for admin in begin(detour, config, HOOK=receiver.url, SLOW=slow.url):
            for i in range(8):
                admin.on(f"d{i}", Admin.detour(prefix=f"/{i}"))
            receiver.wait(8)
            wait_until(lambda: status(admin)[1]["pending"] == 0)
            assert status(admin)[0]["pending"] == 8
            slow.wait(4)  # at once
            assert admin.where("/7") == "live.example/"
    finally:
        slow.close()


def endless(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def endless_head(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    try:
        while True:
            handler.wfile.write(b"X-More: " + b"x" * 8192 + b"\r\n")
    except OSError:
        pass


def test_a_hostile_receiver(hooked, receiver):
    elsewhere = Receiver()

    def redirect(handler):
        handler.wfile.write(f"HTTP/1.1 307 Elsewhere\r\nLocation: {elsewhere.url}\r\n"
                            "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())

    try:
        receiver.answers = [redirect, lambda h: h.wfile.write(b"\0" * 1000), endless_head, endless]
        hooked.on("d")
        receiver.wait(4)
        delivered(hooked)
        assert len({m.id for m in receiver.got}) == 1
        assert f"307: it leads to {elsewhere.url}, which is not followed" in hooked.server.stderr()
        assert not elsewhere.got
    finally:
        elsewhere.close()


def test_counted(detour, receiver):
    receiver.answers = [500]
    for admin in begin(detour, HOOKED, HOOK=receiver.url, metrics=True):
        admin.on("d")
        receiver.wait(2)
        delivered(admin)
        text = admin.server.metrics().text
        assert 'detour_webhook_messages_total{outcome="delivered"} 1\n' in text
        assert 'detour_webhook_messages_total{outcome="failed"} 1\n' in text
        assert "detour_webhook_pending 0\n" in text


# ---- the file ---------------------------------------------------------------------------


def test_a_secret_that_cannot_be_used(folder):
    file = folder / "detour.yaml"
    file.write_text('sites: [{hosts: [a.example]}]\nevents: {webhooks: [{url: "https://ops.example.com/", secret_file: hook.key}]}\n')
    done = run("check", "-c", str(file))
    assert done.returncode == 1 and "detour.yaml:2:68" in done.stderr + done.stdout
    (folder / "hook.key").write_text("short")
    done = run("check", "-c", str(file))
    assert done.returncode == 1 and "a secret has 24 to 256 bytes" in done.stderr + done.stdout
    (folder / "hook.key").write_text(SECRET)
    assert run("check", "-c", str(file)).returncode == 0
