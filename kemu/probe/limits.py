"""Limits of the machine that many sockets meet."""

from __future__ import annotations

import os
import resource

_ENOUGH = 1 << 20  # Linux allows no more unless fs.nr_open says otherwise


def raise_open_files() -> int:
    """Raise the soft limit of open files as far as the hard one lets us; return how many more this process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(_number(soft), min(_number(hard), _ENOUGH))
    if _number(soft) < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed - len(os.listdir("/proc/self/fd"))


def _number(limit: int) -> int:
    return _ENOUGH if limit == resource.RLIM_INFINITY else limit
