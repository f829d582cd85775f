#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes the C file with the schemas of the API: its own, and of what stands in the file, too.

usage: schemas.py SCHEMAS FILE_SCHEMA OUT
"""
import json
import pathlib
import sys

FROM = "#/$defs/"
TO = "#/components/schemas/"


def moved(value, met):
    """The value with its references where OpenAPI has them; met gathers their names."""
    if isinstance(value, list):
        return [moved(item, met) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: moved(item, met) for key, item in value.items()}
    target = value.get("$ref", "")
    if target.startswith(FROM):
        met.append(target.removeprefix(FROM))
        result["$ref"] = TO + met[-1]
    return result


def detour_schemas(definitions):
    """The definitions of a detour and a server, and all that they refer to. The path of a request says the
    name of the detour already."""
    detour = dict(definitions["detour"])
    detour["required"] = [name for name in detour.get("required", []) if name != "name"]
    server = dict(definitions["server"])
    result = {}
    waiting = ["time", "duration"]
    result["Detour"] = moved(detour, waiting)
    result["Server"] = moved(server, waiting)
    while waiting:
        name = waiting.pop()
        if name not in result:
            result[name] = moved(definitions[name], waiting)
    return result


def main():
    own, file, out = map(pathlib.Path, sys.argv[1:])
    schemas = json.loads(own.read_text())
    schemas |= detour_schemas(json.loads(file.read_text())["$defs"])
    text = json.dumps(schemas, ensure_ascii=True, separators=(",", ":"))
    lines = [json.dumps(text[at:at + 80]) for at in range(0, len(text), 80)]
    out.write_text("/* SPDX-License-Identifier: MIT */\n"
                   "/* The schemas of the admin API. */\n"
                   '#include "admin/internal.h"\n\n'
                   "const char admin_schemas[] =\n    " + "\n    ".join(lines) + ";\n")


if __name__ == "__main__":
    main()
