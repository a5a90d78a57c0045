"""Forgetting what a namespace has learned of its neighbours, and counting what the machine's table of them holds."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from kemu.kernel.enter import inside
from kemu.kernel.messages import AF_BRIDGE, NUD_NOARP, NUD_PERMANENT, RTM_DELNEIGH, RTM_GETNEIGH, SET, Message
from kemu.kernel.netlink import Netlink, attributes

_NDMSG = struct.Struct("BxxxiHBB")  # Source: struct ndmsg, include/uapi/linux/neighbour.h
_NDA_DST = 1

_TABLES = {
    4: (Path("/proc/net/stat/arp_cache"), Path("/proc/sys/net/ipv4/neigh/default/gc_thresh3")),
    6: (Path("/proc/net/stat/ndisc_cache"), Path("/proc/sys/net/ipv6/neigh/default/gc_thresh3")),
}


def read_neighbour_table(version: int) -> tuple[int, int]:
    """Return how many neighbours the machine's table of this IP version holds, and how many it may; (0, 1) where nobody knows.

    One table serves all network namespaces; when it is full, packets to new neighbours vanish without a word.
    Source: net/core/neighbour.c, neigh_alloc.
    """
    count, limit = _TABLES[version]
    try:
        return read_entries(count.read_text()), int(limit.read_text())
    except OSError:  # only the machine's first network namespace has the limit
        return 0, 1


def read_entries(text: str) -> int:
    """Return the first column of /proc/net/stat/arp_cache: the entries of the table, the same in each CPU's line."""
    return int(text.splitlines()[1].split()[0], 16)


def forget_learned(paths: Iterable[Path]) -> None:
    """Make the namespaces at `paths` forget every neighbour that nobody configured. They learn it again when they need it."""
    for path in paths:
        with inside(path):
            socket = Netlink()
        try:
            # A neighbour that goes by itself meanwhile is refused, and that is as good.
            socket.send([message for data in socket.dump(RTM_GETNEIGH, bytes(12)) if (message := _removal(data[16:]))])
        finally:
            socket.close()


def _removal(body: bytes) -> Message | None:
    family, index, state, flags, _kind = _NDMSG.unpack_from(body)
    if family == AF_BRIDGE or state == 0 or state & (NUD_PERMANENT | NUD_NOARP):
        return None
    address = attributes(body[_NDMSG.size :])[_NDA_DST]
    attribute = struct.pack("HH", len(address) + 4, _NDA_DST) + address
    return RTM_DELNEIGH, SET, _NDMSG.pack(family, index, 0, flags, 0) + attribute
