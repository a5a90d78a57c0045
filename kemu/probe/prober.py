"""The prober: runs the readiness probes of many containers from one thread that somebody else drives, as the responder is driven.

    prober = Prober(start_command, tell)
    selector.register(prober, EVENT_READ)
    prober.watch(key, probe, netns, address)          when a container has started
    prober.forget(key)                                when it has ended
    while …: selector.select(until(prober.deadline)); prober.turn()

It never blocks, and a check is bounded in time and bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kemu.base.errors import KemuError
from kemu.probe.checks import Outcome, SocketCheck
from kemu.probe.deadlines import Deadlines
from kemu.probe.loop import Loop
from kemu.probe.readiness import Readiness
from kemu.spec.model import Exec, Probe

#: Starts a command in the container called by its key, and returns how to end it; calls back once with its exit code, in this thread.
StartCommand = Callable[[Hashable, Sequence[str], Callable[[int], None]], Callable[[], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A container whose readiness changed; `said` is what its last check said."""

    key: Hashable
    is_ready: bool
    said: str


@dataclass(slots=True, eq=False)
class _Run:
    """A container that runs. `check` is on its way; `is_due` that the next one should be, too."""

    key: Hashable
    probe: Probe
    netns: Path
    address: str
    readiness: Readiness
    said: str = "not checked yet"
    check: _Check | None = None
    is_due: bool = False


@dataclass(slots=True, eq=False)
class _Check:
    """A check on its way."""

    run: _Run
    stop: Callable[[], None] = lambda: None


class Prober:
    """Checks containers as their probes say. `tell` hears of every change, within `turn` or when a command ends.

    `deadline`, on the clock, is when `turn` must be called although nothing came.
    """

    def __init__(
        self, start: StartCommand, tell: Callable[[Change], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._start = start
        self._tell = tell
        self._clock = clock
        self._loop = Loop()
        self._runs: dict[Hashable, _Run] = {}
        self._deadlines: Deadlines[_Run | _Check] = Deadlines()

    def __enter__(self) -> Prober:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop every check, and close every socket."""
        for key in list(self._runs):
            self.forget(key)
        self._loop.close_all()

    def fileno(self) -> int:
        """Return a descriptor that is readable when `turn` has something to do."""
        return self._loop.fileno()

    @property
    def deadline(self) -> float | None:
        """When to call `turn` at the latest; None if nobody is watched."""
        return self._deadlines.next

    def watch(self, key: Hashable, probe: Probe, netns: Path, address: str) -> None:
        """Probe a container that has just started; it is not ready. One that is watched already begins anew."""
        self.forget(key)
        run = self._runs[key] = _Run(key, probe, netns, address, Readiness(probe))
        self._deadlines.set(run, self._clock(), probe.initial_delay_seconds)

    def forget(self, key: Hashable) -> None:
        """Probe a container no more; who is not watched is passed over."""
        run = self._runs.pop(key, None)
        if run is None:
            return
        self._deadlines.drop(run)
        if run.check:
            self._stop(run.check)

    def is_ready(self, key: Hashable) -> bool:
        """Say whether a watched container is ready. KeyError for others."""
        return self._runs[key].readiness.is_ready

    def said(self, key: Hashable) -> str:
        """Return what the last check of a watched container said. KeyError for others."""
        return self._runs[key].said

    def turn(self) -> None:
        """Do all that can be done without waiting."""
        self._loop.turn(0)
        for one in self._deadlines.take_expired(self._clock()):
            if isinstance(one, _Run):
                self._check(one)
            else:
                self._time_out(one)

    def _check(self, run: _Run) -> None:
        """Begin a check; one that is still on its way is waited for."""
        if run.check:
            run.is_due = True
            return
        run.is_due = False
        run.check = check = _Check(run)
        self._deadlines.set(run, self._clock(), run.probe.period_seconds)
        self._deadlines.set(check, self._clock(), run.probe.timeout_seconds)
        try:
            self._begin(run, check)
        except (KemuError, OSError) as error:  # a namespace that is gone, or no more processes: as good as a failed check
            self._end(check, Outcome(has_passed=False, said=str(error)))

    def _begin(self, run: _Run, check: _Check) -> None:
        if isinstance(run.probe.check, Exec):
            check.stop = self._start(run.key, run.probe.check.command, partial(self._end_command, check))
            return
        socket_check = SocketCheck(self._loop, run.probe.check, run.address, partial(self._end, check))
        check.stop = socket_check.stop
        socket_check.start(run.netns)

    def _end_command(self, check: _Check, code: int) -> None:
        self._end(check, Outcome(has_passed=code == 0, said=f"exit code {code}"))

    def _time_out(self, check: _Check) -> None:
        check.stop()
        self._end(check, Outcome(has_passed=False, said=f"nothing within {check.run.probe.timeout_seconds} s"))

    def _stop(self, check: _Check) -> None:
        self._deadlines.drop(check)
        check.run.check = None
        check.stop()

    def _end(self, check: _Check, outcome: Outcome) -> None:
        """Take in a result, unless it comes too late."""
        run = check.run
        if run.check is not check:
            return
        self._deadlines.drop(check)
        run.check = None
        run.said = outcome.said
        if run.readiness.note(outcome.has_passed):
            self._tell(Change(key=run.key, is_ready=outcome.has_passed, said=outcome.said))
        if run.is_due and self._runs.get(run.key) is run:
            self._check(run)
