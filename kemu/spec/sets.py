"""Changes from the command line, `--set nodes.n1.address=172.18.0.9`: put into the YAML tree before it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from yaml import Mark

from kemu.base.errors import UsageError
from kemu.spec.source import Log, MappingNode, Node, ScalarNode, SequenceNode, Source, find_close, is_null, read_value

_START = Mark("--set", 0, 0, 0, "", 0)
_COUNTED = {"nodes": "n", "hosts": "h"}


def apply_sets(root: Node, sets: Sequence[str], log: Log) -> Node:
    """Return `root` with every change made. A path leads through keys, and in lists through names or places from 0."""
    for text in sets:
        path, equals, value = text.partition("=")
        words = _split(path)
        if not equals or not all(words) or not isinstance(root, MappingNode):
            raise UsageError(f'"{text}" is no change', hint="--set path.to.key=value, such as --set networking.ipFamily=dual")
        _put(root, words, _value(text, value, log), text)
    return root


def _split(path: str) -> list[str]:
    """Return the words of a path; a key with dots stands in brackets: nodes.n1.labels[topology.kubernetes.io/zone]."""
    return [bracketed or plain for bracketed, plain in re.findall(r"\[([^\]]*)\]|([^.\[\]]+)", path)]


def _value(text: str, value: str, log: Log) -> Node:
    source = Source(name=f"--set {text}", text=value)
    node = read_value(source) or ScalarNode("tag:yaml.org,2002:null", "", _START, _START)
    _own(node, source, log)
    return node


def _own(node: Node, source: Source, log: Log) -> None:
    """Make the log find the places of a value's nodes in its own text."""
    log.foreign[id(node)] = source
    for child in node.value if isinstance(node.value, list) else ():
        for one in child if isinstance(child, tuple) else (child,):
            _own(one, source, log)


def _put(root: MappingNode, words: Sequence[str], value: Node, text: str) -> None:
    place: Node = root
    for i, word in enumerate(words[:-1]):
        place = _step(place, word, value, words[:i])
    last = words[-1]
    if isinstance(place, MappingNode):
        pairs = [(key, old) for key, old in place.value if key.value != last]
        place.value = [*pairs, (_key(last, value), value)]
    elif isinstance(place, SequenceNode):
        place.value[_index(place, last, words[:-1])] = value
    else:
        raise UsageError(f'"{text}": {".".join(words[:-1])} has no keys')


def _key(word: str, like: Node) -> ScalarNode:
    return ScalarNode("tag:yaml.org,2002:str", word, like.start_mark, like.end_mark)


def _step(place: Node, word: str, like: Node, so_far: Sequence[str]) -> Node:
    """Return what a word of the path leads to; a missing mapping is made, a number of nodes becomes a list."""
    if isinstance(place, SequenceNode):
        return place.value[_index(place, word, so_far)]  # type: ignore[no-any-return]
    if not isinstance(place, MappingNode):
        raise UsageError(f"--set: {'.'.join(so_far)} has no keys")
    for i, (key, value) in enumerate(place.value):
        if key.value == word and not is_null(value):
            place.value[i] = (key, _counted(word, value) if not so_far else value)
            return place.value[i][1]  # type: ignore[no-any-return]
    made = MappingNode("tag:yaml.org,2002:map", [], like.start_mark, like.end_mark)
    default = ScalarNode("tag:yaml.org,2002:int", "2", like.start_mark, like.end_mark)
    new = _counted(word, default) if not so_far and word == "nodes" else made
    place.value.append((_key(word, like), new))
    return new


def _counted(word: str, value: Node) -> Node:
    """Return `nodes: 3` as the list that it stands for, so that one of them can be changed."""
    if word not in _COUNTED or not isinstance(value, ScalarNode) or not value.value.isdigit():
        return value
    names = [f"{_COUNTED[word]}{number}" for number in range(1, int(value.value) + 1)]
    marks = value.start_mark, value.end_mark
    rows = [MappingNode("tag:yaml.org,2002:map", [(_key("name", value), _key(name, value))], *marks) for name in names]
    return SequenceNode("tag:yaml.org,2002:seq", rows, *marks)


def _index(place: SequenceNode, word: str, so_far: Sequence[str]) -> int:
    names = [_name(one) for one in place.value]
    if word in names:
        return names.index(word)
    if word.isdigit() and int(word) < len(names):
        return int(word)
    raise UsageError(
        f'--set: {".".join(so_far)} has no element "{word}"', hint=find_close(word, [name for name in names if name])
    )


def _name(node: Node) -> str:
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((value.value for key, value in pairs if key.value == "name" and isinstance(value, ScalarNode)), "")
