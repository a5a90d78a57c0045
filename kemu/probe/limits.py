"""Limits of the machine that many sockets and many neighbours meet."""

from __future__ import annotations

import os
import resource
from pathlib import Path

_NEIGHBOURS = {
    4: (Path("/proc/net/stat/arp_cache"), Path("/proc/sys/net/ipv4/neigh/default/gc_thresh3")),
    6: (Path("/proc/net/stat/ndisc_cache"), Path("/proc/sys/net/ipv6/neigh/default/gc_thresh3")),
}

_ENOUGH = 1 << 20  # Linux allows no more unless fs.nr_open says otherwise


def raise_open_files() -> int:
    """Raise the soft limit of open files as far as the hard one lets us; return how many more this process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(_number(soft), min(_number(hard), _ENOUGH))
    if _number(soft) < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed - len(os.listdir("/proc/self/fd"))


def read_neighbour_table(version: int) -> tuple[int, int]:
    """Return how many neighbours the machine's table of this IP version holds, and how many it may; (0, 1) where nobody knows.

    One table serves all network namespaces; when it is full, packets to new neighbours vanish without a word.
    Source: net/core/neighbour.c, neigh_alloc.
    """
    count, limit = _NEIGHBOURS[version]
    try:
        return read_entries(count.read_text()), int(limit.read_text())
    except OSError:  # only the machine's first network namespace has the limit
        return 0, 1


def read_entries(text: str) -> int:
    """Return the first column of /proc/net/stat/arp_cache: the entries of the table, the same in each CPU's line."""
    return int(text.splitlines()[1].split()[0], 16)


def _number(limit: int) -> int:
    return _ENOUGH if limit == resource.RLIM_INFINITY else limit
