"""Waiting until something happens to files. Source: inotify(7)."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_MODIFY, _MOVED_TO, _CREATE, _DELETE, _DELETE_SELF = 0x2, 0x80, 0x100, 0x200, 0x400
_CLOEXEC, _NONBLOCK = os.O_CLOEXEC, os.O_NONBLOCK
_libc = ctypes.CDLL(None, use_errno=True)


class Changes:
    """What happens in directories since it was made."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for anything to happen, at most so long, and return whether it did. What happened before the call counts once."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if ready:
            os.read(self._descriptor, 1 << 16)
        return bool(ready)


@contextmanager
def watching(directories: Iterable[Path]) -> Iterator[Changes]:
    """Watch directories for the block: files written to, replaced, made, removed. Raises FileNotFoundError."""
    descriptor = _libc.inotify_init1(_CLOEXEC | _NONBLOCK)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    try:
        for directory in directories:
            mask = _MODIFY | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF
            if _libc.inotify_add_watch(descriptor, os.fsencode(directory), mask) < 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(directory))
        yield Changes(descriptor)
    finally:
        os.close(descriptor)
