"""What is captured where, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kemu.kernel.capture import Device

SCHEMA = "kemu.capture/1"
SNAP_LENGTH = 262_144  # what tcpdump keeps of a packet: all of the largest that there is

OUTGOING = 4  # PACKET_OUTGOING. Source: include/uapi/linux/if_packet.h
EndedBy = Literal["signal", "seconds", "count", "reader"]

#: In what order a frame that comes in climbs through a namespace's devices, all at one time: a cable's end, a tunnel, a bridge.
_HEIGHTS = {"bridge": 2, "vxlan": 1, "geneve": 1, "ipip": 1, "sit": 1, "gre": 1, "wireguard": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where to listen: a device of a namespace. `name` is what users call it, n1%flannel.1."""

    name: str
    netns: str
    path: Path
    device: Device
    link_type: int

    @property
    def height(self) -> int:
        """Where in its namespace it stands: a packet that comes in passes the lower ones first."""
        return _HEIGHTS.get(self.device.kind, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to capture, and until when: None is without an end. `expression` is a filter as tcpdump knows it."""

    expression: str = ""
    snap_length: int = SNAP_LENGTH
    seconds: float | None = None
    count: int | None = None


class Packet(NamedTuple):
    """A packet at a point; `kind` is the kernel's, PACKET_HOST or another.

    Sorted by time; of one time the order is that in which a namespace's devices pass it on.
    """

    time: int
    height: int
    serial: int
    position: int
    kind: int
    length: int
    data: bytes

    @property
    def is_outgoing(self) -> bool:
        """Whether it leaves its namespace by the device."""
        return self.kind == OUTGOING


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of one point: packets that were written, and packets that the kernel had no room to keep."""

    point: Point
    packets: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What came of a capture. `file` is None where packets were shown or only counted."""

    cluster: str
    file: str | None
    expression: str
    seconds: float
    ended_by: EndedBy
    tallies: tuple[Tally, ...]

    @property
    def packets(self) -> int:
        """All packets."""
        return sum(tally.packets for tally in self.tallies)

    @property
    def dropped(self) -> int:
        """All packets that were lost because this machine was too busy."""
        return sum(tally.dropped for tally in self.tallies)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as `kemu.capture/1`."""
        return {
            "schema": SCHEMA,
            "cluster": self.cluster,
            "file": self.file,
            "filter": self.expression,
            "seconds": round(self.seconds, 3),
            "ended_by": self.ended_by,
            "packets": self.packets,
            "dropped": self.dropped,
            "devices": [_device(tally) for tally in self.tallies],
        }


def _device(tally: Tally) -> dict[str, Any]:
    return {
        "name": tally.point.name,
        "netns": tally.point.netns,
        "device": tally.point.device.name,
        "packets": tally.packets,
        "dropped": tally.dropped,
    }
