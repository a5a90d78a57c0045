"""A packet in one line: who to whom, which protocol, and what is inside a tunnel's packet, behind a bar.

    10.244.0.2 > 10.244.1.2 icmp echo request id 7 seq 1 ttl 64
    172.18.0.11:51034 > 172.18.0.12:8472 udp vxlan 1 | 10.244.0.2 > 10.244.1.2 icmp echo request id 7 seq 1 ttl 63

It names what a person looks for on the way of a packet; tcpdump and Wireshark, which read the file, know the rest.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Collection

ETHERNET = 1  # the link type; any other is IP alone

_TCP_FLAGS = ((2, "SYN"), (1, "FIN"), (4, "RST"), (8, "PSH"), (16, "ACK"))
_ICMP = {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
_ICMP_UNREACHABLE = {
    0: "net unreachable",
    1: "host unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    13: "prohibited",
}
_ICMP6 = {
    1: "unreachable",
    2: "packet too big",
    3: "time exceeded",
    128: "echo request",
    129: "echo reply",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    143: "listener report",
}
_PROTOCOLS = {2: "igmp", 4: "ipip", 41: "ip6", 47: "gre", 50: "esp", 89: "ospf", 132: "sctp"}
_ECHOES = ("echo request", "echo reply")


def show_packet(data: bytes, link_type: int, tunnels: Collection[int] = ()) -> str:
    """Return a packet as a line. `tunnels` are the UDP ports behind which VXLAN is."""
    packet = memoryview(data)
    try:
        return _ethernet(packet, tunnels) if link_type == ETHERNET else _ip(packet, tunnels)
    except (struct.error, IndexError, ValueError):
        return f"{len(data)} bytes that break off, or are no packet"


def _ethernet(frame: memoryview, tunnels: Collection[int]) -> str:
    (kind,) = struct.unpack_from("!H", frame, 12)
    match kind:
        case 0x0800 | 0x86DD:
            return _ip(frame[14:], tunnels)
        case 0x0806:
            return _arp(frame[14:])
        case 0x8100 | 0x88A8:
            (tag,) = struct.unpack_from("!H", frame, 14)
            return f"vlan {tag & 0xFFF} | {_ethernet(_without_tag(frame), tunnels)}"
    return f"{frame[6:12].hex(':')} > {frame[:6].hex(':')} ethertype 0x{kind:04x}"


def _without_tag(frame: memoryview) -> memoryview:
    return memoryview(bytes(frame[:12]) + bytes(frame[16:]))


def _arp(packet: memoryview) -> str:
    (operation,) = struct.unpack_from("!H", packet, 6)
    sender, target = (ipaddress.IPv4Address(bytes(packet[at : at + 4])) for at in (14, 24))
    if operation == 1:
        return f"arp who has {target}? tell {sender}"
    return f"arp {sender} is at {packet[8:14].hex(':')}"


def _ip(packet: memoryview, tunnels: Collection[int]) -> str:
    if packet[0] >> 4 == 6:
        source, target = (str(ipaddress.IPv6Address(bytes(packet[at : at + 16]))) for at in (8, 24))
        return _transport(packet[40:], packet[6], (f"[{source}]", f"[{target}]"), packet[7], tunnels)
    source, target = (str(ipaddress.IPv4Address(bytes(packet[at : at + 4]))) for at in (12, 16))
    offset = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
    if offset:
        return f"{source} > {target} fragment at {offset * 8} ttl {packet[8]}"
    return _transport(packet[(packet[0] & 15) * 4 :], packet[9], (source, target), packet[8], tunnels)


def _transport(packet: memoryview, protocol: int, ends: tuple[str, str], ttl: int, tunnels: Collection[int]) -> str:
    match protocol:
        case 1 | 58:
            return f"{_without_ports(ends)} {_icmp(packet, protocol)} ttl {ttl}"
        case 6:
            return f"{_with_ports(ends, packet)} tcp {_tcp(packet)} ttl {ttl}"
        case 17:
            return f"{_with_ports(ends, packet)} udp {_udp(packet, ttl, tunnels)}"
        case 4 | 41:
            return f"{_without_ports(ends)} {_PROTOCOLS[protocol]} | {_ip(packet, tunnels)}"
    return f"{_without_ports(ends)} {_PROTOCOLS.get(protocol, f'protocol {protocol}')} ttl {ttl}"


def _without_ports(ends: tuple[str, str]) -> str:
    return " > ".join(end.strip("[]") for end in ends)


def _with_ports(ends: tuple[str, str], packet: memoryview) -> str:
    ports = struct.unpack_from("!HH", packet)
    return " > ".join(f"{end}:{port}" for end, port in zip(ends, ports, strict=True))


def _icmp(packet: memoryview, protocol: int) -> str:
    kind, code, _, identifier, sequence = struct.unpack_from("!BBHHH", packet)
    word = (_ICMP if protocol == 1 else _ICMP6).get(kind, f"type {kind}")
    if protocol == 1 and kind == 3:
        word = _ICMP_UNREACHABLE.get(code, word)
    numbers = f" id {identifier} seq {sequence}" if word in _ECHOES else ""
    return f"{'icmp' if protocol == 1 else 'icmp6'} {word}{numbers}"


def _tcp(packet: memoryview) -> str:
    (flags,) = struct.unpack_from("!xxxxxxxxxxxxxB", packet)
    return " ".join(word for bit, word in _TCP_FLAGS if flags & bit) or "without flags"


def _udp(packet: memoryview, ttl: int, tunnels: Collection[int]) -> str:
    _, port, length, _ = struct.unpack_from("!HHHH", packet)
    if port in tunnels:
        return f"vxlan {int.from_bytes(packet[12:15], 'big')} | {_ethernet(packet[16:], tunnels)}"
    return f"{length - 8} bytes ttl {ttl}"
