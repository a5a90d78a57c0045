"""The machine's limits, looked at before anything is touched. kemu never changes them, except its own process's open files."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from kemu.base.errors import MachineError

_SPARE_FILES = 200
_FILES_A_NAMESPACE = 2
_MOUNT_SPARE = 100


def check(namespaces: int) -> None:
    """Raise MachineError, with the line to type, if the machine does not allow so many further namespaces at once."""
    _raise_open_files(namespaces * _FILES_A_NAMESPACE + _SPARE_FILES)
    _check("user.max_net_namespaces", "network namespaces", namespaces + _count_names())
    _check("fs.mount-max", "mounts", namespaces + _count_mounts() + _MOUNT_SPARE)


def warnings(pods: int) -> list[str]:
    """Return what will go wrong only under traffic: tables that all namespaces of the machine share."""
    found = []
    entries = _read("net/ipv4/neigh/default/gc_thresh3")
    wanted = 4 * pods  # each pod and its node know each other; twice that for peers on the bridge
    if entries is not None and pods and wanted > entries:
        found.append(
            f"the machine's neighbour table holds {entries} entries, and {pods} pods that all talk need about {wanted}: "
            f"sysctl -w net.ipv4.neigh.default.gc_thresh3={2 * wanted}"
        )
    return found


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
