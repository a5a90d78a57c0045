"""One command at a time may change a cluster. The lock's holder stands in the lock file, for the one who waits."""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kemu.base.errors import LockedError
from kemu.base.reporter import Reporter
from kemu.cluster.state import StateDirectory

_STEP_SECONDS = 0.05
_MODE = 0o600  # who may open a file may lock it: anybody could keep root waiting


@contextmanager
def locked(state: StateDirectory, *, patience_seconds: float, reporter: Reporter) -> Iterator[None]:
    """Hold a cluster's lock for the block. Raises LockedError, naming the holder, if it is not to be had in time."""
    descriptor = _acquire(state, time.monotonic() + patience_seconds, reporter)
    try:
        holder = json.dumps({"pid": os.getpid(), "command": " ".join(sys.argv), "since": time.time()})
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(state: StateDirectory, deadline: float, reporter: Reporter) -> int:
    told = False
    while True:
        try:
            state.make()
            descriptor = os.open(state.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
        except FileNotFoundError:  # a `down` removed the directory between the two
            continue
        if _take(descriptor) and _is_current(descriptor, state.lock):
            return descriptor
        holder = os.pread(descriptor, 4096, 0).decode(errors="replace")
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise LockedError(
                f"another command is at work on the cluster {state.cluster}: {_show(holder)}", hint="wait for it, or end it"
            )
        if not told:
            reporter.note(f"waiting for {_show(holder)}")
            told = True
        select.select([], [], [], _STEP_SECONDS)  # flock has no time limit of its own


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_current(descriptor: int, path: Path) -> bool:
    """Say whether the locked file is still the one with the name: `down` may have removed it meanwhile."""
    with suppress(FileNotFoundError):
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    return False


def _show(holder: str) -> str:
    try:
        facts = json.loads(holder)
        return f"{facts['command']} (process {facts['pid']})"
    except (ValueError, KeyError):
        return "a process that did not give its name"
