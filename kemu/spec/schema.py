"""The JSON Schema of topology files, for editors, and the reference of fields, both from the reader's own tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kemu.spec.fields import (
    DIRECTION,
    EXPECTATION,
    FABRIC,
    HOST,
    INTERNET,
    LINK_TABLE,
    NAMESPACE,
    NODE,
    POD,
    PODS_PER_NODE,
    PORT,
    SEGMENT,
    networking_table,
    option_fields,
    topology_table,
)
from kemu.spec.kinds import Later
from kemu.spec.tables import Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(backends: Mapping[str, type[Any]]) -> dict[str, Any]:
    """Return the JSON Schema of a topology file; `backends` are the Options classes by name."""
    return {"$schema": DIALECT, "title": "kemu topology", **topology_table(backends).schema()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One key in the reference."""

    key: str
    accepts: str
    default: str
    help: str
    later: bool


def field_reference(backends: Mapping[str, type[Any]]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the sections of the reference: where the keys stand, and a row for each."""
    tables = (
        ("", topology_table(backends)),
        ("networking", networking_table(backends)),
        ("fabric", FABRIC),
        ("fabric.segments[]", SEGMENT),
        ("nodes[]", NODE),
        ("link, uplink", LINK_TABLE),
        ("link.out, link.in", DIRECTION),
        ("pods[]", POD),
        ("pods", PODS_PER_NODE),
        ("pods[].ports[]", PORT),
        ("hosts[]", HOST),
        ("namespaces[]", NAMESPACE),
        ("expect[]", EXPECTATION),
        ("internet", INTERNET),
    )
    for where, table in tables:
        yield where, _rows(table)
    for name, options in backends.items():
        if rows := _rows(Table("", option_fields(options))):
            yield f"networking.backend.{name}", rows


def _rows(table: Table) -> list[Row]:
    return [
        Row(
            key=key,
            accepts=one.kind.word,
            default="required" if one.required else one.default,
            help=one.help,
            later=isinstance(one.kind, Later),
        )
        for key, one in table.fields.items()
    ]
