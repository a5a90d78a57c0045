"""What every cluster has, whatever its backend: the fabric with its router, and a namespace for each node, pod and host.

The fabric is one namespace with a bridge for each segment; node, host and router hang on it by veth pairs, as machines on a switch.
A node's end is `eth0`. What happens between a node and its pods is the backend's.

Device indexes are part of the plan, from the place of a thing in the file, so that nothing has to be looked up by name.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from kemu.base.marks import Origin
from kemu.base.names import device_name, mac_address
from kemu.plan import fabric_filter
from kemu.plan.objects import Addr, Bridge, BridgePort, Link, Netns, NftTable, Object, Route, Sysctl, Veth, address, broadcast
from kemu.plan.shape import shape
from kemu.spec.model import Cable, Host, IPAddress, Node, Pod, PodRoutes, Segment, Topology

FABRIC = "fabric"
ROUTER = "router"

# Below 20 are devices that the kernel puts into every new namespace where a module is loaded, nine at most: tunl0, sit0, gre0 …
ETH0_INDEX = 20
BACKEND_INDEX = 21  # first of the indexes below 1000 in a node that a backend may give away
_BRIDGES = 20
_ROUTER_PORTS = 300
_POD_PORTS = 1000
_NODE_PORTS = 1000
_HOST_PORTS = 1_000_000
_FAR_POD_PORTS = 100_000

_ERROR_LIMITS = ("net/ipv4/icmp_ratelimit", "net/ipv6/icmp/ratelimit")

DEFAULT_ROUTE = {4: "0.0.0.0/0", 6: "::/0"}
IPV6_METRIC = 1024  # what the kernel gives an IPv6 route without a metric. Source: IP6_RT_PRIO_USER, include/net/ip6_route.h


def needs(topology: Topology) -> frozenset[str]:
    """Return the capabilities that the shared objects of a topology ask for, beside what every backend needs."""
    return fabric_filter.NEEDS if fabric_filter.is_wanted(topology.fabric) else frozenset()


def desired(topology: Topology) -> Iterator[Object]:
    """Yield the objects that all backends share."""
    yield from _fabric(topology)
    yield from _router(topology)
    for node in topology.nodes:
        yield from _node(topology, node)
    for pod in topology.pods:
        if not pod.host_network:
            yield from _pod(topology, pod)
    for host in topology.hosts:
        yield from _host(topology, host)


def pod_port_index(pod: Pod, node: Node) -> int:
    """Return the index of the node's side of a pod's veth: 1000 and the pod's place in the node's subnet.

    A pod with an address of its own far away in an IPv6 subnet gets one from its name.
    """
    place = int(pod.addresses[0]) - int(node.pod_subnets[0].network_address)
    if place < _FAR_POD_PORTS - _POD_PORTS:
        return _POD_PORTS + place
    return _FAR_POD_PORTS + zlib.crc32(pod.netns.encode()) % 2**30


def pod_cable(pod: Pod, near: Link) -> Iterator[Link]:
    """Yield the veth pair of a pod: `near` is the node's end, made by `pod_port`, and the other the pod's eth0."""
    yield near
    yield Link(
        netns=pod.netns,
        name="eth0",
        index=ETH0_INDEX,
        mac=mac_address(pod.netns, "eth0"),
        mtu=near.mtu,
        detail=Veth(peer_netns=near.netns, peer=near.name),
        origin=near.origin,
    )


def pod_port(pod: Pod, node: Node, name: str, mtu: int, origin: Origin) -> Link:
    """Return the node's end of a pod's veth pair, called `name`, on no bridge."""
    return Link(
        netns=node.netns,
        name=name,
        index=pod_port_index(pod, node),
        mac=mac_address(node.netns, name),
        mtu=mtu,
        detail=Veth(peer_netns=pod.netns, peer="eth0"),
        origin=origin,
    )


def pod_mtu(objects: Iterable[Object]) -> int | None:
    """Return the MTU of the first pod's device; None in a plan without pods."""
    return next((item.mtu for item in objects if isinstance(item, Link) and item.name == "eth0" and "." in item.netns), None)


def addresses(netns: str, dev: str, ips: tuple[IPAddress, ...], prefixes: tuple[int, ...], origin: Origin) -> Iterator[Addr]:
    """Yield `ips` on a device, each with its prefix length and, in IPv4, its network's broadcast address."""
    for ip, prefix in zip(ips, prefixes, strict=True):
        text = address(ip, prefix)
        yield Addr(netns=netns, dev=dev, address=text, broadcast=broadcast(text), origin=origin)


def route(netns: str, dst: object, dev: str, via: IPAddress, origin: Origin, *, onlink: bool = False) -> Route:
    """Return a plain route through a gateway, in the main table."""
    metric = IPV6_METRIC if via.version == 6 else 0
    return Route(netns=netns, dst=str(dst), dev=dev, via=str(via), metric=metric, onlink=onlink, origin=origin)


def default_routes(netns: str, dev: str, gateways: tuple[IPAddress, ...], origin: Origin) -> Iterator[Route]:
    """Yield a default route for each gateway."""
    for gateway in gateways:
        yield route(netns, DEFAULT_ROUTE[gateway.version], dev, gateway, origin)


def _families(topology: Topology, netns: str, origin: Origin) -> Iterator[Sysctl]:
    """Say what a namespace does with IPv6: nothing at all on its devices, or no waiting for duplicate addresses.

    Addresses follow the plan, so none is ever met twice, and a tentative one would fail the first seconds of every cluster.
    """
    if 6 in topology.networking.ip_family.versions:
        yield Sysctl(netns=netns, name="net/ipv6/conf/default/accept_dad", value="0", origin=origin)
    else:
        yield Sysctl(netns=netns, name="net/ipv6/conf/default/disable_ipv6", value="1", origin=origin)


def _forwarding(topology: Topology, netns: str, origin: Origin) -> Iterator[Sysctl]:
    names = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
    for version in topology.networking.ip_family.versions:
        yield Sysctl(netns=netns, name=names[version], value="1", origin=origin)


def _fabric(topology: Topology) -> Iterator[Object]:
    origin = Origin(part="fabric")
    yield Netns(netns=FABRIC, origin=origin)
    yield Sysctl(netns=FABRIC, name="net/ipv6/conf/default/disable_ipv6", value="1", origin=origin)
    for name in ("arptables", "ip6tables", "iptables"):  # a switch does not look into packets
        yield Sysctl(netns=FABRIC, name=f"net/bridge/bridge-nf-call-{name}", value="0", origin=origin)
    for segment in topology.fabric.segments:
        yield _segment_bridge(topology, segment)
    if fabric_filter.is_wanted(topology.fabric):
        yield _fabric_filter(topology, origin)


def _fabric_filter(topology: Topology, origin: Origin) -> NftTable:
    machines: list[Node | Host] = [*topology.nodes, *topology.hosts]
    owned = {_machine_port(one): one.addresses for one in machines}
    body = fabric_filter.body(topology.fabric, owned, map(_router_port, topology.fabric.segments))
    return NftTable(netns=FABRIC, family="bridge", name=FABRIC, body=body, origin=origin)


def _router_port(segment: Segment) -> str:
    """Return the name of the router's port in a segment. The dot keeps it apart from the machines' ports."""
    return f"router.{segment.position}"


def _machine_port(machine: Node | Host) -> str:
    """Return the name of a node's or host's port in its segment."""
    return device_name(machine.name)


def _segment_bridge(topology: Topology, segment: Segment) -> Link:
    name = _bridge_name(segment)
    return Link(
        netns=FABRIC,
        name=name,
        index=_BRIDGES + segment.position,
        mac=mac_address(FABRIC, name),
        mtu=_bridge_mtu(topology, segment),
        detail=Bridge(multicast_snooping=False),
        origin=Origin(part="fabric", mark=segment.mark),
    )


def _bridge_mtu(topology: Topology, segment: Segment) -> int:
    """Return the smallest of the ports' MTUs: the kernel makes it so. It hinders nobody, for frames pass from port to port."""
    machines: list[Node | Host] = [*topology.nodes, *topology.hosts]
    return min([segment.uplink.mtu, *(one.link.mtu for one in machines if one.segment == segment.name)])


def _bridge_name(segment: Segment) -> str:
    """Return the name of a segment's bridge. The dot keeps it apart from ports, which are called like machines."""
    return device_name(f"br.{segment.name}")


def _cable(
    segment: Segment, netns: str, dev: str, ends: tuple[tuple[str, int], int], cable: Cable, origin: Origin
) -> Iterator[Link]:
    """Yield the two ends of the veth that joins `dev` of `netns` to a segment; `ends` is (port's name, index) and the device's index."""
    (port, port_index), index = ends
    yield Link(
        netns=FABRIC,
        name=port,
        index=port_index,
        mac=mac_address(FABRIC, port),
        mtu=cable.mtu,
        detail=Veth(peer_netns=netns, peer=dev),
        up=cable.up,
        master=_bridge_name(segment),
        port=BridgePort(),
        origin=origin,
    )
    yield Link(
        netns=netns,
        name=dev,
        index=index,
        mac=mac_address(netns, dev),
        mtu=cable.mtu,
        detail=Veth(peer_netns=FABRIC, peer=port),
        up=cable.up,
        origin=origin,
    )


def _router(topology: Topology) -> Iterator[Object]:
    """Yield the router: an interface in every segment, and the routes that the file grants it; it answers unreachable for all else."""
    origin = Origin(part="router")
    yield Netns(netns=ROUTER, origin=origin)
    yield from _families(topology, ROUTER, origin)
    yield from _forwarding(topology, ROUTER, origin)
    for name in _ERROR_LIMITS:  # every packet to nowhere gets its answer, not only some a second
        yield Sysctl(netns=ROUTER, name=name, value="0", origin=origin)
    for segment in topology.fabric.segments:
        dev = f"eth{segment.position}"
        where = Origin(part="router", mark=segment.mark)
        port = _router_port(segment)
        ends = ((port, _ROUTER_PORTS + segment.position), ETH0_INDEX + segment.position)
        yield from _cable(segment, ROUTER, dev, ends, segment.uplink, where)
        yield from shape(FABRIC, port, segment.uplink.outward, segment.uplink.mtu, where)  # seen from the segment
        yield from shape(ROUTER, dev, segment.uplink.inward, segment.uplink.mtu, where)
        yield from addresses(ROUTER, dev, segment.router, _prefixes(segment), where)
    if topology.fabric.pod_routes is PodRoutes.STATIC:
        for node in topology.nodes:
            yield from _pod_routes(topology, node)


def _pod_routes(topology: Topology, node: Node) -> Iterator[Object]:
    """Yield the router's routes to a node's pods, as a cloud's route table has them."""
    dev = f"eth{topology.segment(node).position}"
    for subnet, gateway in zip(node.pod_subnets, node.addresses, strict=True):
        yield route(ROUTER, subnet, dev, gateway, Origin(part="podRoutes", mark=node.mark))


def _prefixes(segment: Segment) -> tuple[int, ...]:
    return tuple(subnet.prefixlen for subnet in segment.subnets)


def _machine(topology: Topology, machine: Node | Host, port_index: int, origin: Origin) -> Iterator[Object]:
    """Yield what nodes and hosts share: a namespace on a segment, with the router as its way out."""
    segment, link, port = topology.segment(machine), machine.link, _machine_port(machine)
    yield Netns(netns=machine.netns, origin=origin)
    yield from _families(topology, machine.netns, origin)
    yield from _cable(segment, machine.netns, "eth0", ((port, port_index), ETH0_INDEX), link, origin)
    yield from shape(machine.netns, "eth0", link.outward, link.mtu, origin)
    yield from shape(FABRIC, port, link.inward, link.mtu, origin)
    yield from addresses(machine.netns, "eth0", machine.addresses, _prefixes(segment), origin)
    yield from default_routes(machine.netns, "eth0", segment.router, origin)


def _node(topology: Topology, node: Node) -> Iterator[Object]:
    origin = Origin(part="nodes", mark=node.mark)
    yield from _machine(topology, node, _NODE_PORTS + node.position, origin)
    yield from _forwarding(topology, node.netns, origin)


def _host(topology: Topology, host: Host) -> Iterator[Object]:
    yield from _machine(topology, host, _HOST_PORTS + host.position, Origin(part="hosts", mark=host.mark))


def _pod(topology: Topology, pod: Pod) -> Iterator[Object]:
    origin = Origin(part="pods", mark=pod.mark)
    yield Netns(netns=pod.netns, origin=origin)
    yield from _families(topology, pod.netns, origin)


def users_settings(topology: Topology) -> Iterator[Sysctl]:
    """Yield the settings that the file itself asks for. They outrank kemu's own."""
    machines: list[Node | Pod] = [*topology.nodes, *topology.pods]
    for machine in machines:
        origin = Origin(part="sysctls", mark=machine.mark)
        for name, value in machine.sysctls.items():
            yield Sysctl(netns=machine.netns, name=_with_slashes(name), value=value, origin=origin)


def _with_slashes(name: str) -> str:
    """Return a setting's name as a path. As in sysctl(8), the first separator decides, and dots in a path are meant as such."""
    if "/" in name and ("." not in name or name.index("/") < name.index(".")):
        return name
    return name.translate(str.maketrans("./", "/."))
