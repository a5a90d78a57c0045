"""The worker processes of one measurement, seen from the process that starts them.

A Crew owns every worker that it started: however its `with` block is left, they are killed by their own process id and
reaped. If this process dies without getting that far, the kernel kills them (worker._die_with_parent).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self

from kemu.perf.model import Side

_KEPT_BYTES = 4096  # of standard error
_KEPT_LINES = 5
_REAP_SECONDS = 2.0


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """One worker and what it has said so far."""

    role: str
    side: Side
    process: subprocess.Popen[bytes]
    is_listening: bool = False
    result: Mapping[str, Any] | None = None
    refusal: Mapping[str, Any] | None = None
    _output: bytearray = field(default_factory=bytearray)
    _errors: bytearray = field(default_factory=bytearray)

    def __str__(self) -> str:
        return f"iperf3 {self.role} in {self.side}"

    @property
    def has_ended(self) -> bool:
        """Whether it has exited and has been reaped."""
        return self.process.returncode is not None

    @property
    def has_failed(self) -> bool:
        """Whether it ended, or is about to, without a result."""
        return self.refusal is not None or (self.has_ended and self.result is None)

    @property
    def killer(self) -> signal.Signals | None:
        """The signal that ended it, if one did."""
        code = self.process.returncode
        return signal.Signals(-code) if code is not None and code < 0 else None

    def show_errors(self) -> str:
        """Return the last lines that it, or libiperf, wrote to standard error."""
        lines = self._errors.decode(errors="replace").splitlines()
        return "\n".join(lines[-_KEPT_LINES:])

    def hear_output(self, data: bytes) -> None:
        """Take in what it wrote to standard output: whole lines are events, the rest waits."""
        self._output += data
        *lines, rest = self._output.split(b"\n") if b"\n" in data else (self._output,)
        self._output = rest
        for line in lines:
            self._hear_event(json.loads(line))

    def hear_errors(self, data: bytes) -> None:
        """Take in what it wrote to standard error; only the end is kept."""
        self._errors += data
        del self._errors[:-_KEPT_BYTES]

    def _hear_event(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "listening":
                self.is_listening = True
            case "done":
                self.result = event
            case "failed":
                self.refusal = event


class Crew:
    """The workers of one measurement, as a context manager. One thread; waits on their pipes, never sleeps."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._selector.close()
        for worker in self.workers:
            if not worker.has_ended:
                worker.process.kill()
        for worker in self.workers:
            with worker.process:  # closes the pipes and reaps
                pass

    def start(self, role: str, side: Side, request: Mapping[str, Any]) -> Worker:
        """Start a worker and hand it its request."""
        body = json.dumps({"role": role, "netns": side.netns, "parent": os.getpid(), **request}).encode()
        worker = Worker(role=role, side=side, process=_spawn())
        self.workers.append(worker)
        self._selector.register(_pipe(worker.process.stdout), selectors.EVENT_READ, (worker, worker.hear_output))
        self._selector.register(_pipe(worker.process.stderr), selectors.EVENT_READ, (worker, worker.hear_errors))
        with contextlib.suppress(BrokenPipeError), _pipe(worker.process.stdin) as stdin:  # a dead worker is noticed later
            stdin.write(body)
        return worker

    def wait(self, until: Callable[[], bool], *, deadline: float, tick: Callable[[], None] = lambda: None) -> bool:
        """Listen to the workers until `until` holds or the deadline (monotonic) passes; return whether it held.

        `tick` is called about every second in between.
        """
        while not until():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            for key, _ in self._selector.select(min(remaining, 1.0)):
                self._hear(key)
            tick()
        return True

    def _hear(self, key: selectors.SelectorKey) -> None:
        worker, hear = key.data
        data = os.read(key.fd, 1 << 16)
        if data:
            hear(data)
        else:
            self._selector.unregister(key.fileobj)
            self._reap(worker)

    def _reap(self, worker: Worker) -> None:
        """Collect the exit code once both pipes are closed, which a worker's end does."""
        listened = [key.data[0] for key in self._selector.get_map().values()]
        if worker not in listened:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(_REAP_SECONDS)


def _spawn() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "kemu.perf.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=dict(_environment()),
        process_group=0,  # Ctrl-C of the terminal is for us; we end the workers
    )


def _environment() -> Iterator[tuple[str, str]]:
    """Yield a clean environment: the worker imports what this process would, from a venv, a checkout or anywhere else."""
    yield "PATH", os.defpath
    yield "LANG", "C.UTF-8"
    yield "PYTHONPATH", os.pathsep.join(os.path.abspath(entry) for entry in sys.path)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # asked for in _spawn
    return pipe
