"""What backends share whose pods are attached as Calico attaches them: a veth pair named by a hash, and no address on the node's end.

A pod has its address alone in a /32 and sends everything to 169.254.1.1, which nobody has: the node's end answers every ARP request
(proxy_arp) with its own MAC, ee:ee:ee:ee:ee:ee on every node, so that a pod could move without noticing. Proxy ARP answers only for
what the node itself would send out by another device, so the node needs a route that covers 169.254.1.1: its default route.

Source: Calico, cni-plugin/pkg/dataplane/linux, felix/dataplane/linux/endpoint_mgr.go, libcalico-go workload_endpoint_default.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from kemu.base.marks import Origin
from kemu.base.names import mac_address
from kemu.plan.base import pod_cable, pod_port
from kemu.plan.objects import Addr, Neigh, Object, Route, Sysctl, address
from kemu.spec.model import Node, Pod, Topology

NEEDS = frozenset({"link:veth", "link:bridge", "br_netfilter"})  # the last two for the fabric
FELIX = "80"  # the protocol of Felix' routes. Source: felix/config, DeviceRouteProtocol
_MAC = "ee:ee:ee:ee:ee:ee"
_GATEWAY = "169.254.1.1"


def desired(topology: Topology, part: str) -> Iterator[Object]:
    """Yield every node's pods, IPv4 only. `part` is the backend's name."""
    for node in topology.nodes:
        for pod in topology.wired_pods(node):
            origin = Origin(part=part, mark=pod.mark)
            yield from pod_cable(pod, replace(pod_port(pod, node, device(pod), node.link.mtu, origin), mac=_MAC))
            yield from _in_node(node, pod, origin)
            yield from _in_pod(pod, origin)


def device(pod: Pod) -> str:
    """Return the name of the node's end of a pod's veth: `cali` and 11 hex digits."""
    return f"cali{hashlib.sha1(pod.netns.encode(), usedforsecurity=False).hexdigest()[:11]}"


def _in_node(node: Node, pod: Pod, origin: Origin) -> Iterator[Object]:
    name, ip = device(pod), pod.addresses[0]
    for setting, value in _SETTINGS.items():
        yield Sysctl(netns=node.netns, name=setting.format(name), value=value, origin=origin)
    yield Neigh(netns=node.netns, dev=name, address=str(ip), mac=mac_address(pod.netns, "eth0"), origin=origin)
    yield Route(netns=node.netns, dst=address(ip, 32), dev=name, scope="link", protocol=FELIX, origin=origin)


_SETTINGS = {
    "net/ipv4/conf/{}/route_localnet": "1",
    "net/ipv4/conf/{}/proxy_arp": "1",
    "net/ipv4/neigh/{}/proxy_delay": "0",
    "net/ipv6/conf/{}/accept_ra": "0",
}


def _in_pod(pod: Pod, origin: Origin) -> Iterator[Object]:
    yield Addr(netns=pod.netns, dev="eth0", address=address(pod.addresses[0], 32), origin=origin)
    yield Route(netns=pod.netns, dst=f"{_GATEWAY}/32", dev="eth0", scope="link", origin=origin)
    yield Route(netns=pod.netns, dst="0.0.0.0/0", dev="eth0", via=_GATEWAY, origin=origin)
