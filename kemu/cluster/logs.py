"""What containers and the agent said: reading their logs, and following one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from kemu.base.errors import NotFoundError
from kemu.cluster.processes import EXITED, find_process_record
from kemu.cluster.state import StateDirectory
from kemu.kernel.inotify import watching


def read_log(path: Path, *, tail: int | None = None) -> bytes:
    """Return what a log holds, or its last lines. NotFoundError if there is none."""
    with _open(path) as file:
        return _last(file.read(), tail)


def follow_log(state: StateDirectory, pod: str, name: str, *, tail: int | None = None) -> Iterator[bytes]:
    """Yield what a container says, over its restarts, until it has ended for good or is gone; at first the last `tail` lines."""
    path = state.container_log(pod, name)
    with watching([path.parent, state.processes]) as changes:
        file = _open(path)
        try:
            yield _last(file.read(), tail)
            while True:
                has_ended = _has_ended(state, pod, name)
                yield from _rest(file)
                if _is_replaced(file, path):
                    file.close()
                    file = _open(path)
                elif has_ended:
                    return
                else:
                    changes.wait()
        except NotFoundError:  # the cluster went down
            return
        finally:
            file.close()


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"there is no log {path.name}", hint=f"ls {path.parent}") from None


def _last(data: bytes, tail: int | None) -> bytes:
    """Return the last lines of a text, all of them without a number."""
    if tail is None:
        return data
    lines = data.splitlines(keepends=True)
    return b"".join(lines[max(len(lines) - tail, 0) :])


def _rest(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what was written since the last look."""
    if data := file.read():
        yield data


def _is_replaced(file: IO[bytes], path: Path) -> bool:
    """Say whether another run of the container writes to another file now."""
    try:
        return os.fstat(file.fileno()).st_ino != path.stat().st_ino
    except FileNotFoundError:
        return not path.parent.exists()


def _has_ended(state: StateDirectory, pod: str, name: str) -> bool:
    record = find_process_record(state, pod, name)
    return record is None or record.state == EXITED
