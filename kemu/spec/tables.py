"""Mappings with known keys: a Table says which, an Entry is one as read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kemu.spec.kinds import BAD, Kind, Later, refuse
from kemu.spec.source import Log, MappingNode, Node, ScalarNode, find_close, is_null, shorten


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A key of a mapping: its kind, a sentence for the reference, its default in words, and a value as an example."""

    kind: Kind
    help: str
    default: str = ""
    example: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping as read: values by key, without those that are absent or bad; `title` is what messages call it."""

    title: str
    node: Node
    log: Log
    values: Mapping[str, Any]
    nodes: Mapping[str, Node]

    def get(self, key: str, default: Any = None) -> Any:
        """Return a key's value."""
        return self.values.get(key, default)

    def said(self, key: str) -> bool:
        """Say whether the file has the key, with a good value or a bad one."""
        return key in self.nodes

    def bad(self, *keys: str) -> bool:
        """Say whether the file has a bad value for one of the keys."""
        return any(key in self.nodes and key not in self.values for key in keys)

    def part(self, key: str) -> Entry:
        """Return the mapping below a key, an empty one if it is absent or bad."""
        found = self.get(key)
        return found if isinstance(found, Entry) else Entry(key, self.node, self.log, {}, {})

    def wrong(self, key: str, message: str, hint: str = "") -> None:
        """Note a problem with a key's value, or with the whole mapping where the key is absent."""
        self.log.wrong(self.nodes.get(key, self.node), f"{self.title}: {message}" if self.title else message, hint)


@dataclass(frozen=True)
class Table:
    """A mapping with known keys. `noun` is what one is called: "node". With a `name` among its keys, messages name it."""

    noun: str
    fields: Mapping[str, Field]
    extensible: bool = field(default=False, kw_only=True)

    @property
    def word(self) -> str:
        """What it is called."""
        return self.noun or "mapping"

    def read(self, node: Node, log: Log, about: str) -> Any:
        if not isinstance(node, MappingNode):
            return refuse(node, log, about or "a topology", "a mapping", self._example(node))
        title = self._title(log.entries(node), about)
        values: dict[str, Any] = {}
        nodes: dict[str, Node] = {}
        meant: set[str] = set()
        for key, value in log.entries(node):
            known = self.fields.get(key.value)
            if known is None:
                meant.add(self._unknown(key, log, title))
            elif not is_null(value):
                nodes[key.value] = value
                read = known.kind.read(value, log, f"{title}: {key.value}" if title else key.value)
                if read is not BAD:
                    values[key.value] = read
        self._require(node, log, title, {*nodes, *meant})
        return Entry(title, node, log, values, nodes)

    def _example(self, node: Node) -> str:
        """Return how a single value is written as a mapping, else the keys that there are."""
        first = next((name for name, one in self.fields.items() if one.required), "")
        if first and isinstance(node, ScalarNode) and node.value:
            return f"write {{{first}: {shorten(node.value)}}}"
        return f"known keys: {', '.join(self._ready)}"

    @property
    def _ready(self) -> list[str]:
        return [name for name, one in self.fields.items() if not isinstance(one.kind, Later)]

    def _title(self, entries: Sequence[tuple[ScalarNode, Node]], about: str) -> str:
        """Return what messages call this mapping: `pod web` and `pod web: port http` by name, else where it stands."""
        if not self.noun:
            return about
        outer = f"{about.rpartition(': ')[0]}: " if ": " in about else ""
        names = [
            value.value for key, value in entries if key.value == "name" and isinstance(value, ScalarNode) and not is_null(value)
        ]
        name = f" {shorten(names[0])}" if names and names[0] else ""
        return f"{outer}{self.noun}{name}"

    def _unknown(self, key: ScalarNode, log: Log, title: str) -> str:
        """Note an unknown key, and return the one that was probably meant."""
        if self.extensible and key.value.startswith("x-"):
            return ""
        hint = find_close(key.value, self._ready, "keys")
        log.wrong(key, f'{title + ": " if title else ""}there is no key "{shorten(key.value)}"', hint)
        return next((name for name in self._ready if hint == f'did you mean "{name}"?'), "")

    def _require(self, node: MappingNode, log: Log, title: str, given: Collection[str]) -> None:
        empty = {key.value: value for key, value in log.entries(node) if is_null(value)}
        for name, one in self.fields.items():
            if one.required and name not in given:
                what = "has no value" if name in empty else "is missing"
                hint = _null_hint(name, empty.get(name)) or (f"such as {name}: {one.example}" if one.example else "")
                log.wrong(empty.get(name, node), f"{title or self.noun}: the key {name} {what}", hint)

    def schema(self) -> dict[str, Any]:
        rows = {name: {"description": one.help, **one.kind.schema()} for name, one in self.fields.items()}
        required = [name for name, one in self.fields.items() if one.required]
        result: dict[str, Any] = {"type": "object", "properties": rows, "additionalProperties": False}
        if self.extensible:
            result["patternProperties"] = {"^x-": {}}
        return {**result, "required": required} if required else result


def _null_hint(key: str, node: Node | None) -> str:
    """Return how the word for nothing is written where a text is meant; empty for another node."""
    return f'{key}: "{node.value}", in quotes, is a text' if isinstance(node, ScalarNode) and node.value.isalpha() else ""
