"""What flannel's backends share: the bridge cni0 with its pods, and the rules for traffic that leaves the cluster.

Source: flannel, Documentation/configuration.md and pkg/trafficmngr/nftables; containernetworking/plugins, plugins/main/bridge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kemu.base.marks import Origin
from kemu.base.names import mac_address, veth_name
from kemu.plan.base import BACKEND_INDEX, addresses, default_routes, pod_cable, pod_port, route
from kemu.plan.objects import Bridge, BridgePort, Link, NftTable, Object, Sysctl
from kemu.spec.model import IPNetwork, Node, Pod, Topology

BRIDGE = "cni0"
NEEDS = frozenset({"link:veth", "link:bridge", "br_netfilter", "nft:masquerade"})
TUNNEL_INDEX = BACKEND_INDEX + 1  # flannel.1; the one of the other family follows

_MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}
_WORD = {4: "ip", 6: "ip6"}


def desired(topology: Topology, part: str, *, overhead: int) -> Iterator[Object]:
    """Yield every node's bridge, pods and rules. `part` is the backend's name, `overhead` what it takes of the MTU of a node's link.

    flanneld writes that MTU, of the interface to the other nodes, into the file from which the CNI plugin takes it.
    """
    for node in topology.nodes:
        mtu = node.link.mtu - overhead
        origin = Origin(part=part, mark=node.mark)
        yield from _bridge(topology, node, mtu, origin)
        yield from _tables(topology, node, origin)
        for pod in topology.wired_pods(node):
            yield from _pod(topology, node, pod, mtu, Origin(part=part, mark=pod.mark))


def _bridge(topology: Topology, node: Node, mtu: int, origin: Origin) -> Iterator[Object]:
    """Yield cni0, which the CNI plugin makes for the first pod: a node without pods has none.

    Packets between two pods of a node must meet the node's rules too, else the answer of a Service's pod is never translated back.
    """
    for tables in ("ip6tables", "iptables"):
        yield Sysctl(netns=node.netns, name=f"net/bridge/bridge-nf-call-{tables}", value="1", origin=origin)
    if not topology.wired_pods(node):
        return
    mac = mac_address(node.netns, BRIDGE)
    yield Link(netns=node.netns, name=BRIDGE, index=BACKEND_INDEX, mac=mac, mtu=mtu, detail=Bridge(), origin=origin)
    yield Sysctl(netns=node.netns, name=f"net/ipv6/conf/{BRIDGE}/accept_ra", value="0", origin=origin)
    yield from addresses(node.netns, BRIDGE, node.gateways, node.pod_prefixes, origin)


def _pod(topology: Topology, node: Node, pod: Pod, mtu: int, origin: Origin) -> Iterator[Object]:
    near = pod_port(pod, node, veth_name(pod.netns), mtu, origin)
    yield from pod_cable(pod, replace(near, master=BRIDGE, port=BridgePort(hairpin=True)))
    yield Sysctl(netns=pod.netns, name="net/ipv4/conf/eth0/arp_notify", value="1", origin=origin)
    yield from addresses(pod.netns, "eth0", pod.addresses, node.pod_prefixes, origin)
    for network, gateway in zip(topology.networking.pod_subnets, node.gateways, strict=True):
        yield route(pod.netns, network, "eth0", gateway, origin)
    yield from default_routes(pod.netns, "eth0", node.gateways, origin)


def masquerade(topology: Topology, part: str) -> Iterator[NftTable]:
    """Yield flannel's rules for every node."""
    for node in topology.nodes:
        yield from _tables(topology, node, Origin(part=part, mark=node.mark))


def _tables(topology: Topology, node: Node, origin: Origin) -> Iterator[NftTable]:
    for cluster, local in zip(topology.networking.pod_subnets, node.pod_subnets, strict=True):
        word = _WORD[cluster.version]
        name = f"flannel-ipv{cluster.version}"
        yield NftTable(netns=node.netns, family=word, name=name, body=_rules(word, name, cluster, local), origin=origin)


def _rules(word: str, name: str, cluster: IPNetwork, local: IPNetwork) -> str:
    """Return flannel's two chains. The fourth rule returns whatever goes into the cluster, so the last one never masquerades."""
    return f"""\
	comment "rules for {name}"

	chain forward {{
		comment "chain to accept flannel traffic"
		type filter hook forward priority filter; policy accept;
		{word} saddr {cluster} accept
		{word} daddr {cluster} accept
	}}

	chain postrtg {{
		comment "chain to manage traffic masquerading by flannel"
		type nat hook postrouting priority srcnat; policy accept;
		meta mark 0x00004000 return
		{word} saddr {local} {word} daddr {cluster} return
		{word} saddr {cluster} {word} daddr {local} return
		{word} saddr != {local} {word} daddr {cluster} return
		{word} saddr {cluster} {word} daddr != {_MULTICAST[cluster.version]} masquerade fully-random
		{word} saddr != {cluster} {word} daddr {cluster} masquerade fully-random
	}}"""
