"""From bytes to a tree of YAML nodes, each of which knows its line and column; and the log in which everything wrong is collected.

Values stay the text that the user typed: YAML would turn the MAC 52:54:00:12:34:56 into a number and the name `no` into False.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kemu.base.errors import Problem, SpecError
from kemu.base.marks import Mark

__all__ = [
    "Log",
    "MappingNode",
    "Node",
    "ScalarNode",
    "SequenceNode",
    "Source",
    "decode",
    "find_close",
    "is_null",
    "kind_of",
    "read_documents",
    "read_value",
    "shorten",
]

_MERGE = "tag:yaml.org,2002:merge"
_YAML = "tag:yaml.org,2002:"
_QUOTED = 60  # characters of a value that messages show
_NULL = "tag:yaml.org,2002:null"
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
)


@dataclass(frozen=True)
class Source:
    """A text and where it comes from: `name` as messages show it, `path` absolute, None for what is no file."""

    name: str
    text: str
    path: Path | None = None

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, without their ends."""
        return self.text.splitlines()

    def mark(self, line: int, column: int, width: int = 1) -> Mark:
        """Return a mark; `line` and `column` count from 0, as the parser's do."""
        text = _printable(self.lines[line]) if line < len(self.lines) else ""
        return Mark(file=self.name, line=line + 1, column=column + 1, width=max(1, min(width, len(text) - column)), text=text)


@dataclass
class Log:
    """Everything found wrong so far. Nodes that `--set` brought know their own source."""

    source: Source
    problems: list[Problem] = field(default_factory=list)
    foreign: dict[int, tuple[Node, Source]] = field(default_factory=dict)
    _noted: set[tuple[Mark | None, str, str]] = field(default_factory=set)
    _entries: dict[int, list[tuple[ScalarNode, Node]]] = field(default_factory=dict)

    def mark(self, node: Node) -> Mark:
        """Return where a node stands, as wide as its text on its first line."""
        start, end = node.start_mark, node.end_mark
        width = end.column - start.column if end.line == start.line else 1
        _, source = self.foreign.get(id(node), (node, self.source))
        return source.mark(start.line, start.column, width)

    def wrong(self, where: Node | Mark | None, message: str, hint: str = "") -> None:
        """Note a problem; one in an anchor is noted once, however many aliases lead to it."""
        mark = self.mark(where) if isinstance(where, Node) else where
        core = (mark, message.rpartition(": ")[2], hint)
        if mark is None or core not in self._noted:
            self._noted.add(core)
            self.problems.append(Problem(message=_printable(message), mark=mark, hint=_printable(hint)))

    def entries(self, node: MappingNode) -> list[tuple[ScalarNode, Node]]:
        """Return a mapping's keys and values, its merges (`<<`) carried out; a repeated key is noted and its first value kept."""
        if id(node) not in self._entries:
            self._entries[id(node)] = self._carry_out(node)
        return self._entries[id(node)]

    def _carry_out(self, node: MappingNode) -> list[tuple[ScalarNode, Node]]:
        own: dict[str, tuple[ScalarNode, Node]] = {}
        merged: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.wrong(key, f"a key must be a plain word, not {kind_of(key)}")
            elif key.tag == _MERGE:
                merged = {**self._merged(value), **merged}
            elif key.value in own:
                first = self.mark(own[key.value][0])
                self.wrong(key, f'the key "{key.value}" stands here twice', f"the first is in line {first.line}")
            else:
                own[key.value] = (key, value)
        return list({**merged, **own}.values())

    def _merged(self, value: Node) -> dict[str, tuple[ScalarNode, Node]]:
        parts = value.value if isinstance(value, SequenceNode) else [value]
        merged: dict[str, tuple[ScalarNode, Node]] = {}
        for part in parts:
            if isinstance(part, MappingNode):
                merged = {**{key.value: (key, node) for key, node in self.entries(part)}, **merged}
            else:
                self.wrong(
                    part, f"<< takes a mapping, or a list of them, not {kind_of(part)}", "<<: *NAME, where a mapping has &NAME"
                )
        return merged


def decode(name: str, data: bytes) -> str:
    """Return the text of a file. Raises SpecError at the first byte that is no UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        source = Source(name=name, text=data.decode(errors="replace"))
        mark = _mark_at(source, len(data[: error.start].decode()))
        message = f"this is no UTF-8 text: byte {data[error.start]:#04x}"
        raise SpecError([Problem(message=message, mark=mark, hint="save the file as UTF-8")]) from None


def _mark_at(source: Source, position: int) -> Mark:
    """Return the mark of a character of a text."""
    before = source.text[:position].splitlines() or [""]
    is_new_line = source.text[:position].endswith(("\n", "\r"))
    line, column = (len(before), 0) if is_new_line else (len(before) - 1, len(before[-1]))
    return source.mark(line, column)


def read_documents(source: Source) -> list[Node]:
    """Return the root nodes of the documents of a file. Raises SpecError if it is no YAML."""
    try:
        roots = [root for root in yaml.compose_all(source.text, Loader=yaml.CSafeLoader) if not is_null(root)]
        if problems := [problem for root in roots for problem in _strange(source, root)]:
            raise SpecError(problems)
    except yaml.MarkedYAMLError as error:
        raise SpecError([_syntax_problem(source, error)]) from None
    except (yaml.reader.ReaderError, UnicodeEncodeError):
        raise SpecError([_character_problem(source)]) from None
    except RecursionError:
        raise SpecError([_depth_problem(source)]) from None
    return roots


def read_value(source: Source) -> Node | None:
    """Return the single value that a text holds, None if it is empty. Raises SpecError if it is no YAML."""
    documents = read_documents(source)
    return documents[0] if documents else None


def is_null(node: Node | None) -> bool:
    """Say whether a value is absent, or `null`, or left empty."""
    return node is None or (isinstance(node, ScalarNode) and node.tag == _NULL)


def kind_of(node: Node) -> str:
    """Return what a node is, in words for an error."""
    match node:
        case MappingNode():
            return "a mapping" if node.value else "an empty mapping"
        case SequenceNode():
            return "a list" if node.value else "an empty list"
        case _:
            return f'"{shorten(node.value)}"' if node.value else "nothing"


def shorten(text: str) -> str:
    """Return a text of the file as messages quote it."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"


def find_close(word: str, known: Iterable[str], what: str = "") -> str:
    """Return a hint: the known word that is most like `word`, else what is known; `what` is what they are called: keys."""
    names = list(dict.fromkeys(known))
    if near := _closest(word, names):
        return f'did you mean "{near}"?'
    shown = ", ".join(names[:12])
    return f"known{' ' if what else ''}{what}: {shown}{' …' if len(names) > 12 else ''}" if names else ""


def _closest(word: str, names: Sequence[str]) -> str:
    """Return the name that is most like a word: but for capitals, by its letters, or as a part of it."""
    by_letters = {name.lower(): name for name in reversed(names)}
    lower = word.lower()
    near = difflib.get_close_matches(lower, by_letters, 1, cutoff=0.6) if len(lower) > 2 else []
    parts = [name for name in by_letters if lower in name] if len(lower) > 3 else []
    return next((by_letters[name] for name in (lower, *near, *parts) if name in by_letters), "")


def _printable(text: str) -> str:
    """Return a text that a terminal shows as it stands."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() or letter == "\t" else "�" for letter in text)


def _syntax_problem(source: Source, error: yaml.MarkedYAMLError) -> Problem:
    words = [error.problem or "", error.context or ""]
    opened = error.context_mark if any(word in words[0] for word in ("end of stream", "',' or")) else None
    place = opened or error.problem_mark or error.context_mark
    mark = source.mark(place.line, place.column) if place else None
    message = ", ".join(word for word in words if word)
    return Problem(message=f"this is no YAML: {message}", mark=mark, hint=_syntax_hint(message, mark))


def _syntax_hint(message: str, mark: Mark | None) -> str:
    if mark and mark.text[mark.column - 1 :].startswith("\t"):
        return "YAML indents with spaces, never with tabs"
    return next((hint for words, hint in _SYNTAX_HINTS if words in message), "")


_SYNTAX_HINTS = (
    ("cannot start any token", "a text that begins with this character stands in quotes"),
    ("mapping values are not allowed", "a colon is missing in the line above, or this text needs quotes"),
    ("duplicate anchor", "give one of the anchors another name"),
    ("undefined alias", "an alias *NAME needs an anchor &NAME above it"),
    ("',' or '}'", "a comma is missing, or the brace that begins here is not closed"),
    ("',' or ']'", "a comma is missing, or the bracket that begins here is not closed"),
    ("quoted scalar", "the quote that begins here is not closed"),
    ("did not find expected key", "all keys of a mapping begin in the same column"),
    ("did not find expected '-' indicator", "all hyphens of a list stand in the same column"),
)


def _depth_problem(source: Source) -> Problem:
    return Problem(message=f"{source.name} is nested too deeply", hint="no topology needs more than ten levels")


def _character_problem(source: Source) -> Problem:
    """Find the character that YAML forbids: the parser tells its place in bytes."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(source.text)
    if not found:
        return Problem(message=f"{source.name} is no YAML: it holds a character that YAML forbids")
    message = f"YAML forbids this character, {ord(found[0]):#04x}"
    return Problem(message=message, mark=_mark_at(source, found.start()), hint="remove it")


def _strange(source: Source, root: Node) -> list[Problem]:
    """Return what YAML allows and a topology does not: tags of programming languages, and what contains itself."""
    log = Log(source)
    above: set[int] = set()
    seen: set[int] = set()

    def walk(node: Node) -> None:
        if id(node) in above:
            log.wrong(node, "what has this anchor contains itself", "remove the alias in it")
        if id(node) in seen:
            return
        seen.add(id(node))
        if node.tag not in _TAGS:
            log.wrong(node, f"the tag {node.tag.replace(_YAML, '!!')} has no place in a topology", "remove it")
        if not isinstance(node, ScalarNode):
            above.add(id(node))
            for child in _children(node):
                walk(child)
            above.discard(id(node))

    walk(root)
    return log.problems


def _children(node: Node) -> list[Node]:
    return [child for pair in node.value for child in pair] if isinstance(node, MappingNode) else list(node.value)
