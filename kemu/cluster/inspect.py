"""One namespace of a cluster as a whole: what the kernel has in it, and who is inside."""

from __future__ import annotations

from dataclasses import dataclass

from kemu.base.errors import NotFoundError
from kemu.cluster.lifecycle import baseline_of
from kemu.cluster.state import StateDirectory
from kemu.kernel import limits, process
from kemu.kernel.inside import Inside, find_inside
from kemu.kernel.netns import Namespaces, find_names
from kemu.kernel.sockets import OpenSocket, find_sockets
from kemu.plan.objects import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What is in a namespace. `objects` are as read; of settings those that are not the kernel's own.

    `learned` are neighbours that nobody configured: (device, address, MAC or empty, state).
    """

    netns: str
    objects: tuple[Object, ...]
    learned: tuple[tuple[str, str, str, str], ...]
    sockets: tuple[OpenSocket, ...]
    processes: tuple[Inside, ...]


def inspect(cluster: str, name: str) -> Inspection:
    """Return what is in the namespace called `name` of a cluster. NotFoundError if it is not there. Changes nothing."""
    from kemu.kernel.read import Reader  # noqa: PLC0415 (pyroute2 takes 0.1 s to be imported)
    from kemu.kernel.read_entries import read_learned  # noqa: PLC0415

    process.need_root()
    limits.check(len(find_names(cluster)))
    with Namespaces(cluster) as namespaces:
        namespaces.adopt()
        if name not in namespaces:
            raise NotFoundError(
                f"the namespace {cluster}.{name} is not there", hint="kemu status says what is missing, kemu up mends it"
            )
        handle = namespaces[name]
        return Inspection(
            netns=f"{cluster}.{name}",
            objects=tuple(Reader(namespaces, baseline_of(StateDirectory(cluster)), {}).read(only=name)),
            learned=tuple(read_learned(handle)),
            sockets=tuple(find_sockets(namespaces.path(name))),
            processes=tuple(find_inside([handle.inode])),
        )
