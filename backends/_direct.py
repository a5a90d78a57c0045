"""What backends share that route between nodes without a tunnel: a gateway must be on a link of the node's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from kemu.base.errors import Problem
from kemu.base.marks import Origin
from kemu.plan.base import route
from kemu.plan.objects import Object
from kemu.spec.model import Node, Topology


def peers(topology: Topology, node: Node) -> Iterator[Node]:
    """Yield the other nodes, in the order of the file."""
    return (peer for peer in topology.nodes if peer is not node)


def neighbours(topology: Topology, node: Node) -> Iterator[Node]:
    """Yield the other nodes of a node's segment."""
    return (peer for peer in peers(topology, node) if peer.segment == node.segment)


def routes_to(node: Node, peer: Node, origin: Origin) -> Iterator[Object]:
    """Yield the direct routes from `node` to the pods of `peer`."""
    for subnet, gateway in zip(peer.pod_subnets, peer.addresses, strict=True):
        yield route(node.netns, subnet, "eth0", gateway, origin)


def problems(topology: Topology, part: str, who: str) -> Iterator[Problem]:
    """Yield what plain routes cannot do here: a pair of nodes for each two segments, and a fabric that drops what they carry.

    `part` is the backend; `who` of the original would only say so in its log, or nowhere.
    """
    pairs: dict[tuple[str, str], list[tuple[Node, Node]]] = {}
    for one, other in combinations(topology.nodes, 2):
        pairs.setdefault((one.segment, other.segment), []).append((one, other))
    yield from (_apart(part, who, *nodes[0], len(nodes) - 1) for (here, there), nodes in pairs.items() if here != there)
    if any(here == there for here, there in pairs):
        yield from dropped(topology, part)


def dropped(topology: Topology, what: str) -> Iterator[Problem]:
    """Yield that a fabric which looks at addresses drops the packets that take a plain route. The original comes up there, too."""
    if not topology.fabric.allow_foreign_addresses:
        message = (
            f"{what} sends pods' addresses from node to node, and this fabric drops them (allowForeignAddresses: false); "
            "a tunnel would pass"
        )
        yield Problem(message=message, harmless=True)


def _apart(part: str, who: str, one: Node, other: Node, more: int) -> Problem:
    others = f" (and so for {more} more pairs of these segments)" if more else ""
    return Problem(
        message=f"{part} cannot join {one.name} (segment {one.segment}) and {other.name} (segment {other.segment}): a gateway must be "
        f"on a link of the node's own, and {other.addresses[0]} is behind a router{others}",
        mark=other.mark,
        hint=f"use vxlan, or one segment; --force brings up the rest, without these routes, as {who} would",
        forcible=True,
    )
