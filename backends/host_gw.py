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

from kemu.base.errors import Problem
from kemu.base.marks import Origin
from kemu.plan.backend import Traits
from kemu.plan.objects import Object
from kemu.spec.model import Node, Topology

from . import _direct, _flannel

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
    """Return that of the node's own link: nothing is added to a packet."""
    return node.link.mtu


def problems(topology: Topology, options: Options) -> Iterator[Problem]:
    """Yield a pair of nodes for each two segments: their kernels would refuse the route, and flanneld would only log it."""
    return _direct.problems(topology, "host-gw", "flanneld")


def desired(topology: Topology, options: Options) -> Iterator[Object]:
    """Yield the shared objects of flannel, and a route for each pair of nodes that share a segment."""
    yield from _flannel.desired(topology, "host-gw", overhead=0)
    for node in topology.nodes:
        for peer in _direct.neighbours(topology, node):
            yield from _direct.routes_to(node, peer, Origin(part="host-gw", mark=node.mark))
