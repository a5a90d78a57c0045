"""What a pod's processes have of the file system for themselves: /proc, /sys, /tmp, /run, /dev/shm and a few files.

A mount namespace is a copy of the whole mount table. A machine with a thousand network namespaces has a mount for each in /run/netns, so
that is taken out of the copy first; what several copies are made from is pruned once.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_SLAVE, _MNT_DETACH = 0x1000, 0x4000, 0x80000, 2
_PRUNED = ("/run/netns", "/sys", "/proc")  # the last two are mounted anew, without what stands in them
_PRIVATE = {"/tmp": "mode=1777", "/run": "mode=755", "/dev/shm": "mode=1777"}
_libc = ctypes.CDLL(None, use_errno=True)


def unshare_pruned() -> None:
    """Give this process a mount namespace of its own, without the names of network namespaces; what the machine mounts still arrives.

    It has no /proc and no /sys: `mount_own` makes them.
    """
    unshare(CLONE_NEWNS)
    _mount("none", "/", "none", _MS_SLAVE | _MS_REC)
    for place in _PRUNED:
        while _libc.umount2(place.encode(), _MNT_DETACH) == 0:
            pass


def mount_own(files: Mapping[str, Path]) -> None:
    """Mount, in this process's own mount namespace, what its pod has for itself; `files` stand in place of those of the machine."""
    hidden = list(_bind_files(files))
    for place, options in _PRIVATE.items():
        _mount("tmpfs", place, "tmpfs", 0, options)
    _mount("proc", "/proc", "proc", 0)
    _mount("sysfs", "/sys", "sysfs", 0)
    for path, content in hidden:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _bind_files(files: Mapping[str, Path]) -> Iterator[tuple[Path, bytes]]:
    """Mount files over those of the machine. Yield those that will be hidden, with their content: /etc/resolv.conf may lead into /run."""
    for target, source in files.items():
        path = Path(target).resolve()
        if any(path.is_relative_to(place) for place in _PRIVATE):
            yield path, source.read_bytes()
        elif path.exists():
            _mount(str(source), str(path), "none", _MS_BIND)


def unshare(flags: int) -> None:
    """Give this process namespaces of its own, or those of its children. Raises OSError."""
    if _libc.unshare(flags):
        raise OSError(ctypes.get_errno(), f"unshare({flags:#x})")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode() or None):
        code = ctypes.get_errno()
        raise OSError(code, f"mount on {target}: {os.strerror(code)}")
