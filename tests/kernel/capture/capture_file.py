"""Reading a pcapng file, block by block: what the tests say of one rests on this, and not on what wrote it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Seen:
    """A packet of the file."""

    name: str
    time: int
    is_outgoing: bool
    length: int
    data: bytes


@dataclass
class CaptureFile:
    """What is in a file. `lost` has an entry for each interface whose statistics are there."""

    names: list[str] = field(default_factory=list)
    packets: list[Seen] = field(default_factory=list)
    received: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> list[Seen]:
        """Return the packets of an interface."""
        return [packet for packet in self.packets if packet.name == name]


def read_capture(data: bytes | Path) -> CaptureFile:
    """Return what is in a file, which must be whole."""
    found = CaptureFile()
    for kind, body in _blocks(data if isinstance(data, bytes) else data.read_bytes()):
        match kind:
            case 1:
                found.names.append(_options(body[8:])[2].decode())
            case 6:
                found.packets.append(_packet(found.names, body))
            case 5:
                options = _options(body[12:])
                name = found.names[struct.unpack_from("<I", body)[0]]
                found.received[name], found.lost[name] = (struct.unpack("<Q", options[code])[0] for code in (4, 5))
            case _:
                assert kind == 0x0A0D0D0A
    return found


def _blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        kind, length = struct.unpack_from("<II", data, offset)
        assert offset + length <= len(data), "the file ends within a block"
        assert data[offset + length - 4 : offset + length] == struct.pack("<I", length)
        yield kind, data[offset + 8 : offset + length - 4]
        offset += length


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(data):
        code, length = struct.unpack_from("<HH", data, offset)
        found[code] = data[offset + 4 : offset + 4 + length]
        offset += 4 + (length + 3 & ~3)
    return found


def _packet(names: list[str], body: bytes) -> Seen:
    interface, high, low, captured, length = struct.unpack_from("<IIIII", body)
    flags = struct.unpack("<I", _options(body[20 + (captured + 3 & ~3) :])[2])[0]
    assert flags & 3 in (1, 2), "a direction is always known"
    return Seen(names[interface], high << 32 | low, flags & 3 == 2, length, body[20 : 20 + captured])
