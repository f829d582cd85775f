# SPDX-License-Identifier: MIT
"""Writes MMDB files (MaxMind DB file format specification 2.0): as small as a test needs."""

import ipaddress
import struct

STRING, DOUBLE, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 3, 5, 6, 7, 9, 11
SEPARATOR = bytes(16)
MARK = b"\xab\xcd\xefMaxMind.com"


def control(kind, size):
    assert size < 285, size
    more = bytes([size - 29]) if size >= 29 else b""
    short = min(size, 29)
    return (bytes([short, kind - 7]) if kind > 7 else bytes([kind << 5 | short])) + more


def number(kind, value):
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(raw)) + raw


def encode(value):
    if isinstance(value, bytes):  # encoded already
        return value
    if isinstance(value, str):
        return control(STRING, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return control(DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, list):
        return control(ARRAY, len(value)) + b"".join(map(encode, value))
    return control(MAP, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


def place(latitude, longitude, country, continent):
    """As in GeoLite2-City."""
    return {
        "location": {"latitude": float(latitude), "longitude": float(longitude)},
        "country": {"iso_code": country},
        "continent": {"code": continent},
    }


def flat(latitude, longitude, country):
    """As in the databases of ip-location-db."""
    return {"latitude": float(latitude), "longitude": float(longitude), "country_code": country}


class Tree:
    """For both families: IPv4 hangs at ::/96."""

    def __init__(self):
        self.nodes = [[None, None]]

    def add(self, network, data):
        network = ipaddress.ip_network(network)
        bits, length = int(network.network_address), network.prefixlen + (96 if network.version == 4 else 0)
        node = 0
        for depth in range(length):
            bit = bits >> (127 - depth) & 1
            if depth == length - 1:
                self.nodes[node][bit] = data
            else:
                below = self.nodes[node][bit]
                if not isinstance(below, int):
                    self.nodes.append([below, below])
                    below = self.nodes[node][bit] = len(self.nodes) - 1
                node = below

    def bytes(self):
        data, known, tree, count = b"", {}, b"", len(self.nodes)
        for node in self.nodes:
            for record in node:
                if isinstance(record, dict):
                    key = repr(record)
                    if key not in known:
                        known[key] = count + 16 + len(data)
                        data += encode(record)
                    record = known[key]
                tree += (count if record is None else record).to_bytes(4, "big")
        about = {
            "node_count": number(UINT32, count),
            "record_size": number(UINT16, 32),
            "ip_version": number(UINT16, 6),
            "database_type": "Test",
            "languages": ["en"],
            "binary_format_major_version": number(UINT16, 2),
            "binary_format_minor_version": number(UINT16, 0),
            "build_epoch": number(UINT64, 1_700_000_000),
            "description": {"en": "test"},
        }
        return tree + SEPARATOR + data + MARK + encode(about)


def write(path, places):
    tree = Tree()
    for network, data in places.items():
        tree.add(network, data)
    path.write_bytes(tree.bytes())
