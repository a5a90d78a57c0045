"""host-gw: a plain route to the pods of every other node, with that node as the gateway.

Why:      no encapsulation and so no cost: packets cross the fabric as the pods sent them.
Entries:  per node, for each other node: 1 route.
Cost:     0 bytes a packet.
Fails as: nodes in two segments -> the kernel refuses a gateway that is not on a link of its own; a fabric that drops foreign
          addresses (many clouds) -> nothing passes between nodes.
Source:   flannel, Documentation/backends.md, pkg/backend/hostgw and pkg/backend/route_network.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from kemu.base.errors import Problem
from kemu.base.marks import Origin
from kemu.plan.backend import Traits
from kemu.plan.base import route
from kemu.plan.objects import Object
from kemu.spec.model import Node, Topology

from . import _flannel

TRAITS = Traits(
    family="routing",
    addresses="a subnet a node",
    overhead="0",
    policy="none, as flannel",
    control_plane="none: routes follow the file",
)
NEEDS = _flannel.NEEDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """host-gw has no options."""


def mtu(topology: Topology, options: Options, node: Node) -> int:
    """Return the fabric's own MTU: nothing is added to a packet."""
    return topology.fabric.mtu


def problems(topology: Topology, options: Options) -> Iterator[Problem]:
    """Yield a pair of nodes for each two segments: their kernels would refuse the route, and flanneld would only log it."""
    pairs: dict[tuple[str, str], list[tuple[Node, Node]]] = {}
    for one, other in combinations(topology.nodes, 2):
        pairs.setdefault((one.segment, other.segment), []).append((one, other))
    yield from (_apart(*nodes[0], len(nodes) - 1) for (here, there), nodes in pairs.items() if here != there)
    if any(here == there for here, there in pairs):
        yield from dropped(topology, "host-gw")


def dropped(topology: Topology, what: str) -> Iterator[Problem]:
    """Yield that a fabric which looks at addresses drops the packets that take a plain route. The original comes up there, too."""
    if not topology.fabric.allow_foreign_addresses:
        message = (
            f"{what} sends packets with pods' addresses from node to node, and this fabric drops them "
            "(allowForeignAddresses: false): a tunnel, such as vxlan, would pass"
        )
        yield Problem(message=message, harmless=True)


def _apart(one: Node, other: Node, more: int) -> Problem:
    others = f" (and so for {more} more pairs of these segments)" if more else ""
    return Problem(
        message=f"host-gw cannot join {one.name} (segment {one.segment}) and {other.name} (segment {other.segment}): a gateway must be "
        f"on a link of the node's own, and {other.addresses[0]} is behind a router{others}",
        mark=other.mark,
        hint="use vxlan, or one segment; --force brings up the rest, without these routes, as flanneld would",
        forcible=True,
    )


def desired(topology: Topology, options: Options) -> Iterator[Object]:
    """Yield the shared objects of flannel, and a route for each pair of nodes that share a segment."""
    yield from _flannel.desired(topology, "host-gw", topology.fabric.mtu)
    for node in topology.nodes:
        for peer in _flannel.peers(topology, node):
            if peer.segment == node.segment:
                yield from routes_to(node, peer, Origin(part="host-gw", mark=node.mark))


def routes_to(node: Node, peer: Node, origin: Origin) -> Iterator[Object]:
    """Yield the direct routes from `node` to the pods of `peer`."""
    for subnet, gateway in zip(peer.pod_subnets, peer.addresses, strict=True):
        yield route(node.netns, subnet, "eth0", gateway, origin)
