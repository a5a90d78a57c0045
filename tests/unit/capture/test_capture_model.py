"""The order of packets, and the sum of a capture."""

from __future__ import annotations

from pathlib import Path

import pytest

from kemu.capture.model import Packet, Point, Summary, Tally
from kemu.kernel.capture import Device


def _point(name: str, kind: str = "veth") -> Point:
    device = Device(name=name, index=2, kind=kind, link_type=1, mac="02:00:00:00:00:01", is_up=True)
    return Point(name=f"n1%{name}", netns="lab.n1", path=Path("/run/netns/lab.n1"), device=device, link_type=1)


def _packet(time: int, point: Point, serial: int) -> Packet:
    return Packet(time, point.height, serial, 0, 0, 60, b"z" if serial % 2 else b"a")


def test_packets_of_one_time_climb_from_the_cable_to_the_bridge() -> None:
    cable, tunnel, bridge = _point("eth0"), _point("flannel.1", "vxlan"), _point("cni0", "bridge")
    packets = [_packet(5, bridge, 1), _packet(5, tunnel, 2), _packet(5, cable, 3), _packet(4, bridge, 4), _packet(5, cable, 5)]
    assert [packet.serial for packet in sorted(packets)] == [4, 3, 5, 2, 1]


@pytest.mark.parametrize(("kind", "is_outgoing"), [(0, False), (3, False), (4, True)])
def test_only_what_leaves_is_outgoing(kind: int, is_outgoing: bool) -> None:
    assert Packet(0, 0, 0, 0, kind, 0, b"").is_outgoing is is_outgoing


def test_a_summary_adds_its_devices_up() -> None:
    tallies = (Tally(point=_point("eth0"), packets=3, dropped=0), Tally(point=_point("cni0"), packets=4, dropped=2))
    summary = Summary(cluster="lab", file=None, expression="", seconds=1.23456, ended_by="signal", tallies=tallies)
    assert (summary.packets, summary.dropped) == (7, 2)
    assert summary.to_dict() == {
        "schema": "kemu.capture/1",
        "cluster": "lab",
        "file": None,
        "filter": "",
        "seconds": 1.235,
        "ended_by": "signal",
        "packets": 7,
        "dropped": 2,
        "devices": [
            {"name": "n1%eth0", "netns": "lab.n1", "device": "eth0", "packets": 3, "dropped": 0},
            {"name": "n1%cni0", "netns": "lab.n1", "device": "cni0", "packets": 4, "dropped": 2},
        ],
    }
