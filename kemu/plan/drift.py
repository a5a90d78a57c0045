"""A difference in words: what `status` and `plan --diff` print, in JSON and in a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from kemu.plan.codec import to_dict
from kemu.plan.diff import Change
from kemu.plan.objects import Addr, Netns, NftTable, Object, Rule, place
from kemu.plan.show import title

_BLOCK = re.compile(r"^\t(\w+ \S+) \{$\n(.*?)^\t\}$", re.MULTILINE | re.DOTALL)
_REST = "rest"  # of a table: what stands in it outside of chains, sets and maps
_SHOWN = 2  # lines of a chain, set or map that differs, of each sort
_WIDTH = 100  # characters of such a line


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
    where = place(cluster, item.netns)
    match change.action:
        case "add":
            return f"{where}: {title(item)} is missing"
        case "remove":
            return f"{where}: {title(item)} should not be there"
        case _:
            what = "" if isinstance(item, Netns) else f"{title(item)}: "
            return f"{where}: {what}{', '.join(_differences(change))}"


def _differences(change: Change) -> Iterator[str]:
    """Yield what differs, field by field; of a device's detail and port the fields inside them."""
    want, have = _sides(change)
    for key, one in (want or {}).items():
        other = (have or {})[key]
        if key == "lacks":
            yield from _lost(change.subject, one or (), other or ())
        elif isinstance(change.subject, NftTable):
            yield from _block_differences(key, one, other)
        elif isinstance(one, dict) and isinstance(other, dict):
            yield from (_difference(part, one.get(part), other.get(part)) for part in one if one.get(part) != other.get(part))
        else:
            yield _difference(key, one, other)


def _difference(key: str, one: Any, other: Any) -> str:
    return f"{key} is {_word(other)}, should be {_word(one)}"


def _lost(item: Object, want: Iterable[str], have: Iterable[str]) -> Iterator[str]:
    """Yield what the kernel itself puts beside an object and is gone, or was to go and is there."""
    yield from (_gone(item, what) for what in have if what not in want)
    yield from (f"its {_route_word(what)} should not be there" for what in want if what not in have)


def _gone(item: Object, what: str) -> str:
    """Say in words that one thing is gone, as `lacks` of an object has it."""
    match item, what.split():
        case Netns(), ["rule", family, priority, table]:
            rule = Rule(netns=item.netns, family=int(family), priority=int(priority), table=int(table))
            return f"{title(rule)} is missing"
        case Netns(), ["lo", "up"]:
            return "lo is down"
        case Netns(), ["lo", address]:
            return f"{title(Addr(netns=item.netns, dev='lo', address=address))} is missing"
        case Addr(), _:
            return f"its {_route_word(what)} is missing"
        case _:
            return f"{what} is off"


def _route_word(what: str) -> str:
    kind, _, destination = what.partition(" ")
    return f"{kind} route {destination}"


def _block_differences(name: str, one: str | None, other: str | None) -> Iterator[str]:
    """Yield what differs in a chain, set or map of a table: the first lines that are gone, and those that should not be there."""
    if name != _REST and (one is None or other is None):
        yield f"{name} {'should not be there' if one is None else 'is missing'}"
        return
    want, have = (Counter(" ".join(line.split()) for line in (text or "").splitlines()) for text in (one, other))
    gone, more = want - have, have - want
    words = [_lines(gone, "is missing" if gone.total() == 1 else "are missing")] if gone else []
    words += [_lines(more, "should not be there")] if more else []
    yield f"{'' if name == _REST else f'{name}: '}{', '.join(words) or 'the lines are in another order'}"


def _lines(lines: Counter[str], what: str) -> str:
    """Return what is wrong with lines, the first of them in quotes."""
    found = [_quoted(line) for line in lines.elements()]
    others = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{', '.join(found[:_SHOWN])}{others} {what}"


def _quoted(line: str) -> str:
    """Return a line of nft, cut if it is long, in quotes that it does not have itself: names of devices stand in double ones."""
    mark = "'" if '"' in line else '"'
    return f"{mark}{line if len(line) <= _WIDTH else f'{line[:_WIDTH]}…'}{mark}"


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
    """Return a table's chains, sets and maps by what they are called ("chain forward"), and what is left as _REST."""
    blocks: dict[str, Any] = {match[1]: match[2] for match in _BLOCK.finditer(body + "\n")}
    rest = _BLOCK.sub("", body + "\n").strip()
    return {**blocks, _REST: rest} if rest else blocks
