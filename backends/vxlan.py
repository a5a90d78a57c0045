"""vxlan: pods of other nodes are reached through a kernel VXLAN tunnel.

Why:      works over any IP underlay; nodes need not share a segment.
Entries:  per node, for each other node: 1 route, 1 neighbour, 1 forwarding entry, in each family.
Cost:     50 bytes a packet over IPv4, 70 over IPv6.
Fails as: MTU too large -> big packets vanish; UDP 8472 blocked -> nothing passes; one forwarding entry gone -> that node alone
          cannot be reached, for no broadcast ever crosses the tunnel.
Source:   flannel, Documentation/backends.md and pkg/backend/vxlan; RFC 7348.

Nothing is learned and nothing is flooded: the tunnel's only knowledge is what this file puts there. A peer is found in three steps:
the route names the peer's tunnel address as an on-link gateway, the permanent neighbour entry gives that address a MAC, and the
forwarding entry says behind which node's address the MAC lives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kemu.base.errors import Problem
from kemu.base.marks import Origin
from kemu.base.names import mac_address
from kemu.plan.backend import Traits, option
from kemu.plan.base import route
from kemu.plan.objects import Addr, Fdb, Link, Neigh, Object, Sysctl, Vxlan
from kemu.spec.model import Node, Topology

from . import _direct, _flannel

TRAITS = Traits(
    family="overlay",
    addresses="a subnet a node",
    overhead="50 (IPv6: 70)",
    policy="none, as flannel",
    control_plane="none: entries follow the file",
)
NEEDS = _flannel.NEEDS | {"link:vxlan"}

_OVERHEAD = {4: 50, 6: 70}  # outer Ethernet 14, IP 20 or 40, UDP 8, VXLAN 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of flannel's vxlan backend that shape the data plane."""

    vni: int = option(1, help="VXLAN network identifier; the device is called flannel.<vni>", least=1, most=2**24 - 1)
    port: int = option(8472, help="UDP port of the tunnel, on every node", least=1, most=65535)
    direct_routing: bool = option(False, help="plain routes, as host-gw, to nodes of the same segment")


def mtu(topology: Topology, options: Options, node: Node) -> int:
    """Return that of the node's own link less 50 bytes, over IPv6 too.

    flannel says 50 for both families although IPv6 needs 70: there the tunnel device is 20 bytes smaller than the pods', and a node
    answers "packet too big".
    """
    return node.link.mtu - _OVERHEAD[4]


def problems(topology: Topology, options: Options) -> Iterator[Problem]:
    """Yield what only plain routes meet: a tunnel needs no more than that nodes reach each other."""
    if options.direct_routing and len({node.segment for node in topology.nodes}) < len(topology.nodes):
        yield from _direct.dropped(topology, "directRouting")


def desired(topology: Topology, options: Options) -> Iterator[Object]:
    """Yield the shared objects of flannel, and the tunnels."""
    yield from _flannel.desired(topology, "vxlan", overhead=_OVERHEAD[4])
    yield from tunnels(topology, options, "vxlan")


def tunnels(topology: Topology, options: Options, part: str) -> Iterator[Object]:
    """Yield a tunnel device a node and family, and three entries for each pair of nodes. `part` is the backend's name."""
    for node in topology.nodes:
        origin = Origin(part=part, mark=node.mark)
        yield from _devices(options, node, origin)
        for peer in _direct.peers(topology, node):
            direct = options.direct_routing and peer.segment == node.segment
            yield from _direct.routes_to(node, peer, origin) if direct else _entries(options, node, peer, origin)


def _device(options: Options, version: int) -> str:
    return f"flannel.{options.vni}" if version == 4 else f"flannel-v6.{options.vni}"


def _devices(options: Options, node: Node, origin: Origin) -> Iterator[Object]:
    for subnet, local in zip(node.pod_subnets, node.addresses, strict=True):
        name = _device(options, subnet.version)
        yield Link(
            netns=node.netns,
            name=name,
            index=_flannel.TUNNEL_INDEX + (subnet.version == 6),
            mac=mac_address(node.netns, name),
            mtu=node.link.mtu - _OVERHEAD[subnet.version],
            detail=Vxlan(vni=options.vni, local=str(local), lower="eth0", port=options.port, learning=False),
            origin=origin,
        )
        yield Sysctl(netns=node.netns, name=f"net/ipv6/conf/{name}/accept_ra", value="0", origin=origin)
        yield Addr(netns=node.netns, dev=name, address=f"{subnet.network_address}/{subnet.max_prefixlen}", origin=origin)


def _entries(options: Options, node: Node, peer: Node, origin: Origin) -> Iterator[Object]:
    for subnet, outer in zip(peer.pod_subnets, peer.addresses, strict=True):
        dev = _device(options, subnet.version)
        mac = mac_address(peer.netns, dev)
        yield Neigh(netns=node.netns, dev=dev, address=str(subnet.network_address), mac=mac, origin=origin)
        yield Fdb(netns=node.netns, dev=dev, mac=mac, dst=str(outer), origin=origin)
        yield route(node.netns, subnet, dev, subnet.network_address, origin, onlink=True)
