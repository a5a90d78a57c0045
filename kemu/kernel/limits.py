"""The machine's limits, looked at before anything is touched. kemu never changes them, except its own process's open files."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path

from kemu.base.errors import MachineError

_SPARE_FILES = 200
_FILES_A_NAMESPACE = 2
_MOUNT_SPARE = 100


def check_processes(wanted: int) -> None:
    """Raise MachineError, with the line to type, if the machine does not allow so many further processes at once."""
    running = sum(name.isdigit() for name in os.listdir("/proc"))
    for setting in ("kernel.pid_max", "kernel.threads-max"):
        _check(setting, "processes", running + wanted)


def check(namespaces: int) -> None:
    """Raise MachineError, with the line to type, if the machine does not allow so many further namespaces at once."""
    _raise_open_files(namespaces * _FILES_A_NAMESPACE + _SPARE_FILES)
    _check("user.max_net_namespaces", "network namespaces", namespaces + _count_names())
    _check("fs.mount-max", "mounts", namespaces + _count_mounts() + _MOUNT_SPARE)


def warnings(pods_on_nodes: Iterable[int], version: int) -> list[str]:
    """Return what will go wrong only under traffic: tables that all namespaces of the machine share.

    A pod knows its node and the other pods there, and the node knows its pods: so many neighbours, if all talk to each other.
    """
    setting = f"net.ipv{version}.neigh.default.gc_thresh3"
    room = _read(setting.replace(".", "/"))
    wanted = sum(count * (count + 1) for count in pods_on_nodes)
    if room is None or wanted <= room:
        return []
    return [
        f"pods that all talk to each other are {wanted:,} neighbours here, and the machine's table holds {room:,}; "
        f"a full one loses packets: sysctl -w {setting}={2 * wanted}"
    ]


def _raise_open_files(wanted: int) -> None:
    """Let this process open `wanted` files, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise MachineError(
            f"this needs {wanted} open files at once, and the limit is {hard}",
            hint=f"ulimit -Hn {wanted}, or LimitNOFILE= of the service",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _check(setting: str, what: str, wanted: int) -> None:
    allowed = _read(setting.replace(".", "/"))
    if allowed is not None and wanted > allowed:
        raise MachineError(
            f"this needs {wanted} {what}, and the machine allows {allowed}", hint=f"sysctl -w {setting}={2 * wanted}"
        )


def _read(name: str) -> int | None:
    try:
        return int(Path("/proc/sys", name).read_text())
    except (OSError, ValueError):
        return None


def _count_names() -> int:
    try:
        return len(os.listdir("/run/netns"))
    except FileNotFoundError:
        return 0


def _count_mounts() -> int:
    with Path("/proc/self/mountinfo").open() as lines:
        return sum(1 for _ in lines)
