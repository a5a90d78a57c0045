"""`internet: true`: a veth pair from the router to the machine's own namespace, and translation of addresses at both of its ends.

The router gives every packet that leaves the address of its end of the link, so the machine never sees an address of the cluster;
the machine gives it its own. What comes back is let in as an answer, and nothing else is. These are the only objects outside
the cluster's namespaces: one device, its addresses, one nft table, and that the machine forwards.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from kemu.base.marks import Origin
from kemu.base.names import mac_address, way_out_name
from kemu.plan.base import ROUTER, addresses, default_routes
from kemu.plan.objects import MACHINE, Addr, Forwarding, Link, NftTable, Object, Route, Sysctl, Veth
from kemu.spec.defaults import way_out_subnet
from kemu.spec.model import IPNetwork, Topology

NEEDS = frozenset({"link:veth", "nft:masquerade", "nft:conntrack"})

DEVICE = "internet"
_INDEX = 999  # in the router; its segments have 20, 21 …
_FIRST_INDEX = 2**30  # in the machine, whose own devices count from 1
_MTU = 1500
_LAST_METRIC = 0xFF000000
_WORD = {4: "ip", 6: "ip6"}


def desired(topology: Topology) -> Iterator[Object]:
    """Yield the way out of a topology that asks for one."""
    if topology.internet is None:
        return
    origin = Origin(part="internet", mark=topology.internet.mark)
    subnets = link_subnets(topology)
    yield from _link(topology.name, origin)
    yield from _router(topology, subnets, origin)
    yield from _machine(topology.name, subnets, origin)


def link_subnets(topology: Topology) -> tuple[IPNetwork, ...]:
    """Return the subnets of the link: the file's, else those that follow from the cluster's name."""
    said = topology.internet.subnets if topology.internet else {}
    versions = topology.networking.ip_family.versions
    return tuple(said.get(version) or way_out_subnet(version, topology.name) for version in versions)


def table_name(cluster: str) -> str:
    """Return the name of a cluster's table in the machine's own namespace."""
    return f"kemu-{cluster}"


def mark(cluster: str) -> str:
    """Return what says that a device or a table of the machine is a cluster's: the device's alias, the table's comment."""
    return f"kemu:{cluster}.{MACHINE}"


def announcements(objects: Iterable[Object]) -> list[str]:
    """Return what a plan changes in the machine's own network, in one line; none if nothing."""
    items = [item for item in objects if item.netns == MACHINE]
    devices = [item.name for item in items if isinstance(item, Link)]
    texts = [item.address for item in items if isinstance(item, Addr)]
    tables = [f"{item.family} {item.name}" for item in items if isinstance(item, NftTable)]
    return [
        f"internet: this machine gets the device {device} ({', '.join(texts)}) and the nft table {table}, and forwards packets "
        "between it and its default route, until the cluster goes"
        for device, table in zip(devices, tables, strict=True)
    ]


def _link(cluster: str, origin: Origin) -> Iterator[Link]:
    name = way_out_name(cluster)
    ends = ((MACHINE, name, _FIRST_INDEX + zlib.crc32(cluster.encode()) % 2**29, mark(cluster)), (ROUTER, DEVICE, _INDEX, ""))
    for (netns, dev, index, alias), (peer_netns, peer, _, _) in (ends, ends[::-1]):
        yield Link(
            netns=netns,
            name=dev,
            index=index,
            mac=mac_address(cluster, netns, dev),
            mtu=_MTU,
            detail=Veth(peer_netns=peer_netns, peer=peer),
            alias=alias,
            origin=origin,
        )


def _router(topology: Topology, subnets: tuple[IPNetwork, ...], origin: Origin) -> Iterator[Object]:
    prefixes = tuple(subnet.prefixlen for subnet in subnets)
    yield from addresses(ROUTER, DEVICE, tuple(subnet[2] for subnet in subnets), prefixes, origin)
    yield from default_routes(ROUTER, DEVICE, tuple(subnet[1] for subnet in subnets), origin)
    for network in _inner(topology):
        yield _dead_end(network, origin)
    yield NftTable(netns=ROUTER, family="inet", name="kemu-internet", body=_ROUTER_RULES, origin=origin)


def _inner(topology: Topology) -> Iterator[IPNetwork]:
    """Yield the subnets that belong to the cluster, and so never lie beyond the default route."""
    pods = [subnet for node in topology.nodes for subnet in node.pod_subnets]
    every = [*topology.networking.pod_subnets, *topology.networking.service_subnets, *pods]
    yield from collapse_addresses(one for one in every if isinstance(one, IPv4Network))
    yield from collapse_addresses(one for one in every if isinstance(one, IPv6Network))


def _dead_end(network: IPNetwork, origin: Origin) -> Route:
    """Return the route of last resort that answers "unreachable", as the router does for all that it does not know."""
    dev = "lo" if network.version == 6 else ""  # the kernel says so of IPv6's
    return Route(netns=ROUTER, dst=str(network), dev=dev, metric=_LAST_METRIC, type="unreachable", origin=origin)


#: Only answers come in (the kernel's own neighbour discovery is of no connection at all, "untracked"). What belongs to no connection
#: is not translated, so it must not leave.
_ROUTER_RULES = f"""\
	comment "the way out: answers come in, nothing else"

	chain input {{
		type filter hook input priority filter; policy accept;
		iifname "{DEVICE}" ct state {{ new, invalid }} drop
	}}

	chain forward {{
		type filter hook forward priority filter; policy accept;
		iifname "{DEVICE}" ct state {{ new, invalid }} drop
		oifname "{DEVICE}" ct state invalid drop
	}}

	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
		oifname "{DEVICE}" masquerade
	}}"""


def _machine(cluster: str, subnets: tuple[IPNetwork, ...], origin: Origin) -> Iterator[Object]:
    dev = way_out_name(cluster)
    versions = tuple(subnet.version for subnet in subnets)
    yield Sysctl(netns=MACHINE, name=f"net/ipv6/conf/{dev}/disable_ipv6", value="0" if 6 in versions else "1", origin=origin)
    yield from addresses(
        MACHINE, dev, tuple(subnet[1] for subnet in subnets), tuple(subnet.prefixlen for subnet in subnets), origin
    )
    yield NftTable(
        netns=MACHINE, family="inet", name=table_name(cluster), body=_machine_rules(cluster, dev, subnets), origin=origin
    )
    for version in versions:
        yield Forwarding(netns=MACHINE, family=version, inner=dev, origin=origin)


def _machine_rules(cluster: str, dev: str, subnets: tuple[IPNetwork, ...]) -> str:
    rules = "\n".join(f'\t\t{_WORD[subnet.version]} saddr {subnet} oifname != "{dev}" masquerade' for subnet in subnets)
    return f"""\
	comment "{mark(cluster)}"

	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
{rules}
	}}"""
