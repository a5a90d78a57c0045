"""A packet in one line."""

from __future__ import annotations

import socket
import struct

import pytest

from kemu.capture.text import ETHERNET, show_packet

RAW = 101
MACS = bytes.fromhex("020000000001 020000000002")


def _ether(kind: int, body: bytes) -> bytes:
    return MACS + struct.pack("!H", kind) + body


def _ip4(protocol: int, body: bytes, *, offset: int = 0, source: str = "10.244.0.2", target: str = "10.244.1.2") -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, offset // 8, 64, protocol, 0) + addresses + body


def _ip6(protocol: int, body: bytes) -> bytes:
    addresses = socket.inet_pton(socket.AF_INET6, "fd00::2") + socket.inet_pton(socket.AF_INET6, "fd00::1:2")
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, 63) + addresses + body


def _udp(port: int, body: bytes) -> bytes:
    return struct.pack("!HHHH", 5000, port, 8 + len(body), 0) + body


PING = struct.pack("!BBHHH", 8, 0, 0, 7, 1)
PING_LINE = "10.244.0.2 > 10.244.1.2 icmp echo request id 7 seq 1 ttl 64"
SYN = struct.pack("!HHIIBBHHH", 40000, 80, 0, 0, 0x50, 0x12, 0, 0, 0)
VXLAN = struct.pack("!II", 0x08000000, 1 << 8)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (_ip4(1, PING), PING_LINE),
        (_ip4(1, struct.pack("!BBHHH", 3, 4, 0, 0, 1400)), "10.244.0.2 > 10.244.1.2 icmp fragmentation needed ttl 64"),
        (_ip4(6, SYN), "10.244.0.2:40000 > 10.244.1.2:80 tcp SYN ACK ttl 64"),
        (_ip4(17, _udp(53, b"abc")), "10.244.0.2:5000 > 10.244.1.2:53 udp 3 bytes ttl 64"),
        (_ip4(17, b"", offset=1480), "10.244.0.2 > 10.244.1.2 fragment at 1480 ttl 64"),
        (_ip4(4, _ip4(1, PING)), f"10.244.0.2 > 10.244.1.2 ipip | {PING_LINE}"),
        (_ip4(99, b""), "10.244.0.2 > 10.244.1.2 protocol 99 ttl 64"),
        (_ip6(58, struct.pack("!BBHHH", 128, 0, 0, 7, 1)), "fd00::2 > fd00::1:2 icmp6 echo request id 7 seq 1 ttl 63"),
        (_ip6(6, SYN), "[fd00::2]:40000 > [fd00::1:2]:80 tcp SYN ACK ttl 63"),
    ],
)
def test_ip_is_named_with_what_it_carries(body: bytes, line: str) -> None:
    assert show_packet(body, RAW) == line
    assert show_packet(_ether(0x86DD if body[0] >> 4 == 6 else 0x0800, body), ETHERNET) == line


def test_what_is_inside_a_tunnel_stands_behind_a_bar() -> None:
    outer = _ip4(17, _udp(8472, VXLAN + _ether(0x0800, _ip4(1, PING))), source="172.18.0.11", target="172.18.0.12")
    frame = _ether(0x0800, outer)
    assert show_packet(frame, ETHERNET, {8472}) == f"172.18.0.11:5000 > 172.18.0.12:8472 udp vxlan 1 | {PING_LINE}"
    assert show_packet(frame, ETHERNET) == "172.18.0.11:5000 > 172.18.0.12:8472 udp 50 bytes ttl 64"


def test_arp_asks_and_answers() -> None:
    asked = bytes.fromhex("0001080006040001 020000000002 0af40002 000000000000 0af40001")
    assert show_packet(_ether(0x0806, asked), ETHERNET) == "arp who has 10.244.0.1? tell 10.244.0.2"
    answer = bytes.fromhex("0001080006040002 020000000001 0af40001 020000000002 0af40002")
    assert show_packet(_ether(0x0806, answer), ETHERNET) == "arp 10.244.0.1 is at 02:00:00:00:00:01"


def test_a_vlan_and_an_unknown_protocol() -> None:
    tagged = _ether(0x8100, struct.pack("!HH", 0x2005, 0x0800) + _ip4(1, PING))
    assert show_packet(tagged, ETHERNET) == f"vlan 5 | {PING_LINE}"
    assert show_packet(_ether(0x88CC, b""), ETHERNET) == "02:00:00:00:00:02 > 02:00:00:00:00:01 ethertype 0x88cc"


def test_no_packet_breaks_the_line() -> None:
    whole = _ether(0x0800, _ip4(17, _udp(8472, VXLAN + _ether(0x0800, _ip4(6, SYN)))))
    for length in range(len(whole)):
        assert show_packet(whole[:length], ETHERNET, {8472})
    assert show_packet(b"", ETHERNET) == "0 bytes that break off, or are no packet"
