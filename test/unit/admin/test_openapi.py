#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The OpenAPI document is sound, has every route and no other, and each answer is as it says.

usage: test_openapi.py ASK_EVERYTHING
"""
import json
import re
import subprocess
import sys

try:
    import jsonschema
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

METHODS = {"get", "put", "post", "delete", "patch", "options", "trace", "head"}


def pointer(document, reference):
    assert reference.startswith("#/"), reference
    for step in reference[2:].split("/"):
        document = document[step]
    return document


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def operations(document):
    for path, item in document["paths"].items():
        assert set(item) <= METHODS, item.keys()
        for method, operation in item.items():
            yield path, method, operation


def validator(document, schema):
    return jsonschema.Draft202012Validator({"components": document["components"], **schema})


def check_document(document):
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] and document["info"]["version"]
    for reference in references(document):
        pointer(document, reference)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        parameters = [pointer(document, p["$ref"]) if "$ref" in p else p
                      for p in operation["parameters"]]
        for parameter in parameters:
            jsonschema.Draft202012Validator.check_schema(parameter["schema"])
        in_path = [p["name"] for p in parameters if p["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", path), path
        assert all(p["required"] for p in parameters if p["in"] == "path")
        assert operation["summary"] and "default" in operation["responses"]
        assert ("requestBody" in operation) <= (method in ("put", "post", "patch"))
        scope = operation.get("x-scope")
        assert (operation.get("security") == []) == (scope is None), path


def examples_of_schemas(document):
    """A schema that takes anything is no schema."""
    good = {
        "Detour": {"until": "off", "to": "https://a.example/", "reason": "r"},
        "Extension": {"for": "30m"},
        "Server": {"url": "https://a.example", "weight": 3, "state": "drain", "share": "20%"},
        "ServerPatch": {"state": "drain", "share": None},
    }
    bad = {
        "Detour": {"until": "off", "too": "https://a.example/"},
        "Extension": {"for": "30m", "until": "off"},
        "Problem": {"type": "about:blank", "title": "t", "status": 200, "detail": "d"},
        "AllOff": {"off": [{}]},
        "Server": {"weight": 3},
        "ServerPatch": {"url": "https://a.example"},
        "ServerState": {"pool": "eu", "name": "a", "state": "gone", "source": "live"},
        "DetourState": {"site": "s", "name": "n", "state": "on", "source": "file"},
    }
    for name, example in good.items():
        validator(document, {"$ref": f"#/components/schemas/{name}"}).validate(example)
    for name, example in bad.items():
        assert not validator(document, {"$ref": f"#/components/schemas/{name}"}).is_valid(example)


def check_problem(document, answer):
    problem = json.loads(answer["body"])
    assert problem["status"] == answer["status"]
    kind = problem["type"]
    if kind != "about:blank":
        base, _, fragment = kind.partition("#")
        assert base == "/v1/openapi.json" and base in document["paths"]
        described = pointer(document, "#" + fragment)
        assert described == {"title": problem["title"], "status": problem["status"]}


def check_answer(document, operation, answer):
    described = operation["responses"].get(str(answer["status"]))
    assert described is not None, f"{answer['status']} is not described"
    if "$ref" in described:
        described = pointer(document, described["$ref"])
    assert ("content" in described) == (answer["body"] != "")
    assert not answer["etag"] or answer["status"] == 304 or "ETag" in described["headers"]
    if answer["body"] == "":
        return
    kind = answer["type"].split(";")[0]
    schema = described["content"][kind]["schema"]
    body = answer["body"] if kind == "text/yaml" else json.loads(answer["body"])
    validator(document, schema).validate(body)
    if answer["status"] >= 400:
        check_problem(document, answer)


def check_taken(document, operation, answer):
    """What the document does not have is refused, and what it has is not."""
    if answer["way"] == "method":
        assert (operation is None) == (answer["status"] == 405)
    if answer["parameter"]:
        names = {p.get("$ref", "").rsplit("/", 1)[-1] for p in operation["parameters"]}
        assert (answer["parameter"] in names) == (answer["status"] == 200)
    if operation is None:
        return
    if answer["way"] == "content for all" and "requestBody" not in operation:
        assert answer["status"] == 400
    if answer["way"] == "no token":
        assert (answer["status"] == 401) == ("x-scope" in operation)
    if answer["way"] == "read only":
        assert (answer["status"] == 403) == (operation.get("x-scope") == "write")


def check_answers(document, answers):
    seen = set()
    for answer in answers:
        key = answer["path"], answer["method"].lower()
        operation = document["paths"][key[0]].get(key[1])
        try:
            check_taken(document, operation, answer)
            if operation is not None:
                check_answer(document, operation, answer)
                seen.add((*key, str(answer["status"])))
        except Exception:
            print(str(answer)[:1000], file=sys.stderr)
            raise
    for path, method, operation in operations(document):
        for status in ("200", "201", "304", "401", "415", "428"):
            described = status in operation["responses"]
            assert described == ((path, method, status) in seen), f"{method} {path}: {status}"


def main():
    done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True, timeout=100)
    document, *lines = map(json.loads, done.stdout.decode().splitlines())
    routes = [tuple(line["route"]) for line in lines if "route" in line]
    answers = [line for line in lines if "status" in line]
    assert len(routes) == len(set(routes)) > 10 and len(answers) > 300
    assert {(path, method.lower()) for path, method in routes} == {
        (path, method) for path, method, _ in operations(document)}
    check_document(document)
    examples_of_schemas(document)
    check_answers(document, answers)


if __name__ == "__main__":
    main()
