"""Kinds of values: how each is read from a YAML node, and how it looks in the JSON Schema.

A kind that cannot read a node notes the problem and returns BAD, so that reading goes on and every problem is found.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from kemu.base.names import is_label
from kemu.spec.model import IPAddress, IPNetwork
from kemu.spec.source import Log, MappingNode, Node, ScalarNode, SequenceNode, find_close, is_null, kind_of, shorten

_NUMBER = re.compile(r"0|[1-9][0-9]*")
_DIGITS = 12  # no number in a topology has more
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAME_HINT = "lower case letters, digits and inner hyphens, as in web-1"
_NUMBER_HINT = "plain decimal digits, without leading zeros, signs or units"
_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]?[0-9]?")
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
        if not isinstance(node, ScalarNode) or not node.value:
            return _refuse(node, log, about, "a name", _NAME_HINT)
        if len(node.value) > self.most:
            log.wrong(node, f"{about}: this name is longer than {self.most} characters", "choose a shorter one")
            return BAD
        if not is_label(node.value):
            log.wrong(node, f'{about}: "{node.value}" cannot be a name', _NAME_HINT)
            return BAD
        return node.value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the words of an enumeration."""

    words: type[StrEnum]

    def read(self, node: Node, log: Log, about: str) -> Any:
        if isinstance(node, ScalarNode) and node.value in set(self.words):
            return self.words(node.value)
        *most, last = self.words
        return _refuse(node, log, about, f"{', '.join(most)} or {last}")

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
        return self.read_or(node, log, about, self.expected)

    def read_or(self, node: Node, log: Log, about: str, expected: str) -> Any:
        """Return the number; `expected` is what the problem says of another value."""
        digits = node.value if isinstance(node, ScalarNode) else ""
        is_plain = _NUMBER.fullmatch(digits) is not None
        if is_plain and len(digits) <= _DIGITS and self.least <= int(digits) <= self.most:
            return int(digits)
        return _refuse(node, log, about, expected, "" if is_plain or not digits else _NUMBER_HINT)

    @property
    def expected(self) -> str:
        """What is accepted, as a phrase."""
        return f"a whole number from {self.least} to {self.most}"

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
        return _families(node, log, about, "subnet", _read_subnet)

    def schema(self) -> dict[str, Any]:
        return _one_or_two()


@dataclass(frozen=True, slots=True)
class Addresses:
    """An IP address, or a list with one for each IP family."""

    word: str = "address, or a list of two"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _families(node, log, about, "address", _read_address)

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
            log.wrong(node, f"{about}: expected one prefix length, or two, not {len(numbers)}", "IPv4's, then IPv6's: [24, 64]")
            return BAD
        return BAD if BAD in numbers else tuple(numbers)

    def schema(self) -> dict[str, Any]:
        number = Integer(1, 128).schema()
        return {"anyOf": [number, {"type": "array", "items": number, "minItems": 1, "maxItems": 2}]}


def _one_or_two() -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}]}


def _families(node: Node, log: Log, about: str, what: str, read: Callable[[str], Any]) -> Any:
    """Return what a node says for each IP version that it names: {4: value, 6: value}, each with its node."""
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    if not nodes:
        return _refuse(node, log, about, f"{_a(what)}, or a list of two")
    found: dict[int, tuple[Any, Node]] = {}
    for one in nodes:
        value = _read_scalar(one, log, about, what, read)
        if value is BAD:
            return BAD
        if value.version in found:
            log.wrong(one, f"{about}: this is another IPv{value.version} {what}", "one for IPv4 and one for IPv6")
            return BAD
        found[value.version] = (value, one)
    return found


def _read_scalar(node: Node, log: Log, about: str, what: str, read: Callable[[str], Any]) -> Any:
    if not isinstance(node, ScalarNode) or not node.value:
        return _refuse(node, log, about, f"{_a(what)}, or a list of two")
    try:
        return read(node.value)
    except _NoAddressError as error:
        log.wrong(node, f'{about}: "{shorten(node.value)}" {error.message}', error.hint)
        return BAD


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


class _NoAddressError(Exception):
    """A text is no subnet or address. `message` is the rest of a sentence that begins with the text."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def _read_subnet(text: str) -> IPNetwork:
    head, slash, length = text.partition("/")
    address = _parse_address(head, "is no subnet", "an address and a prefix length, as in 10.244.0.0/16")
    if not slash:
        raise _NoAddressError("has no prefix length", "as in 10.244.0.0/16")
    if not _PREFIX_LENGTH.fullmatch(length) or int(length) > address.max_prefixlen:
        raise _NoAddressError(f"has a prefix length that is no number from 0 to {address.max_prefixlen}", "as in 10.244.0.0/16")
    network: IPNetwork = ipaddress.ip_network((address, int(length)), strict=False)
    if network.network_address != address:
        raise _NoAddressError(f"is an address in {network}, not a subnet", f"write {network}")
    if _is_special(network.network_address):
        raise _NoAddressError("has a meaning of its own, and no machine can be in it", "private ones are 10.0.0.0/8 and fd00::/8")
    return network


def _is_special(address: IPAddress) -> bool:
    """Say whether the kernel takes an address for something other than a machine's: 0/8, loopback, link-local, multicast."""
    zero = int(address) >> (address.max_prefixlen - 8) == 0
    return zero or address.is_multicast or address.is_loopback or address.is_link_local or address == _BROADCAST


_BROADCAST = ipaddress.ip_address("255.255.255.255")


def _read_address(text: str) -> IPAddress:
    if "/" in text:
        raise _NoAddressError(
            "has a prefix length, and an address has none", f"write {text.partition('/')[0]}; the subnet says the rest"
        )
    return _parse_address(text, "is no IP address", "four numbers from 0 to 255 without leading zeros, or IPv6, as fd00::7")


def _parse_address(text: str, wrong: str, hint: str) -> IPAddress:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise _NoAddressError(wrong, hint) from None
    if getattr(address, "scope_id", None):
        raise _NoAddressError("names a device, and an address here names none", f"write {text.partition('%')[0]}")
    return address


@dataclass(frozen=True, slots=True)
class Labels:
    """Kubernetes labels. Source: Kubernetes, concepts/overview/working-with-objects/labels."""

    word: str = "mapping of labels"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _read_map(node, log, about, "{app: web}", _check_label)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}


@dataclass(frozen=True, slots=True)
class Sysctls:
    """Settings below net, which are a network namespace's own."""

    word: str = "mapping of net.… settings"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _read_map(node, log, about, "{net.ipv4.ip_forward: 1}", _check_setting)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": ["string", "number"]}}


def _check_label(key: str, value: str) -> tuple[str, str]:
    prefix, slash, name = key.rpartition("/")
    if not _LABEL_NAME.fullmatch(name) or (slash and not _LABEL_PREFIX.fullmatch(prefix)):
        return f'"{shorten(key)}" cannot be a label\'s key', "such as app or topology.kubernetes.io/zone"
    if value and not _LABEL_NAME.fullmatch(value):
        return f'{key}: "{shorten(value)}" cannot be a label\'s value', 'at most 63 letters, digits and inner "-", "_" and "."'
    return "", ""


def _check_setting(key: str, value: str) -> tuple[str, str]:
    if not _SETTING.fullmatch(key) or ".." in key or "//" in key:
        return f'"{shorten(key)}" is no setting of a network namespace', "those begin with net., as net.ipv4.ip_forward"
    return ("", "") if value else (f"{key} has no value", "give it one, or remove it")


def _read_map(node: Node, log: Log, about: str, example: str, check: Callable[[str, str], tuple[str, str]]) -> Any:
    if not isinstance(node, MappingNode):
        return _refuse(node, log, about, "a mapping", f"as in {example}")
    found: dict[str, str] = {}
    for key, value in log.entries(node):
        if not isinstance(value, ScalarNode):
            log.wrong(value, f"{about}: {key.value}: expected a single value, not {kind_of(value)}")
            continue
        message, hint = check(key.value, value.value)
        if message:
            log.wrong(key, f"{about}: {message}", hint)
        found[key.value] = value.value
    return found


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one kind of values."""

    item: Kind
    least: int = 0

    def read(self, node: Node, log: Log, about: str) -> Any:
        if not isinstance(node, SequenceNode):
            return _refuse(node, log, about, "a list", "each element begins with a hyphen")
        if len(node.value) < self.least:
            log.wrong(node, f"{about}: the list is empty", "leave it out, or write at least one")
            return BAD
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
        if not isinstance(node, ScalarNode):
            return self.other.read(node, log, about)
        return self.number.read_or(node, log, about, f"{self.number.expected}, or a list")

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
    example: str

    def read(self, node: Node, log: Log, about: str) -> Any:
        if isinstance(node, ScalarNode):
            return _refuse(node, log, about, "a list, or a mapping", self.example)
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
            return _refuse(node, log, about or "a topology", "a mapping", self._example(node))
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
        names = [value.value for key, value in entries if key.value == "name" and isinstance(value, ScalarNode)]
        name = f" {shorten(names[0])}" if names and names[0] else ""
        return f"{outer}{self.noun}{name}"

    def _unknown(self, key: ScalarNode, log: Log, title: str) -> str:
        """Note an unknown key, and return the one that was probably meant."""
        if self.extensible and key.value.startswith("x-"):
            return ""
        hint = find_close(key.value, self._ready, "keys")
        log.wrong(key, f'{title + ": " if title else ""}there is no key "{shorten(key.value)}"', hint)
        return next((name for name in self._ready if hint == f'did you mean "{name}"?'), "")

    def _require(self, node: Node, log: Log, title: str, given: Collection[str]) -> None:
        for name, one in self.fields.items():
            if one.required and name not in given:
                log.wrong(
                    node, f"{title or self.noun}: the key {name} is missing", one.example and f"such as {name}: {one.example}"
                )

    def schema(self) -> dict[str, Any]:
        rows = {name: {"description": one.help, **one.kind.schema()} for name, one in self.fields.items()}
        required = [name for name, one in self.fields.items() if one.required]
        result: dict[str, Any] = {"type": "object", "properties": rows, "additionalProperties": False}
        if self.extensible:
            result["patternProperties"] = {"^x-": {}}
        return {**result, "required": required} if required else result
