"""Reading back what stands on devices and beside them: addresses, routes, rules, neighbours, forwarding entries."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from kemu.kernel import messages
from kemu.kernel.messages import PROTOCOLS, ROUTE_TYPES, RULE_ACTIONS, SCOPES
from kemu.kernel.netns import Handle
from kemu.kernel.read_links import Links, decode, dump, kind_of_link, read_names
from kemu.plan.objects import (
    LOCAL,
    MAIN,
    MULTIPATH,
    Addr,
    Fdb,
    Neigh,
    Route,
    Rule,
)

_KERNELS_PROTOCOLS = frozenset({"kernel", "ra", "redirect"})
#: Source: NUD_* in include/uapi/linux/neighbour.h
_LEARNED = {0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed"}
_IP = (socket.AF_INET, socket.AF_INET6)  # multicast routing has rules of its own families
_LO_ADDRESSES = ("127.0.0.1/8", "::1/128")
#: (family, priority, table) of the rules that a fresh namespace has.
_RULES = ((4, 0, LOCAL), (4, 32766, MAIN), (4, 32767, 253), (6, 0, LOCAL), (6, 32766, MAIN))


def lo_lacks(links: list[Any], addrs: list[Any]) -> Iterator[str]:
    """Yield what `lo` has lost: being up, its two addresses."""
    if not any(message["index"] == 1 and message["flags"] & messages.IFF_UP for message in links):
        yield "lo up"
    have = {_cidr(message) for message in addrs if message["index"] == 1}
    yield from (f"lo {address}" for address in _LO_ADDRESSES if address not in have)


def _cidr(message: Any) -> str:
    address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return f"{address}/{message['prefixlen']}"


def missing_rules(rules: list[Any]) -> Iterator[str]:
    """Yield the kernel's own rules that are gone, as Netns.lacks has them."""
    have = {_kernel_rule(message) for message in rules}
    yield from (
        f"rule {family} {priority} {table}" for family, priority, table in _RULES if (family, priority, table) not in have
    )


def _kernel_rule(message: Any) -> tuple[int, int, int] | None:
    """Return (family, priority, table) of a rule that matches everything and looks up a table."""
    rule = _rule("", message)
    plain = Rule(netns="", family=rule.family, priority=rule.priority, table=rule.table)
    return (rule.family, rule.priority, rule.table) if rule == plain else None


def build_rules(netns: str, rules: list[Any]) -> Iterator[Rule]:
    """Yield the rules that are not the kernel's own."""
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


def read_addrs_and_routes(handle: Handle, addrs: list[Any], links: Links) -> Iterator[Addr | Route]:
    """Yield addresses, each with the kernel's routes that it lacks, and all routes that are not the kernel's.

    A device that is down has no route to its network, and lacks none.
    """
    up = {links.names[message["index"]] for message in links.decoded if message["flags"] & messages.IFF_UP}
    names = links.names
    routes = [
        _route(handle.name, data, names) for data in handle.socket.dump(messages.RTM_GETROUTE, bytes(12)) if not _is_cloned(data)
    ]
    kernels = {(route.table, route.dst, route.dev) for route in routes if route.protocol in _KERNELS_PROTOCOLS}
    explained: set[tuple[int, str, str]] = set()
    for message in addrs:
        addr = build_addr(handle.name, message, names)
        expected = _kernel_routes(addr)
        explained |= expected.keys()
        if not is_kernels(addr) and not (addr.dev == "lo" and addr.address in _LO_ADDRESSES):
            missing = (what for key, what in expected.items() if key not in kernels and (key[0] == LOCAL or addr.dev in up))
            yield replace(addr, lacks=tuple(missing))
    for route in routes:
        if route.protocol not in _KERNELS_PROTOCOLS or _is_stray(route, explained):
            yield route


def is_kernels(addr: Addr) -> bool:
    """Say whether an address is one that the kernel gives a device by itself."""
    return addr.scope == "link" and ":" in addr.address


def build_addr(netns: str, message: Any, names: Mapping[int, str]) -> Addr:
    """Return an address as an object."""
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
    message = decode(rtmsg, data)
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


def read_neighs(handle: Handle, names: Mapping[int, str]) -> Iterator[Neigh]:
    """Yield permanent neighbours and proxied addresses; multicast and loopback entries are the kernel's."""
    for message in dump(handle.socket, ndmsg, messages.RTM_GETNEIGH, bytes(12)):
        if message["state"] == messages.NUD_PERMANENT and message["family"] != messages.AF_BRIDGE:
            mac = message.get_attr("NDA_LLADDR") or ""
            yield Neigh(netns=handle.name, dev=names[message["ifindex"]], address=message.get_attr("NDA_DST"), mac=mac)
    for family in (socket.AF_INET, socket.AF_INET6):
        body = struct.pack("BxxxiHBB", family, 0, 0, messages.NTF_PROXY, 0)
        for message in dump(handle.socket, ndmsg, messages.RTM_GETNEIGH, body):
            yield Neigh(netns=handle.name, dev=names[message["ifindex"]], address=message.get_attr("NDA_DST"), mac="", proxy=True)


def read_learned(handle: Handle) -> list[tuple[str, str, str, str]]:
    """Return the neighbours that a namespace has met, or looks for: (device, address, MAC or empty, state as `ip neigh` names it)."""
    names = read_names(handle.socket)
    return [
        (names[message["ifindex"]], message.get_attr("NDA_DST"), message.get_attr("NDA_LLADDR") or "", _LEARNED[message["state"]])
        for message in dump(handle.socket, ndmsg, messages.RTM_GETNEIGH, bytes(12))
        if message["state"] in _LEARNED and message["family"] in _IP
    ]


def read_fdb(handle: Handle, links: Links) -> Iterator[Fdb]:
    """Yield what somebody put into forwarding tables: all of a tunnel's, and of bridges' ports and other devices what is not their own."""
    macs = {message["index"]: message.get_attr("IFLA_ADDRESS") for message in links.decoded}
    tunnels = {message["index"] for message in links.decoded if kind_of_link(message) == "vxlan"}
    if len(macs) == 1:
        return
    for message in dump(handle.socket, ndmsg, messages.RTM_GETNEIGH, struct.pack("BxxxiHBB", messages.AF_BRIDGE, 0, 0, 0, 0)):
        mac, index = message.get_attr("NDA_LLADDR"), message["ifindex"]
        static = message["state"] & (messages.NUD_PERMANENT | messages.NUD_NOARP)
        if not static or int(mac[:2], 16) & 1 or (index not in tunnels and mac in macs.values()):
            continue
        dst = message.get_attr("NDA_DST") or ""
        own = not dst and (bool(message["flags"] & messages.NTF_SELF) or message.get_attr("NDA_MASTER") == index)
        yield Fdb(netns=handle.name, dev=links.names[index], mac=mac, dst=dst, own=own)
