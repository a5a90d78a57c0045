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
from kemu.kernel.capture import Tap, compile_filter, open_tap
from kemu.kernel.enter import inside
from kemu.probe.limits import raise_open_files

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
            heights=[point.height for point in points],
            reached=[0] * len(points),
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
    raise_open_files()
    taps: list[Tap] = []
    try:
        for path, group in groupby(points, key=lambda point: point.path):
            with inside(path):
                for point in group:
                    taps.append(open_tap(point.device, programs[point.link_type], room))
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
    heights: Sequence[int]
    reached: list[int]
    held: list[Packet] = field(default_factory=list)
    serial: int = 0
    left: int | None = None

    def run(self, ready: Callable[[], None]) -> Outcome:
        """Capture; return what came of it."""
        self.sink.begin(self.points, self.request)
        with select.epoll() as poll:
            self._register(poll)
            self._listen(poll)
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

    def _listen(self, poll: select.epoll) -> None:
        """Have every tap hear, once the kernel notes times of arrival: it begins to a little after it was asked."""
        poll.poll(_SETTLING_SECONDS)  # nothing can come but a signal
        for tap in self.taps:
            tap.listen()

    def _until_end(self, poll: select.epoll, ready: Callable[[], None]) -> EndedBy:
        """Read and write until something ends it, and say what did."""
        try:
            self.sink.flush()
            ready()
            ended_by = self._turns(poll)
            if ended_by != "count":
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
            if self._write(self._read_all(poll.poll(self._patience(left), len(self.taps) + 2))):
                return "count"
        return "signal"

    def _patience(self, left: float) -> float | None:
        """Return how long to wait for packets when the capture ends in `left` seconds: those that are held must go soon."""
        return _HELD_SECONDS if self.held else None if left == math.inf else left

    def _read_all(self, events: Sequence[tuple[int, int]]) -> int:
        """Take what has come, and return the time up to which nothing more can.

        Under load, those who are behind come first: others' packets would only be held until these have caught up.
        """
        now = time.time_ns() - _HELD_NANOSECONDS
        ready = [self.positions[descriptor] for descriptor, _ in events if not self._is_other(descriptor)]
        behind = min((self.reached[position] for position in ready), default=now) + _HELD_NANOSECONDS
        for position in ready:
            if self.reached[position] <= behind:
                self.reached[position] = self._read(position) or now
        return min((self.reached[position] for position in ready), default=now)

    def _is_other(self, descriptor: int) -> bool:
        """Say whether a descriptor is no tap's, after doing what it asks for."""
        if descriptor == self.sink.descriptor:
            raise ReaderGoneError
        if descriptor == self.stop.reader:
            os.read(descriptor, 64)  # what the signal wrote
        return descriptor == self.stop.reader

    def _read(self, position: int) -> int:
        """Take what a tap has, for one turn; return the time of the last packet if there may be more, else 0."""
        receive, height = self.taps[position].receive, self.heights[position]
        reached = 0
        for _ in range(_A_TURN):
            frame = receive()
            if frame is None:
                return 0
            reached, kind, length, data = frame
            self.serial += 1
            self.held.append(Packet(reached, height, self.serial, position, kind, length, data))
        return reached

    def _write(self, horizon: int) -> bool:
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
        for tap in self.taps:
            tap.stop()
        for position in range(len(self.taps)):
            while self._read(position):
                pass
        self._write(time.time_ns())
