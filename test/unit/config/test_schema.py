#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The schema takes the good files, refuses unknown keys, and knows the keys of the reader."""
import json
import pathlib
import re
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "doc/detour.schema.json").read_text())


class Loader(yaml.SafeLoader):
    """As editors read it: a time is a text, on and off are texts (YAML 1.2)."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def problems(path):
    checker = jsonschema.Draft202012Validator(SCHEMA)
    return [error.message for error in checker.iter_errors(yaml.load(path.read_text(), Loader))]


def reader_keys(source, table):
    text = (ROOT / "src/config" / source).read_text()
    body = re.search(r"\*const " + table + r"\[\w*\] = \{(.*?)\};", text, re.S).group(1)
    return set(re.findall(r'"(\w+)"', body))


def route_keys():
    """Of the keys of rules, those that stand before what only detours have."""
    header = (ROOT / "src/config/rule.h").read_text()
    own = re.search(r"KEY_SITE = ROUTE_KEYS,.*?DETOUR_KEYS", header, re.S)[0]
    words = re.findall(r'\[(KEY_\w+)\] = "(\w+)"', (ROOT / "src/config/rule.c").read_text())
    return {word for key, word in words if not re.search(rf"\b{key}\b", own)}


def schema_keys(definition):
    part = SCHEMA if definition is None else SCHEMA["$defs"][definition]
    return set((part["oneOf"][0] if "oneOf" in part else part)["properties"])


def main():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    faults = []
    for path in [*sorted((ROOT / "test/golden/config/good").glob("*.yaml")),
                 ROOT / "examples/detour.yaml"]:
        faults += [f"{path.name}: {message}" for message in problems(path)]
    if not problems(ROOT / "test/golden/config/bad/keys.yaml"):
        faults.append("bad/keys.yaml was taken")
    for source, table, definition in [("top.c", "top_keys", None), ("site.c", "site_keys", "site"),
                                      ("rule.c", "rule_keys", "detour"),
                                      ("rule.c", "default_keys", "default"),
                                      ("rule.c", "rest_keys", "action"),
                                      ("pool.c", "fallback_keys", "fallback"),
                                      ("pool.c", "pool_keys", "pool"),
                                      ("server.c", "server_keys", "server"),
                                      ("page.c", "page_keys", "page"),
                                      ("origin.c", "origin_keys", "origin")]:
        if reader_keys(source, table) != schema_keys(definition):
            faults.append(f"{table}: {reader_keys(source, table) ^ schema_keys(definition)}")
    if route_keys() != schema_keys("route"):
        faults.append(f"routes: {route_keys() ^ schema_keys('route')}")
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())
