"""Objects as rtnetlink messages: the bytes that make, change and remove them.

Bringing a cluster up is thousands of messages of ten shapes, so they are packed here directly: pyroute2 takes 0.2 ms for one of
them and 0.15 s to be imported. It decodes what the kernel answers (`read`), and a test decodes with it what is packed here.

Numbers come from the kernel's headers: include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,neighbour,if_bridge,pkt_sched}.h.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kemu.plan.objects import (
    MULTIPATH,
    Addr,
    Bridge,
    BridgePort,
    Fdb,
    Foreign,
    Link,
    Neigh,
    Netem,
    Pfifo,
    Qdisc,
    Route,
    Rule,
    Tbf,
    Vxlan,
)

AF_BRIDGE = 7

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
RTM_GETNEIGHTBL = 66
RTM_GETNSID = 90

NLM_F_REQUEST, NLM_F_ACK = 0x1, 0x4
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLM_F_DUMP = 0x300
MAKE = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
SET = NLM_F_REQUEST
PUT = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE

IFF_UP, IFF_NOARP, IFF_PROMISC, IFF_ALLMULTI, IFF_MULTICAST = 0x1, 0x80, 0x100, 0x200, 0x1000
#: The words of Link.flags: the flag, and whether the word says that it is set.
FLAG_WORDS = {
    "allmulti": (IFF_ALLMULTI, True),
    "noarp": (IFF_NOARP, True),
    "nomulticast": (IFF_MULTICAST, False),
    "promisc": (IFF_PROMISC, True),
}
#: Refusals of a removal that mean that there is nothing to remove.
GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL})
ALL_FLAGS = IFF_UP | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST

IFA_F_NODAD = 0x02
RTNH_F_ONLINK = 4
NUD_PERMANENT, NUD_NOARP = 0x80, 0x40
NTF_SELF, NTF_MASTER, NTF_PROXY = 0x02, 0x04, 0x08
NLA_F_NESTED = 0x8000

#: Who installed a route, by the names of `ip route`. Source: include/uapi/linux/rtnetlink.h, iproute2 etc/iproute2/rt_protos.
PROTOCOLS = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    9: "ra",
    11: "zebra",
    12: "bird",
    16: "dhcp",
    186: "bgp",
}
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
ROUTE_TYPES = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
}

#: What a policy rule does. Source: FR_ACT_*, include/uapi/linux/fib_rules.h.
RULE_ACTIONS = {"lookup": 1, "goto": 2, "nop": 3, "blackhole": 6, "unreachable": 7, "prohibit": 8}

_PLAIN_PORT = BridgePort()

#: IPv4 settings of a device that a message can carry. Source: IPV4_DEVCONF_*, include/uapi/linux/ip.h.
INET_SETTINGS = {"arp_notify": 22}
_IFLA_AF_SPEC, _IFLA_INET_CONF = 26, 1

#: A packed message: its type, its flags, its body.
Message = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class Indexes:
    """How names become numbers: device indexes within one namespace, and open descriptors of namespaces."""

    device: Callable[[str], int]
    namespace: Callable[[str], int]


def make_veth(link: Link, peer: Link, indexes: Indexes) -> list[Message]:
    """Return the messages that make both ends of a veth pair, from the namespace of `link`.

    The other end stays down: it cannot come up before its peer exists (ENOTCONN), see `set_flags`.
    """
    other = _info(index=peer.index) + _common(peer) + _number(28, indexes.namespace(peer.netns))
    body = _info(index=link.index, flags=_flags(link), change=_flags(link)) + _common(link) + _master(link, indexes)
    return [(RTM_NEWLINK, MAKE, body + _linkinfo("veth", _attr(1, other))), *_set_alias(link), *_set_port(link)]


def make_link(link: Link, indexes: Indexes) -> list[Message]:
    """Return the messages that make a device that is no veth."""
    match link.detail:
        case Bridge():
            info = _linkinfo("bridge", _bridge_data(link.detail, Bridge()))
        case Vxlan():
            info = _linkinfo("vxlan", _vxlan_data(link.detail, indexes))
        case _:
            raise ValueError(f"{link.name}: kemu makes no device of this kind")
    body = _info(index=link.index, flags=_flags(link), change=_flags(link)) + _common(link) + _master(link, indexes)
    return [(RTM_NEWLINK, MAKE, body + info), *_set_alias(link), *_set_port(link)]


def change_link(link: Link, have: Link, indexes: Indexes) -> list[Message]:
    """Return the messages that give an existing device the attributes of `link`; its kind and index stay."""
    body = _info(index=have.index, flags=_flags(link), change=ALL_FLAGS) + _number(4, link.mtu) + _number(13, link.queue_length)
    if link.mac != have.mac:
        body += _attr(1, mac_bytes(link.mac))
    if link.alias != have.alias:
        body += _attr(20, link.alias.encode())
    if link.master != have.master:
        body += _number(10, indexes.device(link.master) if link.master else 0)
    return [(RTM_NEWLINK, SET, body + _bridge_change(link, have)), *_set_port(link, _port_after(link, have))]


def _bridge_change(link: Link, have: Link) -> bytes:
    if not isinstance(link.detail, Bridge) or not isinstance(have.detail, Bridge) or link.detail == have.detail:
        return b""
    return _linkinfo("bridge", _bridge_data(link.detail, have.detail))


def remove_link(index: int) -> Message:
    """Return the message that removes a device; the other end of a veth goes with it."""
    return RTM_DELLINK, SET, _info(index=index)


def by_name(name: str) -> bytes:
    """Return the body of a question about the device of a name."""
    return _info() + _attr(3, name.encode() + b"\0")


def by_index(index: int) -> bytes:
    """Return the body of a question about one device."""
    return _info(index=index)


def link_alias(index: int, alias: str, *, up: bool) -> Message:
    """Return the message that gives a device an alias, and brings it up or leaves it as it is."""
    return RTM_NEWLINK, SET, _info(index=index, flags=IFF_UP * up, change=IFF_UP * up) + _attr(20, alias.encode())


def _alias(link: Link) -> bytes:
    return _attr(20, link.alias.encode()) if link.alias else b""


def set_flags(link: Link, settings: Iterable[tuple[int, int]] = ()) -> Message:
    """Return the message that brings a device up or down, sets its other flags, its alias, and IPv4 settings: (number, value)."""
    body = _info(index=link.index, flags=_flags(link), change=ALL_FLAGS) + _alias(link)
    numbers = b"".join(_number(number, value) for number, value in settings)
    if numbers:
        body += _nested(_IFLA_AF_SPEC, _nested(socket.AF_INET, _nested(_IFLA_INET_CONF, numbers)))
    return RTM_NEWLINK, SET, body


def bring_up(index: int) -> Message:
    """Return the message that brings a device up."""
    return RTM_NEWLINK, SET, _info(index=index, flags=IFF_UP, change=IFF_UP)


def put_addr(addr: Addr, index: int) -> Message:
    """Return the message that adds an address, IPv6 without duplicate address detection."""
    return RTM_NEWADDR, PUT, _addr(addr, index)


def remove_connected_route(addr: Addr, index: int) -> Message:
    """Return the message that removes the route which the kernel makes for the network of an address."""
    network = str(ipaddress.ip_interface(addr.address).network)
    route = Route(netns=addr.netns, dst=network, dev=addr.dev, protocol="kernel", scope="nowhere")
    return remove_route(route, index)


def remove_addr(addr: Addr, index: int) -> Message:
    """Return the message that removes an address."""
    return RTM_DELADDR, SET, _addr(addr, index)


def way_to(address: str) -> bytes:
    """Return the body of a question about the route that a packet for an address would take."""
    packed = ip_bytes(address)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return struct.pack("BBBBBBBBI", family, len(packed) * 8, 0, 0, 0, 0, 0, 0, 0) + _attr(1, packed)


def put_route(route: Route, index: int) -> Message:
    """Return the message that adds a route, or replaces the one with the same destination, table and metric."""
    return RTM_NEWROUTE, PUT, _route(route, index)


def remove_route(route: Route, index: int) -> Message:
    """Return the message that removes a route."""
    return RTM_DELROUTE, SET, _route(route, index)


def put_neigh(neigh: Neigh, index: int) -> Message:
    """Return the message that adds or replaces a permanent neighbour entry."""
    return RTM_NEWNEIGH, PUT, _neigh(neigh, index)


def remove_neigh(neigh: Neigh, index: int) -> Message:
    """Return the message that removes a neighbour entry."""
    return RTM_DELNEIGH, SET, _neigh(neigh, index)


def put_fdb(fdb: Fdb, index: int) -> Message:
    """Return the message that adds or replaces a static forwarding entry."""
    return RTM_NEWNEIGH, PUT, _fdb(fdb, index)


def remove_fdb(fdb: Fdb, index: int) -> Message:
    """Return the message that removes a forwarding entry."""
    return RTM_DELNEIGH, SET, _fdb(fdb, index)


def put_rule(rule: Rule) -> Message:
    """Return the message that adds a policy rule."""
    return RTM_NEWRULE, MAKE, _rule(rule)


def remove_rule(rule: Rule) -> Message:
    """Return the message that removes a policy rule."""
    return RTM_DELRULE, SET, _rule(rule)


def put_qdisc(qdisc: Qdisc, index: int) -> Message:
    """Return the message that adds a queueing discipline, or changes the one with the same handle and kind."""
    match qdisc.detail:
        case Tbf():
            options = _tbf(qdisc.detail)
        case Netem():
            options = _netem(qdisc.detail)
        case Pfifo(limit_packets=limit):
            options = struct.pack("I", limit)
        case Foreign():
            raise ValueError(f"no part of kemu plans a {qdisc.kind}")
    return RTM_NEWQDISC, PUT, _qdisc(qdisc, index) + _attr(1, qdisc.kind.encode() + b"\0") + _attr(2, options)


def remove_qdisc(qdisc: Qdisc, index: int) -> Message:
    """Return the message that removes a queueing discipline, and with it its classes and filters."""
    return RTM_DELQDISC, SET, _qdisc(qdisc, index)


def mac_bytes(mac: str) -> bytes:
    """Return the six bytes of a MAC address."""
    return bytes.fromhex(mac.replace(":", ""))


def ip_bytes(address: str) -> bytes:
    """Return the four or sixteen bytes of an IP address."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _attr(kind: int, payload: bytes) -> bytes:
    return struct.pack("HH", len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def _nested(kind: int, payload: bytes) -> bytes:
    return _attr(kind | NLA_F_NESTED, payload)


def _number(kind: int, value: int) -> bytes:
    return struct.pack("HHI", 8, kind, value)


def _byte(kind: int, value: int) -> bytes:
    return struct.pack("HHBxxx", 5, kind, value)


def _info(*, family: int = 0, index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("BxHiII", family, 0, index, flags, change)


def _linkinfo(kind: str, data: bytes) -> bytes:
    return _attr(18, _attr(1, kind.encode()) + _attr(2, data))


def _flags(link: Link) -> int:
    flags = IFF_MULTICAST | (IFF_UP if link.up else 0)
    for word in link.flags:
        flag, is_set = FLAG_WORDS[word]
        flags = flags | flag if is_set else flags & ~flag
    return flags


def _common(link: Link) -> bytes:
    """Return the attributes that every new device has."""
    return _attr(3, link.name.encode() + b"\0") + _number(4, link.mtu) + _attr(1, mac_bytes(link.mac))


def _set_alias(link: Link) -> list[Message]:
    """Return the message that gives a new device its alias, for the one that makes it cannot. Source: rtnl_create_link."""
    return [link_alias(link.index, link.alias, up=False)] if link.alias else []


def _master(link: Link, indexes: Indexes) -> bytes:
    return _number(10, indexes.device(link.master)) if link.master else b""


def _bridge_data(bridge: Bridge, have: Bridge) -> bytes:
    """Return the settings in which a bridge is to differ from `have`; a kernel may lack those that nobody asks for."""
    body = b""
    if bridge.ageing_seconds != have.ageing_seconds:
        body += _number(4, bridge.ageing_seconds * 100)  # in hundredths of a second
    if bridge.stp != have.stp:
        body += _number(5, bridge.stp)
    if bridge.vlan_filtering != have.vlan_filtering:
        body += _byte(7, bridge.vlan_filtering)
    if bridge.multicast_snooping != have.multicast_snooping:
        body += _byte(23, bridge.multicast_snooping)
    return body


def _vxlan_data(vxlan: Vxlan, indexes: Indexes) -> bytes:
    local = ip_bytes(vxlan.local)
    return (
        _number(1, vxlan.vni)
        + _number(3, indexes.device(vxlan.lower))
        + _attr(4 if len(local) == 4 else 17, local)
        + _byte(7, vxlan.learning)
        + _attr(15, struct.pack(">H", vxlan.port))
    )


def _port_after(link: Link, have: Link) -> BridgePort | None:
    """Return what the port of a device is like after it was given its master: one that joins a bridge starts plain."""
    return have.port if link.master == have.master else _PLAIN_PORT


def _set_port(link: Link, have: BridgePort | None = _PLAIN_PORT) -> list[Message]:
    """Return the message that makes a bridge port as wanted, if it is not; a new one is as the kernel makes it."""
    if link.port is None or link.port == have:
        return []
    port = link.port
    info = _byte(4, port.hairpin) + _byte(8, port.learning) + _byte(9, port.flood) + _byte(33, port.isolated)
    return [(RTM_SETLINK, SET, _info(family=AF_BRIDGE, index=link.index) + _attr(12 | NLA_F_NESTED, info))]


_CODES = {name: code for names in (PROTOCOLS, SCOPES, ROUTE_TYPES) for code, name in names.items()}


def _addr(addr: Addr, index: int) -> bytes:
    interface = ipaddress.ip_interface(addr.address)
    packed = interface.ip.packed
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    body = struct.pack("BBBBi", family, interface.network.prefixlen, 0, _CODES[addr.scope], index)
    body += _attr(2, packed) + _attr(1, packed)
    if addr.broadcast:
        body += _attr(4, ip_bytes(addr.broadcast))
    return body + _number(8, IFA_F_NODAD) if family == socket.AF_INET6 else body


def _route(route: Route, index: int) -> bytes:
    dst, _, length = route.dst.partition("/")
    family = socket.AF_INET6 if route.family == 6 else socket.AF_INET
    flags = RTNH_F_ONLINK if route.onlink else 0
    table = route.table if route.table < 256 else 0
    body = struct.pack(
        "BBBBBBBBI",
        family,
        int(length),
        0,
        0,
        table,
        _number_of(route.protocol),
        _number_of(route.scope),
        _number_of(route.type),
        flags,
    )
    body += _number(15, route.table)
    if int(length):
        body += _attr(1, ip_bytes(dst))
    if index:
        body += _number(4, index)
    if route.via and route.via != MULTIPATH:
        body += _attr(5, ip_bytes(route.via))
    if route.metric:
        body += _number(6, route.metric)
    if route.src:
        body += _attr(7, ip_bytes(route.src))
    return body + _attr(8, _number(2, route.mtu)) if route.mtu else body


def _number_of(word: str) -> int:
    return int(word) if word.isdigit() else _CODES[word]


def _neigh(neigh: Neigh, index: int) -> bytes:
    packed = ip_bytes(neigh.address)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    flags, state = (NTF_PROXY, 0) if neigh.proxy else (0, NUD_PERMANENT)
    body = struct.pack("BxxxiHBB", family, index, state, flags, 0) + _attr(1, packed)
    return body + _attr(2, mac_bytes(neigh.mac)) if neigh.mac else body


def _fdb(fdb: Fdb, index: int) -> bytes:
    """Return a forwarding entry: of the tunnel itself, permanent; of a bridge's port, static (the kernel's word for it is NOARP)."""
    flags, state = (NTF_SELF, NUD_PERMANENT) if fdb.dst or fdb.own else (NTF_MASTER, NUD_NOARP)
    body = struct.pack("BxxxiHBB", AF_BRIDGE, index, state, flags, 0) + _attr(2, mac_bytes(fdb.mac))
    return body + _attr(1, ip_bytes(fdb.dst)) if fdb.dst else body


def _rule(rule: Rule) -> bytes:
    family = socket.AF_INET6 if rule.family == 6 else socket.AF_INET
    src, _, src_length = rule.src.partition("/")
    dst, _, dst_length = rule.dst.partition("/")
    table = rule.table if rule.table < 256 else 0
    body = struct.pack(
        "BBBBBBBBI", family, int(dst_length or 0), int(src_length or 0), 0, table, 0, 0, RULE_ACTIONS[rule.action], 0
    )
    body += _number(6, rule.priority)
    body += _number(15, rule.table) if rule.table else b""
    body += _attr(1, ip_bytes(dst)) if dst else b""
    body += _attr(2, ip_bytes(src)) if src else b""
    body += _attr(3, rule.iif.encode() + b"\0") if rule.iif else b""
    body += _attr(17, rule.oif.encode() + b"\0") if rule.oif else b""
    if rule.mark:
        value, _, mask = rule.mark.partition("/")
        body += _number(10, int(value, 16)) + _number(16, int(mask, 16))
    return body


#: The kernel's unit of time in qdiscs. Source: PSCHED_SHIFT, include/net/pkt_sched.h.
TICK_NANOSECONDS = 64
TBF_PARMS, TBF_RATE64, TBF_BURST = 1, 4, 6
NETEM_CORR, NETEM_REORDER, NETEM_CORRUPT, NETEM_LOSS, NETEM_RATE, NETEM_ECN, NETEM_LATENCY64, NETEM_JITTER64, NETEM_SLOT = (
    *(1, 3, 4, 5, 6, 7),
    *(10, 11, 12),
)
CERTAIN = 2**32 - 1  # netem's number for every packet
_ETHERNET = 1  # TC_LINKLAYER_ETHERNET: the kernel computes with the rate itself, and wants no table
_MOST = 2**32 - 1


def _qdisc(qdisc: Qdisc, index: int) -> bytes:
    parent = {"root": 0xFFFFFFFF, "ingress": 0xFFFFFFF1, "clsact": 0xFFFFFFF1}.get(qdisc.parent)
    number = parent if parent is not None else _tc_handle(qdisc.parent)
    return struct.pack("BxxxiIII", 0, index, _tc_handle(qdisc.handle), number, 0)


def _tbf(tbf: Tbf) -> bytes:
    rate = tbf.rate_bits_per_second // 8
    buffer = tbf.burst_bytes * 10**9 // rate // TICK_NANOSECONDS
    body = struct.pack("BBHhHI", 0, _ETHERNET, 0, 0, 0, min(rate, _MOST)) + bytes(12)
    body = _attr(TBF_PARMS, body + struct.pack("III", tbf.limit_bytes, buffer, 0)) + _number(TBF_BURST, tbf.burst_bytes)
    return body + _attr(TBF_RATE64, struct.pack("Q", rate)) if rate > _MOST else body


def _netem(netem: Netem) -> bytes:
    """Return netem's numbers: all of them, for the kernel keeps what a change leaves out."""
    delay, jitter = (round(seconds * 10**9) for seconds in (netem.delay_seconds, netem.jitter_seconds))
    loss, duplicate, reorder = (
        round(ratio * CERTAIN) for ratio in (netem.loss_ratio, netem.duplicate_ratio, netem.reorder_ratio)
    )
    ticks = [min(time // TICK_NANOSECONDS, _MOST) for time in (delay, jitter)]
    gap = 1 if reorder else 0
    return (
        struct.pack("IIIIII", ticks[0], netem.limit_packets, loss, gap, duplicate, ticks[1])
        + _attr(NETEM_CORR, bytes(12))
        + _attr(NETEM_REORDER, struct.pack("II", reorder, 0))
        + _attr(NETEM_CORRUPT, bytes(8))
        + _attr(NETEM_LATENCY64, struct.pack("q", delay))
        + _attr(NETEM_JITTER64, struct.pack("q", jitter))
    )


def _tc_handle(text: str) -> int:
    major, _, minor = text.partition(":")
    return int(major or "0", 16) << 16 | int(minor or "0", 16)
