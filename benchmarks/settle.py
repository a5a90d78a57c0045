"""Waiting until the kernel has removed what was given up before: it does so later, in turns, and slows what comes next."""

from __future__ import annotations

import os
import subprocess
import time

from kemu.kernel.netns import fresh_namespace

_STEP_SECONDS = 0.01
_PATIENCE_SECONDS = 120.0


def wait_until_settled() -> float:
    """Return how many seconds the kernel went on removing network namespaces.

    It removes them in the order in which they were given up. So one more is made and given up, with one end of a veth pair in it; when
    the other end, in a namespace of ours, has gone too, all before it have gone.
    """
    start = time.perf_counter()
    with fresh_namespace() as descriptor:
        os.close(descriptor)
        canary = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
        try:
            _hang(canary.pid)
        finally:
            canary.kill()
            canary.wait()
        while _is_there() and time.perf_counter() - start < _PATIENCE_SECONDS:
            time.sleep(_STEP_SECONDS)  # noqa: TID251 (nobody tells when a namespace has gone)
    return time.perf_counter() - start


def _hang(process: int) -> None:
    """Put the other end of a veth pair into a process's namespace, once it has one of its own."""
    while os.stat(f"/proc/{process}/ns/net").st_ino == os.stat("/proc/thread-self/ns/net").st_ino:
        time.sleep(_STEP_SECONDS)  # noqa: TID251 (nor when a process has entered one)
    subprocess.run(["ip", "link", "add", "canary", "type", "veth", "peer", "name", "far", "netns", str(process)], check=True)


def _is_there() -> bool:
    return subprocess.run(["ip", "link", "show", "canary"], capture_output=True, check=False).returncode == 0
