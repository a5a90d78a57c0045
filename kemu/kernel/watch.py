"""Waiting until devices are operational.

The kernel answers that a device is up before it carries packets: what follows from a cable that was plugged in (a queue for the device,
the port of a bridge, IPv6 on it) it does later, in the background, behind whatever else holds its lock: up to seconds on a busy machine.
Source: net/core/link_watch.c; the CNI plugin bridge waits in the same way.
"""

from __future__ import annotations

import errno
import selectors
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kemu.kernel import messages
from kemu.kernel.enter import inside
from kemu.kernel.netlink import Netlink, attributes, split
from kemu.kernel.netns import Namespaces

_IFLA_OPERSTATE, _IF_OPER_UP = 16, 6  # Source: include/uapi/linux/if.h
_RTNLGRP_LINK = 1


@dataclass(frozen=True, slots=True)
class _Watch:
    """One namespace: a socket that hears of every change of its devices, and the devices that are not operational yet."""

    socket: Netlink
    waiting: set[int]

    def look(self) -> None:
        """Strike off what is operational by now."""
        self.waiting.difference_update(_operational(self.socket))

    def hear(self) -> None:
        """Strike off what the kernel told; if it told more than there was room for, look again."""
        try:
            news = list(self.socket.events())
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.look()
            return
        self.waiting.difference_update(index for kind, body in news if kind == messages.RTM_NEWLINK and (index := _up(body)))


def wait_operational(namespaces: Namespaces, devices: Mapping[str, set[int]], *, seconds: float) -> dict[str, set[int]]:
    """Wait until `devices`, indexes by namespace, are operational, and return those that are not after so many seconds."""
    late = {name: left for name, indexes in devices.items() if (left := indexes - _operational(namespaces[name].socket))}
    if not late:
        return {}
    with _watches(namespaces, late) as watches:
        _wait(watches.values(), time.monotonic() + seconds)
        return {name: watch.waiting for name, watch in watches.items() if watch.waiting}


@contextmanager
def _watches(namespaces: Namespaces, late: Mapping[str, set[int]]) -> Iterator[dict[str, _Watch]]:
    """Listen in every namespace that is late. What changed before one listened is looked at once more."""
    watches: dict[str, _Watch] = {}
    try:
        for name, indexes in late.items():
            with inside(namespaces.path(name)):
                watches[name] = _Watch(Netlink(), set(indexes))
            watches[name].socket.subscribe(_RTNLGRP_LINK)
            watches[name].look()
        yield watches
    finally:
        for watch in watches.values():
            watch.socket.close()


def _wait(watches: Iterable[_Watch], deadline: float) -> None:
    with selectors.DefaultSelector() as selector:
        for watch in watches:
            if watch.waiting:
                selector.register(watch.socket, selectors.EVENT_READ, watch)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                key.data.hear()
                if not key.data.waiting:
                    selector.unregister(key.fileobj)


def _operational(socket: Netlink) -> set[int]:
    """Return the indexes of the devices of a namespace that are operational."""
    return {
        index for data in socket.dump(messages.RTM_GETLINK, bytes(16)) for _, _, _, body in split(data) if (index := _up(body))
    }


def _up(body: bytes) -> int:
    """Return the index of the device that a message is about if it is operational, else 0."""
    index: int = struct.unpack_from("i", body, 4)[0]
    return index if attributes(body[16:]).get(_IFLA_OPERSTATE) == bytes([_IF_OPER_UP]) else 0
