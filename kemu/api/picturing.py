"""`graph`: the picture of a topology, or of a running cluster with what is wrong in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from kemu.api.cluster import Cluster
from kemu.api.topology import Topology
from kemu.graph.dot import show_dot
from kemu.graph.html import show_html
from kemu.graph.mermaid import show_mermaid
from kemu.graph.picture import Picture, build_picture
from kemu.graph.svg import show_svg
from kemu.plan.diff import Change
from kemu.plan.drift import show_change
from kemu.plan.objects import Link, Sysctl
from kemu.plan.sysctls import device_of

__all__ = ["FORMATS", "Picture", "picture_of_cluster", "picture_of_topology"]

#: How a picture can be written, by the name of the format.
FORMATS: Mapping[str, Callable[[Picture], str]] = {
    "svg": show_svg,
    "dot": show_dot,
    "mermaid": show_mermaid,
    "html": show_html,
}


def picture_of_topology(topology: Topology, *, force: bool = False) -> Picture:
    """Return the picture of what `up` would make. Needs no rights."""
    return build_picture(topology.model, topology.plan(force=force))


def picture_of_cluster(cluster: Cluster) -> Picture:
    """Return the picture of a running cluster, with what differs from its plan where it differs."""
    status = cluster.status()
    trouble: dict[tuple[str, str], list[str]] = defaultdict(list)
    for change in status.changes:
        trouble[_place(change)].append(show_change(change, cluster.name))
    found = {place: tuple(lines) for place, lines in trouble.items()}
    return build_picture(cluster.model, cluster.plan(), state=status.state, trouble=found)


def _place(change: Change) -> tuple[str, str]:
    """Return the namespace of a difference, and the device that it stands on, if it does."""
    item = change.subject
    match item:
        case Link():
            return item.netns, item.name
        case Sysctl():
            return item.netns, device_of(item.name)
        case _:
            return item.netns, getattr(item, "dev", "")
