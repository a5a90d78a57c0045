"""ICMP echo over raw sockets: requests as bytes, and what replies and errors say. Pure: opens nothing.

A request carries 16 random bytes of its run, so that an answer is never taken for another program's.
Source: RFC 792, RFC 4443; codes: include/uapi/linux/icmp.h, icmpv6.h.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

NONCE_BYTES = 16

_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number
_IPV6_HEADER_BYTES = 40

_UNREACHABLE_4 = {
    0: "unreachable-net",
    1: "unreachable-host",
    2: "unreachable-protocol",
    3: "unreachable-port",
    4: "too-big",
    6: "unreachable-net",
    7: "unreachable-host",
    8: "unreachable-host",
    9: "unreachable-admin",
    10: "unreachable-admin",
    11: "unreachable-net",
    12: "unreachable-host",
    13: "unreachable-admin",
    14: "unreachable-admin",
    15: "unreachable-admin",
}
_UNREACHABLE_6 = {
    0: "unreachable-net",
    1: "unreachable-admin",
    2: "unreachable-scope",
    3: "unreachable-host",
    4: "unreachable-port",
    5: "unreachable-admin",
    6: "unreachable-net",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request. `reason` is "ok" for a reply; `ttl` the hop limit that a reply arrived with."""

    identifier: int
    sequence: int
    reason: str
    ttl: int | None = None


class Requests:
    """Echo requests of one run and IP version, which differ in identifier and sequence number alone."""

    def __init__(self, version: int, nonce: bytes) -> None:
        self._kind = 8 if version == 4 else 128
        self._sum = sum(struct.unpack("!8H", nonce)) + (self._kind << 8)
        self._nonce = nonce

    def build(self, identifier: int, sequence: int) -> bytes:
        """Return the request as bytes; for ICMPv6 the kernel fills in the checksum."""
        total = self._sum + identifier + sequence
        total = (total & 0xFFFF) + (total >> 16)
        checksum = ~(total + (total >> 16)) & 0xFFFF
        return _HEADER.pack(self._kind, 0, checksum, identifier, sequence) + self._nonce


def read_answer_4(packet: memoryview, nonce: bytes) -> Answer | None:
    """Return what an IPv4 packet from a raw socket, IP header included, says about a request; None if it is not about ours."""
    start = (packet[0] & 15) * 4
    if len(packet) < start + 8:
        return None
    kind, code, _, identifier, sequence = _HEADER.unpack_from(packet, start)
    if kind == 0:
        ours = packet[start + 8 : start + 8 + NONCE_BYTES] == nonce
        return Answer(identifier, sequence, "ok", packet[8]) if ours else None
    quote = packet[start + 8 :]
    if len(quote) < 28 or quote[9] != 1:
        return None
    return _read_quote(quote[(quote[0] & 15) * 4 :], 8, reason_of(4, kind, code), nonce)


def read_answer_6(packet: memoryview, nonce: bytes, ttl: int | None) -> Answer | None:
    """Return what an ICMPv6 packet from a raw socket, without IP header, says about a request; None if it is not about ours."""
    if len(packet) < 8:
        return None
    kind, code, _, identifier, sequence = _HEADER.unpack_from(packet)
    if kind == 129:
        return Answer(identifier, sequence, "ok", ttl) if packet[8 : 8 + NONCE_BYTES] == nonce else None
    quote = packet[8:]
    if len(quote) < _IPV6_HEADER_BYTES or quote[6] != 58:
        return None
    return _read_quote(quote[_IPV6_HEADER_BYTES:], 128, reason_of(6, kind, code), nonce)


def reason_of(version: int, kind: int, code: int) -> str:
    """Return kemu's word for an ICMP error."""
    match version, kind:
        case (4, 3):
            return _UNREACHABLE_4.get(code, "error")
        case (6, 1):
            return _UNREACHABLE_6.get(code, "error")
        case (6, 2):
            return "too-big"
        case (4, 11) | (6, 3):
            return "unreachable-ttl"
    return "error"


def _read_quote(quote: memoryview, request_kind: int, reason: str, nonce: bytes) -> Answer | None:
    if len(quote) < 8:
        return None
    kind, _, _, identifier, sequence = _HEADER.unpack_from(quote)
    quoted = quote[8 : 8 + NONCE_BYTES]
    ours = kind == request_kind and quoted == nonce[: len(quoted)]  # old routers quote 8 bytes and no nonce
    return Answer(identifier, sequence, reason) if ours else None
