"""What must change so that the kernel becomes as planned: data, in words that `status` prints and `order` turns into steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from kemu.plan.objects import Key, Link, Netns, Object, Sysctl
from kemu.plan.sysctls import device_of, fresh, implied

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

    `have` holds a Sysctl only where its value is not the kernel's own (`baseline`). Of a namespace that is to go or to come,
    nothing inside is named.
    """
    wanted = {item.key: item for item in want if not isinstance(item, Sysctl)}
    found = {item.key: item for item in have if not isinstance(item, Sysctl)}
    changes = [change for key, item in wanted.items() if (change := _compare(item, found.get(key)))]
    planned = {item.netns for item in wanted.values() if isinstance(item, Netns)}
    extra = [item for key, item in found.items() if key not in wanted and (item.netns in planned or isinstance(item, Netns))]
    changes += [Change(action="remove", have=item) for item in extra]
    namespaces = {item.netns for item in found.values() if isinstance(item, Netns)} & planned
    devices = {(item.netns, item.name) for item in found.values() if isinstance(item, Link)}
    settled = (change for change in _sysctls(want, have, baseline) if _exists(change.subject, namespaces, devices))
    return (*changes, *settled)


def _compare(want: Object, have: Object | None) -> Change | None:
    if have is None:
        return Change(action="add", want=want)
    return Change(action="change", want=want, have=have) if want != have else None


def _exists(setting: Object, namespaces: set[str], devices: set[tuple[str, str]]) -> bool:
    """Say whether a setting's namespace and device are there; what comes with a missing one is not a difference of its own."""
    assert isinstance(setting, Sysctl)
    device = device_of(setting.name)
    return setting.netns in namespaces and (device in ("", "lo") or (setting.netns, device) in devices)


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
