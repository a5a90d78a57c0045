"""The JSON Schema: sound in its structure, and of the reader's opinion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from spec_reading import problems, read

from kemu.plan.registry import options_classes
from kemu.spec.schema import field_reference, json_schema

SCHEMA = json_schema(options_classes())
KEYWORDS = {
    "$schema": str,
    "title": str,
    "description": str,
    "type": (str, list),
    "properties": dict,
    "patternProperties": dict,
    "additionalProperties": (bool, dict),
    "required": list,
    "items": dict,
    "minItems": int,
    "maxItems": int,
    "minProperties": int,
    "maxProperties": int,
    "minimum": int,
    "maximum": int,
    "pattern": str,
    "maxLength": int,
    "enum": list,
    "anyOf": list,
    "not": dict,
}
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def subschemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for key in ("properties", "patternProperties"):
        for child in schema.get(key, {}).values():
            yield from subschemas(child)
    for key in ("items", "not", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from subschemas(schema[key])
    for child in schema.get("anyOf", ()):
        yield from subschemas(child)


def is_type(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Judge a value by the keywords that the schema uses."""
    kinds = schema.get("type", [])
    if kinds and not any(is_type(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    checks = [
        "enum" not in schema or value in schema["enum"],
        "anyOf" not in schema or any(accepts(one, value) for one in schema["anyOf"]),
        "not" not in schema or not accepts(schema["not"], value),
        not isinstance(value, dict) or accepts_object(schema, value),
        not isinstance(value, list) or accepts_array(schema, value),
        not isinstance(value, str) or ("pattern" not in schema or re.search(schema["pattern"], value) is not None),
        not isinstance(value, str) or len(value) <= schema.get("maxLength", len(value)),
        not is_type(value, "integer") or schema.get("minimum", value) <= value <= schema.get("maximum", value),
    ]
    return all(checks)


def accepts_object(schema: dict[str, Any], value: dict[str, Any]) -> bool:
    if any(key not in value for key in schema.get("required", ())):
        return False
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        return False
    return all(accepts(schema_of(schema, key), child) for key, child in value.items())


def schema_of(schema: dict[str, Any], key: str) -> dict[str, Any]:
    if key in schema.get("properties", {}):
        return schema["properties"][key]
    if any(re.search(pattern, key) for pattern in schema.get("patternProperties", ())):
        return {}
    rest = schema.get("additionalProperties", True)
    return rest if isinstance(rest, dict) else {} if rest else {"not": {}}


def accepts_array(schema: dict[str, Any], value: list[Any]) -> bool:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    return all(accepts(schema.get("items", {}), one) for one in value)


def test_every_keyword_is_known_and_of_its_type() -> None:
    for schema in subschemas(SCHEMA):
        for key, value in schema.items():
            assert isinstance(value, KEYWORDS[key]), (key, value)
        assert set(schema.get("required", ())) <= set(schema.get("properties", {}))
        kinds = schema.get("type", [])
        assert set([kinds] if isinstance(kinds, str) else kinds) <= set(TYPES)


def test_it_says_which_dialect_it_is() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


GOOD = [
    "{}",
    "nodes: 3\npods: {perNode: 2}",
    "name: lab\nx-mine: [1, 2]\nnodes: [{name: a, count: 2, labels: {a: b, c: 1}}]",
    "networking: {backend: vxlan, ipFamily: dual, podSubnet: [10.1.0.0/16, 'fd00:1::/56'], nodePrefix: [24, 64]}",
    "networking: {backend: {vxlan: {vni: 7, directRouting: true}}}",
    "pods: [{name: web, replicas: 0, ports: [{containerPort: 80, protocol: UDP}]}]",
    "hosts: 0",
    "pods: {perNode: 1}\nexpect: [{name: x, allow: [p1 -> p2:80], deny: p2 -> p1}, {perf: p1 -> p2, above: 1mbit, seconds: 3}]",
]
BAD = [
    "[]",
    "nodes: 0",
    "nodes: many",
    "nodes: []",
    "nodes: [{segment: a}]",
    "colour: red",
    "name: Lab",
    "networking: {ipFamily: duel}",
    "networking: {backend: vxlna}",
    "networking: {backend: {vxlan: {vni: 0}}}",
    "networking: {backend: {vxlan: {}, host-gw: {}}}",
    "networking: {podSubnet: []}",
    "networking: {nodePrefix: [24, 64, 64]}",
    "pods: [{name: web, image: nginx}]",
    "pods: [{name: web, ports: [{containerPort: 65536}]}]",
    "pods: 4",
    "internet: maybe",
    "expect: []",
    "expect: [{allow: node/n1}]",
    "expect: [{allow: [[]]}]",
    "expect: [{perf: node/n1 -> node/n2, above: 1mbit, seconds: 0}]",
    "expect: [{rtt: node/n1 -> node/n2, under: 1ms}]",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_the_reader_accepts_the_schema_accepts(text: str) -> None:
    assert read(text)
    assert accepts(SCHEMA, yaml.load(text, Loader=yaml.CSafeLoader))  # noqa: TID251  (an editor's schema sees YAML's own types)


@pytest.mark.parametrize("text", BAD)
def test_what_the_reader_refuses_the_schema_refuses(text: str) -> None:
    assert problems(text)
    assert not accepts(SCHEMA, yaml.load(text, Loader=yaml.CSafeLoader))  # noqa: TID251


def test_every_key_has_a_sentence_in_the_reference() -> None:
    sections = dict(field_reference(options_classes()))
    assert {"", "networking", "nodes[]", "pods[]", "networking.backend.vxlan"} <= set(sections)
    rows = [row for section in sections.values() for row in section]
    assert all(row.help and row.accepts for row in rows)
    assert {row.key for row in sections["networking.backend.vxlan"]} == {"vni", "port", "directRouting"}
    assert next(row for row in sections["nodes[]"] if row.key == "name").default == "required"
    assert next(row for row in sections["pods[]"] if row.key == "networks").later
