"""Processes: running one inside a namespace, and finding and ending those that are inside the namespaces of a cluster."""

from __future__ import annotations

import ctypes
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kemu.base.errors import MachineError
from kemu.kernel.enter import set_namespace

_CLONE_NEWNS, _CLONE_NEWUTS = 0x20000, 0x4000000
_MS_BIND, _MS_REC, _MS_SLAVE, _MNT_DETACH = 0x1000, 0x4000, 0x80000, 2
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a process of a cluster finds itself in: a network namespace, a host name, and files of its own in place of the machine's."""

    netns: Path
    hostname: str
    files: Mapping[str, Path]


def enter(surroundings: Surroundings) -> Callable[[], None]:
    """Return what a child does between fork and exec to be in these surroundings, with a /sys that shows their devices."""

    def in_child() -> None:
        descriptor = os.open(surroundings.netns, os.O_RDONLY | os.O_CLOEXEC)
        set_namespace(descriptor)
        os.close(descriptor)
        _own_mounts(surroundings.files)
        socket.sethostname(surroundings.hostname)

    return in_child


def _own_mounts(files: Mapping[str, Path]) -> None:
    """Give this process a /sys of its network namespace, as `ip netns exec` does, and `files`."""
    if _libc.unshare(_CLONE_NEWNS | _CLONE_NEWUTS):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNS | CLONE_NEWUTS)")
    _mount(b"", b"/", _MS_SLAVE | _MS_REC)
    _libc.umount2(b"/sys", _MNT_DETACH)
    _mount(b"sysfs", b"/sys", 0)
    for target, source in files.items():
        if source.exists() and Path(target).exists():
            _mount(os.fsencode(source), target.encode(), _MS_BIND)


def _mount(source: bytes, target: bytes, flags: int) -> None:
    kind = b"sysfs" if source == b"sysfs" else b"none"
    if _libc.mount(source, target, kind, flags, None):
        code = ctypes.get_errno()
        raise OSError(code, f"mount on {target.decode()}: {os.strerror(code)}")


def run_inside(surroundings: Surroundings, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in these surroundings and wait for it; `options` are those of subprocess.run."""
    settings: dict[str, Any] = {"text": True, "check": False, **options}
    return subprocess.run(command, preexec_fn=enter(surroundings), **settings)  # noqa: PLW1510 (check is among the settings)


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where kemu itself is, and return its output and exit code."""
    return subprocess.run(command, check=False, text=True, capture_output=True, stdin=subprocess.DEVNULL)


def start_inside(surroundings: Surroundings, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a command in these surroundings; `options` are those of subprocess.Popen."""
    return subprocess.Popen(command, preexec_fn=enter(surroundings), **options)  # noqa: PLW1509


def replace_self(surroundings: Surroundings, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Become `command` in these surroundings. Returns only by raising OSError."""
    enter(surroundings)()
    os.execvpe(command[0], list(command), dict(environment))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A process that is inside a network namespace: who, since when (in clock ticks after boot), where, and what it is."""

    pid: int
    start: int
    inode: int
    command: str


def find_inside(inodes: Iterable[int]) -> list[Inside]:
    """Return every process whose network namespace is one of `inodes`, whoever started it; this process excepted."""
    wanted = frozenset(inodes)
    found = (_inspect(int(name)) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
    return [process for process in found if process and process.inode in wanted]


def _inspect(pid: int) -> Inside | None:
    try:
        inode = os.stat(f"/proc/{pid}/ns/net").st_ino
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    command = stat[stat.index("(") + 1 : stat.rindex(")")]
    return Inside(pid=pid, start=int(stat[stat.rindex(")") + 2 :].split()[19]), inode=inode, command=command)


def end(processes: Iterable[Inside], *, patience_seconds: float = 2.0) -> list[Inside]:
    """End processes: politely, then, after a while, for certain. Returns those that still live, which would be the kernel's doing.

    Each is held by a descriptor before it is looked at again, so no process that got its number meanwhile is ever met.
    """
    held = {_descriptor: process for process in processes if (_descriptor := _hold(process)) is not None}
    try:
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            for descriptor in held:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, signal_number)
            for descriptor in _wait(held, patience_seconds):
                os.close(descriptor)
                del held[descriptor]
        return list(held.values())
    finally:
        for descriptor in held:
            os.close(descriptor)


def _hold(process: Inside) -> int | None:
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    now = _inspect(process.pid)
    if now and (now.start, now.inode) == (process.start, process.inode):
        return descriptor
    os.close(descriptor)
    return None


def _wait(descriptors: Iterable[int], seconds: float) -> list[int]:
    """Return the descriptors whose processes ended within `seconds`."""
    waiting = set(descriptors)
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    ended: list[int] = []
    while waiting and (ready := poll.poll(seconds * 1000)):
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            waiting.discard(descriptor)
            ended.append(descriptor)
    return ended


def is_root() -> bool:
    """Return whether this process may make namespaces."""
    return os.geteuid() == 0


def need_root() -> None:
    """Raise MachineError, with the command to type, unless this process may make namespaces."""
    if not is_root():
        raise MachineError("this needs root: it works in network namespaces", hint=f"sudo {_own_command()}")


def _own_command() -> str:
    """Return how to call this program under sudo, which resets PATH."""
    if Path(sys.argv[0]).name == "__main__.py":
        return shlex.join([sys.executable, "-m", "kemu", *sys.argv[1:]])
    program = shutil.which(sys.argv[0]) or sys.argv[0]
    return shlex.join([str(Path(program).absolute()), *sys.argv[1:]])
