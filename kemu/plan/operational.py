"""Which devices of a plan carry packets once they are up: those that a cluster waits for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from kemu.plan.objects import Bridge, Link, Object, Veth


def find_operational(objects: Iterable[Object]) -> dict[str, set[int]]:
    """Return the indexes, by namespace, of veth ends whose other end is up, too, and of bridges with such a port."""
    links = {(item.netns, item.name): item for item in objects if isinstance(item, Link) and item.up}
    cables = [
        link for link in links.values() if isinstance(link.detail, Veth) and (link.detail.peer_netns, link.detail.peer) in links
    ]
    bridges = {(link.netns, link.master) for link in cables}
    found: dict[str, set[int]] = defaultdict(set)
    for link in [*cables, *(link for place, link in links.items() if place in bridges and isinstance(link.detail, Bridge))]:
        found[link.netns].add(link.index)
    return found
