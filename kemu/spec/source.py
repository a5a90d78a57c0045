"""From bytes to a tree of YAML nodes, each of which knows its line and column; and the log in which everything wrong is collected.

Values stay the text that the user typed: YAML would turn the MAC 52:54:00:12:34:56 into a number and the name `no` into False.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
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
    "find_close",
    "kind_of",
    "read_documents",
    "read_value",
]

_MERGE = "tag:yaml.org,2002:merge"
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
        text = self.lines[line] if line < len(self.lines) else ""
        return Mark(file=self.name, line=line + 1, column=column + 1, width=max(1, min(width, len(text) - column)), text=text)


@dataclass
class Log:
    """Everything found wrong so far. Nodes that `--set` brought know their own source."""

    source: Source
    problems: list[Problem] = field(default_factory=list)
    foreign: dict[int, Source] = field(default_factory=dict)

    def mark(self, node: Node) -> Mark:
        """Return where a node stands, as wide as its text on its first line."""
        start, end = node.start_mark, node.end_mark
        width = end.column - start.column if end.line == start.line else 1
        return self.foreign.get(id(node), self.source).mark(start.line, start.column, width)

    def wrong(self, where: Node | Mark | None, message: str, hint: str = "") -> None:
        """Note a problem."""
        mark = self.mark(where) if isinstance(where, Node) else where
        self.problems.append(Problem(message=message, mark=mark, hint=hint))

    def entries(self, node: MappingNode) -> list[tuple[ScalarNode, Node]]:
        """Return a mapping's keys and values, its merges (`<<`) carried out; a repeated key is noted and its first value kept."""
        own: dict[str, tuple[ScalarNode, Node]] = {}
        merged: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                merged = {**self._merged(value), **merged}
            elif not isinstance(key, ScalarNode):
                self.wrong(key, "a key must be a plain word")
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
                self.wrong(part, "<< merges mappings, and this is none")
        return merged


def read_documents(source: Source) -> list[Node]:
    """Return the root nodes of the documents of a file. Raises SpecError if it is no YAML."""
    try:
        roots = [root for root in yaml.compose_all(source.text, Loader=yaml.CSafeLoader) if not is_null(root)]
    except yaml.MarkedYAMLError as error:
        raise SpecError([_syntax_problem(source, error)]) from None
    except yaml.reader.ReaderError as error:
        raise SpecError([_character_problem(source, error)]) from None
    except RecursionError:
        raise SpecError([Problem(message=f"{source.name} is nested too deeply")]) from None
    if problems := [problem for root in roots for problem in _strange(Log(source), root)]:
        raise SpecError(problems)
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
            return "a mapping"
        case SequenceNode():
            return "a list"
        case _:
            return f'"{node.value}"' if node.value else "nothing"


def find_close(word: str, known: Iterable[str]) -> str:
    """Return a hint: the known word that is most like `word`, else what is known."""
    names = list(known)
    near = difflib.get_close_matches(word, names, 1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    shown = ", ".join(names[:12])
    return f"there are {shown}{' …' if len(names) > 12 else ''}" if names else ""


def _syntax_problem(source: Source, error: yaml.MarkedYAMLError) -> Problem:
    place = error.problem_mark or error.context_mark
    words = [error.problem or "", error.context or ""]
    hint = "YAML indents with spaces, never with tabs" if "'\\t'" in words[0] else ""
    mark = source.mark(place.line, place.column) if place else None
    return Problem(message=f"this is no YAML: {', '.join(word for word in words if word)}", mark=mark, hint=hint)


def _character_problem(source: Source, error: yaml.reader.ReaderError) -> Problem:
    return Problem(
        message=f"{source.name} is no YAML: it holds a character that YAML forbids (#x{ord(chr(error.character)):02x})"
    )


def _strange(log: Log, root: Node) -> Iterator[Problem]:
    """Yield what YAML allows and a topology does not: tags of programming languages, and a list or mapping that contains itself."""
    open_nodes: set[int] = set()
    seen: set[int] = set()

    def walk(node: Node) -> Iterator[Problem]:
        if id(node) in open_nodes:
            yield Problem(message="this contains itself", mark=log.mark(node))
        if id(node) in seen:
            return
        seen.add(id(node))
        if node.tag not in _TAGS:
            yield Problem(message=f"the tag {node.tag} has no place in a topology", mark=log.mark(node), hint="remove it")
        if isinstance(node, ScalarNode):
            return
        open_nodes.add(id(node))
        for child in _children(node):
            yield from walk(child)
        open_nodes.discard(id(node))

    yield from walk(root)


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value)
