"""Plain data as YAML that people like to read and that every reader takes for the same: the reverse of `source`.

Entries stand in one line where they fit (`- {name: a, node: n1}`). A text is quoted unless nobody could take it for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from yaml.resolver import Resolver

from kemu.base.errors import UsageError
from kemu.base.marks import Mark
from kemu.spec.source import MappingNode, Node, ScalarNode, SequenceNode

WIDTH = 110
SHORT = 80  # of a mapping at the top that stands in one line

_PLAIN = re.compile(r"[A-Za-z0-9_./](?:(?:[A-Za-z0-9_./=>%+ -]|:[A-Za-z0-9])*[A-Za-z0-9_./=%+-])?")
_STRING = "tag:yaml.org,2002:str"


def show_yaml(document: Mapping[str, Any]) -> str:
    """Return a mapping as YAML. None stands for nothing: such keys are left out. UsageError names what cannot be written."""
    return "".join(f"{line}\n" for line in _mapping(_plain(document, ""), 0, tables=True))


def _plain(value: Any, path: str) -> Any:
    """Return data of nothing but mappings, lists, texts, whole numbers and truth values."""
    match value:
        case Mapping():
            return {_key(key, path): _plain(one, f"{path}.{key}".lstrip(".")) for key, one in value.items() if one is not None}
        case bool() | int():
            return value
        case str():
            return str(value)
        case list() | tuple():
            return [_plain(one, f"{path}[{i}]") for i, one in enumerate(value)]
        case _:
            return _other(value, path)


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise UsageError(f"{path or 'a topology'}: the key {key!r} is no text")
    return str(key)


def _other(value: Any, path: str) -> str:
    """Return the text of what says itself what it is, an address or a path; UsageError for what would only look like something."""
    if type(value).__module__ in ("ipaddress", "pathlib"):
        return str(value)
    raise UsageError(
        f"{path}: a {type(value).__name__} cannot stand in a topology",
        hint="mappings, lists, texts, whole numbers, True and False",
    )


def _mapping(value: Mapping[str, Any], indent: int, *, tables: bool) -> Iterator[str]:
    """Yield the lines of a mapping. Where `tables` may stand, a list of mappings is one: a line for each."""
    for key, one in value.items():
        head = f"{_text(key)}:"
        line = f"{head} {_flow(one)}"
        if _is_line(one, line, indent, tables=tables):
            yield line
        else:
            yield head
            yield from _block(one, indent, tables=tables)


def _is_line(value: Any, line: str, indent: int, *, tables: bool) -> bool:
    if not isinstance(value, (dict, list)) or not value:
        return True
    return not (tables and _has_table(value)) and len(line) <= (SHORT if indent == 0 else WIDTH - indent)


def _has_table(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_table(one) for one in value.values())
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _block(value: Any, indent: int, *, tables: bool) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"  {line}" for line in _mapping(value, indent + 2, tables=tables))
        return
    for one in value:
        line = f"- {_flow(one)}"
        if not isinstance(one, dict) or len(line) <= WIDTH - indent:
            yield line
        else:
            first, *rest = _mapping(one, indent + 2, tables=False)
            yield from (f"- {first}", *(f"  {line}" for line in rest))


def _flow(value: Any) -> str:
    """Return a value in one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case dict():
            return f"{{{', '.join(f'{_text(key)}: {_flow(one)}' for key, one in value.items())}}}"
        case list():
            return f"[{', '.join(map(_flow, value))}]"
        case _:
            return _text(value)


def _text(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) and _tag_of(text) == _STRING
    return text if is_plain else f'"{"".join(map(_escaped, text))}"'


def _tag_of(text: str) -> Any:
    """Return what a YAML 1.1 reader takes a text without quotes for: no is false, and 1:30 is ninety."""
    return Resolver().resolve(ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]


def _escaped(letter: str) -> str:
    """Return a letter as it stands in double quotes. Source: YAML 1.1, section 5.6."""
    if letter in '"\\':
        return f"\\{letter}"
    code = ord(letter)
    if letter.isprintable():
        return letter
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def find_path(root: Node, mark: Mark) -> str:
    """Return the keys and places that lead to what stands at a mark: pods[0].replicas. Empty for the whole."""
    line, column = mark.line - 1, mark.column - 1
    here = [(node.start_mark.column, path) for path, node in _walk(root, "") if node.start_mark.line == line]
    before = [(start, path) for start, path in here if start <= column]
    return max(before, key=lambda one: one[0])[1] if before else ""


def _walk(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """Yield everything in a tree with its path, what is inside before what holds it."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}".lstrip(".")
            yield from _walk(value, inner)
            yield inner, key
    if isinstance(node, SequenceNode):
        for i, one in enumerate(node.value):
            yield from _walk(one, f"{path}[{i}]")
    yield path, node
