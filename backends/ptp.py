"""ptp: each pod routed on its node, and nothing between nodes: that is left to a network that knows where pods live.

Why:      clouds wire clusters so: the CNI plugin ptp on each node, and the pods' subnets in the cloud's own route table.
Entries:  per node, for each pod of its own: 1 address, 1 route. In the fabric's router: 1 route a node.
Cost:     0 bytes a packet; a packet to the pod next door is routed, too (ttl 63), and one to another node by the router (ttl 61).
Fails as: a fabric that does not know the pods (podRoutes: none) -> the router answers "unreachable" for the pods of other nodes.
Source:   containernetworking/plugins, plugins/main/ptp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kemu.base.errors import Problem
from kemu.plan.backend import Traits
from kemu.plan.objects import Object
from kemu.spec.model import Node, PodRoutes, Topology

from . import _direct, _ptp

TRAITS = Traits(
    family="routing",
    addresses="a subnet a node",
    overhead="0",
    policy="none, as ptp",
    control_plane="none: the fabric's routes follow the file",
)
NEEDS = _ptp.NEEDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """ptp has no options."""


def mtu(topology: Topology, options: Options, node: Node) -> int:
    """Return that of the node's own link: nothing is added to a packet."""
    return node.link.mtu


def problems(topology: Topology, options: Options) -> Iterator[Problem]:
    """Yield that pods of different nodes need a fabric that knows them, and lets them pass."""
    if len(topology.nodes) > 1 and topology.fabric.pod_routes is PodRoutes.NONE:
        yield Problem(
            message="ptp routes only to the pods of its own node, and this fabric does not know where the others live (podRoutes: none)",
            mark=topology.networking.backend.mark,
            hint="fabric: {podRoutes: static}; --force brings up what ptp makes, and pods of different nodes do not reach each other",
            forcible=True,
        )
    elif len(topology.nodes) > 1:
        yield from _direct.dropped(topology, "ptp")


def desired(topology: Topology, options: Options) -> Iterator[Object]:
    """Yield the pods, each with its route."""
    return _ptp.desired(topology, "ptp")
