"""canal: Calico's pods and policies over flannel's VXLAN tunnel.

Why:      the tunnel of flannel, which needs nothing of the network, for clusters that want NetworkPolicies.
Entries:  per node, for each other node: 1 route, 1 neighbour, 1 forwarding entry; for each pod of its own: 1 route, 1 neighbour.
Cost:     50 bytes a packet.
Fails as: Felix does not know of the tunnel and gives pods the MTU of the node: a packet that fills it does not fit into the tunnel, and
          where the "fragmentation needed" is lost, big packets vanish; UDP 8472 blocked -> nothing passes. No IPv6.
Source:   Calico, manifests/canal.yaml; flannel, pkg/backend/vxlan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kemu.base.errors import Problem
from kemu.plan.backend import Traits
from kemu.plan.objects import Object
from kemu.spec.model import Node, Topology

from . import _calico, _flannel, vxlan

TRAITS = Traits(
    family="overlay",
    addresses="a subnet a node",
    overhead="50",
    policy="Calico's: not yet",
    control_plane="none: entries follow the file",
)
NEEDS = _calico.NEEDS | {"link:vxlan", "nft:masquerade"}
_TUNNEL = vxlan.Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """canal has no options."""


def mtu(topology: Topology, options: Options, node: Node) -> int:
    """Return that of the node's own link, as Felix does with veth_mtu 0: the tunnel's 50 bytes are not taken off."""
    return node.link.mtu


def problems(topology: Topology, options: Options) -> Iterator[Problem]:
    """Yield what the manifest switches off: IPv6."""
    if 6 in topology.networking.ip_family.versions:
        yield Problem(
            message="canal has no IPv6: its manifest switches it off",
            mark=topology.networking.backend.mark,
            hint="ipFamily: ipv4, or another backend, such as vxlan",
        )


def desired(topology: Topology, options: Options) -> Iterator[Object]:
    """Yield flannel's tunnel and its rules, without cni0, and Calico's pods."""
    yield from vxlan.tunnels(topology, _TUNNEL, "canal")
    yield from _calico.desired(topology, "canal")
    yield from _flannel.masquerade(topology, "canal")
