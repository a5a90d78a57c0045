"""Where the packets of a capture go: into a pcapng file, or to whoever shows or counts them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from kemu import __version__
from kemu.base.errors import MachineError, UsageError
from kemu.capture import pcapng
from kemu.capture.model import Packet, Point, Request
from kemu.kernel import process

STDOUT = "-"

# By PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST, PACKET_OUTGOING. Source: include/uapi/linux/if_packet.h
_FLAGS = (
    pcapng.INBOUND | pcapng.UNICAST,
    pcapng.INBOUND | pcapng.BROADCAST,
    pcapng.INBOUND | pcapng.MULTICAST,
    pcapng.INBOUND | pcapng.PROMISCUOUS,
    pcapng.OUTBOUND,
)
_ENOUGH_BYTES = 1 << 20


class ReaderGoneError(Exception):
    """Whoever read our output has closed it."""


class Sink(Protocol):
    """Takes the packets, in their order."""

    @property
    def descriptor(self) -> int | None:
        """Where they go, if somebody may read there, and leave."""

    def begin(self, points: Sequence[Point], request: Request) -> None:
        """Learn where the packets will be from."""

    def put(self, packet: Packet) -> None:
        """Take a packet."""

    def flush(self) -> None:
        """Hand on what was taken. Raises ReaderGoneError."""

    def end(self, statistics: Sequence[tuple[int, int]], *, start: int, end: int) -> None:
        """Learn what each point saw and lost; times are nanoseconds since 1970."""


@dataclass(slots=True)
class PcapngSink:
    """Writes a pcapng file to an open descriptor, which stays open."""

    descriptor: int
    _blocks: list[bytes] = field(default_factory=list)
    _bytes: int = 0

    def begin(self, points: Sequence[Point], request: Request) -> None:
        """Write what describes the file and its interfaces."""
        machine = os.uname()
        system = f"{machine.sysname} {machine.release}"
        self._add(pcapng.build_section(hardware=machine.machine, system=system, application=f"kemu {__version__}"))
        for point in points:
            self._add(_interface(point, request))

    def put(self, packet: Packet) -> None:
        """Take a packet."""
        self._add(pcapng.build_packet(packet.position, packet.time, _FLAGS[packet.kind], packet.length, packet.data))
        if self._bytes > _ENOUGH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was taken, to its last byte: a file never ends within a block."""
        data = memoryview(b"".join(self._blocks))
        self._blocks.clear()
        self._bytes = 0
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except BrokenPipeError:
            raise ReaderGoneError from None
        except OSError as error:
            raise MachineError(f"the packets cannot be written: {error.strerror}") from error

    def end(self, statistics: Sequence[tuple[int, int]], *, start: int, end: int) -> None:
        """Write what each interface saw and lost."""
        for position, (received, dropped) in enumerate(statistics):
            self._add(pcapng.build_statistics(position, start=start, end=end, received=received, dropped=dropped))
        self.flush()

    def _add(self, block: bytes) -> None:
        self._blocks.append(block)
        self._bytes += len(block)


def _interface(point: Point, request: Request) -> bytes:
    device = point.device
    return pcapng.build_interface(
        name=point.name,
        description=f"{device.name} ({device.kind or 'device'}) of {point.netns}",
        link_type=point.link_type,
        snap_length=request.snap_length,
        mac=device.mac if len(device.mac) == 17 else "",
        expression=request.expression,
    )


@dataclass(slots=True)
class CallSink:
    """Hands each packet with its point to a function."""

    call: Callable[[Packet, Point], None]
    descriptor: int | None = None
    _points: Sequence[Point] = ()

    def begin(self, points: Sequence[Point], request: Request) -> None:
        """Keep the points."""
        self._points = points

    def put(self, packet: Packet) -> None:
        """Hand the packet on."""
        try:
            self.call(packet, self._points[packet.position])
        except BrokenPipeError:
            raise ReaderGoneError from None

    def flush(self) -> None:
        """Nothing is kept."""

    def end(self, statistics: Sequence[tuple[int, int]], *, start: int, end: int) -> None:
        """Nothing is written."""


@contextmanager
def writing(file: str) -> Iterator[Sink]:
    """Have a pcapng file for the block, in place of what was there; `-` is standard output. Raises UsageError.

    A new file belongs to whoever called sudo, and not to root, as it does with tcpdump.
    """
    if file == STDOUT:
        yield PcapngSink(1)
        return
    descriptor = _open(file)
    try:
        yield PcapngSink(descriptor)
    finally:
        os.close(descriptor)


def _open(file: str) -> int:
    try:
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}", hint="another file, or -w - for standard output"
        ) from error
    if "SUDO_UID" in os.environ and process.is_root():
        os.fchown(descriptor, int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1")))
    return descriptor
