"""Settings below /proc/sys, of the namespace that the thread is in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from kemu.plan.sysctls import model_of

ROOT = Path("/proc/sys")
_NET = "net"
#: Not settings: triggers, a secret that is unreadable until set, and what follows a device's MTU.
_SKIPPED = frozenset({"flush", "stable_secret", "mtu"})


def write(name: str, value: str) -> None:
    """Set one value; raises OSError as the kernel refuses."""
    descriptor = os.open(f"/proc/sys/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def find(name: str) -> str | None:
    """Return a value with its white space folded, None where the kernel has no such setting or does not tell."""
    return _read(f"/proc/sys/{name}", None)


def read_all(names: Iterable[str]) -> dict[str, str]:
    """Return the values of those of `names` that exist. Names of one directory should follow each other.

    Everything below net/ipv4 is looked up from there: that directory itself is found among those of all namespaces, one by one,
    which takes the kernel 0.3 ms where there are a thousand.
    """
    found: dict[str, str] = {}
    for top, group in groupby(names, key=_top):
        with _opened(f"/proc/sys/{top}", None) as descriptor:
            if descriptor is not None:
                found |= _read_below(top, descriptor, list(group))
    return found


def _top(name: str) -> str:
    """Return the first two directories of a name: net/ipv4."""
    return "/".join(name.split("/")[:-1][:2])


def _read_below(top: str, descriptor: int, names: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for directory, group in groupby(names, key=lambda name: name.rpartition("/")[0]):
        with _opened(directory[len(top) + 1 :] or ".", descriptor) as inner:
            if inner is not None:
                found |= {name: value for name in group if (value := _read(name[len(directory) + 1 :], inner)) is not None}
    return found


@contextmanager
def _opened(path: str, directory: int | None) -> Iterator[int | None]:
    """Have a directory open for the block; None where there is none of that name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(name: str, directory: int | None) -> str | None:
    """Return a value with its white space folded, None where the kernel has no such setting or does not tell."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return None
    try:
        return " ".join(os.read(descriptor, 4096).decode(errors="replace").split())
    except OSError:
        return None
    finally:
        os.close(descriptor)


def measure() -> dict[str, str]:
    """Return every setting of the namespace that the thread is in, by name: net/ipv4/ip_forward and the like."""
    return read_all(list(_settings(_NET)))


def of_device(device: str, part: str, names: Iterable[str]) -> list[str]:
    """Return the names of a device's settings in a part ("ipv4/conf"), given those of a fresh namespace."""
    prefix = f"net/{part}/{model_of(part.rpartition('/')[2])}/"
    return [f"net/{part}/{device}/{name.removeprefix(prefix)}" for name in names if name.startswith(prefix)]


def _settings(directory: str) -> Iterator[str]:
    """Yield the names of all settings that can be both read and written."""
    with os.scandir(ROOT / directory) as entries:
        for entry in entries:
            name = f"{directory}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _settings(name)
            elif entry.name not in _SKIPPED and entry.stat().st_mode & 0o600 == 0o600:
                yield name
