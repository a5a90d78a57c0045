"""Reading a cluster's namespaces back as objects, everything in them: kemu owns the whole namespace.

What the kernel makes on its own is left out as long as it is there: `lo`, the default rules, connected and local routes, link-local
addresses. If it is gone, the object it belongs to says so (`lacks`). pyroute2 decodes the kernel's messages.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from kemu.kernel import messages, nft, sysctl
from kemu.kernel.enter import inside
from kemu.kernel.messages import FLAG_WORDS, PROTOCOLS, ROUTE_TYPES, RULE_ACTIONS, SCOPES
from kemu.kernel.netlink import Netlink, attributes
from kemu.kernel.netns import Handle, Namespaces
from kemu.plan.objects import (
    LOCAL,
    MAIN,
    MULTIPATH,
    Addr,
    Bridge,
    BridgePort,
    Fdb,
    Foreign,
    Link,
    Loopback,
    Neigh,
    Netns,
    NftTable,
    Object,
    Qdisc,
    Route,
    Rule,
    Sysctl,
    Veth,
    Vxlan,
    fresh_lo,
)
from kemu.plan.sysctls import device_of, fresh

_INFO = bytes(16)
_BRIDGE_INFO = struct.pack("BxHiII", messages.AF_BRIDGE, 0, 0, 0, 0)
_IFLA_AF_SPEC = 26
_NETNSA_NSID, _NETNSA_FD = 1, 3
_NDTA_PARMS, _NDTPA_IFINDEX = 6, 1
_NDTPA_VOLATILE = frozenset({1, 2, 3})  # index, reference count, and a reachable time that the kernel rolls dice for
_KERNELS_PROTOCOLS = frozenset({"kernel", "ra", "redirect"})
_IFLA_PROTINFO = 12
_PORT_ATTRIBUTES = {"hairpin": 4, "learning": 8, "flood": 9, "isolated": 33}
_IFF_LOOPBACK = 0x8
#: Source: NUD_* in include/uapi/linux/neighbour.h
_LEARNED = {0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed"}
_IP = (socket.AF_INET, socket.AF_INET6)  # multicast routing has rules of its own families
_LO_ADDRESSES = ("127.0.0.1/8", "::1/128")
#: (family, priority, table) of the rules that a fresh namespace has.
_RULES = ((4, 0, LOCAL), (4, 32766, MAIN), (4, 32767, 253), (6, 0, LOCAL), (6, 32766, MAIN))


@dataclass(slots=True)
class _Links:
    """The devices of one namespace as the kernel describes them, and their names by index."""

    raw: list[bytes]
    decoded: list[Any]
    names: dict[int, str]


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
        links = {name: _read_links(handle.socket) for name, handle in self.namespaces.handles.items()}
        objects: list[Object] = []
        for handle in [self.namespaces[only]] if only else self.namespaces.handles.values():
            objects += self._read_one(handle, links)
        return objects

    def _read_one(self, handle: Handle, all_links: Mapping[str, _Links]) -> list[Object]:
        links = all_links[handle.name]
        addrs = _dump(handle.socket, ifaddrmsg, messages.RTM_GETADDR, bytes(8))
        rules = [rule for rule in _dump(handle.socket, fibmsg, messages.RTM_GETRULE, bytes(12)) if rule["family"] in _IP]
        objects: list[Object] = [Netns(netns=handle.name, lacks=(*_lo_lacks(links.decoded, addrs), *_missing_rules(rules)))]
        objects += self._links(handle, all_links)
        objects += _addrs_and_routes(handle, addrs, links.names)
        objects += _rules(handle.name, rules)
        objects += _neighs(handle, links.names)
        objects += _fdb(handle, links)
        objects += _qdiscs(handle, links.names)
        with inside(self.namespaces.path(handle.name)):
            objects += self._sysctls(handle, links)
            objects += [
                NftTable(netns=handle.name, family=family, name=name, body=nft.body(family, name))
                for family, name in nft.tables()
            ]
        return objects

    def _links(self, handle: Handle, all_links: Mapping[str, _Links]) -> Iterator[Link]:
        links = all_links[handle.name]
        ports = _ports(handle.socket) if any(_kind(message) == "bridge" for message in links.decoded) else {}
        peers = self._peers(handle, links.decoded)
        for message in links.decoded:
            peer = peers.get(message.get_attr("IFLA_LINK_NETNSID"), "")
            peer_name = all_links[peer].names.get(message.get_attr("IFLA_LINK"), "") if peer else ""
            link = _link(handle.name, message, links.names, ports, Veth(peer_netns=peer, peer=peer_name))
            if link.name != "lo" or link != replace(fresh_lo(link), up=link.up):  # whether it is up, Netns.lacks says
                yield link

    def _peers(self, handle: Handle, decoded: list[Any]) -> dict[int, str]:
        """Return which of our namespaces the kernel means by each number that it gives to the namespaces of peers."""
        unknown = {number for message in decoded if (number := message.get_attr("IFLA_LINK_NETNSID")) is not None}
        likely = [name for name in self.neighbours.get(handle.name, ()) if name in self.namespaces]
        peers = self._numbers(handle, likely) if unknown else {}
        if unknown - peers.keys():
            peers |= self._numbers(handle, [name for name in self.namespaces.handles if name not in likely])
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

    def _sysctls(self, handle: Handle, links: _Links) -> Iterator[Sysctl]:
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


def _read_links(netlink: Netlink) -> _Links:
    raw = netlink.dump(messages.RTM_GETLINK, _INFO)
    decoded = [_decoded(ifinfmsg, data) for data in raw]
    return _Links(raw, decoded, {message["index"]: message.get_attr("IFLA_IFNAME") for message in decoded})


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


def _decoded(kind: type[Any], data: bytes) -> Any:
    message = kind(data)
    message.decode()
    return message


def _dump(netlink: Netlink, kind: type[Any], request: int, body: bytes) -> list[Any]:
    return [_decoded(kind, data) for data in netlink.dump(request, body)]


def _kind(message: Any) -> str:
    info = message.get_attr("IFLA_LINKINFO")
    return (info.get_attr("IFLA_INFO_KIND") or "") if info else ""


def _link(netns: str, message: Any, names: Mapping[int, str], ports: Mapping[int, BridgePort], peer: Veth) -> Link:
    master = message.get_attr("IFLA_MASTER")
    return Link(
        netns=netns,
        name=message.get_attr("IFLA_IFNAME"),
        index=message["index"],
        mac=message.get_attr("IFLA_ADDRESS") or "",
        mtu=message.get_attr("IFLA_MTU"),
        detail=_detail(message, names, peer),
        up=bool(message["flags"] & messages.IFF_UP),
        master=names.get(master, str(master)) if master else "",
        port=ports.get(message["index"]) if master else None,
        flags=tuple(word for word, (flag, is_set) in FLAG_WORDS.items() if bool(message["flags"] & flag) == is_set),
        queue_length=message.get_attr("IFLA_TXQLEN"),
        alias=message.get_attr("IFLA_IFALIAS") or "",
    )


def _detail(message: Any, names: Mapping[int, str], peer: Veth) -> Veth | Bridge | Vxlan | Loopback | Foreign:
    kind = _kind(message)
    if not kind:
        return Loopback() if message["flags"] & _IFF_LOOPBACK else Foreign(kind="ether")
    data = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    match kind:
        case "veth":
            return peer
        case "bridge":
            return Bridge(
                ageing_seconds=data.get_attr("IFLA_BR_AGEING_TIME") // 100,
                stp=bool(data.get_attr("IFLA_BR_STP_STATE")),
                multicast_snooping=bool(data.get_attr("IFLA_BR_MCAST_SNOOPING")),
                vlan_filtering=bool(data.get_attr("IFLA_BR_VLAN_FILTERING")),
            )
        case "vxlan":
            return Vxlan(
                vni=data.get_attr("IFLA_VXLAN_ID"),
                local=data.get_attr("IFLA_VXLAN_LOCAL") or data.get_attr("IFLA_VXLAN_LOCAL6") or "",
                lower=names.get(data.get_attr("IFLA_VXLAN_LINK"), ""),
                port=data.get_attr("IFLA_VXLAN_PORT"),
                learning=bool(data.get_attr("IFLA_VXLAN_LEARNING")),
            )
    return Foreign(kind=kind)


def _ports(netlink: Netlink) -> dict[int, BridgePort]:
    """Return the bridge ports of a namespace by device index."""
    ports = {}
    for data in netlink.dump(messages.RTM_GETLINK, _BRIDGE_INFO):
        info = attributes(attributes(data[32:]).get(_IFLA_PROTINFO, b""))
        if info:
            values = {word: bool(info[kind][0]) for word, kind in _PORT_ATTRIBUTES.items() if kind in info}
            ports[struct.unpack_from("i", data, 20)[0]] = BridgePort(**values)
    return ports


def _lo_lacks(links: list[Any], addrs: list[Any]) -> Iterator[str]:
    """Yield what `lo` has lost: being up, its two addresses."""
    if not any(message["index"] == 1 and message["flags"] & messages.IFF_UP for message in links):
        yield "lo up"
    have = {_cidr(message) for message in addrs if message["index"] == 1}
    yield from (f"lo {address}" for address in _LO_ADDRESSES if address not in have)


def _cidr(message: Any) -> str:
    address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return f"{address}/{message['prefixlen']}"


def _missing_rules(rules: list[Any]) -> Iterator[str]:
    have = {_kernel_rule(message) for message in rules}
    yield from (
        f"rule {family} {priority} {table}" for family, priority, table in _RULES if (family, priority, table) not in have
    )


def _kernel_rule(message: Any) -> tuple[int, int, int] | None:
    """Return (family, priority, table) of a rule that matches everything and looks up a table."""
    rule = _rule("", message)
    plain = Rule(netns="", family=rule.family, priority=rule.priority, table=rule.table)
    return (rule.family, rule.priority, rule.table) if rule == plain else None


def _rules(netns: str, rules: list[Any]) -> Iterator[Rule]:
    yield from (_rule(netns, message) for message in rules if _kernel_rule(message) not in _RULES)


def _rule(netns: str, message: Any) -> Rule:
    actions = {code: word for word, code in RULE_ACTIONS.items()}
    mark = message.get_attr("FRA_FWMARK")
    return Rule(
        netns=netns,
        family=_version(message["family"]),
        priority=message.get_attr("FRA_PRIORITY") or 0,
        table=message.get_attr("FRA_TABLE") or message["table"],
        src=_prefix(message, "FRA_SRC", "src_len"),
        dst=_prefix(message, "FRA_DST", "dst_len"),
        iif=message.get_attr("FRA_IIFNAME") or "",
        oif=message.get_attr("FRA_OIFNAME") or "",
        mark=f"{mark:#x}/{message.get_attr('FRA_FWMASK'):#x}" if mark else "",
        action=actions.get(message["action"], str(message["action"])),
    )


def _prefix(message: Any, attribute: str, length: str) -> str:
    address = message.get_attr(attribute)
    return f"{address}/{message[length]}" if address else ""


def _version(family: int) -> int:
    return 6 if family == socket.AF_INET6 else 4


def _addrs_and_routes(handle: Handle, addrs: list[Any], names: Mapping[int, str]) -> Iterator[Addr | Route]:
    """Yield addresses, each with the kernel's routes that it lacks, and all routes that are not the kernel's."""
    routes = [
        _route(handle.name, data, names) for data in handle.socket.dump(messages.RTM_GETROUTE, bytes(12)) if not _is_cloned(data)
    ]
    kernels = {(route.table, route.dst, route.dev) for route in routes if route.protocol in _KERNELS_PROTOCOLS}
    explained: set[tuple[int, str, str]] = set()
    for message in addrs:
        addr = _addr(handle.name, message, names)
        expected = _kernel_routes(addr)
        explained |= expected.keys()
        if not _is_kernels(addr) and not (addr.dev == "lo" and addr.address in _LO_ADDRESSES):
            yield replace(addr, lacks=tuple(what for key, what in expected.items() if key not in kernels))
    for route in routes:
        if route.protocol not in _KERNELS_PROTOCOLS or _is_stray(route, explained):
            yield route


def _is_kernels(addr: Addr) -> bool:
    return addr.scope == "link" and ":" in addr.address


def _addr(netns: str, message: Any, names: Mapping[int, str]) -> Addr:
    scope = SCOPES.get(message["scope"], str(message["scope"]))
    broadcast = message.get_attr("IFA_BROADCAST") or ""
    return Addr(netns=netns, dev=names[message["index"]], address=_cidr(message), broadcast=broadcast, scope=scope)


def _kernel_routes(addr: Addr) -> dict[tuple[int, str, str], str]:
    """Return the routes that the kernel makes for an address: the network behind the device, and the address itself as local."""
    interface = ipaddress.ip_interface(addr.address)
    routes = {(LOCAL, f"{interface.ip}/{interface.max_prefixlen}", addr.dev): f"local {interface.ip}"}
    if interface.network.prefixlen < interface.max_prefixlen and addr.dev != "lo" or interface.version == 6:
        routes[MAIN, str(interface.network), addr.dev] = f"connected {interface.network}"
    return routes


def _is_stray(route: Route, explained: set[tuple[int, str, str]]) -> bool:
    """Say whether a route that claims to be the kernel's is one that no address explains."""
    return (
        route.table == MAIN
        and route.type == "unicast"
        and (route.table, route.dst, route.dev) not in explained
        and not _is_link_local(route)
    )


def _is_link_local(route: Route) -> bool:
    return ipaddress.ip_network(route.dst).is_link_local or ipaddress.ip_network(route.dst).is_multicast


def _is_cloned(data: bytes) -> bool:
    """Say whether a route is only a cached exception, such as a learned path MTU. Source: RTM_F_CLONED."""
    return bool(struct.unpack_from("I", data, 24)[0] & 0x200)


def _route(netns: str, data: bytes, names: Mapping[int, str]) -> Route:
    message = _decoded(rtmsg, data)
    family = _version(message["family"])
    address = message.get_attr("RTA_DST") or ("::" if family == 6 else "0.0.0.0")
    metrics = message.get_attr("RTA_METRICS")
    hops = message.get_attr("RTA_MULTIPATH")
    return Route(
        netns=netns,
        dst=f"{address}/{message['dst_len']}",
        dev=names.get(message.get_attr("RTA_OIF"), ""),
        via=message.get_attr("RTA_GATEWAY") or (MULTIPATH if hops else ""),
        src=message.get_attr("RTA_PREFSRC") or "",
        table=message.get_attr("RTA_TABLE") or message["table"],
        metric=message.get_attr("RTA_PRIORITY") or 0,
        protocol=PROTOCOLS.get(message["proto"], str(message["proto"])),
        scope=SCOPES.get(message["scope"], str(message["scope"])),
        type=ROUTE_TYPES.get(message["type"], str(message["type"])),
        onlink=bool(message["flags"] & messages.RTNH_F_ONLINK),
        mtu=(metrics.get_attr("RTAX_MTU") or 0) if metrics else 0,
    )


def _neighs(handle: Handle, names: Mapping[int, str]) -> Iterator[Neigh]:
    """Yield permanent neighbours and proxied addresses; multicast and loopback entries are the kernel's."""
    for message in _dump(handle.socket, ndmsg, messages.RTM_GETNEIGH, bytes(12)):
        if message["state"] == messages.NUD_PERMANENT and message["family"] != messages.AF_BRIDGE:
            mac = message.get_attr("NDA_LLADDR") or ""
            yield Neigh(netns=handle.name, dev=names[message["ifindex"]], address=message.get_attr("NDA_DST"), mac=mac)
    for family in (socket.AF_INET, socket.AF_INET6):
        body = struct.pack("BxxxiHBB", family, 0, 0, messages.NTF_PROXY, 0)
        for message in _dump(handle.socket, ndmsg, messages.RTM_GETNEIGH, body):
            yield Neigh(netns=handle.name, dev=names[message["ifindex"]], address=message.get_attr("NDA_DST"), mac="", proxy=True)


def read_learned(handle: Handle) -> list[tuple[str, str, str, str]]:
    """Return the neighbours that a namespace has met, or looks for: (device, address, MAC or empty, state as `ip neigh` names it)."""
    names = _read_links(handle.socket).names
    return [
        (names[message["ifindex"]], message.get_attr("NDA_DST"), message.get_attr("NDA_LLADDR") or "", _LEARNED[message["state"]])
        for message in _dump(handle.socket, ndmsg, messages.RTM_GETNEIGH, bytes(12))
        if message["state"] in _LEARNED and message["family"] in _IP
    ]


def _fdb(handle: Handle, links: _Links) -> Iterator[Fdb]:
    """Yield what somebody put into forwarding tables: all of a tunnel's, and of bridges' ports and other devices what is not their own."""
    macs = {message["index"]: message.get_attr("IFLA_ADDRESS") for message in links.decoded}
    tunnels = {message["index"] for message in links.decoded if _kind(message) == "vxlan"}
    if len(macs) == 1:
        return
    for message in _dump(handle.socket, ndmsg, messages.RTM_GETNEIGH, struct.pack("BxxxiHBB", messages.AF_BRIDGE, 0, 0, 0, 0)):
        mac, index = message.get_attr("NDA_LLADDR"), message["ifindex"]
        static = message["state"] & (messages.NUD_PERMANENT | messages.NUD_NOARP)
        if not static or int(mac[:2], 16) & 1 or (index not in tunnels and mac in macs.values()):
            continue
        dst = message.get_attr("NDA_DST") or ""
        own = not dst and (bool(message["flags"] & messages.NTF_SELF) or message.get_attr("NDA_MASTER") == index)
        yield Fdb(netns=handle.name, dev=links.names[index], mac=mac, dst=dst, own=own)


def _qdiscs(handle: Handle, names: Mapping[int, str]) -> Iterator[Qdisc]:
    """Yield queueing disciplines that somebody put there: the kernel's own have no handle."""
    for message in _dump(handle.socket, tcmsg, messages.RTM_GETQDISC, bytes(20)):
        if message["handle"]:
            kind = message.get_attr("TCA_KIND")
            yield Qdisc(
                netns=handle.name,
                dev=names[message["index"]],
                parent=_parent(message["parent"]),
                kind=kind,
                handle=_handle(message["handle"]),
            )


def _parent(number: int) -> str:
    return {0xFFFFFFFF: "root", 0xFFFFFFF1: "ingress"}.get(number, _handle(number))


def _handle(number: int) -> str:
    return f"{number >> 16:x}:{number & 0xFFFF:x}" if number & 0xFFFF else f"{number >> 16:x}:"
