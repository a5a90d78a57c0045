"""Where packets go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kemu.base.errors import UsageError
from kemu.capture.model import Packet, Point, Request
from kemu.capture.sinks import CallSink, PcapngSink, ReaderGoneError, writing
from kemu.kernel.capture import Device

POINT = Point(
    name="a%eth0",
    netns="lab.default.a",
    path=Path("/run/netns/lab.default.a"),
    device=Device(name="eth0", index=20, kind="veth", link_type=1, mac="02:00:00:00:00:01", is_up=True),
    link_type=1,
)
PACKET = Packet(1, 0, 1, 0, 4, 60, bytes(60))


def test_a_packet_is_in_the_file_once_it_is_flushed(tmp_path: Path) -> None:
    file = tmp_path / "f.pcapng"
    with writing(str(file)) as sink:
        sink.begin([POINT], Request())
        sink.flush()
        head = file.stat().st_size
        sink.put(PACKET)
        assert file.stat().st_size == head
        sink.flush()
        assert file.stat().st_size == head + 44 + 60
    assert b"a%eth0" in file.read_bytes()


def test_a_reader_that_left_is_noticed() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = PcapngSink(writer)
    sink.begin([POINT], Request())
    with pytest.raises(ReaderGoneError):
        sink.flush()
    os.close(writer)


def test_whoever_shows_packets_gets_each_with_its_point() -> None:
    seen: list[tuple[Packet, Point]] = []
    sink = CallSink(lambda packet, point: seen.append((packet, point)))
    sink.begin([POINT], Request())
    sink.put(PACKET)
    assert seen == [(PACKET, POINT)]


def test_a_file_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: Is a directory"), writing(str(tmp_path)):
        pass
