"""Sending at the pace that the network answers, and asking again where no answer came.

A lost packet must be the cluster's loss, never ours. So a batch goes out only when the one before was answered or has been
quiet for a moment; what is missing is asked again, in smaller batches. A round of repeats that brings answers says that the one
before was too fast (a full queue of a slow link, neighbours that were still being resolved): then another round follows, at half
the pace, until a round brings nothing new. Denied pairs cost their timeout once, all together, and no queue ever overflows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kemu.base.reporter import Reporter
from kemu.reach.model import Probe
from kemu.reach.task import Ledger, Task, chunks

WINDOW = 256  # the kernel takes 1,000 packets into a CPU's backlog before it drops. Source: netdev_max_backlog
SMALLEST_WINDOW = 32
QUIET_SECONDS = 0.002
MOST_ROUNDS = 8


class Wire(Protocol):
    """Sends and hears for one protocol; settles tasks."""

    def send(self, tasks: Sequence[Task]) -> None:
        """Send one packet, or open one connection, for each task."""

    def receive(self, seconds: float) -> bool:
        """Take in what has arrived, waiting at most `seconds` for the first; return whether there was anything."""

    def finish(self) -> None:
        """Take in what is still on its way for tasks that are settled."""


@dataclass(slots=True)
class _Pace:
    window: int = WINDOW
    quiet: float = QUIET_SECONDS

    def pause(self, count: int, *, at_most: float) -> float:
        """Return how long to listen after each batch: for `count` tasks without an answer no longer than `at_most` in all."""
        return max(QUIET_SECONDS, min(self.quiet, at_most / max(count / self.window, 1)))

    def slow_down(self, *, recovered: bool) -> None:
        self.window = max(self.window // 2, SMALLEST_WINDOW)
        self.quiet *= 2 if recovered else 1


def settle(
    wire: Wire, tasks: Sequence[Task], probe: Probe, *, make_room: Callable[[], None] = lambda: None, reporter: Reporter
) -> None:
    """Settle as many tasks as answers come for, within `tries` rounds that share the probe's timeout.

    `make_room` is called before each batch.
    """
    missing, pace = list(tasks), _Pace()
    for attempt in range(max(probe.tries, MOST_ROUNDS)):
        before = len(missing)
        pause = pace.pause(before, at_most=probe.timeout_seconds)
        _send_paced(wire, missing, make_room, window=pace.window, pause=pause, reporter=reporter)
        _wait(wire, missing, probe.timeout_seconds / probe.tries, reporter=reporter)
        missing = _unsettled(missing)
        recovered = attempt > 0 and len(missing) < before
        if not missing or (attempt + 1 >= probe.tries and not recovered):
            break
        pace.slow_down(recovered=recovered)
    reporter.advance(len(missing))
    wire.finish()


def _send_paced(
    wire: Wire, tasks: Sequence[Task], make_room: Callable[[], None], *, window: int, pause: float, reporter: Reporter
) -> None:
    for chunk in chunks(tasks, window):
        make_room()
        batch = _unsettled(chunk)
        before = chunk[0].ledger.settled
        wire.send(batch)
        _receive(wire, chunk[0].ledger, before + len(batch), quiet=pause)
        reporter.advance(chunk[0].ledger.settled - before)


def _receive(wire: Wire, ledger: Ledger, wanted: int, *, quiet: float) -> None:
    while ledger.settled < wanted and wire.receive(quiet):
        pass


def _wait(wire: Wire, tasks: Sequence[Task], seconds: float, *, reporter: Reporter) -> None:
    end = time.monotonic() + seconds
    ledger = tasks[0].ledger
    before = ledger.settled
    wanted = before + len(_unsettled(tasks))
    while ledger.settled < wanted and (left := end - time.monotonic()) > 0:
        wire.receive(left)
    reporter.advance(ledger.settled - before)


def _unsettled(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if not task.reason]
