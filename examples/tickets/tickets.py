#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Did Detour send this client? A verifier of signed tickets: detour-tickets(7).

tickets.py KEY_FILE HOST PORT FOLDER serves a folder to those who have a ticket for this host."""
import functools
import hashlib
import hmac
import http.server
import re
import sys
import time

TICKET = re.compile(r"([0-9]{1,20})-([0-9a-f]{64})")
SLASH = re.compile("%(2f|5c)", re.IGNORECASE)


def read_keys(path):
    """One key, or two while one follows the other."""
    with open(path, encoding="ascii") as file:
        return [line.encode() for line in file.read().split("\n") if line]


def fault(keys, method, host, target, now, param="ticket"):
    """None, or why the ticket is not good. host, target: the field and the target as they were sent."""
    path, _, query = target.partition("?")
    found = [value for name, _, value in (member.partition("=") for member in query.split("&")) if name == param]
    parts = TICKET.fullmatch(found[0]) if len(found) == 1 else None
    if parts is None:
        return "absent"
    expiry, code = parts.groups()
    if int(expiry) <= now:
        return "expired"
    if SLASH.search(path):
        return "unclear"  # it would be decoded to another path than Detour has looked at
    method = "GET" if method == "HEAD" else method
    signed = "\n".join((method, host.lower(), path, expiry)).encode()
    codes = [hmac.new(key, signed, hashlib.sha256).hexdigest() for key in keys]
    # All keys are tried, each in a time that says nothing.
    return None if sum(hmac.compare_digest(code, other) for other in codes) > 0 else "bad"


class Handler(http.server.SimpleHTTPRequestHandler):
    keys, host = [], ""
    protocol_version = "HTTP/1.1"

    def send_head(self):
        host = self.headers.get("Host", "")
        # Host says what its sender likes: a ticket for another host is none for this one.
        own = host.lower() == self.host
        why = fault(self.keys, self.command, host, self.path, time.time()) if own else "host"
        if why is not None:
            self.log_message("refused: %s", why)
            self.send_error(403)
            return None
        return super().send_head()


def main():
    Handler.keys, Handler.host = read_keys(sys.argv[1]), sys.argv[2].lower()
    handler = functools.partial(Handler, directory=sys.argv[4])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3])), handler).serve_forever()


if __name__ == "__main__":
    main()
