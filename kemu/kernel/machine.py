"""The machine's own network namespace: the few things in it that are a cluster's, and nothing else.

What is a cluster's there is known by name and mark: a device by its alias, an nft table by its comment. All functions act on the
namespace that the thread is in.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_interface, ip_network

from kemu.base.errors import KernelError, MachineError, StateError
from kemu.base.names import way_out_name
from kemu.kernel import capability, forwarding, messages, nft, sysctl
from kemu.kernel.firewall import find_obstacles
from kemu.kernel.netlink import Netlink, attributes
from kemu.plan.internet import mark, table_name
from kemu.plan.objects import MACHINE, Addr, Forwarding, NftTable, Object
from kemu.spec.defaults import WAY_OUT_WHOLES
from kemu.spec.model import IPNetwork

_FAMILY = "inet"
_IFLA_IFNAME, _IFLA_IFALIAS = 3, 20
_RTA_DST, _RTA_OIF = 1, 4
_RTPROT_RA = 9
_LOCAL = 255
#: Networks that are nobody's on the internet, in the order in which a way out may have them.
_POOLS = {
    4: (WAY_OUT_WHOLES[4], "10.255.0.0/16", "172.31.0.0/16", "192.168.128.0/17", "100.64.0.0/10"),
    6: (WAY_OUT_WHOLES[6], "fd00:198:19::/48"),
}
_HEADER = struct.Struct("IHHII")


def find_device(netlink: Netlink, cluster: str) -> bytes | None:
    """Return the message, header and all, that describes a cluster's device; None where there is none with its mark."""
    data = _find_link(netlink, way_out_name(cluster))
    return data if data and _alias(data) == mark(cluster) else None


def _find_link(netlink: Netlink, name: str) -> bytes | None:
    [body] = netlink.ask(messages.RTM_GETLINK, [messages.by_name(name)])
    return _HEADER.pack(len(body) + 16, messages.RTM_NEWLINK, 0, 0, 0) + body if body else None


def _alias(data: bytes) -> str:
    return attributes(data[32:]).get(_IFLA_IFALIAS, b"").rstrip(b"\0").decode(errors="replace")


def index_of(data: bytes) -> int:
    """Return the index in a message that describes a device."""
    return int(struct.unpack_from("i", data, 20)[0])


def find_table(cluster: str) -> str | None:
    """Return the body of a cluster's table; None where there is none with its mark."""
    name = table_name(cluster)
    if name not in _tables():
        return None
    body = nft.body(_FAMILY, name)
    return body if f'comment "{mark(cluster)}"' in body else None


def _tables() -> list[str]:
    """Return the names of the machine's tables of our family. To ask for them would load nf_tables; where that is not, there are none."""
    if capability.is_loadable("nf_tables"):
        return []
    return [name for family, name in nft.tables() if family == _FAMILY]


def has_traces(cluster: str) -> bool:
    """Say whether anything of a cluster is on the machine."""
    with Netlink() as netlink:
        if find_device(netlink, cluster):
            return True
    return bool(forwarding.claims(cluster)) or find_table(cluster) is not None


def find_clusters() -> list[str]:
    """Return the clusters that have a table on the machine, or had forwarding switched on."""
    prefix = table_name("")
    named = [name.removeprefix(prefix) for name in _tables() if name.startswith(prefix)]
    return [*forwarding.find_clusters(), *(cluster for cluster in named if find_table(cluster))]


def clear(cluster: str) -> None:
    """Take away everything of a cluster; what is gone already is fine.

    The device would go with the router's namespace, but at a time of the kernel's choosing.
    """
    if find_table(cluster) is not None:
        nft.run(f"delete table {_FAMILY} {table_name(cluster)}")
    with Netlink() as netlink:
        data = find_device(netlink, cluster)
        for refusal in netlink.send([messages.remove_link(index_of(data))]) if data else ():
            if refusal.errno not in messages.GONE:
                name = way_out_name(cluster)
                raise KernelError(f"the kernel refused to remove {name}: {os.strerror(refusal.errno)}", errno=refusal.errno)
    for family in forwarding.claims(cluster):
        forwarding.release(cluster, family)


def read_entries(netlink: Netlink, cluster: str) -> Iterator[NftTable | Forwarding]:
    """Yield a cluster's table, and forwarding of the IP versions of its device and its claims, each with what it lacks."""
    body = find_table(cluster)
    if body is not None:
        yield NftTable(netns=MACHINE, family=_FAMILY, name=table_name(cluster), body=body)
    device = find_device(netlink, cluster)
    for family in sorted({*_versions(netlink, device), *forwarding.claims(cluster)}):
        inner = way_out_name(cluster)
        yield Forwarding(netns=MACHINE, family=family, inner=inner, lacks=tuple(forwarding.missing(family, inner)))


def _versions(netlink: Netlink, device: bytes | None) -> set[int]:
    """Return the IP versions of a device's addresses, but link-local ones."""
    if device is None:
        return set()
    dump = netlink.dump(messages.RTM_GETADDR, bytes(8))
    ours = [data for data in dump if struct.unpack_from("I", data, 20)[0] == index_of(device) and data[19] == 0]
    return {4 if data[16] == socket.AF_INET else 6 for data in ours}


def leads_to(netlink: Netlink, address: str, index: int) -> bool:
    """Say whether the machine would send a packet for `address` out of the device with this index."""
    [answer] = netlink.ask(messages.RTM_GETROUTE, [messages.way_to(address)])
    return answer is not None and attributes(answer[12:]).get(_RTA_OIF) == struct.pack("I", index)


# --- before anything is touched -----------------------------------------------------------------------------------------------------


def check(objects: Iterable[Object], cluster: str) -> None:
    """Raise an error with the way out if the machine has no room for the objects that a plan puts into its namespace."""
    items = [item for item in objects if item.netns == MACHINE]
    if not items:
        return
    with Netlink() as netlink:
        _check_names(netlink, cluster)
        own = find_device(netlink, cluster)
        networks = [ip_interface(item.address).network for item in items if isinstance(item, Addr)]
        _check_networks(networks, _networks(netlink, index_of(own) if own else 0), cluster)
        if any(isinstance(item, Forwarding) and item.family == 6 for item in items):
            _check_advertised(netlink)


def _check_names(netlink: Netlink, cluster: str) -> None:
    device, table = way_out_name(cluster), table_name(cluster)
    if _find_link(netlink, device) and not find_device(netlink, cluster):
        raise StateError(f"the device {device} exists and is not kemu's", hint=f"ip link del {device}, or rename the cluster")
    if table in _tables() and find_table(cluster) is None:
        hint = f"nft delete table {_FAMILY} {table}, or rename the cluster"
        raise StateError(f"the nft table {_FAMILY} {table} exists and is not kemu's", hint=hint)


def _networks(netlink: Netlink, own: int) -> list[IPNetwork]:
    """Return the networks that the machine has routes to, but for default routes, whole tables of the kernel's own, and device `own`."""
    found: list[IPNetwork] = []
    for data in netlink.dump(messages.RTM_GETROUTE, bytes(12)):
        values = attributes(data[28:])
        address, length, table = values.get(_RTA_DST), data[17], data[20]
        if address and not forwarding.leads_anywhere(data) and table != _LOCAL and values.get(_RTA_OIF) != struct.pack("I", own):
            found.append(ip_network((address, length)))
    return [one for one in found if not one.is_multicast and not one.is_link_local]


def _check_networks(wanted: Iterable[IPNetwork], taken: list[IPNetwork], cluster: str) -> None:
    for network in wanted:
        for other in taken:
            if overlaps(network, other):
                free = find_free(network, taken)
                raise MachineError(
                    f"the way out of {cluster} would be {network}, and this machine has a route to {other}",
                    hint="choose another" + (f": internet: {{subnet: {free}}}" if free else " with internet: {subnet: …}"),
                )


def overlaps(one: IPNetwork, other: IPNetwork) -> bool:
    """Say whether two networks, of any IP versions, have an address in common."""
    return one.version == other.version and one.overlaps(other)


def find_free(network: IPNetwork, taken: Iterable[IPNetwork]) -> IPNetwork | None:
    """Return a network of the same size that meets none of `taken` and is nobody's on the internet; None if all those are taken."""
    taken = list(taken)
    for pool in _POOLS[network.version]:
        whole = ip_network(pool)
        start = int(whole.network_address)
        while start <= int(whole.broadcast_address):
            candidate = ip_network((start, network.prefixlen))
            met = [other for other in taken if overlaps(candidate, other)]
            if not met:
                return candidate
            start = max(int(one.broadcast_address) // candidate.num_addresses for one in met) * candidate.num_addresses
            start += candidate.num_addresses
    return None


def _check_advertised(netlink: Netlink) -> None:
    """Raise MachineError if forwarding of IPv6 would make the machine forget a route that a router advertised to it.

    Whoever forwards is a router, and takes no routes from others unless accept_ra is 2. Single devices that forward are none.
    Source: addrconf_fixup_forwarding and rt6_purge_dflt_routers, net/ipv6.
    """
    if forwarding.can_force() or sysctl.find("net/ipv6/conf/all/forwarding") == "1":
        return
    advertised = [data for data in forwarding.default_routes(netlink, 6) if data[21] == _RTPROT_RA]
    names = sorted({name for data in advertised for name in forwarding.devices_of(data)})
    for name in names:
        if sysctl.find(f"net/ipv6/conf/{name}/accept_ra") == "1":
            raise MachineError(
                f"the IPv6 default route of this machine was advertised on {name}, and would go as soon as it forwards IPv6",
                hint=f"sysctl -w net.ipv6.conf.{name}.accept_ra=2 keeps it; then up again",
            )


def warnings(objects: Iterable[Object], cluster: str) -> list[str]:
    """Return why packets may not get out, as far as one can see: no default route, or a firewall of the machine's that drops them."""
    families = [item.family for item in objects if isinstance(item, Forwarding)]
    if not families:
        return []
    lines = [
        f"this machine has no IPv{family} default route, so nothing leads out of {cluster}"
        for family in families
        if not forwarding.ways_out(family)
    ]
    return [*lines, *find_obstacles(way_out_name(cluster), families)]
