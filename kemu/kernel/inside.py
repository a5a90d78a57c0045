"""Who is inside the network namespaces of a cluster: finding and ending processes, whoever started them."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A process that is inside a network namespace: who, since when (in clock ticks after boot), where, and what it is.

    `keeps` says that it is the first process of a PID namespace: it ends with SIGKILL only, and takes all the others along.
    """

    pid: int
    start: int
    inode: int
    command: str
    keeps: bool


def find_inside(inodes: Iterable[int]) -> list[Inside]:
    """Return every process whose network namespace is one of `inodes`, whoever started it; this process excepted."""
    wanted = frozenset(inodes)
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
    return [process for pid in pids if _inode(pid) in wanted and (process := find_process(pid))]


def find_process(pid: int) -> Inside | None:
    """Return what is known of a process; None if there is none of that number, or it has ended and waits to be asked how."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    inode = _inode(pid)
    if inode is None:
        return None
    command = stat[stat.index("(") + 1 : stat.rindex(")")]
    start = int(stat[stat.rindex(")") + 2 :].split()[19])
    return Inside(pid=pid, start=start, inode=inode, command=command, keeps=_is_first(status))


def _inode(pid: int) -> int | None:
    """Return the number of a process' network namespace; one that has ended is in none."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None


def _is_first(status: str) -> bool:
    """Say whether a process has number 1 in a PID namespace below this one. Source: proc(5), NSpid."""
    numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    return len(numbers) > 1 and numbers[-1] == "1"


def end(processes: Iterable[Inside], *, patience_seconds: float = 2.0) -> list[Inside]:
    """End processes: politely, then, after a while, for certain. Returns those that still live, which would be the kernel's doing.

    Each is held by a descriptor before it is looked at again, so no process that got its number meanwhile is ever met.
    """
    held = {descriptor: process for process in processes if (descriptor := _hold(process)) is not None}
    try:
        polite = {descriptor: process for descriptor, process in held.items() if not process.keeps}
        _signal(polite, signal.SIGTERM)
        ended = _wait(polite, patience_seconds)
        rest = {descriptor: process for descriptor, process in held.items() if descriptor not in ended}
        _signal(rest, signal.SIGKILL)
        ended |= _wait(rest, patience_seconds)
        return [process for descriptor, process in held.items() if descriptor not in ended]
    finally:
        for descriptor in held:
            os.close(descriptor)


def _signal(descriptors: Iterable[int], number: signal.Signals) -> None:
    for descriptor in descriptors:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)


def _hold(process: Inside) -> int | None:
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    if _is_there(process):
        return descriptor
    os.close(descriptor)
    return None


def _is_there(process: Inside) -> bool:
    now = find_process(process.pid)
    return now is not None and (now.start, now.inode) == (process.start, process.inode)


def _wait(held: Mapping[int, Inside], seconds: float) -> set[int]:
    """Return the descriptors whose processes ended, waiting as long as at least one does within `seconds`.

    The first process of a PID namespace has left, but its descriptor does not say so, as long as somebody outside has not asked how a
    child of his in there ended.
    """
    poll = select.poll()
    for descriptor in held:
        poll.register(descriptor, select.POLLIN)
    waiting, deadline = set(held), time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        ready = {descriptor for descriptor, _ in poll.poll(_LOOK_SECONDS * 1000)}
        for descriptor in ready or {one for one in waiting if not _is_there(held[one])}:
            poll.unregister(descriptor)
            waiting.discard(descriptor)
            deadline = time.monotonic() + seconds
    return set(held) - waiting
