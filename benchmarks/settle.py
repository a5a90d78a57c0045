"""Waiting until the kernel has removed what was given up before: it does so later, in turns, and slows what comes next."""

from __future__ import annotations

import os
import socket
import subprocess
import time

from kemu.kernel.netns import fresh_namespace

_STEP_SECONDS = 0.005
_PATIENCE_SECONDS = 120.0


def wait_until_settled() -> float:
    """Return how many seconds the kernel went on removing network namespaces.

    It removes them in the order in which they were given up. So one more is made and given up, with one end of a veth pair in it; when
    the other end, in a namespace of ours, has gone too, all before it have gone.
    """
    start = time.perf_counter()
    with fresh_namespace() as descriptor:
        os.close(descriptor)
        _hang()
        while _is_there() and time.perf_counter() - start < _PATIENCE_SECONDS:
            time.sleep(_STEP_SECONDS)  # noqa: TID251 (nobody tells when a namespace has gone)
    return time.perf_counter() - start


def _is_there() -> bool:
    return "far" in (name for _, name in socket.if_nameindex())


def _hang() -> None:
    """Leave one end of a veth pair, `far`, in this thread's namespace, with the other in one that nobody holds any more."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with fresh_namespace() as descriptor:
        os.close(descriptor)
        there = ["peer", "name", "far", "netns", f"/proc/{os.getpid()}/fd/{before}"]
        try:
            subprocess.run(["ip", "link", "add", "canary", "type", "veth", *there], check=True)
        finally:
            os.close(before)
