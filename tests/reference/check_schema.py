#!/usr/bin/env python3
"""Holds schema/circle.fbs against the published circle schema.

Needs: pip install circle-schema==0.10.1
Run:   python check_schema.py           compares; exits with 1 and a list where something differs
       python check_schema.py --write   also writes testdata/schema/circle-0.10.1.json, the facts
                                        that the Rust test `schema` compares with, without Python

The facts are taken from the package's generated classes: slots and defaults from their builder
functions, element types from their accessors, and the members of unions from the functions that
unpack them.
"""
import json
import re
import sys
from pathlib import Path

import circle_schema.v0_10.circle as package

ROOT = Path(__file__).resolve().parents[2]
DECLARATION = ROOT / "schema" / "circle.fbs"
FACTS = ROOT / "testdata" / "schema" / "circle-0.10.1.json"

NUMBERS = {
    "bool": "bool", "byte": "int8", "ubyte": "uint8", "short": "int16", "ushort": "uint16",
    "int": "int32", "uint": "uint32", "long": "int64", "ulong": "uint64", "float": "float32",
    "double": "float64",
}
NUMBERS |= {name: name for name in NUMBERS.values()}


# ---- Facts of the package


def package_facts():
    enums, unions, tables = {}, {}, {}
    for file in sorted(Path(package.__path__[0]).glob("*.py")):
        name, source = file.stem, file.read_text()
        if name == "__init__":
            continue
        if "__slots__" in source:
            tables[name] = package_table(name, source)
            continue
        body = re.search(rf"^class {name}\(object\):\n((?:    .*\n)+)", source, re.M).group(1)
        values = {n: int(v) for n, v in re.findall(r"^    (\w+) = (-?\d+)", body, re.M)}
        if f"def {name}Creator" not in source:
            enums[name] = values
            continue
        unpacked = re.findall(
            rf"if unionType == {name}\(\)\.(\w+):\n.*\n        return [\w.]+\.(\w+)T\.", source
        )
        # Members bear the names of their tables.
        assert all(member == table for member, table in unpacked), name
        assert {member for member, _ in unpacked} | {"NONE"} == set(values), name
        unions[name] = values
    return {"enums": enums, "unions": unions, "tables": tables}


def package_table(table, source):
    slots = int(re.search(r"builder\.StartObject\((\d+)\)", source).group(1))
    fields = []
    for field, kind, slot, default in re.findall(
        rf"^def {table}Add(\w+)\(builder, \w+\):\n"
        r"    builder\.Prepend(\w+)Slot\((\d+), .*, ([^,]+)\)$",
        source,
        re.M,
    ):
        if kind == "UOffsetTRelative":
            fields.append([int(slot), field, package_target(field, source), None])
        else:
            fields.append([int(slot), field, kind.lower(), number(default)])
    return {"slots": slots, "fields": sorted(fields)}


def package_target(field, source):
    """What an offset field refers to, from its accessor."""
    accessor = re.search(rf"^    def {field}\(self(?:, j)?\):\n((?:        .*\n)+)", source, re.M)
    body = accessor.group(1)
    is_vector = "_tab.Vector(o)" in body
    if "_tab.String(" in body:
        target = "string"
    elif "_tab.Union(" in body:
        target = "union"
    elif made := re.search(r"obj = (\w+)\(\)", body):
        target = made.group(1)
    else:
        target = re.search(r"_tab\.Get\(flatbuffers\.number_types\.(\w+)Flags", body).group(1)
        target = target.lower()
    return f"[{target}]" if is_vector else target


def number(text):
    return {"True": 1, "False": 0}[text] if text in ("True", "False") else float(text)


# ---- Facts of the declaration


def declared_facts(text):
    text = re.sub(r"//.*", "", text)
    enums, unions, tables, enum_types = {}, {}, {}, {}
    for name, number_type, body in re.findall(r"\benum (\w+)\s*:\s*(\w+)\s*\{([^}]*)\}", text):
        enum_types[name] = NUMBERS[number_type]
        enums[name] = numbered(body, 0)
    for name, body in re.findall(r"\bunion (\w+)\s*\{([^}]*)\}", text):
        unions[name] = {"NONE": 0} | numbered(body, 1)
    for name, body in re.findall(r"\btable (\w+)\s*\{([^}]*)\}", text):
        tables[name] = declared_table(body, enums, unions, enum_types)
    return {"enums": enums, "unions": unions, "tables": tables}


def numbered(body, following):
    values = {}
    for entry in filter(None, (part.strip() for part in body.split(","))):
        name, _, value = (part.strip() for part in entry.partition("="))
        following = int(value) if value else following
        values[name] = following
        following += 1
    return values


def declared_table(body, enums, unions, enum_types):
    fields, slot = [], 0
    pattern = r"(\w+)\s*:\s*(\[?\w+\]?)\s*(?:=\s*([^\s;(]+))?\s*(\(deprecated\))?\s*;"
    for name, kind, default, deprecated in re.findall(pattern, body):
        name = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
        element = kind.strip("[]")
        plain = NUMBERS.get(element) or enum_types.get(element)
        found = []
        if element in unions:
            found = [[f"{name}Type", "uint8", 0.0], [name, "union", None]]
        elif kind != element:
            found = [[name, f"[{plain or element}]", None]]
        elif plain:
            value = {"true": "1", "false": "0", "": "0"}.get(default, default)
            found = [[name, plain, float(enums.get(element, {}).get(value, value))]]
        else:
            found = [[name, element, None]]
        for entry in found:
            if not deprecated:
                fields.append([slot, *entry])
            slot += 1
    return {"slots": slot, "fields": fields}


# ---- Comparison


def differences(published, declared):
    for kind in published:
        for name in sorted(published[kind].keys() | declared[kind].keys()):
            ours, theirs = declared[kind].get(name), published[kind].get(name)
            if ours != theirs:
                yield f"{kind} {name}:\n  published {theirs}\n  declared  {ours}"


def written(facts):
    """JSON with a line for each table and enumeration."""
    lines = []
    for kind, entries in facts.items():
        inner = ",\n".join(f"  {json.dumps(n)}: {json.dumps(v)}" for n, v in entries.items())
        lines.append(f"{json.dumps(kind)}: {{\n{inner}\n}}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main():
    published = package_facts()
    found = list(differences(published, declared_facts(DECLARATION.read_text())))
    if "--write" in sys.argv[1:]:
        FACTS.write_text(written(published))
    elif FACTS.read_text() != written(published):
        found.append(f"{FACTS.relative_to(ROOT)} is not what the package says; use --write")
    print("\n".join(found))
    fields = sum(len(table["fields"]) for table in published["tables"].values())
    values = sum(len(v) for kind in ("enums", "unions") for v in published[kind].values())
    print(
        f"{len(published['tables'])} tables, {fields} fields, "
        f"{len(published['enums'])} enumerations, {len(published['unions'])} unions, {values} values: {len(found)} differences"
    )
    sys.exit(bool(found))


main()
