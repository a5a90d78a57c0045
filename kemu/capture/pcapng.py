"""The blocks of a pcapng file, as bytes: little endian, one section, one interface block for each device.

Source: draft-ietf-opsawg-pcapng (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html), sections 3 and 4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_UNKNOWN_LENGTH = -1
_NANOSECONDS = b"\x09"  # if_tsresol: a negative power of ten
_FILTER_TEXT = b"\0"  # if_filter: a libpcap expression follows

_END = b"\0\0\0\0"
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # by length modulo 4
_PACKET_HEAD = struct.Struct("<IIIIIII")
_PACKET_TAIL = struct.Struct("<HHIII")
_PACKET_BYTES = _PACKET_HEAD.size + _PACKET_TAIL.size

Option = tuple[int, bytes]

# Bits of epb_flags: how the packet came, and to whom it went.
INBOUND, OUTBOUND = 1, 2
UNICAST, MULTICAST, BROADCAST, PROMISCUOUS = 1 << 2, 2 << 2, 3 << 2, 4 << 2


def build_section(*, hardware: str, system: str, application: str) -> bytes:
    """Return the Section Header Block, with which a file begins."""
    body = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, _UNKNOWN_LENGTH)
    return _block(_SECTION, body, [(2, hardware.encode()), (3, system.encode()), (4, application.encode())])


def build_interface(
    *, name: str, description: str, link_type: int, snap_length: int, mac: str = "", expression: str = ""
) -> bytes:
    """Return an Interface Description Block. Interfaces count from 0, in the order in which they are written."""
    options = [(2, name.encode()), (3, description.encode())]
    if mac:
        options.append((6, bytes.fromhex(mac.replace(":", ""))))
    options.append((9, _NANOSECONDS))
    if expression:
        options.append((11, _FILTER_TEXT + expression.encode()))
    return _block(_INTERFACE, struct.pack("<HHI", link_type, 0, snap_length), options)


def build_packet(interface: int, time: int, flags: int, length: int, data: bytes) -> bytes:
    """Return an Enhanced Packet Block. `time` is nanoseconds since 1970, `length` what the packet had on the wire.

    The hot path of a capture: called for every packet.
    """
    captured = len(data)
    padding = _PADDING[captured & 3]
    total = _PACKET_BYTES + captured + len(padding)
    return b"".join(
        (
            _PACKET_HEAD.pack(_PACKET, total, interface, time >> 32, time & 0xFFFFFFFF, captured, length),
            data,
            padding,
            _PACKET_TAIL.pack(2, 4, flags, 0, total),  # epb_flags, the end of the options, the length again
        )
    )


def build_statistics(interface: int, *, start: int, end: int, received: int, dropped: int) -> bytes:
    """Return an Interface Statistics Block. Times are nanoseconds since 1970; `received` counts those that were `dropped` too."""
    options = [
        (2, _time(start)),
        (3, _time(end)),
        (4, struct.pack("<Q", received)),
        (5, struct.pack("<Q", dropped)),
    ]
    return _block(_STATISTICS, struct.pack("<I", interface) + _time(end), options)


def _block(kind: int, body: bytes, options: Iterable[Option]) -> bytes:
    content = body + b"".join(map(_option, options)) + _END
    total = len(content) + 12
    return struct.pack("<II", kind, total) + content + struct.pack("<I", total)


def _option(option: Option) -> bytes:
    code, value = option
    return struct.pack("<HH", code, len(value)) + value + _PADDING[len(value) & 3]


def _time(nanoseconds: int) -> bytes:
    return struct.pack("<II", nanoseconds >> 32, nanoseconds & 0xFFFFFFFF)
