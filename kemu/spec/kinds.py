"""Kinds of values: how each is read from a YAML node, and how it looks in the JSON Schema.

A kind that cannot read a node notes the problem and returns BAD, so that reading goes on and every problem is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from kemu.base.names import is_label
from kemu.spec.source import Log, MappingNode, Node, ScalarNode, SequenceNode, kind_of, shorten

_NUMBER = re.compile(r"0|[1-9][0-9]*")
_DIGITS = 12  # no number in a topology has more
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAME_HINT = "lower case letters, digits and inner hyphens, as in web-1"
_NUMBER_HINT = "plain decimal digits, without leading zeros, signs or units"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
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


def refuse(node: Node, log: Log, about: str, expected: str, hint: str = "") -> _Bad:
    """Note that something else was expected, and return BAD."""
    log.wrong(node, f"{about}: expected {expected}, not {kind_of(node)}", hint)
    return BAD


@dataclass(frozen=True, slots=True)
class Text:
    """Any text."""

    word: str = "text"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return node.value if isinstance(node, ScalarNode) else refuse(node, log, about, "a text")

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Line:
    """A text of one line that has something in it."""

    word: str = "text"

    def read(self, node: Node, log: Log, about: str) -> Any:
        if isinstance(node, ScalarNode) and node.value.strip() and node.value.isprintable():
            return node.value
        return refuse(node, log, about, "a line of text")

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Label:
    """A DNS label."""

    most: int = 63
    word: str = "name"

    def read(self, node: Node, log: Log, about: str) -> Any:
        if not isinstance(node, ScalarNode) or not node.value:
            return refuse(node, log, about, "a name", _NAME_HINT)
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
        return refuse(node, log, about, f"{', '.join(most)} or {last}")

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
        return refuse(node, log, about, expected, "" if is_plain or not digits else _NUMBER_HINT)

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
        return refuse(node, log, about, "true or false")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit. `parse` raises ValueError, saying what is expected; `pattern` is for editors."""

    parse: Callable[[str], Any]
    word: str
    pattern: str

    def read(self, node: Node, log: Log, about: str) -> Any:
        if not isinstance(node, ScalarNode) or not node.value:
            return refuse(node, log, about, f"a quantity such as {self.word}")
        try:
            return self.parse(node.value)
        except ValueError as error:
            log.wrong(node, f"{about}: {error}")
            return BAD

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": self.pattern}


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


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment variables. Source of what a name may be: POSIX.1-2017, 3.235 Name."""

    word: str = "mapping of variables"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _read_map(node, log, about, "{GREETING: hello}", _check_variable)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}


def _check_variable(key: str, _: str) -> tuple[str, str]:
    if _VARIABLE.fullmatch(key):
        return "", ""
    return (
        f'"{shorten(key)}" cannot be a variable\'s name',
        "letters, digits and underscores, and no digit first, as in LOG_LEVEL",
    )


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
        return refuse(node, log, about, "a mapping", f"as in {example}")
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
            return refuse(node, log, about, "a list", "each element begins with a hyphen")
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
class NumberOrName:
    """A number, or the name of one: `port: 8080`, `port: http`. Read as the one or the other."""

    number: Integer
    name: Label

    def read(self, node: Node, log: Log, about: str) -> Any:
        if isinstance(node, ScalarNode) and node.value and not node.value.isdigit():
            return self.name.read(node, log, about)
        return self.number.read_or(node, log, about, f"{self.number.expected}, or a name")

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.number.schema(), self.name.schema()]}

    @property
    def word(self) -> str:
        """Both."""
        return f"{self.number.word}, or {self.name.word}"


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
            return refuse(node, log, about, "a list, or a mapping", self.example)
        return (self.one if isinstance(node, MappingNode) else self.many).read(node, log, about)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.many.schema(), self.one.schema()]}

    @property
    def word(self) -> str:
        """Both."""
        return f"{self.many.word}, or {self.one.word}"


@dataclass(frozen=True, slots=True)
class SwitchOr:
    """true or false, or a mapping that says more and means true. Read as a boolean, or what the mapping says."""

    more: Kind

    def read(self, node: Node, log: Log, about: str) -> Any:
        return (self.more if isinstance(node, MappingNode) else Boolean()).read(node, log, about)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [Boolean().schema(), self.more.schema()]}

    @property
    def word(self) -> str:
        """Both."""
        return f"{Boolean().word}, or {self.more.word}"


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
        log.wrong(node, f"{about}: {node.value}: not yet: this version of kemu cannot do it", "leave it out")
        return BAD

    def schema(self) -> dict[str, Any]:
        return {"enum": sorted(self.works)}

    @property
    def word(self) -> str:
        """As the kind without exceptions."""
        return self.kind.word
