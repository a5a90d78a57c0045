"""What backends share whose pods hang on no bridge: the CNI plugin ptp, a veth pair and a route for each pod.

A pod has an address of its node's subnet, with the subnet's prefix length, and yet no neighbour in it: the connected route is taken
away, and everything, the pod next door too, goes through the gateway. That is the node, which holds the gateway's address on every veth.

Source: containernetworking/plugins, plugins/main/ptp/ptp.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface

from kemu.base.marks import Origin
from kemu.base.names import veth_name
from kemu.plan.base import IPV6_METRIC, default_routes, pod_cable, pod_port
from kemu.plan.objects import Addr, Object, Route, address, broadcast
from kemu.spec.model import IPAddress, Node, Pod, Topology

NEEDS = frozenset({"link:veth", "link:bridge", "br_netfilter"})  # the last two for the fabric


def desired(topology: Topology, part: str) -> Iterator[Object]:
    """Yield every node's pods. `part` is the backend's name."""
    for node in topology.nodes:
        for pod in topology.wired_pods(node):
            origin = Origin(part=part, mark=pod.mark)
            yield from pod_cable(pod, pod_port(pod, node, veth_name(pod.netns), node.link.mtu, origin))
            for ip, gateway in zip(pod.addresses, node.gateways, strict=True):
                yield from _in_node(node, veth_name(pod.netns), ip, gateway, origin)
            for ip, gateway, prefix in zip(pod.addresses, node.gateways, node.pod_prefixes, strict=True):
                yield from _in_pod(pod, ip, gateway, prefix, origin)


def _in_node(node: Node, dev: str, ip: IPAddress, gateway: IPAddress, origin: Origin) -> Iterator[Object]:
    whole = ip.max_prefixlen
    yield Addr(netns=node.netns, dev=dev, address=address(gateway, whole), origin=origin)
    scope = "host" if ip.version == 4 else "global"  # IPv6 routes have no scope
    yield Route(netns=node.netns, dst=address(ip, whole), dev=dev, scope=scope, metric=_metric(ip), origin=origin)


def _in_pod(pod: Pod, ip: IPAddress, gateway: IPAddress, prefix: int, origin: Origin) -> Iterator[Object]:
    text = address(ip, prefix)
    subnet = str(ip_interface(text).network)
    yield Addr(
        netns=pod.netns, dev="eth0", address=text, broadcast=broadcast(text), lacks=(f"connected {subnet}",), origin=origin
    )
    scope = "link" if ip.version == 4 else "global"
    way = {"netns": pod.netns, "dev": "eth0", "src": str(ip), "metric": _metric(ip), "origin": origin}
    yield Route(dst=address(gateway, ip.max_prefixlen), scope=scope, **way)  # type: ignore[arg-type]
    yield Route(dst=subnet, via=str(gateway), **way)  # type: ignore[arg-type]
    yield from default_routes(pod.netns, "eth0", (gateway,), origin)


def _metric(ip: IPAddress) -> int:
    return IPV6_METRIC if ip.version == 6 else 0
