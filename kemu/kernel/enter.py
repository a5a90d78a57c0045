"""Entering network namespaces with the current thread, and coming back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def set_namespace(descriptor: int) -> None:
    """Move the current thread into the network namespace behind an open descriptor. Raises OSError."""
    if _libc.setns(descriptor, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


@contextmanager
def inside(path: Path | str) -> Iterator[None]:
    """Be in the network namespace at `path` for the block. A socket keeps the namespace in which it was opened.

    If the way back fails, the process ends at once: it must never act in a namespace that it does not know it is in.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(path)
        yield
    except PermissionError:
        if _is_in(home):  # who may not enter need not come back, and may not do that either
            os.close(home)
            home = -1
        raise
    finally:  # also when interrupted between entering and the block; coming home twice is harmless
        if home >= 0:
            _return(home)


def _enter(path: Path | str) -> None:
    there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        set_namespace(there)
    finally:
        os.close(there)


def _is_in(descriptor: int) -> bool:
    """Say whether the thread is in the network namespace behind an open descriptor."""
    return os.path.samestat(os.stat("/proc/thread-self/ns/net"), os.fstat(descriptor))


def _return(home: int) -> None:
    try:
        set_namespace(home)
    except OSError:
        os.abort()
    finally:
        os.close(home)
