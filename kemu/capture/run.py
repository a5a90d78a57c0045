"""The loop of a capture: one process and one thread listen at every device, and hand on what comes in the order of time."""

from __future__ import annotations

import bisect
import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from types import FrameType

from kemu.base.errors import StateError
from kemu.capture.model import EndedBy, Packet, Point, Request, Tally
from kemu.capture.sinks import ReaderGoneError, Sink
from kemu.kernel.capture import Frame, Tap, compile_filter, open_tap
from kemu.kernel.enter import inside

_BUFFERS_BYTES = 512 << 20  # for all taps together; the kernel takes it only as packets wait
_LEAST_BUFFER, _LARGEST_BUFFER = 256 << 10, 16 << 20
_A_TURN = 256  # packets of one tap, before the others' turn
_SETTLING_SECONDS = 0.02  # after which the kernel notes the time of arrival, not that of reading; 5 ms were enough when tried
_HELD_SECONDS = 0.002  # how long a packet waits for earlier ones of other taps
_HELD_NANOSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a capture, without its names."""

    seconds: float
    ended_by: EndedBy
    tallies: tuple[Tally, ...]


def capture(
    points: Sequence[Point], request: Request, destination: AbstractContextManager[Sink], *, ready: Callable[[], None]
) -> Outcome:
    """Capture until the request's end, a signal, or the reader's end; `ready` is called when every packet is heard.

    The destination is opened when everything else is: a wrong filter costs no file. This process is meanwhile inside the first
    point's namespace: whoever takes the cluster down ends it like any other that is.
    """
    with ExitStack() as stack:
        taps = [stack.enter_context(_closing(tap)) for tap in _open_taps(points, request)]
        stack.enter_context(inside(points[0].path))
        stop = stack.enter_context(_signals())
        loop = _Loop(
            taps=taps,
            points=points,
            request=request,
            sink=stack.enter_context(destination),
            stop=stop,
            counts=[0] * len(points),
            positions={tap.fileno(): position for position, tap in enumerate(taps)},
            left=request.count,
        )
        return loop.run(ready)


@contextmanager
def _closing(tap: Tap) -> Iterator[Tap]:
    try:
        yield tap
    finally:
        tap.close()


def _open_taps(points: Sequence[Point], request: Request) -> list[Tap]:
    """Open all taps, in the order of the points, entering each namespace once for those that stand together."""
    programs = {kind: compile_filter(request.expression, kind, request.snap_length) for kind in {one.link_type for one in points}}
    room = min(max(_BUFFERS_BYTES // len(points), _LEAST_BUFFER), _LARGEST_BUFFER)
    taps: list[Tap] = []
    try:
        for path, group in groupby(points, key=lambda point: point.path):
            with inside(path):
                taps += [open_tap(point.device, programs[point.link_type], room) for point in group]
    except OSError as error:
        for tap in taps:
            tap.close()
        raise StateError(f"{points[len(taps)].name} cannot be listened at: {error.strerror}", hint="kemu status") from error
    return taps


@dataclass(slots=True)
class _Stop:
    """Whether a signal asked for the end. `reader` is a descriptor that becomes readable then."""

    reader: int
    asked: bool = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Note the wish; who asks twice is not waited for."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def _signals() -> Iterator[_Stop]:
    """Have the signals that end a program wake the loop, instead of breaking into it, for the block: no file may end within a packet."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    stop = _Stop(reader)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.signal(number, stop.ask) for number in _endings()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(reader)
        os.close(writer)


def _endings() -> list[signal.Signals]:
    """Return the signals that end a capture. What nohup ignores stays so; SIGINT does not, which shells ignore for their `&`."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]


@dataclass(slots=True, kw_only=True)
class _Loop:
    """Reads the taps in turns. What has been read is held until no earlier packet can come from another tap."""

    taps: Sequence[Tap]
    points: Sequence[Point]
    request: Request
    sink: Sink
    stop: _Stop
    counts: list[int]
    positions: Mapping[int, int]
    held: list[Packet] = field(default_factory=list)
    serial: int = 0
    left: int | None = None

    def run(self, ready: Callable[[], None]) -> Outcome:
        """Capture; return what came of it."""
        self.sink.begin(self.points, self.request)
        with select.epoll() as poll:
            self._register(poll)
            self._settle(poll)
            start = time.time_ns()
            ended_by = self._until_end(poll, ready)
        end = time.time_ns()
        statistics = [tap.statistics() for tap in self.taps]
        if ended_by != "reader":
            self.sink.end(statistics, start=start, end=end)
        return Outcome(seconds=(end - start) / 1e9, ended_by=ended_by, tallies=tuple(self._tallies(statistics)))

    def _tallies(self, statistics: Sequence[tuple[int, int]]) -> Iterator[Tally]:
        for point, packets, (_, dropped) in zip(self.points, self.counts, statistics, strict=True):
            yield Tally(point=point, packets=packets, dropped=dropped)

    def _register(self, poll: select.epoll) -> None:
        for descriptor in (self.stop.reader, *(tap.fileno() for tap in self.taps)):
            poll.register(descriptor, select.EPOLLIN)
        if self.sink.descriptor is not None:
            with suppress(PermissionError):  # a file on a disk: it has no reader who might go
                poll.register(self.sink.descriptor, 0)

    def _settle(self, poll: select.epoll) -> None:
        """Let the first packets go: the kernel begins to note times a little after it was asked to."""
        end = time.monotonic() + _SETTLING_SECONDS
        while (left := end - time.monotonic()) > 0:
            if poll.poll(left):
                for tap in self.taps:
                    _skip(tap)
        for tap in self.taps:
            tap.statistics()

    def _until_end(self, poll: select.epoll, ready: Callable[[], None]) -> EndedBy:
        """Read and write until something ends it, and say what did."""
        try:
            self.sink.flush()
            ready()
            ended_by = self._turns(poll)
            self._finish()
        except ReaderGoneError:
            return "reader"
        return ended_by

    def _turns(self, poll: select.epoll) -> EndedBy:
        end = time.monotonic() + (math.inf if self.request.seconds is None else self.request.seconds)
        while not self.stop.asked:
            left = end - time.monotonic()
            if left <= 0:
                return "seconds"
            if self._write(self._read_all(poll.poll(self._patience(left)))):
                return "count"
        return "signal"

    def _patience(self, left: float) -> float | None:
        """Return how long to wait for packets when the capture ends in `left` seconds: those that are held must go soon."""
        return _HELD_SECONDS if self.held else None if left == math.inf else left

    def _read_all(self, events: Sequence[tuple[int, int]]) -> float:
        """Take what has come, and return the time up to which nothing more can: each tap says so of itself."""
        horizon = float(time.time_ns() - _HELD_NANOSECONDS)
        for descriptor, _ in events:
            if descriptor == self.sink.descriptor:
                raise ReaderGoneError
            if descriptor in self.positions:
                horizon = min(horizon, self._read(self.positions[descriptor]))
            else:
                os.read(descriptor, 64)  # what a signal wrote
        return horizon

    def _read(self, position: int) -> float:
        """Take what a tap has, for one turn; return the time up to which it has nothing more."""
        tap, height, frame = self.taps[position], self.points[position].height, None
        for _ in range(_A_TURN):
            frame = tap.receive()
            if frame is None:
                return math.inf
            self._hold(position, height, frame)
        return frame.time if frame else math.inf

    def _hold(self, position: int, height: int, frame: Frame) -> None:
        self.serial += 1
        self.held.append(Packet(frame.time, height, self.serial, position, frame.kind, frame.length, frame.data))

    def _write(self, horizon: float) -> bool:
        """Hand on the packets up to a time; return whether there are now as many as were asked for."""
        self.held.sort()
        due = bisect.bisect_right(self.held, horizon, key=lambda packet: packet.time)
        if self.left is not None:
            due = min(due, self.left)
            self.left -= due
        for packet in self.held[:due]:
            self.counts[packet.position] += 1
            self.sink.put(packet)
        del self.held[:due]
        self.sink.flush()
        return self.left == 0

    def _finish(self) -> None:
        """Take what came before the end and is still unread."""
        now = time.time_ns()
        for position, tap in enumerate(self.taps):
            while (frame := tap.receive()) and frame.time <= now:
                self._hold(position, self.points[position].height, frame)
        self._write(now)


def _skip(tap: Tap) -> None:
    while tap.receive():
        pass
