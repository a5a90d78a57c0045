"""Subnets and addresses where the file gives none: they follow from the order of the file, so they are the same on every machine.

Every function takes what is pinned and skips it. Addresses come back as tuples, a member for each IP version of the cluster.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping

from kemu.spec.model import IPAddress, IPNetwork

POD_SUBNETS = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}
NODE_PREFIXES = {4: 24, 6: 64}
SERVICE_SUBNETS = {4: "10.96.0.0/16", 6: "fd00:10:96::/112"}
SEGMENT_NAME = "lan"
NODES_FROM = 11
HOSTS_FROM = 101
PODS_FROM = 2


def pod_subnet(version: int) -> IPNetwork:
    """Return `networking.podSubnet` of a version."""
    return ipaddress.ip_network(POD_SUBNETS[version])


def service_subnet(version: int) -> IPNetwork:
    """Return `networking.serviceSubnet` of a version."""
    return ipaddress.ip_network(SERVICE_SUBNETS[version])


def segment_subnet(version: int, position: int, count: int) -> IPNetwork:
    """Return the subnet of the segment at `position` (from 0) of `count`: all of the fabric's, or a part numbered from 1."""
    if count == 1:
        return ipaddress.ip_network({4: "172.18.0.0/16", 6: "fd00:172:18::/64"}[version])
    number = position + 1
    return ipaddress.ip_network({4: f"172.18.{number}.0/24", 6: f"fd00:172:18:{number:x}::/64"}[version])


def node_subnets(whole: IPNetwork, prefix: int, count: int, pinned: Mapping[int, IPNetwork]) -> list[IPNetwork | None]:
    """Return the pod subnets of `count` nodes: the pinned one, else the part of `whole` at the node's own place.

    A place that somebody's pinned subnet covers is skipped, and its node gets one behind the others; None where no part is left.
    """
    parts = 2 ** (prefix - whole.prefixlen)
    rows = [pinned.get(i) or (_free_part(whole, prefix, i, pinned) if i < parts else None) for i in range(count)]
    spare = (part for i in range(count, parts) if (part := _free_part(whole, prefix, i, pinned)))
    return [row or next(spare, None) for row in rows]


def _free_part(whole: IPNetwork, prefix: int, place: int, pinned: Mapping[int, IPNetwork]) -> IPNetwork | None:
    """Return a part of `whole` by its place, unless a pinned subnet overlaps it."""
    start = int(whole.network_address) + place * 2 ** (whole.max_prefixlen - prefix)
    part = type(whole)((start, prefix))
    return None if any(_overlap(part, one) for one in pinned.values()) else part


def _overlap(one: IPNetwork, other: IPNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)


def free_addresses(subnet: IPNetwork, start: int, taken: Collection[IPAddress]) -> Iterator[IPAddress]:
    """Yield the addresses of `subnet` from its `start`-th that are not taken; never its last, the broadcast of IPv4."""
    first = int(subnet.network_address)
    kind = type(subnet.network_address)
    for number in range(first + start, int(subnet.broadcast_address)):
        address = kind(number)
        if address not in taken:
            yield address
