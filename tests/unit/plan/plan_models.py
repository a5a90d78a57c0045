"""Small models built by hand, so that these tests need no YAML: two nodes, four pods, any backend and family."""

from __future__ import annotations

from ipaddress import ip_network
from types import ModuleType

import kemu_backends.canal
import kemu_backends.host_gw
import kemu_backends.kindnet
import kemu_backends.ptp
import kemu_backends.vxlan

from kemu.plan.build import Plan, build_plan
from kemu.spec.model import Backend, Fabric, IpFamily, IPNetwork, Networking, Node, Pod, PodRoutes, Segment, Topology

BACKENDS: dict[str, ModuleType] = {
    "canal": kemu_backends.canal,
    "host-gw": kemu_backends.host_gw,
    "kindnet": kemu_backends.kindnet,
    "ptp": kemu_backends.ptp,
    "vxlan": kemu_backends.vxlan,
}
FAMILIES = ("ipv4", "ipv6", "dual")
FLANNELS = [(backend, family) for backend in ("host-gw", "vxlan") for family in FAMILIES]
COMBINATIONS = [
    (backend, family) for backend in BACKENDS for family in FAMILIES if (backend, family == "ipv4") != ("canal", False)
]

_POD_SUBNETS = {4: ip_network("10.244.0.0/16"), 6: ip_network("fd00:10:244::/56")}
_SEGMENTS = {4: ip_network("172.18.0.0/16"), 6: ip_network("fd00:172:18::/64")}
_NODE_PREFIXES = {4: 24, 6: 64}


def build_topology(
    name: str = "demo", *, backend: str = "vxlan", family: str = "ipv4", nodes: int = 2, pods: int = 4, **options: object
) -> Topology:
    versions = IpFamily(family).versions
    machines = tuple(_node(position, versions) for position in range(nodes))
    return Topology(
        name=name,
        networking=_networking(backend, family, options),
        fabric=Fabric(
            mtu=1500, segments=(_segment(versions),), pod_routes=PodRoutes.STATIC if backend == "ptp" else PodRoutes.NONE
        ),
        nodes=machines,
        pods=tuple(_pod(number, machines[number % nodes], 2 + number // nodes) for number in range(pods)),
    )


def build(name: str = "demo", **shape: object) -> Plan:
    return build_plan(build_topology(name, **shape))  # type: ignore[arg-type]


def _networking(backend: str, family: str, options: dict[str, object]) -> Networking:
    versions = IpFamily(family).versions
    return Networking(
        backend=Backend(name=backend, options=BACKENDS[backend].Options(**options)),
        ip_family=IpFamily(family),
        pod_subnets=tuple(_POD_SUBNETS[version] for version in versions),
        service_subnets=(),
        node_prefixes=tuple(_NODE_PREFIXES[version] for version in versions),
    )


def _segment(versions: tuple[int, ...]) -> Segment:
    subnets = tuple(_SEGMENTS[version] for version in versions)
    return Segment(name="lan", position=0, subnets=subnets, router=tuple(subnet[1] for subnet in subnets))


def _node(position: int, versions: tuple[int, ...]) -> Node:
    return Node(
        name=f"n{position + 1}",
        position=position,
        segment="lan",
        addresses=tuple(_SEGMENTS[version][11 + position] for version in versions),
        pod_subnets=tuple(_pod_subnet(version, position) for version in versions),
    )


def _pod_subnet(version: int, position: int) -> IPNetwork:
    network = _POD_SUBNETS[version]
    size = 2 ** (network.max_prefixlen - _NODE_PREFIXES[version])
    return ip_network((int(network.network_address) + position * size, _NODE_PREFIXES[version]))


def _pod(number: int, node: Node, place: int) -> Pod:
    addresses = tuple(subnet[place] for subnet in node.pod_subnets)
    return Pod(name=f"p{number + 1}", namespace="default", node=node.name, addresses=addresses)
