# SPDX-License-Identifier: MIT
"""The JSON Schema of the configuration: what the program accepts it accepts, and it tells an
editor what is wrong."""

import json
import re
import string
from pathlib import Path

import jsonschema
import pytest
import yaml
from detourlib import ROOT, run
from test_cli import SITE
from test_tls import make

SCHEMA = ROOT / "doc" / "detour.schema.json"


class Loader(yaml.SafeLoader):
    """YAML 1.2's idea of what is not a string: no dates, and neither off, yes nor 1:30."""


Loader.yaml_implicit_resolvers = {}
for tag, expression, first in [
    ("null", r"~|null|", list("~n") + [""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"-?[0-9]+", list("-0123456789")),
    ("float", r"-?[0-9]+\.[0-9]+", list("-0123456789")),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{expression})$"), first)


def scenarios():
    """Every configuration that the scenarios serve: the constants CONFIG… of their files."""
    found = []
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.stem == "test_schema":
            continue
        module = __import__(path.stem)
        for name in sorted(vars(module)):
            if name.startswith("CONFIG") and "BAD" not in name:
                found.append(pytest.param(getattr(module, name), id=f"{path.stem}.{name}"))
    return found


# What stands for $NAME while nobody serves.
VALUES = {
    "PORT": "8307", "SECOND": "8308", "DIR": "/run/detour", "TARGET": "https://b.example", "ADDRESS": "127.0.0.1:8307",
    "WHERE": "b", "SERVERS": '{name: s, url: "https://s.example"}', "FROM": "2030-01-01T00:00:00Z",
    "UNTIL": "2030-01-02T00:00:00Z", "LOCALFROM": "2030-01-01T00:00:00 Europe/Berlin",
    "LOCALUNTIL": "2030-01-02T00:00:00 Europe/Berlin", "SOON": "2030-01-01T00:00:00Z", "LATE": "2030-01-02T00:00:00Z",
    "FORWARDED": "8312", "URL": "8313", "PREFIX": "8314", "EITHER": "8315",
    "END": "2030-01-02T00:00:00Z", "SECURE": "8443", "TLS_PORT": "8443", "FILES": ".", "PROXIED": "8309", "CLEAR": "8310",
    "SECRET": "8311", "ORIGIN": "8080", "FAR": "8081", "SCHEME": "https", "PATIENCE": "1s", "MORE": "keep_alive: off", "TAKES": "page: down",
    "HOOK": "https://ops.example/", "SLOW": "https://slow.example/", "LARGE": "large", "LINGERING": "{}", "LONG": "long",
    "HEALTH": "path: /healthz, interval: 200ms, timeout: 150ms, fall: 2, rise: 2", "PANIC": "off", "BALANCE": "weighted", "DRAIN": "5m",
    "REQUIRE": "exists", "FALLBACK": "all", "PROBES": "off", "EXTRA": "    drain: 5m",
    "KEY": "mirrors.key", "NGINX": "http://nginx.example", "PYTHON": "http://python.example",
}


def whole(text):
    text = string.Template(text).substitute(VALUES)
    if not re.search(r"^listen:", text, re.M):
        text = 'listen: ["http://127.0.0.1:8307"]\n' + text
    return text


@pytest.fixture(scope="module")
def schema():
    value = json.loads(SCHEMA.read_text())
    jsonschema.validators.validator_for(value).check_schema(value)
    return jsonschema.validators.validator_for(value)(value)


def test_the_schema_is_a_schema(schema):
    assert schema.schema["$schema"]


@pytest.mark.parametrize("text", scenarios())
def test_scenarios_are_valid(schema, text):
    schema.validate(yaml.load(whole(text), Loader))


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda p: p.name)
def test_examples_are_valid(schema, path):
    schema.validate(yaml.load(path.read_text(), Loader))


@pytest.mark.parametrize("text", scenarios())
def test_check_accepts_what_the_scenarios_serve(folder, text):
    file = folder / "detour.yaml"
    file.write_text(whole(text))
    make_files(folder, file.read_text())
    done = run("check", "-c", file)
    assert done.returncode == 0, done.stdout + done.stderr


def make_files(folder, text):
    """What it names as certificates and keys: each has both. And what it names as HTML of a page."""
    for name in re.findall(r"\bfile: ([^,}\s]+\.html)", text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{{detour}}")
    for name in re.findall(r"\bkey_file: ([^,}\s]+)", text):
        (folder / name).touch(0o600)
        (folder / name).write_text("k" * 32)
    names = set(re.findall(r"\b(?:cert|key): ([^,}\s]+\.(?:pem|key))", text))
    if names:
        make(folder, "one", ["a.example"])
        both = (folder / "one.pem").read_text() + (folder / "one.key").read_text()
        for name in names:
            (folder / name).write_text(both)


BAD = {
    "unknown key": "listen: [http://127.0.0.1:8307]\nsites: []\nsights: 1\n",
    "sites is no list": "listen: [http://127.0.0.1:8307]\nsites: {}\n",
    "unknown key of a route": SITE + "      - {path: /x, to: 'https://b.example/', stauts: 307}\n",
    "status 304": SITE + "      - {path: /x, to: 'https://b.example/', status: 304}\n",
    "path is a list": SITE + "      - {path: [/x], to: 'https://b.example/'}\n",
    "clients is a number": SITE + "      - {path: /x, to: 'https://b.example/', clients: 7}\n",
    "workers is a word": "workers: many\n" + SITE + "      - {path: /x, to: 'https://b.example/'}\n",
    "unknown balance": SITE + "      - {path: /x, pool: p}\npools:\n  p: {balance: luck, servers: [{name: s, url: 'https://b.example'}]}\n",
    "server without url": SITE + "      - {path: /x, pool: p}\npools:\n  p: {balance: hash, servers: [{name: s}]}\n",
    "detour without until": SITE + "      - {path: /x, to: 'https://b.example/'}\ndetours:\n  - {name: d, site: a, to: 'https://b.example/', reason: r}\n",
    "a list": "- a\n",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_ones_are_refused_by_schema_and_program(schema, folder, name):
    assert not schema.is_valid(yaml.load(BAD[name], Loader))
    file = folder / "detour.yaml"
    file.write_text(BAD[name])
    assert run("check", "-c", file).returncode == 1
