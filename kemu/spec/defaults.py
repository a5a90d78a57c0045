"""Subnets and addresses where the file gives none: they follow from the order of the file, so they are the same on every machine.

Every function takes what is pinned and skips it. Addresses come back as tuples, a member for each IP version of the cluster.
"""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Collection, Container, Iterator, Mapping
from itertools import chain

from kemu.spec.model import IPAddress, IPNetwork

POD_SUBNETS = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}
NODE_PREFIXES = {4: 24, 6: 64}
SERVICE_SUBNETS = {4: "10.96.0.0/16", 6: "fd00:10:96::/112"}
FABRIC_SUBNETS = {4: "172.18.0.0/16", 6: "fd00:172:18::/64"}
FABRIC_WHOLES = {4: "172.18.0.0/16", 6: "fd00:172:18::/48"}
SEGMENT_PREFIXES = {4: 24, 6: 64}
WAY_OUT_WHOLES = {4: "198.18.0.0/15", 6: "fd00:198:18::/48"}  # IPv4: for benchmarks, so no machine has it. Source: RFC 2544
WAY_OUT_PREFIXES = {4: 30, 6: 126}
SEGMENT_NAME = "lan"
NODES_FROM = 11
HOSTS_FROM = 101
PODS_FROM = 2


def network(text: str) -> IPNetwork:
    """Return a subnet of the tables above."""
    return ipaddress.ip_network(text)


def way_out_subnet(version: int, cluster: str) -> IPNetwork:
    """Return the subnet of the link between a cluster's router and the machine, by the cluster's name; in IPv6 behind fd00:198:18."""
    whole, prefix = network(WAY_OUT_WHOLES[version]), WAY_OUT_PREFIXES[version]
    place = zlib.crc32(cluster.encode()) % 2**15
    step = _size(whole, prefix) if version == 4 else _size(whole, 64)
    return type(whole)((int(whole.network_address) + place * step, prefix))


def segment_subnets(version: int, count: int, pinned: Mapping[int, IPNetwork]) -> list[IPNetwork | None]:
    """Return the subnets of `count` segments: the pinned ones; of a single one all of the fabric's, of several parts from 1 on."""
    if count == 1:
        return [pinned.get(0) or network(FABRIC_SUBNETS[version])]
    whole, prefix = network(FABRIC_WHOLES[version]), SEGMENT_PREFIXES[version]
    return deal_subnets(whole, prefix, count, pinned, first=1)


def deal_subnets(
    whole: IPNetwork, prefix: int, count: int, pinned: Mapping[int, IPNetwork], *, first: int = 0
) -> list[IPNetwork | None]:
    """Return `count` subnets: the pinned one, else the part of `whole` at its own place, the first at place `first`.

    A place that a pinned subnet covers is skipped, and its owner gets one behind the others, or at last the place that a pinned
    one left empty; None where no part is left.
    """
    taken = list(pinned.values())
    rows = [pinned.get(i) or _own_part(whole, prefix, first + i, taken) for i in range(count)]
    left = (part for i in sorted(pinned) if (part := _own_part(whole, prefix, first + i, taken)))
    spare = chain(_free_parts(whole, prefix, first + count, taken), left)
    return [row or next(spare, None) for row in rows]


def _own_part(whole: IPNetwork, prefix: int, place: int, taken: Collection[IPNetwork]) -> IPNetwork | None:
    """Return a part of `whole` by its place, unless there is none or a pinned subnet overlaps it."""
    if place >= 2 ** (prefix - whole.prefixlen):
        return None
    part = type(whole)((int(whole.network_address) + place * _size(whole, prefix), prefix))
    return None if _first_overlap(part, taken) else part


def _free_parts(whole: IPNetwork, prefix: int, place: int, taken: Collection[IPNetwork]) -> Iterator[IPNetwork]:
    """Yield the parts of `whole` from a place on that no pinned subnet overlaps; leaps over whole pinned subnets."""
    size = _size(whole, prefix)
    start = int(whole.network_address) + place * size
    while start <= int(whole.broadcast_address):
        part = type(whole)((start, prefix))
        other = _first_overlap(part, taken)
        if other is None:
            yield part
        start = max(start + size, int(other.broadcast_address) + 1 if other else 0)


def _size(whole: IPNetwork, prefix: int) -> int:
    return int(2 ** (whole.max_prefixlen - prefix))


def _first_overlap(part: IPNetwork, others: Collection[IPNetwork]) -> IPNetwork | None:
    return next((one for one in others if one.version == part.version and one.overlaps(part)), None)


def free_addresses(subnet: IPNetwork, start: int, taken: Container[IPAddress]) -> Iterator[IPAddress]:
    """Yield the addresses of `subnet` that are not taken, from its `start`-th on, then those before; never its first or last."""
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    kind = type(subnet.network_address)
    for number in chain(range(first + start, last), range(first + 1, min(first + start, last))):
        address = kind(number)
        if address not in taken:
            yield address
