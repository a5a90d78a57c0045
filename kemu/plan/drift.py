"""A difference in words: what `status` and `plan --diff` print, in JSON and in a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kemu.plan.codec import to_dict
from kemu.plan.diff import Change
from kemu.plan.objects import NftTable, Object, place
from kemu.plan.show import title

_BLOCK = re.compile(r"^\t(\w+ \S+) \{$\n(.*?)^\t\}$", re.MULTILINE | re.DOTALL)


def to_drift(change: Change, cluster: str) -> dict[str, Any]:
    """Return a change as an element of `drift` in the status' JSON: of a changed object only what differs."""
    want, have = _sides(change)
    return {
        "action": change.action,
        "object": title(change.subject),
        "netns": place(cluster, change.subject.netns),
        "want": want,
        "have": have,
        "origin": str(change.subject.origin) if change.subject.origin else None,
    }


def show_change(change: Change, cluster: str) -> str:
    """Return a change in one line."""
    item = change.subject
    where = f"{place(cluster, item.netns)}: {title(item)}"
    match change.action:
        case "add":
            return f"{where} is missing"
        case "remove":
            return f"{where} should not be there"
        case _:
            want, have = _sides(change)
            return f"{where}: " + ", ".join(_differences(want or {}, have or {}))


def _differences(want: dict[str, Any], have: dict[str, Any]) -> Iterator[str]:
    """Yield what differs, field by field; of a device's detail and port the fields inside them."""
    for key, one in want.items():
        other = have[key]
        if isinstance(one, dict) and isinstance(other, dict):
            yield from (_difference(part, one.get(part), other.get(part)) for part in one if one.get(part) != other.get(part))
        else:
            yield _difference(key, one, other)


def _difference(key: str, one: Any, other: Any) -> str:
    if key == "lacks":
        return f"lacks {', '.join(other or ())}"
    if isinstance(one, str) and "\n" in one or isinstance(other, str) and "\n" in other:
        return f"{key} differs" if None not in (one, other) else f"{key} {'is missing' if one else 'should not be there'}"
    return f"{key} is {_word(other)}, should be {_word(one)}"


def _word(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return " ".join(f"{key} {_word(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) or "none"
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value) if value != "" else "none"


def _sides(change: Change) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return want and have as JSON; of a changed object only the fields that differ, of a table only its blocks."""
    if change.want is None or change.have is None:
        return _whole(change.want), _whole(change.have)
    want, have = _fields(change.want), _fields(change.have)
    differ = [key for key in dict.fromkeys([*want, *have]) if want.get(key) != have.get(key)]
    return {key: want.get(key) for key in differ}, {key: have.get(key) for key in differ}


def _whole(item: Object | None) -> dict[str, Any] | None:
    return {key: value for key, value in to_dict(item).items() if key != "origin"} if item else None


def _fields(item: Object) -> dict[str, Any]:
    if isinstance(item, NftTable):
        return read_blocks(item.body)
    return {key: value for key, value in to_dict(item).items() if key != "origin"}


def read_blocks(body: str) -> dict[str, Any]:
    """Return a table's chains, sets and maps by what they are called ("chain forward"), and what is left as "rest"."""
    blocks: dict[str, Any] = {match[1]: match[2] for match in _BLOCK.finditer(body + "\n")}
    rest = _BLOCK.sub("", body + "\n").strip()
    return {**blocks, "rest": rest} if rest else blocks
