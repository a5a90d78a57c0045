"""Changes from the command line, `--set nodes.n1.address=172.18.0.9`: put into the YAML tree before it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from yaml import Mark

from kemu.base.errors import UsageError
from kemu.spec.expand import NODES
from kemu.spec.source import Log, MappingNode, Node, ScalarNode, SequenceNode, Source, find_close, is_null, read_value

_START = Mark("--set", 0, 0, 0, "", 0)
_COUNTED = {"nodes": "n", "hosts": "h"}
_WORD = r"(?:[^.\[\]=]+|\[[^\]]+\])"
_FORM = re.compile(rf"(?P<path>{_WORD}(?:\.{_WORD}|\[[^\]]+\])*)=(?P<value>.*)", re.DOTALL)
_MANY = 5000


def apply_sets(root: Node, sets: Sequence[str], log: Log) -> Node:
    """Return `root` with every change made. A path leads through keys, and in lists through names or places from 0."""
    for text in sets:
        match = _FORM.fullmatch(text)
        if not match:
            raise UsageError(f'--set "{text}" is no change', hint="path.to.key=value, such as networking.ipFamily=dual")
        if isinstance(root, MappingNode):  # the reader says what is wrong with another
            _put(root, _split(match["path"]), _value(text, match["value"], log), text)
    return root


def _split(path: str) -> list[str]:
    """Return the words of a path; a key with dots stands in brackets: nodes.n1.labels[topology.kubernetes.io/zone]."""
    return [bracketed or plain for bracketed, plain in re.findall(r"\[([^\]]+)\]|([^.\[\]]+)", path)]


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


def _put(root: MappingNode, words: Sequence[str], value: Node, text: str) -> None:
    """Put a value where the words lead. What stands on the way is copied, for other aliases may lead to it."""
    place: Node = root
    for i, word in enumerate(words[:-1]):
        place = _step(place, words[:i], word, words[i + 1], value, text)
    if isinstance(place, MappingNode):
        _replace(place, words[-1], value, value)
    elif isinstance(place, SequenceNode):
        place.value[_index(place, words[-1], words[:-1], text)] = value
    else:
        raise UsageError(f'--set "{text}": {".".join(words[:-1])} has no keys')


def _replace(place: MappingNode, word: str, value: Node, like: Node) -> None:
    pairs = [(key, old) for key, old in place.value if key.value != word]
    key = ScalarNode("tag:yaml.org,2002:str", word, like.start_mark, like.end_mark)
    place.value = [*pairs, (key, value)]


def _step(place: Node, so_far: Sequence[str], word: str, after: str, like: Node, text: str) -> Node:
    """Return what a word of the path leads to, as a copy of its own; a missing mapping is made."""
    if isinstance(place, SequenceNode):
        index = _index(place, word, so_far, text)
        place.value[index] = _copy(place.value[index])
        return place.value[index]  # type: ignore[no-any-return]
    if not isinstance(place, MappingNode):
        raise UsageError(f'--set "{text}": {".".join(so_far)} has no keys')
    old = _find(place, word)
    new = _unfold([*so_far, word], old, after) or (_mapping(like) if is_null(old) else _copy(old))
    _replace(place, word, new, like if old is None else old)
    return new


def _find(place: MappingNode, word: str) -> Node | None:
    """Return the value of a key, its own or one that it merges."""
    entries = Log(Source(name="", text="")).entries(place)
    return next((value for key, value in entries if key.value == word), None)


def _mapping(like: Node) -> MappingNode:
    return MappingNode("tag:yaml.org,2002:map", [], like.start_mark, like.end_mark)


def _copy(node: Node | None) -> Node:
    """Return a list or mapping with the same members, which can be changed alone."""
    if isinstance(node, MappingNode | SequenceNode):
        return type(node)(node.tag, list(node.value), node.start_mark, node.end_mark)
    assert node is not None
    return node


def _unfold(path: Sequence[str], value: Node | None, after: str) -> Node | None:
    """Return what a short form stands for, so that a part of it can be changed: `nodes: 3`, `backend: vxlan`; else None."""
    if list(path) == ["networking", "backend"] and value is not None:
        options = _find(value, after) if isinstance(value, MappingNode) else None
        unfolded = _mapping(value)
        _replace(unfolded, after, options or _mapping(value), value)
        return unfolded
    if list(path) == ["nodes"] and is_null(value):
        return _counted("n", NODES, _mapping(value or ScalarNode("", "", _START, _START)))
    if len(path) == 1 and path[0] in _COUNTED and isinstance(value, ScalarNode) and _is_count(value.value):
        return _counted(_COUNTED[path[0]], int(value.value), value)
    return None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= _MANY


def _counted(prefix: str, count: int, like: Node) -> SequenceNode:
    rows = []
    for number in range(1, count + 1):
        row = _mapping(like)
        name = ScalarNode("tag:yaml.org,2002:str", f"{prefix}{number}", like.start_mark, like.end_mark)
        _replace(row, "name", name, like)
        rows.append(row)
    return SequenceNode("tag:yaml.org,2002:seq", rows, like.start_mark, like.end_mark)


def _index(place: SequenceNode, word: str, so_far: Sequence[str], text: str) -> int:
    names = [_name(one) for one in place.value]
    if word in names:
        return names.index(word)
    if _is_count(word) and int(word) < len(names):
        return int(word)
    hint = find_close(word, [name for name in names if name], "names")
    raise UsageError(f'--set "{text}": {".".join(so_far)} has no element "{word}"', hint=hint)


def _name(node: Node) -> str:
    found = _find(node, "name") if isinstance(node, MappingNode) else None
    return found.value if isinstance(found, ScalarNode) else ""
