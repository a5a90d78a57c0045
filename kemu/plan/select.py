"""The part of a plan that serves one endpoint: what a packet to it or from it meets."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from kemu.plan.base import FABRIC
from kemu.plan.objects import Addr, Fdb, Link, Neigh, Object, Qdisc, Route, Sysctl, Veth
from kemu.plan.sysctls import device_of
from kemu.spec.endpoints import Endpoint


def select(objects: Iterable[Object], endpoint: Endpoint) -> list[Object]:
    """Return the objects of a plan that serve an endpoint, in the plan's order.

    All of its own namespace; of its node what is not another pod's; of the fabric its cable; of other nodes the routes to its
    addresses, with the neighbours and forwarding entries that they lead over.
    """
    every = list(objects)
    home = endpoint.node if endpoint.kind == "pod" else endpoint.netns
    others = _strange_devices(every, endpoint, home)
    ways = [
        item
        for item in every
        if isinstance(item, Route) and item.netns not in (home, endpoint.netns) and _leads_to(item, endpoint)
    ]
    return [item for item in every if _serves(item, endpoint, home, others) or item in ways or _is_step(item, ways, every)]


def _strange_devices(objects: list[Object], endpoint: Endpoint, home: str) -> set[tuple[str, str]]:
    """Return the devices at home and on the fabric whose other end belongs to somebody else."""
    ends = {endpoint.netns, home, FABRIC}
    return {
        (item.netns, item.name)
        for item in objects
        if isinstance(item, Link)
        and item.netns in (home, FABRIC)
        and isinstance(item.detail, Veth)
        and item.detail.peer_netns not in ends
    }


def _serves(item: Object, endpoint: Endpoint, home: str, others: set[tuple[str, str]]) -> bool:
    if item.netns == endpoint.netns:
        return True
    return item.netns in (home, FABRIC) and (item.netns, _device(item)) not in others


def _device(item: Object) -> str:
    match item:
        case Link():
            return item.name
        case Sysctl():
            return device_of(item.name)
        case Addr() | Route() | Neigh() | Fdb() | Qdisc():
            return item.dev
        case _:
            return ""


def _leads_to(route: Route, endpoint: Endpoint) -> bool:
    """Say whether a node's route leads to an endpoint: not its default, and no pod's, whose namespace has a dot in its name."""
    if route.type != "unicast":
        return False
    network = ipaddress.ip_network(route.dst)
    return network.prefixlen > 0 and "." not in route.netns and any(address in network for address in endpoint.addresses)


def _is_step(item: Object, ways: list[Route], objects: list[Object]) -> bool:
    """Say whether a neighbour or forwarding entry belongs to one of `ways`."""
    if isinstance(item, Neigh):
        return any((way.netns, way.dev, way.via) == (item.netns, item.dev, item.address) for way in ways)
    if isinstance(item, Fdb):
        macs = {(one.netns, one.dev, one.mac) for one in objects if isinstance(one, Neigh) and _is_step(one, ways, objects)}
        return (item.netns, item.dev, item.mac) in macs
    return False
