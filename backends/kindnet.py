"""kindnet: what kind wires its clusters with: each pod routed on its own, and plain routes between nodes.

Why:      the smallest thing that works where all nodes share a segment; no bridge, no tunnel.
Entries:  per node, for each other node: 1 route; for each pod of its own: 1 address, 1 route.
Cost:     0 bytes a packet; a packet to the pod next door is routed, too (ttl 63).
Fails as: nodes in two segments -> kindnetd adds no route and says nothing; a fabric that drops foreign addresses -> nothing passes
          between nodes.
Source:   kubernetes-sigs/kind, images/kindnetd/cmd/kindnetd; kubernetes-sigs/kindnet, pkg/masq.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kemu.base.errors import Problem
from kemu.base.marks import Origin
from kemu.plan.backend import Traits
from kemu.plan.objects import NftTable, Object
from kemu.spec.model import Node, Topology

from . import _direct, _ptp

TRAITS = Traits(
    family="routing",
    addresses="a subnet a node",
    overhead="0",
    policy="none, as kindnetd",
    control_plane="none: routes follow the file",
)
NEEDS = _ptp.NEEDS | {"nft:masquerade"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """kindnet has no options."""


def mtu(topology: Topology, options: Options, node: Node) -> int:
    """Return the MTU of the node's eth0, which kindnetd hands to the CNI plugin."""
    return node.link.mtu


def problems(topology: Topology, options: Options) -> Iterator[Problem]:
    """Yield a pair of nodes for each two segments: kindnetd routes only to nodes that it reaches without a gateway."""
    return _direct.problems(topology, "kindnet", "kindnetd")


def desired(topology: Topology, options: Options) -> Iterator[Object]:
    """Yield the pods, a route for each pair of nodes that share a segment, and what is translated on the way out."""
    yield from _ptp.desired(topology, "kindnet")
    for node in topology.nodes:
        origin = Origin(part="kindnet", mark=node.mark)
        yield NftTable(netns=node.netns, family="inet", name="kindnet-ipmasq", body=_rules(topology), origin=origin)
        for peer in _direct.neighbours(topology, node):
            yield from _direct.routes_to(node, peer, origin)


def _rules(topology: Topology) -> str:
    """Return kindnet's chain: what goes to pods of any node, or stays on this one, keeps its address."""
    sets = "\n".join(_set(topology, version) for version in (4, 6))
    return f"""{sets}
	chain postrouting {{
		type nat hook postrouting priority 90; policy accept;
		ct state established,related accept
		fib daddr type local accept
		ip daddr @noMasqV4 accept
		ip6 daddr @noMasqV6 accept
		masquerade
	}}"""


def _set(topology: Topology, version: int) -> str:
    kind = {4: "ipv4_addr", 6: "ipv6_addr"}[version]
    subnets = [str(subnet) for node in topology.nodes for subnet in node.pod_subnets if subnet.version == version]
    elements = f"\n\t\telements = {{ {', '.join(subnets)} }}" if subnets else ""
    return f"""\
	set noMasqV{version} {{
		type {kind}
		flags interval
		auto-merge{elements}
	}}
"""
