"""Changes from the command line, `--set nodes.n1.address=172.18.0.9`: put into the YAML tree before it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yaml import Mark

from kemu.base.errors import UsageError
from kemu.spec.expand import NODES
from kemu.spec.source import Log, MappingNode, Node, ScalarNode, SequenceNode, Source, find_close, is_null, read_value

_START = Mark("--set", 0, 0, 0, "", 0)
_COUNTED = {"nodes": "n", "hosts": "h"}
_WORD = r"(?:[^.\[\]=]+|\[[^\]]+\])"
_FORM = re.compile(rf"(?P<path>{_WORD}(?:\.{_WORD}|\[[^\]]+\])*)=(?P<value>.*)", re.DOTALL)
_MANY = 5000


@dataclass(frozen=True, slots=True)
class _Change:
    """One `--set`: the words of its path with their columns, its value, and the log that is to know where its nodes stand."""

    text: str
    words: tuple[str, ...]
    columns: tuple[int, ...]
    value: Node
    log: Log

    def key(self, i: int) -> ScalarNode:
        """Return a word of the path as a key, which stands in the option itself."""
        start = Mark("--set", 0, 0, self.columns[i], "", 0)
        end = Mark("--set", 0, 0, self.columns[i] + len(self.words[i]), "", 0)
        key = ScalarNode("tag:yaml.org,2002:str", self.words[i], start, end)
        self.log.foreign[id(key)] = (key, Source(name=f"--set {self.text}", text=self.text))
        return key

    def wrong(self, i: int, what: str, hint: str = "") -> UsageError:
        """Return what to say of a path that leads nowhere: `what` is wrong with the thing before word `i`."""
        return UsageError(f'--set "{self.text}": {".".join(self.words[:i])} {what}', hint=hint)


def apply_sets(root: Node, sets: Sequence[str], log: Log) -> Node:
    """Return `root` with every change made. A path leads through keys, and in lists through names or places from 0."""
    for text in sets:
        match = _FORM.fullmatch(text)
        if not match:
            raise UsageError(f'--set "{text}" is no change', hint="path.to.key=value, such as networking.ipFamily=dual")
        if isinstance(root, MappingNode):  # the reader says what is wrong with another
            words, columns = zip(*_split(match["path"]), strict=True)
            _put(root, _Change(text, words, columns, _value(text, match["value"], log), log))
    return root


def _split(path: str) -> Iterator[tuple[str, int]]:
    """Yield the words of a path with their columns; a key with dots is in brackets: nodes.n1.labels[topology.kubernetes.io/zone]."""
    for match in re.finditer(r"\[([^\]]+)\]|([^.\[\]]+)", path):
        group = 1 if match[1] else 2
        yield match[group], match.start(group)


def _value(text: str, value: str, log: Log) -> Node:
    source = Source(name=f"--set {text}", text=value)
    node = read_value(source) or ScalarNode("tag:yaml.org,2002:null", "", _START, _START)
    _own(node, source, log)
    return node


def _own(node: Node, source: Source, log: Log) -> None:
    """Make the log find the places of a value's nodes in its own text."""
    log.foreign[id(node)] = (node, source)
    for child in node.value if isinstance(node.value, list) else ():
        for one in child if isinstance(child, tuple) else (child,):
            _own(one, source, log)


def _put(root: MappingNode, change: _Change) -> None:
    """Put a value where the words lead. What stands on the way is copied, for other aliases may lead to it."""
    place: Node = root
    last = len(change.words) - 1
    for i in range(last):
        place = _step(place, change, i)
    if isinstance(place, MappingNode):
        _replace(place, change.key(last), change.value)
    elif isinstance(place, SequenceNode):
        place.value[_index(place, change, last)] = change.value
    else:
        raise change.wrong(last, "has no keys")


def _replace(place: MappingNode, key: ScalarNode, value: Node) -> None:
    pairs = [(one, old) for one, old in place.value if one.value != key.value]
    place.value = [*pairs, (key, value)]


def _step(place: Node, change: _Change, i: int) -> Node:
    """Return what a word of the path leads to, as a copy of its own; a missing mapping is made."""
    if isinstance(place, SequenceNode):
        index = _index(place, change, i)
        place.value[index] = _copy(place.value[index], change.log)
        return place.value[index]  # type: ignore[no-any-return]
    if not isinstance(place, MappingNode):
        raise change.wrong(i, "has no keys")
    key, old = _find(place, change.words[i]) or (change.key(i), None)
    unfolded = _unfold(change.words[: i + 1], old, change.words[i + 1])
    new = unfolded or (_like(key, _mapping(key), change.log) if is_null(old) else _copy(old, change.log))
    _replace(place, key, new)
    return new


def _find(place: MappingNode, word: str) -> tuple[ScalarNode, Node] | None:
    """Return a key and its value, its own or one that it merges."""
    entries = Log(Source(name="", text="")).entries(place)
    return next(((key, value) for key, value in entries if key.value == word), None)


def _value_of(place: Node | None, word: str) -> Node | None:
    found = _find(place, word) if isinstance(place, MappingNode) else None
    return found[1] if found else None


def _mapping(like: Node) -> MappingNode:
    return MappingNode("tag:yaml.org,2002:map", [], like.start_mark, like.end_mark)


def _copy(node: Node | None, log: Log) -> Node:
    """Return a list or mapping with the same members, which can be changed alone."""
    if isinstance(node, MappingNode | SequenceNode):
        return _like(node, type(node)(node.tag, list(node.value), node.start_mark, node.end_mark), log)
    assert node is not None
    return node


def _like(node: Node, new: Node, log: Log) -> Node:
    """Return a new node that the log finds where another one stands."""
    if id(node) in log.foreign:
        log.foreign[id(new)] = (new, log.foreign[id(node)][1])
    return new


def _unfold(path: Sequence[str], value: Node | None, after: str) -> Node | None:
    """Return what a short form stands for, so that a part of it can be changed: `nodes: 3`, `backend: vxlan`; else None."""
    if tuple(path) == ("networking", "backend") and value is not None:
        unfolded = _mapping(value)
        _replace(unfolded, _word(after, value), _value_of(value, after) or _mapping(value))
        return unfolded
    if tuple(path) == ("nodes",) and is_null(value):
        return _counted("n", NODES, _mapping(value or ScalarNode("", "", _START, _START)))
    if len(path) == 1 and path[0] in _COUNTED and isinstance(value, ScalarNode) and _is_count(value.value):
        return _counted(_COUNTED[path[0]], int(value.value), value)
    return None


def _word(word: str, like: Node) -> ScalarNode:
    return ScalarNode("tag:yaml.org,2002:str", word, like.start_mark, like.end_mark)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= _MANY


def _counted(prefix: str, count: int, like: Node) -> SequenceNode:
    rows = []
    for number in range(1, count + 1):
        row = _mapping(like)
        _replace(row, _word("name", like), _word(f"{prefix}{number}", like))
        rows.append(row)
    return SequenceNode("tag:yaml.org,2002:seq", rows, like.start_mark, like.end_mark)


def _index(place: SequenceNode, change: _Change, i: int) -> int:
    word = change.words[i]
    names = [_name(one) for one in place.value]
    if word in names:
        return names.index(word)
    if _is_count(word) and int(word) < len(names):
        return int(word)
    raise change.wrong(i, f'has no element "{word}"', find_close(word, [name for name in names if name], "names"))


def _name(node: Node) -> str:
    found = _value_of(node, "name")
    return found.value if isinstance(found, ScalarNode) else ""
