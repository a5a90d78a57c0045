"""Carrying out steps: the only place where planned objects become kernel objects."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from kemu.base.errors import KernelError
from kemu.base.reporter import Reporter
from kemu.kernel import forwarding, messages, nft, strays, sysctl
from kemu.kernel.enter import inside
from kemu.kernel.messages import Indexes, Message
from kemu.kernel.netlink import Refusal
from kemu.kernel.netns import Namespaces
from kemu.plan.objects import (
    Addr,
    Fdb,
    Forwarding,
    Link,
    Neigh,
    Netns,
    NftTable,
    Object,
    Process,
    Qdisc,
    Route,
    Rule,
    Stray,
    Sysctl,
    Veth,
    place,
)
from kemu.plan.order import Entry, Steps
from kemu.plan.show import command, is_maker, title
from kemu.plan.sysctls import device_of

#: By namespace and device: settings by their names, each as the kernel's number of it and its value.
Carried = dict[tuple[str, str], dict[str, tuple[int, int]]]

_LO = 1


@dataclass(slots=True)
class Writer:
    """Carries out steps in a cluster's open namespaces. `devices` knows the index of every device by namespace and name."""

    namespaces: Namespaces
    corrections: Mapping[str, str]
    reporter: Reporter
    devices: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: {"lo": _LO}))

    def know(self, objects: Iterable[Object]) -> None:
        """Learn the indexes of the devices among `objects`; of two with one name the later."""
        for item in objects:
            if isinstance(item, Link):
                self.devices[item.netns][item.name] = item.index

    def build(self, steps: Steps) -> None:
        """Do everything but removals, phase by phase. Raises KernelError for the first object that the kernel refuses."""
        self._make(steps)
        self._links(steps)
        carried = carried_settings(steps)
        self._settings(steps.settings, carried)
        self._mend(steps.mend)
        self._forward(steps.forwarding)
        self._entries(steps, carried)
        self._tables(steps)

    def _make(self, steps: Steps) -> None:
        self.reporter.step("namespaces", total=len(steps.make))
        for netns in steps.make:
            with self.namespaces.make(netns.netns):
                for name, value in self.corrections.items():
                    self._set(Sysctl(netns=netns.netns, name=name, value=value, origin=netns.origin))
                for setting in steps.early.get(netns.netns, ()):
                    self._set(setting)
            self.reporter.advance()

    def _set(self, setting: Sysctl) -> None:
        try:
            sysctl.write(setting.name, setting.value)
        except OSError as error:
            raise self._refused(setting, error.errno or 0) from error

    def _links(self, steps: Steps) -> None:
        """Make devices, kind by kind: a tunnel's lower device may be the far end of a veth that another namespace makes."""
        self.reporter.step("devices", total=len(steps.links))
        ends = {(link.netns, link.name): link for link in steps.links}
        for _, links in groupby(steps.links, key=lambda link: type(link.detail)):
            self._send(_by_netns((link, self._made(link, ends)) for link in links if is_made_from(link, ends)))
        self._send(_by_netns((link, self._changed(link, have)) for link, have in steps.relinks))

    def _changed(self, link: Link, have: Link) -> list[Message]:
        return messages.change_link(link, have, self._indexes(link.netns))

    def _made(self, link: Link, ends: Mapping[tuple[str, str], Link]) -> list[Message]:
        indexes = self._indexes(link.netns)
        if isinstance(link.detail, Veth):
            return messages.make_veth(link, ends[link.detail.peer_netns, link.detail.peer], indexes)
        return messages.make_link(link, indexes)

    def _indexes(self, netns: str) -> Indexes:
        return Indexes(self.devices[netns].__getitem__, lambda name: self.namespaces[name].descriptor)

    def _settings(self, settings: Mapping[str, list[Sysctl]], carried: Carried) -> None:
        for netns, values in settings.items():
            left = [value for value in values if value.name not in carried.get((netns, device_of(value.name)), ())]
            if left:
                with inside(self.namespaces.path(netns)):
                    for value in left:
                        self._set(value)

    def _entries(self, steps: Steps, carried: Carried) -> None:
        """Bring up the far ends of new veth pairs, and put addresses, routes and their like."""
        self.reporter.step("addresses and routes", total=sum(map(len, steps.entries.values())))
        ends = {(link.netns, link.name): link for link in steps.links}
        pending: dict[str, list[tuple[Object, Message]]] = defaultdict(list)
        for link in steps.links:
            if not is_made_from(link, ends):
                settings = carried.get((link.netns, link.name), {})
                pending[link.netns].append((link, messages.set_flags(link, settings.values())))
        for netns, items in steps.entries.items():
            pending[netns] += [(item, message) for item in items for message in entry_messages(item, self.devices[netns])]
        self._send(pending)

    def _tables(self, steps: Steps) -> None:
        """Load tables. Replacing makes the kernel wait 14 ms until nobody uses the old one; in a new namespace there is none."""
        new = {netns.netns for netns in steps.make}
        for table in steps.tables:
            load = nft.add if table.netns in new else nft.replace
            with inside(self.namespaces.path(table.netns)):
                try:
                    nft.run(load(table.family, table.name, table.body))
                except OSError as error:
                    raise self._refused(table, error.errno or 0, str(error.strerror)) from error

    def _forward(self, wanted: Iterable[Forwarding]) -> None:
        for item in wanted:
            try:
                forwarding.claim(self.namespaces.cluster, item.family, item.inner)
            except OSError as error:
                raise self._refused(item, error.errno or 0) from error

    def remove(self, objects: Iterable[Object]) -> None:
        """Remove what should not be. What went along with something else is gone already, and that is fine."""
        for item in objects:
            match item:
                case Netns():
                    self.namespaces.remove(item.netns)
                case NftTable():
                    with inside(self.namespaces.path(item.netns)):
                        nft.run(f"delete table {item.family} {item.name}")
                case Stray():
                    with inside(self.namespaces.path(item.netns)):
                        strays.remove_stray(item)
                case Forwarding():
                    forwarding.release(self.namespaces.cluster, item.family)
                case Sysctl() | Process():
                    raise ValueError(
                        f"{title(item)} is not removed here: a setting is changed back, and the agent ends processes"
                    )
                case _:
                    self._send_removal(item)

    def _send_removal(self, item: Link | Addr | Route | Rule | Neigh | Fdb | Qdisc) -> None:
        refusals = self.namespaces[item.netns].socket.send([self._removal(item)])
        for refusal in refusals:
            if refusal.errno not in messages.GONE:
                raise self._refused(item, refusal.errno, refusal.text)

    def _removal(self, item: Link | Addr | Route | Rule | Neigh | Fdb | Qdisc) -> Message:
        devices = self.devices[item.netns]
        match item:
            case Link():
                return messages.remove_link(item.index)
            case Addr():
                return messages.remove_addr(item, devices[item.dev])
            case Route():
                return messages.remove_route(item, devices.get(item.dev, 0))
            case Rule():
                return messages.remove_rule(item)
            case Neigh():
                return messages.remove_neigh(item, devices[item.dev])
            case Fdb():
                return messages.remove_fdb(item, devices[item.dev])
            case Qdisc():
                return messages.remove_qdisc(item, devices[item.dev])

    def _mend(self, namespaces: Iterable[Netns]) -> None:
        """Give back what a namespace lacks of what the kernel itself puts into a fresh one."""
        for netns in namespaces:
            self._send({netns.netns: [(netns, _restored(netns, what)) for what in netns.lacks]})

    def _send(self, pending: Mapping[str, list[tuple[Object, Message]]]) -> None:
        """Send each namespace its messages in one go."""
        for netns, pairs in pending.items():
            answers = self.namespaces[netns].socket.send([message for _, message in pairs])
            refusals = [one for one in answers if not _was_gone(one, pairs[one.position][1])]
            if refusals:
                self._raise_first(refusals, [item for item, _ in pairs])
            self.reporter.advance(len(pairs))

    def _raise_first(self, refusals: list[Refusal], items: list[Object]) -> None:
        first = min(refusals, key=lambda refusal: refusal.position)
        raise self._refused(items[first.position], first.errno, first.text)

    def _refused(self, item: Object, code: int, text: str = "") -> KernelError:
        cluster = self.namespaces.cluster
        where = place(cluster, item.netns)
        reason = text or os.strerror(code)
        return KernelError(
            f"the kernel refused {title(item)} in {where}: {reason}",
            object_title=title(item),
            netns=where,
            errno=code,
            command=command(item, cluster),
            origin=item.origin,
        )


def _was_gone(refusal: Refusal, message: Message) -> bool:
    """Say whether a message that takes a route away found none: it is as it should be."""
    return message[0] == messages.RTM_DELROUTE and refusal.errno in messages.GONE


def _by_netns(made: Iterable[tuple[Link, list[Message]]]) -> dict[str, list[tuple[Object, Message]]]:
    pending: dict[str, list[tuple[Object, Message]]] = defaultdict(list)
    for link, parts in made:
        pending[link.netns] += [(link, message) for message in parts]
    return pending


def entry_messages(item: Entry, devices: Mapping[str, int]) -> list[Message]:
    """Return the messages that put what stands on a device; `devices` are the indexes of its namespace."""
    match item:
        case Addr():
            index = devices[item.dev]
            taken = [messages.remove_connected_route(item, index)] if item.lacks else []
            return [messages.put_addr(item, index), *taken]
        case Neigh():
            return [messages.put_neigh(item, devices[item.dev])]
        case Fdb():
            return [messages.put_fdb(item, devices[item.dev])]
        case Route():
            return [messages.put_route(item, devices[item.dev] if item.dev else 0)]
        case Rule():
            return [messages.put_rule(item)]
        case Qdisc():
            return [messages.put_qdisc(item, devices[item.dev])]


def carried_settings(steps: Steps) -> Carried:
    """Return the settings that go with the message that brings up the far end of a new veth pair: far cheaper than a file each.

    With a thousand namespaces, opening a file below /proc/sys/net takes 0.2 ms.
    """
    ends = {(link.netns, link.name): link for link in steps.links}
    carried: Carried = {}
    for netns, values in steps.settings.items():
        for value in values:
            key = netns, device_of(value.name)
            number = messages.INET_SETTINGS.get(value.name.rpartition("/")[2])
            if (
                number is not None
                and value.name.startswith("net/ipv4/conf/")
                and key in ends
                and not is_made_from(ends[key], ends)
            ):
                carried.setdefault(key, {})[value.name] = (number, int(value.value))
    return carried


def is_made_from(link: Link, ends: Mapping[tuple[str, str], Link]) -> bool:
    """Say whether a device is made by its own message: of a veth pair only one end is."""
    return not isinstance(link.detail, Veth) or is_maker(link, ends[link.detail.peer_netns, link.detail.peer])


def _restored(netns: Netns, what: str) -> Message:
    """Return the message that restores one thing of Netns.lacks, in the words of `read`."""
    kind, *words = what.split()
    match kind, words:
        case "lo", ["up"]:
            return messages.bring_up(_LO)
        case "lo", [address]:
            return messages.put_addr(Addr(netns=netns.netns, dev="lo", address=address, scope="host"), _LO)
        case "rule", [family, priority, table]:
            return messages.put_rule(Rule(netns=netns.netns, family=int(family), priority=int(priority), table=int(table)))
        case _:
            raise ValueError(f"{netns.netns} lacks {what}: nobody knows how to give it back")
