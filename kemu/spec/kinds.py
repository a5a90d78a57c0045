"""Kinds of values: how each is read from a YAML node, and how it looks in the JSON Schema.

A kind that cannot read a node notes the problem and returns BAD, so that reading goes on and every problem is found.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from kemu.base.names import is_label
from kemu.spec.model import IPAddress, IPNetwork
from kemu.spec.source import Log, MappingNode, Node, ScalarNode, SequenceNode, find_close, is_null, kind_of

_NUMBER = re.compile(r"0|[1-9][0-9]*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SETTING = re.compile(r"net[./][A-Za-z0-9_./-]+")


class _Bad:
    def __repr__(self) -> str:
        return "BAD"

    def __bool__(self) -> bool:
        return False


BAD: Final = _Bad()


class Kind(Protocol):
    """Reads one value. `about` is what the value belongs to, "pod web: replicas", for the problem's message."""

    def read(self, node: Node, log: Log, about: str) -> Any:
        """Return the value, or BAD after noting why not."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what is accepted."""

    @property
    def word(self) -> str:
        """What is accepted, in a few words for the reference."""


def _refuse(node: Node, log: Log, about: str, expected: str, hint: str = "") -> _Bad:
    log.wrong(node, f"{about}: expected {expected}, not {kind_of(node)}", hint)
    return BAD


@dataclass(frozen=True, slots=True)
class Text:
    """Any text."""

    word: str = "text"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return node.value if isinstance(node, ScalarNode) else _refuse(node, log, about, "a text")

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Label:
    """A DNS label."""

    most: int = 63
    word: str = "name"

    def read(self, node: Node, log: Log, about: str) -> Any:
        if isinstance(node, ScalarNode) and is_label(node.value) and len(node.value) <= self.most:
            return node.value
        return _refuse(
            node,
            log,
            about,
            f"a DNS label of at most {self.most} characters",
            "lower case letters, digits and inner hyphens: web-1",
        )

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the words of an enumeration."""

    words: type[StrEnum]

    def read(self, node: Node, log: Log, about: str) -> Any:
        try:
            return self.words(node.value if isinstance(node, ScalarNode) else "")
        except ValueError:
            return _refuse(
                node, log, about, " or ".join(self.words), find_close(str(node.value), self.words) if len(self.words) > 3 else ""
            )

    def schema(self) -> dict[str, Any]:
        return {"enum": [str(word) for word in self.words]}

    @property
    def word(self) -> str:
        """The words."""
        return " | ".join(self.words)


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number in plain decimal digits: YAML would read 010 as eight and 1:30 as ninety."""

    least: int
    most: int

    def read(self, node: Node, log: Log, about: str) -> Any:
        if isinstance(node, ScalarNode) and _NUMBER.fullmatch(node.value) and self.least <= int(node.value) <= self.most:
            return int(node.value)
        return _refuse(node, log, about, f"a whole number from {self.least} to {self.most}")

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    @property
    def word(self) -> str:
        """The range."""
        return f"{self.least} … {self.most}"


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false, and no other word: yes, on and y are names as often as they are answers."""

    word: str = "true | false"

    def read(self, node: Node, log: Log, about: str) -> Any:
        if isinstance(node, ScalarNode) and node.value in ("true", "false"):
            return node.value == "true"
        return _refuse(node, log, about, "true or false")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Subnets:
    """A subnet, or a list with one for each IP family."""

    word: str = "subnet, or a list of two"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _families(node, log, about, _read_subnet)

    def schema(self) -> dict[str, Any]:
        return _one_or_two()


@dataclass(frozen=True, slots=True)
class Addresses:
    """An IP address, or a list with one for each IP family."""

    word: str = "address, or a list of two"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _families(node, log, about, _read_address)

    def schema(self) -> dict[str, Any]:
        return _one_or_two()


@dataclass(frozen=True, slots=True)
class Prefixes:
    """A prefix length, or a list with one for IPv4 and one for IPv6."""

    word: str = "number, or a list of two"

    def read(self, node: Node, log: Log, about: str) -> Any:
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        numbers = [Integer(1, 128).read(one, log, about) for one in nodes]
        if len(numbers) > 2 or not numbers:
            return _refuse(node, log, about, "one prefix length, or two: IPv4's and IPv6's")
        return BAD if BAD in numbers else tuple(numbers)

    def schema(self) -> dict[str, Any]:
        number = Integer(1, 128).schema()
        return {"anyOf": [number, {"type": "array", "items": number, "minItems": 1, "maxItems": 2}]}


def _one_or_two() -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}]}


def _families(node: Node, log: Log, about: str, read: Callable[[ScalarNode], Any]) -> Any:
    """Return what a node says for each IP version that it names: {4: value, 6: value}, each with its node."""
    found: dict[int, tuple[Any, Node]] = {}
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    for one in nodes:
        try:
            value = read(one) if isinstance(one, ScalarNode) else _raise("expected a text")
        except ValueError as error:
            log.wrong(one, f"{about}: {error}")
            return BAD
        if value.version in found:
            log.wrong(one, f"{about}: two of IPv{value.version}", "one for IPv4 and one for IPv6")
            return BAD
        found[value.version] = (value, one)
    return found or _refuse(node, log, about, "at least one")


def _raise(message: str) -> Any:
    raise ValueError(message)


def _read_subnet(node: ScalarNode) -> IPNetwork:
    text = node.value
    if "/" not in text:
        raise ValueError(f'"{text}" is no subnet: the prefix length is missing, as in 10.244.0.0/16')
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise ValueError(f'"{text}" is no subnet but an address in {ipaddress.ip_network(text, strict=False)}') from None
        raise ValueError(f'"{text}" is no subnet, as 10.244.0.0/16 is one') from None


def _read_address(node: ScalarNode) -> IPAddress:
    if "/" in node.value:
        raise ValueError(f'"{node.value}": an address stands without a prefix length; the subnet says it')
    try:
        return ipaddress.ip_address(node.value)
    except ValueError:
        raise ValueError(f'"{node.value}" is no IP address') from None


@dataclass(frozen=True, slots=True)
class Labels:
    """Kubernetes labels. Source: Kubernetes, concepts/overview/working-with-objects/labels."""

    word: str = "mapping of labels"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _read_map(node, log, about, _check_label)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}


@dataclass(frozen=True, slots=True)
class Sysctls:
    """Settings below net, which are a network namespace's own."""

    word: str = "mapping of net.… settings"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _read_map(node, log, about, _check_setting)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": ["string", "number"]}}


def _check_label(key: str, value: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if not _LABEL_NAME.fullmatch(name) or (slash and not _LABEL_PREFIX.fullmatch(prefix)):
        return f'"{key}" is no label key, as app or topology.kubernetes.io/zone is one'
    if value and not _LABEL_NAME.fullmatch(value):
        return f'"{value}" is no label value: at most 63 letters, digits, "-", "_" and "."'
    return ""


def _check_setting(key: str, value: str) -> str:
    if not _SETTING.fullmatch(key) or ".." in key or "//" in key:
        return f'"{key}" is no setting of a network namespace: those begin with net., as net.ipv4.ip_forward'
    return "" if value else f'"{key}" has no value'


def _read_map(node: Node, log: Log, about: str, check: Callable[[str, str], str]) -> Any:
    if not isinstance(node, MappingNode):
        return _refuse(node, log, about, "a mapping")
    found: dict[str, str] = {}
    for key, value in log.entries(node):
        if not isinstance(value, ScalarNode):
            log.wrong(value, f"{about}: {key.value}: expected a text, not {kind_of(value)}")
        elif wrong := check(key.value, value.value):
            log.wrong(key, f"{about}: {wrong}")
        else:
            found[key.value] = value.value
    return found


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one kind of values."""

    item: Kind
    least: int = 0

    def read(self, node: Node, log: Log, about: str) -> Any:
        if not isinstance(node, SequenceNode) or len(node.value) < self.least:
            return _refuse(
                node,
                log,
                about,
                "a list" if not self.least else f"a list of at least {self.least}",
                "each element begins with a hyphen",
            )
        return [self.item.read(one, log, about) for one in node.value]

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema(), "minItems": self.least}

    @property
    def word(self) -> str:
        """What the list holds."""
        return f"list of {self.item.word}"


@dataclass(frozen=True, slots=True)
class NumberOr:
    """A number, or else something longer: `nodes: 3`."""

    number: Integer
    other: Kind

    def read(self, node: Node, log: Log, about: str) -> Any:
        return (self.number if isinstance(node, ScalarNode) else self.other).read(node, log, about)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.number.schema(), self.other.schema()]}

    @property
    def word(self) -> str:
        """Both."""
        return f"number, or {self.other.word}"


@dataclass(frozen=True, slots=True)
class ListOr:
    """A list, or one mapping that stands for all."""

    many: ListOf
    one: Kind

    def read(self, node: Node, log: Log, about: str) -> Any:
        return (self.one if isinstance(node, MappingNode) else self.many).read(node, log, about)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.many.schema(), self.one.schema()]}

    @property
    def word(self) -> str:
        """Both."""
        return f"{self.many.word}, or {self.one.word}"


@dataclass(frozen=True, slots=True)
class Later:
    """What the contract has and this version has not."""

    word: str = "not yet"

    def read(self, node: Node, log: Log, about: str) -> Any:
        log.wrong(node, f"{about}: not yet: this version of kemu cannot do it", "remove the key")
        return BAD

    def schema(self) -> dict[str, Any]:
        return {"not": {}, "description": "not yet"}


@dataclass(frozen=True, slots=True)
class Except:
    """A value of which this version can do only some."""

    kind: Kind
    works: frozenset[Any]

    def read(self, node: Node, log: Log, about: str) -> Any:
        value = self.kind.read(node, log, about)
        if value is BAD or value in self.works:
            return value
        log.wrong(node, f"{about}: {node.value}: not yet: this version of kemu cannot do it", "remove the key")
        return BAD

    def schema(self) -> dict[str, Any]:
        return self.kind.schema()

    @property
    def word(self) -> str:
        """As the kind without exceptions."""
        return self.kind.word


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A key of a mapping: its kind, a sentence for the reference, and its default in words."""

    kind: Kind
    help: str
    default: str = ""
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

    def wrong(self, key: str, message: str, hint: str = "") -> None:
        """Note a problem with a key's value, or with the whole mapping where the key is absent."""
        self.log.wrong(self.nodes.get(key, self.node), f"{self.title}: {message}", hint)


@dataclass(frozen=True)
class Table:
    """A mapping with known keys. `noun` is what one is called: "node". With a `name` among its keys, messages name it."""

    noun: str
    fields: Mapping[str, Field]
    extensible: bool = field(default=False, kw_only=True)

    @property
    def word(self) -> str:
        """What it is called."""
        return self.noun

    def read(self, node: Node, log: Log, about: str) -> Any:
        if not isinstance(node, MappingNode):
            return _refuse(node, log, about, "a mapping", f"its keys are {', '.join(self.fields)}")
        entries = log.entries(node)
        title = self._title(entries, about)
        values: dict[str, Any] = {}
        nodes: dict[str, Node] = {}
        for key, value in entries:
            known = self.fields.get(key.value)
            if known is None:
                self._unknown(key, log, title)
            elif not is_null(value):
                nodes[key.value] = value
                read = known.kind.read(value, log, f"{title}: {key.value}" if title else key.value)
                if read is not BAD:
                    values[key.value] = read
        self._require(node, log, title, nodes)
        return Entry(title or self.noun, node, log, values, nodes)

    def _title(self, entries: Sequence[tuple[ScalarNode, Node]], about: str) -> str:
        if "name" not in self.fields or not self.noun:
            return about
        names = [value.value for key, value in entries if key.value == "name" and isinstance(value, ScalarNode)]
        return f"{self.noun} {names[0]}" if names else about

    def _unknown(self, key: ScalarNode, log: Log, title: str) -> None:
        if not (self.extensible and key.value.startswith("x-")):
            log.wrong(key, f'{title + ": " if title else ""}there is no key "{key.value}"', find_close(key.value, self.fields))

    def _require(self, node: Node, log: Log, title: str, nodes: Mapping[str, Node]) -> None:
        for name, one in self.fields.items():
            if one.required and name not in nodes:
                log.wrong(node, f"{title or self.noun}: the key {name} is missing")

    def schema(self) -> dict[str, Any]:
        rows = {name: {"description": one.help, **one.kind.schema()} for name, one in self.fields.items()}
        required = [name for name, one in self.fields.items() if one.required]
        result: dict[str, Any] = {"type": "object", "properties": rows, "additionalProperties": False}
        if self.extensible:
            result["patternProperties"] = {"^x-": {}}
        return {**result, "required": required} if required else result
