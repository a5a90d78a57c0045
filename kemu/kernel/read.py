"""Reading a cluster's namespaces back as objects, everything in them: kemu owns the whole namespace.

What the kernel makes on its own is left out as long as it is there: `lo`, the default rules, connected and local routes, link-local
addresses. If it is gone, the object it belongs to says so (`lacks`). pyroute2 decodes the kernel's messages.
"""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from kemu.kernel import machine, messages, nft, sysctl
from kemu.kernel.enter import inside
from kemu.kernel.netlink import Netlink, attributes
from kemu.kernel.netns import Handle, Namespaces
from kemu.kernel.read_entries import (
    build_rules,
    lo_lacks,
    missing_rules,
    read_addrs_and_routes,
    read_fdb,
    read_neighs,
)
from kemu.kernel.read_links import Links, build_link, dump, kind_of_link, read_links, read_names, read_ports
from kemu.kernel.read_machine import read_own, read_own_addrs
from kemu.kernel.read_qdiscs import read_qdiscs
from kemu.kernel.strays import read_strays
from kemu.plan.objects import (
    MACHINE,
    Link,
    Netns,
    NftTable,
    Object,
    Sysctl,
    Veth,
    fresh_lo,
)
from kemu.plan.sysctls import device_of, fresh

_IFLA_AF_SPEC = 26
_NETNSA_NSID, _NETNSA_FD = 1, 3
_NDTA_PARMS, _NDTPA_IFINDEX = 6, 1
_NDTPA_VOLATILE = frozenset({1, 2, 3})  # index, reference count, and a reachable time that the kernel rolls dice for
_IP = (socket.AF_INET, socket.AF_INET6)  # multicast routing has rules of its own families


#: The names of devices by index, of each namespace.
Names = dict[str, dict[int, str]]


@dataclass(slots=True)
class Reader:
    """Reads the open namespaces of one cluster. `baseline` is what a fresh namespace's settings are.

    `neighbours` says in which namespaces the other ends of a namespace's veths should be: those are asked about first.
    """

    namespaces: Namespaces
    baseline: Mapping[str, str]
    neighbours: Mapping[str, set[str]]
    _whole: list[str] = field(init=False)
    _known: dict[bytes, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._whole = [name for name in self.baseline if not device_of(name)]

    def read(self, only: str | None = None) -> list[Object]:
        """Return every object in every namespace, or in that called `only`, and of settings those that are not the kernel's own."""
        names: Names = {name: read_names(handle.socket) for name, handle in self.namespaces.handles.items()}
        own = read_own(self.namespaces.machine().socket, self.namespaces.cluster)
        names[MACHINE] = own.names
        objects: list[Object] = []
        for handle in [self.namespaces[only]] if only else self.namespaces.handles.values():
            objects += self._read_one(handle, names)
        return objects if only else [*objects, *self._read_machine(own, names)]

    def _read_machine(self, own: Links, names: Names) -> Iterator[Object]:
        """Yield what is the cluster's in the machine's own namespace, and nothing else."""
        handle = self.namespaces.machine()
        yield from self._links(handle, own, names)
        yield from read_own_addrs(handle, own)
        yield from machine.read_entries(handle.socket, self.namespaces.cluster)

    def _read_one(self, handle: Handle, names: Names) -> list[Object]:
        links = read_links(handle.socket)
        addrs = dump(handle.socket, ifaddrmsg, messages.RTM_GETADDR, bytes(8))
        rules = [rule for rule in dump(handle.socket, fibmsg, messages.RTM_GETRULE, bytes(12)) if rule["family"] in _IP]
        objects: list[Object] = [Netns(netns=handle.name, lacks=(*lo_lacks(links.decoded, addrs), *missing_rules(rules)))]
        objects += self._links(handle, links, names)
        objects += read_addrs_and_routes(handle, addrs, links)
        objects += build_rules(handle.name, rules)
        objects += read_neighs(handle, links.names)
        objects += read_fdb(handle, links)
        objects += read_qdiscs(handle, links.names)
        with inside(self.namespaces.path(handle.name)):
            objects += self._sysctls(handle, links)
            objects += read_strays(handle.name)
            objects += [
                NftTable(netns=handle.name, family=family, name=name, body=nft.body(family, name))
                for family, name in nft.tables()
            ]
        return objects

    def _links(self, handle: Handle, links: Links, names: Names) -> Iterator[Link]:
        ports = read_ports(handle.socket) if any(kind_of_link(message) == "bridge" for message in links.decoded) else {}
        peers = self._peers(handle, links.decoded)
        for message in links.decoded:
            peer = peers.get(message.get_attr("IFLA_LINK_NETNSID"), "")
            peer_name = names[peer].get(message.get_attr("IFLA_LINK"), "") if peer else ""
            link = build_link(handle.name, message, links.names, ports, Veth(peer_netns=peer, peer=peer_name))
            if link.name != "lo" or link != replace(fresh_lo(link), up=link.up):  # whether it is up, Netns.lacks says
                yield link

    def _peers(self, handle: Handle, decoded: list[Any]) -> dict[int, str]:
        """Return which of our namespaces the kernel means by each number that it gives to the namespaces of peers."""
        unknown = {number for message in decoded if (number := message.get_attr("IFLA_LINK_NETNSID")) is not None}
        likely = [name for name in self.neighbours.get(handle.name, ()) if name in self.namespaces]
        peers = self._numbers(handle, likely) if unknown else {}
        if unknown - peers.keys():
            others = [MACHINE, *self.namespaces.handles]
            peers |= self._numbers(handle, [name for name in others if name not in likely])
        return peers

    def _numbers(self, handle: Handle, others: list[str]) -> dict[int, str]:
        """Return the names of `others` by the numbers that they have in one namespace; most have none."""
        asked = [bytes(4) + struct.pack("HHI", 8, _NETNSA_FD, self.namespaces[name].descriptor) for name in others]
        answers = handle.socket.ask(messages.RTM_GETNSID, asked)
        numbers = (
            (struct.unpack("i", attributes(answer[4:])[_NETNSA_NSID])[0], name)
            for name, answer in zip(others, answers, strict=True)
            if answer
        )
        return {number: name for number, name in numbers if number >= 0}

    def _sysctls(self, handle: Handle, links: Links) -> Iterator[Sysctl]:
        """Yield the settings of the namespace that the thread is in which differ from a fresh namespace's."""
        found = sysctl.read_all(self._whole)
        arrays = _neighbour_arrays(handle.socket)
        for raw, message in zip(links.raw, links.decoded, strict=True):
            device, index = message.get_attr("IFLA_IFNAME"), message["index"]
            for part, numbers in (_device_arrays(raw) | arrays.get(index, {})).items():
                found |= self._device_settings(device, part, numbers)
        for name, value in found.items():
            if value != fresh(name, self.baseline):
                yield Sysctl(netns=handle.name, name=name, value=value)

    def _device_settings(self, device: str, part: str, numbers: bytes) -> dict[str, str]:
        """Return a device's settings in a part. The kernel tells them as numbers with the device: equal numbers are read once."""
        key = part.encode() + numbers
        if key not in self._known:
            values = sysctl.read_all(sysctl.of_device(device, part, self.baseline))
            self._known[key] = {name.rpartition("/")[2]: value for name, value in values.items()}
        return {f"net/{part}/{device}/{setting}": value for setting, value in self._known[key].items()}


def _device_arrays(raw: bytes) -> dict[str, bytes]:
    """Return the kernel's arrays of a device's settings by their part: IFLA_AF_SPEC holds one for each family."""
    families = attributes(attributes(raw[32:]).get(_IFLA_AF_SPEC, b""))
    inet, inet6 = (attributes(families.get(family, b"")) for family in _IP)
    return {"ipv4/conf": inet.get(1, b""), "ipv6/conf": _without_mtu(inet6.get(2, b""))}


def _neighbour_arrays(netlink: Netlink) -> dict[int, dict[str, bytes]]:
    """Return the kernel's numbers of the neighbour settings of each device by index."""
    arrays: dict[int, dict[str, bytes]] = defaultdict(dict)
    for data in netlink.dump(messages.RTM_GETNEIGHTBL, bytes(4)):
        settings = attributes(attributes(data[20:]).get(_NDTA_PARMS, b""))
        if _NDTPA_IFINDEX in settings:
            part = "ipv6/neigh" if data[16] == socket.AF_INET6 else "ipv4/neigh"
            numbers = b"".join(value for kind, value in sorted(settings.items()) if kind not in _NDTPA_VOLATILE)
            arrays[struct.unpack("I", settings[_NDTPA_IFINDEX])[0]][part] = numbers
    return arrays


def _without_mtu(numbers: bytes) -> bytes:
    """Blank the IPv6 MTU, which follows the device's. Source: DEVCONF_MTU6, include/uapi/linux/ipv6.h."""
    return numbers[:8] + bytes(4) + numbers[12:]
