"""The way of a packet: the devices that it passes from one address to another, as the planned objects would forward it.

A packet passes a device where a listener at that device would see it. So a bridge is on the way where it hands a packet to its own
namespace or takes one from there, and not where it only passes frames from port to port.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from kemu.plan.objects import MAIN, Addr, Bridge, Fdb, Link, Neigh, Object, Route, Veth, Vxlan
from kemu.spec.model import IPAddress

_HOPS = 64  # as many namespaces as a packet's TTL lets it cross

Place = tuple[str, str]  # a device: the namespace without the cluster's prefix, and the name


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The devices in the order in which a packet passes them. `lost` says why and where it ends early, and is empty if it arrives."""

    places: tuple[Place, ...]
    lost: str = ""


def find_way(objects: Iterable[Object], netns: str, address: IPAddress) -> Way:
    """Return the way of a packet from a namespace to an address."""
    walk = _Walk(_Map.build(objects))
    try:
        walk.to(netns, str(address))
    except _LostError as end:
        return Way(places=tuple(walk.passed), lost=str(end))
    return Way(places=tuple(walk.passed))


class _LostError(Exception):
    """The packet goes no further; the message says why."""


@dataclass(slots=True)
class _Map:
    """The objects that forward packets, by what they are looked up with."""

    links: dict[Place, Link] = field(default_factory=dict)
    ports: dict[Place, list[Link]] = field(default_factory=lambda: defaultdict(list))
    owners: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    routes: dict[str, list[Route]] = field(default_factory=lambda: defaultdict(list))
    neighbours: dict[tuple[str, str, str], str] = field(default_factory=dict)
    tunnel_ends: dict[tuple[str, str, str], str] = field(default_factory=dict)

    @classmethod
    def build(cls, objects: Iterable[Object]) -> _Map:
        """Sort the objects."""
        found = cls()
        for item in objects:
            found._add(item)
        return found

    def _add(self, item: Object) -> None:
        match item:
            case Link():
                self.links[item.netns, item.name] = item
                if item.master:
                    self.ports[item.netns, item.master].append(item)
            case Addr():
                interface = ipaddress.ip_interface(item.address)
                self.owners[str(interface.ip)].append((item.netns, item.dev))
                self.routes[item.netns].append(Route(netns=item.netns, dst=str(interface.network), dev=item.dev))
            case Route(table=table) if table == MAIN:
                self.routes[item.netns].append(item)
            case Neigh():
                self.neighbours[item.netns, item.dev, item.address] = item.mac
            case Fdb(dst=dst) if dst:
                self.tunnel_ends[item.netns, item.dev, item.mac] = dst
            case _:
                pass

    def is_local(self, netns: str, address: str) -> bool:
        """Say whether a namespace has an address."""
        return any(owner == netns for owner, _ in self.owners[address])

    def find_route(self, netns: str, address: str) -> Route | None:
        """Return the route with the longest prefix, of equals the one with the lowest metric."""
        ip = ipaddress.ip_address(address)
        fits = [route for route in self.routes[netns] if ip in ipaddress.ip_network(route.dst)]
        return max(fits, key=lambda route: (ipaddress.ip_network(route.dst).prefixlen, -route.metric), default=None)

    def find_port(self, bridge: Place, address: str, came_by: str) -> Link | None:
        """Return the port of a bridge behind which an address is: the other end of its cable has it, or is a port of another bridge."""
        for port in self.ports[bridge]:
            if port.name != came_by and self._leads_to(port, address):
                return port
        return None

    def _leads_to(self, port: Link, address: str) -> bool:
        if not isinstance(port.detail, Veth):
            return False
        far = (port.detail.peer_netns, port.detail.peer)
        end = self.links.get(far)
        if end is None or not end.master:
            return far in self.owners[address]
        behind = (end.netns, end.master)
        return behind in self.owners[address] or self.find_port(behind, address, end.name) is not None


@dataclass(slots=True)
class _Walk:
    """A packet on its way, and the devices that it has passed."""

    map: _Map
    passed: list[Place] = field(default_factory=list)
    hops: int = 0

    def to(self, netns: str, address: str) -> str:
        """Go from a namespace to an address, routed in each namespace that is crossed; return where that is."""
        while not self.map.is_local(netns, address):
            self.hops += 1
            if self.hops > _HOPS:
                raise _LostError(f"the routes to {address} go in a circle at {netns}")
            route = self.map.find_route(netns, address)
            if route is None or route.type != "unicast":
                raise _LostError(f"{netns} has no route to {address}")
            netns = self._leave((netns, route.dev), route.via or address)
        return netns

    def _leave(self, place: Place, neighbour: str) -> str:
        """Leave by a device towards a neighbour; return the namespace that takes the packet."""
        link = self._pass(place)
        match link.detail:
            case Veth():
                return self._cross(link.detail, neighbour)
            case Vxlan():
                return self._tunnel(link, link.detail, neighbour)
            case Bridge():
                return self._bridge(place, neighbour, came_by="")
            case _:
                raise _LostError(f"where {link.name} of {link.netns} leads is not known")

    def _cross(self, cable: Veth, neighbour: str) -> str:
        """Come out at the other end of a cable: a port of a bridge, or a device of the namespace that takes the packet."""
        end = self._pass((cable.peer_netns, cable.peer))
        if not end.master:
            return end.netns
        return self._bridge((end.netns, end.master), neighbour, came_by=end.name)

    def _bridge(self, bridge: Place, neighbour: str, *, came_by: str) -> str:
        if came_by and bridge in self.map.owners[neighbour]:
            return self._pass(bridge).netns
        port = self.map.find_port(bridge, neighbour, came_by)
        if port is None or not isinstance(port.detail, Veth):
            raise _LostError(f"nobody on {bridge[1]} of {bridge[0]} has {neighbour}")
        self._pass((port.netns, port.name))
        return self._cross(port.detail, neighbour)

    def _tunnel(self, link: Link, tunnel: Vxlan, neighbour: str) -> str:
        """Go inside another packet to the other end of a tunnel: the neighbour's MAC says to which."""
        mac = self.map.neighbours.get((link.netns, link.name, neighbour), "")
        outer = self.map.tunnel_ends.get((link.netns, link.name, mac))
        if outer is None:
            raise _LostError(f"{link.name} of {link.netns} does not know where {neighbour} is")
        netns = self.to(link.netns, outer)
        for end in self.map.links.values():
            if end.netns == netns and isinstance(end.detail, Vxlan) and _is_other_end(end.detail, tunnel, outer):
                return self._pass((netns, end.name)).netns
        raise _LostError(f"{netns} has no tunnel of VNI {tunnel.vni}")

    def _pass(self, place: Place) -> Link:
        link = self.map.links.get(place)
        if link is None:
            raise _LostError(f"{place[0]} has no device {place[1]}")
        self.passed.append(place)
        return link


def _is_other_end(end: Vxlan, tunnel: Vxlan, address: str) -> bool:
    return (end.vni, end.port) == (tunnel.vni, tunnel.port) and end.local in (address, "")
