"""Sending at the pace that the network answers, and asking again where no answer came.

A lost packet must be the cluster's loss, never ours. So a batch goes out only when the one before was answered or has been
quiet for a moment; what is missing is asked again, in smaller batches. A round of repeats that brings answers says that the one
before was too fast (a full queue of a slow link, neighbours that were still being resolved): then another round follows, at half
the pace, until a round brings nothing new. Denied pairs cost their timeout once, all together, and no queue ever overflows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from kemu.base.reporter import Reporter
from kemu.reach.model import Probe
from kemu.reach.task import Task, chunks

WINDOW = 256  # the kernel takes 1,000 packets into a CPU's backlog before it drops. Source: netdev_max_backlog
SMALLEST_WINDOW = 16
QUIET_SECONDS = 0.002
MOST_ROUNDS = 8


class Wire(Protocol):
    """Sends and hears for one protocol; settles tasks."""

    def send(self, tasks: Sequence[Task], attempt: int) -> None:
        """Send one packet, or open one connection, for each task."""

    def receive(self, seconds: float) -> bool:
        """Take in what has arrived, waiting at most `seconds` for the first; return whether there was anything."""


def settle(wire: Wire, tasks: Sequence[Task], probe: Probe, *, reporter: Reporter) -> None:
    """Settle as many tasks as answers come for, within `tries` rounds that share the probe's timeout."""
    missing, window, quiet = list(tasks), WINDOW, QUIET_SECONDS
    for attempt in range(max(probe.tries, MOST_ROUNDS)):
        before = len(missing)
        _send_paced(wire, missing, attempt, window=window, quiet=quiet, reporter=reporter)
        _wait(wire, missing, probe.timeout_seconds / probe.tries)
        missing = [task for task in missing if not task.reason]
        recovered = attempt > 0 and len(missing) < before
        if not missing or (attempt + 1 >= probe.tries and not recovered):
            break
        window = max(window // 2, SMALLEST_WINDOW)
        quiet = quiet * 2 if recovered else quiet
    reporter.advance(len(missing))


def _send_paced(
    wire: Wire, tasks: Sequence[Task], attempt: int, *, window: int, quiet: float, reporter: Reporter
) -> None:
    for batch in chunks(tasks, window):
        ledger = batch[0].ledger
        before = ledger.settled
        wire.send([task for task in batch if not task.reason], attempt)
        while ledger.settled < before + len(batch) and wire.receive(quiet):
            pass
        reporter.advance(ledger.settled - before)


def _wait(wire: Wire, tasks: Sequence[Task], seconds: float) -> None:
    end = time.monotonic() + seconds
    ledger = tasks[0].ledger
    target = ledger.settled + sum(not task.reason for task in tasks)
    while ledger.settled < target and (left := end - time.monotonic()) > 0:
        wire.receive(left)
