"""In which order changes are carried out: fixed phases, no graph.

A device that has to be made anew takes with it what stands on it; so whatever the plan has on such a device is put there again.
Putting something that is there already changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kemu.plan.diff import Change
from kemu.plan.objects import (
    Addr,
    Bridge,
    Fdb,
    Foreign,
    Forwarding,
    Key,
    Link,
    Neigh,
    Netns,
    NftTable,
    Object,
    Qdisc,
    Route,
    Rule,
    Stray,
    Sysctl,
    Veth,
    Vxlan,
)
from kemu.plan.sysctls import device_of

Entry = Addr | Neigh | Fdb | Route | Rule | Qdisc

_RANK: dict[type[Object], int] = {Addr: 0, Neigh: 1, Fdb: 2, Route: 3, Rule: 4, Qdisc: 5}
_REMOVAL_ORDER = (Stray, Forwarding, NftTable, Qdisc, Rule, Route, Fdb, Neigh, Addr, Link, Netns)
_REMOVAL_RANK: dict[type[Object], int] = {kind: rank for rank, kind in enumerate(_REMOVAL_ORDER)}
_LINK_RANK: dict[type[object], int] = {Bridge: 0, Veth: 1, Vxlan: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The phases, in their order. `remove` holds objects as read; `early` settings belong to `make` and come before any device."""

    remove: tuple[Object, ...] = ()
    make: tuple[Netns, ...] = ()
    mend: tuple[Netns, ...] = ()
    early: Mapping[str, list[Sysctl]] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    relinks: tuple[tuple[Link, Link], ...] = ()
    settings: Mapping[str, list[Sysctl]] = field(default_factory=dict)
    entries: Mapping[str, list[Entry]] = field(default_factory=dict)
    tables: tuple[NftTable, ...] = ()
    forwarding: tuple[Forwarding, ...] = ()


def steps_for_all(plan: Iterable[Object]) -> Steps:
    """Return the steps that make a whole plan where nothing is."""
    return _steps(list(plan), [], [], [])


def steps_for(changes: Iterable[Change], plan: Mapping[Key, Object]) -> Steps:
    """Return the steps that carry out `changes` towards `plan`."""
    changes = list(changes)
    puts = {change.want.key: change.want for change in changes if change.want is not None}
    have = {change.have.key: change.have for change in changes if change.have is not None}
    new = _renewed(changes, plan)
    readdressed = [change.have for change in changes if isinstance(change.want, Addr) and change.have is not None]
    touched = new | {(item.netns, item.name) for item in puts.values() if isinstance(item, Link)}
    touched |= {(item.netns, item.dev) for item in readdressed if isinstance(item, Addr)}
    puts |= {key: item for key, item in plan.items() if _stands_on(item, touched)}
    puts |= {key: item for key, item in plan.items() if isinstance(item, Link) and (item.netns, item.name) in new}
    relinks = [
        (item, known)
        for key, item in puts.items()
        if isinstance(item, Link) and (item.netns, item.name) not in new and isinstance(known := have.get(key), Link)
    ]
    relinks += [
        (item, _orphan(item))
        for item in plan.values()
        if isinstance(item, Link) and _lost_master(item, new) and item.key not in puts
    ]
    unwanted = [item for key, item in have.items() if key not in puts or _is_renewed(item, new)]
    unwanted += readdressed  # the kernel changes neither broadcast nor scope, and makes its own routes only with a new address
    unwanted += [change.have for change in changes if change.have is not None and _moves(change)]
    roots = list(_requeued(changes, plan))
    unwanted += [root for root in roots if root not in unwanted]
    puts |= {key: item for root in roots for key, item in plan.items() if _is_beside(item, root)}
    mended = [item for key, item in have.items() if isinstance(item, Netns) and key in puts]
    kept = {link.key for link, _ in relinks} | {item.key for item in mended}
    return _steps([item for key, item in puts.items() if key not in kept], unwanted, mended, relinks)


def _steps(puts: list[Object], unwanted: list[Object], mended: list[Netns], relinks: list[tuple[Link, Link]]) -> Steps:
    fresh = tuple(item for item in puts if isinstance(item, Netns))
    links = [item for item in puts if isinstance(item, Link)]
    early, settings = _settings(puts, {item.netns for item in fresh}, links)
    return Steps(
        remove=tuple(sorted(unwanted, key=lambda item: _REMOVAL_RANK.get(type(item), 0))),
        make=fresh,
        mend=tuple(mended),
        early=early,
        links=tuple(sorted(links, key=lambda link: _LINK_RANK.get(type(link.detail), 3))),
        relinks=tuple(sorted(relinks, key=lambda pair: _LINK_RANK.get(type(pair[0].detail), 3))),  # a tunnel is the smaller
        settings=settings,
        entries=_entries(puts),
        tables=tuple(item for item in puts if isinstance(item, NftTable)),
        forwarding=tuple(item for item in puts if isinstance(item, Forwarding)),
    )


def _settings(puts: list[Object], fresh: set[str], links: list[Link]) -> tuple[dict[str, list[Sysctl]], dict[str, list[Sysctl]]]:
    """Split settings into those of a new namespace as a whole and those that need its devices (or come to an old namespace)."""
    devices = {(link.netns, link.name) for link in links}
    early: dict[str, list[Sysctl]] = defaultdict(list)
    late: dict[str, list[Sysctl]] = defaultdict(list)
    for item in puts:
        if isinstance(item, Sysctl):
            at_once = item.netns in fresh and (item.netns, device_of(item.name)) not in devices
            (early if at_once else late)[item.netns].append(item)
    for settings in late.values():
        settings.sort(key=lambda item: item.name.count("/"))  # a namespace's forwarding resets that of its devices
    return early, late


def _entries(puts: list[Object]) -> dict[str, list[Entry]]:
    entries: dict[str, list[Entry]] = defaultdict(list)
    for item in sorted((item for item in puts if isinstance(item, Entry)), key=_entry_rank):
        entries[item.netns].append(item)
    return entries


def _entry_rank(item: Entry) -> tuple[int, bool]:
    return _RANK[type(item)], isinstance(item, Qdisc) and item.parent != "root"


def _renewed(changes: list[Change], plan: Mapping[Key, Object]) -> set[tuple[str, str]]:
    """Return (netns, name) of every planned device that has to be made anew, those that go along with another included."""
    waiting = [change.want for change in changes if isinstance(change.want, Link) and _must_renew(change)]
    new: set[tuple[str, str]] = set()
    while waiting:
        link = waiting.pop()
        if (link.netns, link.name) in new:
            continue
        new.add((link.netns, link.name))
        waiting += [item for item in plan.values() if isinstance(item, Link) and _goes_along(item, link)]
    return new


def _must_renew(change: Change) -> bool:
    """Say whether a device cannot become what is wanted by changing it."""
    want, have = change.want, change.have
    if not isinstance(want, Link) or not isinstance(have, Link):
        return True
    if want.index != have.index or type(want.detail) is not type(have.detail):
        return True
    return want.detail != have.detail and not isinstance(want.detail, Bridge)


def _moves(change: Change) -> bool:
    """Say whether a route is to leave by another device: IPv6 looks an on-link gateway up, and would find the old route."""
    return isinstance(change.want, Route) and isinstance(change.have, Route) and change.want.dev != change.have.dev


def _requeued(changes: list[Change], plan: Mapping[Key, Object]) -> Iterator[Qdisc]:
    """Yield the root qdiscs that have to go, with what hangs below, because one of their device cannot be changed as it stands.

    A qdisc that is removed from below another leaves a hole there that swallows every packet, so the root is made anew, too.
    """
    devices = {(item.netns, item.dev) for item in map(_unchangeable, changes) if item is not None}
    roots = {change.subject.key: change.have for change in changes if isinstance(change.subject, Qdisc)}
    for netns, dev in devices:
        key = Qdisc(netns=netns, dev=dev, parent="root", handle="", detail=Foreign(kind="")).key
        root = roots[key] if key in roots else plan.get(key)
        if isinstance(root, Qdisc):
            yield root


def _unchangeable(change: Change) -> Qdisc | None:
    """Return the qdisc of a change that is more than other numbers."""
    want, have = change.want, change.have
    if isinstance(want, Qdisc) and isinstance(have, Qdisc):
        settled = getattr(have.detail, "more", ()) == () and (want.handle, want.kind) == (have.handle, have.kind)
        return None if settled else want
    subject = change.subject
    return subject if isinstance(subject, Qdisc) and subject.parent != "ingress" else None


def _is_beside(item: Object, root: Qdisc) -> bool:
    return isinstance(item, Qdisc) and (item.netns, item.dev) == (root.netns, root.dev)


def _goes_along(item: Link, gone: Link) -> bool:
    """Say whether the kernel removes `item` together with `gone`: the other end of a veth, a tunnel over the device."""
    if isinstance(gone.detail, Veth) and (item.netns, item.name) == (gone.detail.peer_netns, gone.detail.peer):
        return True
    return isinstance(item.detail, Vxlan) and (item.netns, item.detail.lower) == (gone.netns, gone.name)


def _stands_on(item: Object, devices: set[tuple[str, str]]) -> bool:
    match item:
        case Addr() | Neigh() | Fdb() | Route() | Qdisc():
            return (item.netns, item.dev) in devices
        case Forwarding():
            return (item.netns, item.inner) in devices
        case Sysctl():
            return (item.netns, device_of(item.name)) in devices
        case _:
            return False


def _lost_master(item: Link, new: set[tuple[str, str]]) -> bool:
    return (item.netns, item.master) in new and (item.netns, item.name) not in new


def _orphan(item: Link) -> Link:
    """Return a bridge port as it is after its bridge went."""
    return Link(netns=item.netns, name=item.name, index=item.index, mac=item.mac, mtu=item.mtu, detail=item.detail, up=item.up)


def _is_renewed(item: Object, new: set[tuple[str, str]]) -> bool:
    return isinstance(item, Link) and (item.netns, item.name) in new
