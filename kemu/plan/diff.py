"""What must change so that the kernel becomes as planned: data, in words that `status` prints and `order` turns into steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from kemu.plan.objects import MACHINE, Key, Link, Netns, Object, Sysctl, fresh_lo
from kemu.plan.sysctls import device_of, fresh, implied, is_ipv6_setting, without_ipv6

Action = Literal["add", "change", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `add` has only `want`, `remove` only `have`, `change` both."""

    action: Action
    want: Object | None = None
    have: Object | None = None

    @property
    def subject(self) -> Object:
        """The wanted object, or the unwanted one."""
        item = self.want or self.have
        assert item is not None
        return item


def diff(want: Iterable[Object], have: Iterable[Object], baseline: Mapping[str, str]) -> tuple[Change, ...]:
    """Return the changes from `have` to `want`: additions and changes in the plan's order, then removals.

    `have` holds a Sysctl only where its value is not the kernel's own (`baseline`). What is in a namespace, or on a device, that is
    to go or to come is not named as a setting; what is in or on one that is to go is not named at all.
    """
    wanted = {item.key: item for item in want if not isinstance(item, Sysctl)}
    found = _by_key(have)
    changes = [change for key, item in wanted.items() if (change := _compare(item, _take(item, found[key])))]
    extra = [item for items in found.values() for item in items]
    changes += _extra(extra, {MACHINE, *(item.netns for item in wanted.values() if isinstance(item, Netns))})
    places = _places(wanted.values()) & _places(have)
    small = without_ipv6(wanted.values())
    settled = (
        change
        for change in _sysctls(want, have, baseline)
        if _place(change.subject) in places and not is_ipv6_setting(change.subject, small)
    )
    return (*changes, *settled)


def _by_key(have: Iterable[Object]) -> defaultdict[Key, list[Object]]:
    """Return what was found by its key. The kernel may have two of what a plan has once: routes that differ in their gateway alone."""
    found: defaultdict[Key, list[Object]] = defaultdict(list)
    for item in have:
        if not isinstance(item, Sysctl):
            found[item.key].append(item)
    return found


def _take(want: Object, candidates: list[Object]) -> Object | None:
    """Take from `candidates` the one that is as wanted, else the first."""
    if not candidates:
        return None
    return candidates.pop(candidates.index(want) if want in candidates else 0)


def _extra(extra: list[Object], planned: set[str]) -> Iterator[Change]:
    """Yield the removal of what nobody asked for. What stands on a device that goes, goes with it; `lo` becomes as it was."""
    strays = {(item.netns, item.name) for item in extra if isinstance(item, Link) and item.name != "lo"}
    for item in extra:
        if isinstance(item, Netns):
            yield Change(action="remove", have=item)
        elif item.netns not in planned or (item.netns, getattr(item, "dev", "")) in strays:
            continue
        elif isinstance(item, Link) and item.name == "lo":
            yield Change(action="change", want=fresh_lo(item), have=item)
        else:
            yield Change(action="remove", have=item)


def _places(items: Iterable[Object]) -> set[tuple[str, str]]:
    """Return where a setting can be: (netns, "") of every namespace, (netns, name) of every device."""
    named = {(item.netns, item.name) for item in items if isinstance(item, Link)}
    return named | {(item.netns, dev) for item in items if isinstance(item, Netns) for dev in ("", "lo")}


def _place(setting: Object) -> tuple[str, str]:
    assert isinstance(setting, Sysctl)
    return setting.netns, device_of(setting.name)


def _compare(want: Object, have: Object | None) -> Change | None:
    if have is None:
        return Change(action="add", want=want)
    return Change(action="change", want=want, have=have) if want != have else None


def _sysctls(want: Iterable[Object], have: Iterable[Object], baseline: Mapping[str, str]) -> Iterator[Change]:
    """Yield a change for each setting that is neither as asked for nor, unasked, as the kernel makes it."""
    wanted = expected_sysctls(want)
    found = {item.key: item for item in have if isinstance(item, Sysctl)}
    for key in dict.fromkeys([*wanted, *found]):
        one = wanted.get(key) or found[key]
        kernels = Sysctl(netns=one.netns, name=one.name, value=fresh(one.name, baseline))
        pair = wanted.get(key, kernels), found.get(key, kernels)
        if pair[0] != pair[1]:
            yield Change(action="change", want=pair[0], have=pair[1])


def expected_sysctls(want: Iterable[Object]) -> dict[Key, Sysctl]:
    """Return every setting that a plan asks for, and those that follow from them, by key."""
    sysctls: dict[str, list[Sysctl]] = defaultdict(list)
    links: dict[str, list[Link]] = defaultdict(list)
    for item in want:
        if isinstance(item, Sysctl):
            sysctls[item.netns].append(item)
        elif isinstance(item, Link):
            links[item.netns].append(item)
    expected: dict[Key, Sysctl] = {}
    for netns, asked in sysctls.items():
        expected |= {item.key: item for item in implied(asked, links[netns])}
        expected |= {item.key: item for item in asked}
    return expected
