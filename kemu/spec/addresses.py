"""Dealing out subnets and addresses: pinned ones first out of the way, the others in the order of the file.

Machines on segments and pods on nodes are one thing here: drafts in places, each with a subnet for each IP version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kemu.spec import defaults
from kemu.spec.check import Claim, check_overlaps, choose_families
from kemu.spec.expand import Draft, find_owner
from kemu.spec.model import IPAddress, IPNetwork
from kemu.spec.source import Log, Node

BRIDGE_PORTS = 1023  # Source: BR_MAX_PORTS, net/bridge/br_private.h; the first number is no port's
_NO_MACHINES = 3  # addresses of a subnet that nobody gets: the first, the last, and the gateway's


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bridge that machines or pods are on: a segment, or a node. `title` is what messages call it, and `ports` what it has left.

    Each subnet's second address is the gateway's, and `gateway` what messages call that.
    """

    title: str
    subnets: tuple[IPNetwork, ...]
    gateway: str
    guests: str
    ports: int
    more_ports: str
    more_room: str

    @property
    def room(self) -> int:
        """How many guests have room in the smallest subnet."""
        return min(subnet.num_addresses for subnet in self.subnets) - _NO_MACHINES


Groups = Sequence[tuple[Sequence[Draft], int]]
Taken = dict[IPAddress, Draft | str]


def segment_place(name: str, subnets: tuple[IPNetwork, ...]) -> Place:
    """Return a segment as a place; its router has a port of the bridge."""
    return Place(
        title=f"segment {name}",
        subnets=subnets,
        gateway="the router",
        guests="machines",
        ports=BRIDGE_PORTS - 1,
        more_ports="add a segment to fabric.segments",
        more_room="a larger subnet, or another segment in fabric.segments",
    )


def node_place(name: str, subnets: tuple[IPNetwork, ...]) -> Place:
    """Return a node as a place for pods."""
    return Place(
        title=f"node {name}",
        subnets=subnets,
        gateway=f"the gateway of node {name}",
        guests="pods",
        ports=BRIDGE_PORTS,
        more_ports="fewer pods, or more nodes",
        more_room="fewer pods, more nodes, or a smaller networking.nodePrefix",
    )


def deal_addresses(log: Log, groups: Groups, places: Mapping[str, Place]) -> dict[Draft, tuple[IPAddress, ...]]:
    """Return the addresses of the drafts. A group is dealt out from the address of its number on; groups wait for each other.

    Drafts in unknown or overfull places get none.
    """
    everybody = [draft for drafts, _ in groups for draft in drafts if draft.place in places]
    taken: Taken = {subnet[1]: place.gateway for place in places.values() for subnet in place.subnets}
    fixed = {draft: _pinned(log, draft, places, taken) for draft in everybody if draft.entry.said("address")}
    roomy = {name: places[name] for name in _check_room(log, everybody, places)}
    found: dict[Draft, tuple[IPAddress, ...]] = {}
    for drafts, start in groups:
        free = {name: [defaults.free_addresses(one, start, taken) for one in place.subnets] for name, place in roomy.items()}
        for draft in drafts:
            if draft.place in roomy:
                found[draft] = _dealt(draft, fixed.get(draft, {}), places[draft.place].subnets, free[draft.place], taken)
    return found


def _dealt(
    draft: Draft,
    fixed: Mapping[int, IPAddress],
    subnets: Sequence[IPNetwork],
    free: Sequence[Iterator[IPAddress]],
    taken: Taken,
) -> tuple[IPAddress, ...]:
    """Return a draft's addresses, and take them; where subnets overlap, which is noted already, they may run out."""
    pairs = zip(subnets, free, strict=True)
    row = tuple(fixed.get(subnet.version) or next(more, subnet.network_address) for subnet, more in pairs)
    taken.update(dict.fromkeys(row, draft))
    return row


def _pinned(log: Log, draft: Draft, places: Mapping[str, Place], taken: Taken) -> dict[int, IPAddress]:
    """Return the good ones of the addresses that the file gives a machine or pod, and take them."""
    if draft.is_counted:
        return {}
    good: dict[int, IPAddress] = {}
    by_version = {subnet.version: subnet for subnet in places[draft.place].subnets}
    for version, (address, node) in draft.entry.get("address", {}).items():
        if version not in by_version:  # noted already
            continue
        message, hint = _why_not(draft, address, by_version[version], places, taken)
        if message:
            log.wrong(node, f"{draft.said}: address {address} {message}", hint)
        else:
            good[version] = address
            taken[address] = draft
    return good


def _why_not(draft: Draft, address: IPAddress, subnet: IPNetwork, places: Mapping[str, Place], taken: Taken) -> tuple[str, str]:
    if address not in subnet:
        title = places[draft.place].title
        owner = find_owner([address], {place.title: place.subnets for place in places.values()})
        if owner:
            return f"is not on {title}", f"it belongs to {owner}; {title} has {subnet}"
        return "is in no subnet", f"{title} has {subnet}"
    if address in taken:
        other = taken[address]
        return f"is taken by {other.said if isinstance(other, Draft) else other}", "leave the address out, and kemu finds one"
    if address in (subnet.network_address, subnet.broadcast_address):
        return f"is the {'first' if address == subnet[0] else 'last'} of {subnet}", "no machine can have the first or the last"
    return "", ""


def _check_room(log: Log, drafts: Iterable[Draft], places: Mapping[str, Place]) -> list[str]:
    """Return the names of the places that have room for all, and note the others, each entry of the file once."""
    guests: dict[str, list[Draft]] = {name: [] for name in places}
    for draft in drafts:
        guests[draft.place].append(draft)
    noted: set[int] = set()
    for name, row in guests.items():
        if first := _first_without_room(places[name], row):
            if id(first.entry) not in noted:
                _note_full(log, places[name], first, len(row))
            noted.add(id(first.entry))
    return [name for name, row in guests.items() if not _first_without_room(places[name], row)]


def _first_without_room(place: Place, guests: Sequence[Draft]) -> Draft | None:
    most = min(place.room, place.ports)
    return guests[most] if len(guests) > most else None


def _note_full(log: Log, place: Place, draft: Draft, count: int) -> None:
    smallest = min(place.subnets, key=lambda subnet: subnet.num_addresses)
    message = f"{place.title} has addresses for {place.room} {place.guests} in {smallest}, and gets {count}"
    hint = place.more_room
    if count > place.ports:
        message = f"{place.title} is a bridge with room for {place.ports} {place.guests}, and gets {count}"
        hint = place.more_ports
    log.wrong(_number_node(draft), message, hint)


def _number_node(draft: Draft) -> Node:
    """Return where the file says how many there are."""
    nodes = draft.entry.nodes
    return next((nodes[key] for key in ("count", "replicas", "perNode", "name") if key in nodes), draft.entry.node)


def deal_subnets(
    log: Log, nodes: Sequence[Draft], wholes: Sequence[IPNetwork], prefixes: Sequence[int]
) -> list[tuple[IPNetwork, ...]]:
    """Return the pod subnets of the nodes, one an IP version; none if there are too few for all."""
    columns = [_column(log, nodes, whole, prefix) for whole, prefix in zip(wholes, prefixes, strict=True)]
    return list(zip(*columns, strict=True)) if all(columns) else []


def _column(log: Log, nodes: Sequence[Draft], whole: IPNetwork, prefix: int) -> list[IPNetwork]:
    pinned = {i: subnet for i, node in enumerate(nodes) if (subnet := _pinned_subnet(log, node, whole))}
    claims = [Claim(subnet, f"podSubnet of {nodes[i].said}", nodes[i].entry.nodes["podSubnet"]) for i, subnet in pinned.items()]
    check_overlaps(log, claims)
    found = defaults.deal_subnets(whole, prefix, len(nodes), pinned)
    dealt = [subnet for subnet in found if subnet is not None]
    if len(dealt) < len(found):
        without = next(node for node, subnet in zip(nodes, found, strict=True) if subnet is None)
        message = f"networking.podSubnet {whole} has subnets of /{prefix} for {len(dealt)} nodes, and there are {len(nodes)}"
        log.wrong(_number_node(without), message, "a larger podSubnet, or a longer nodePrefix")
        return []
    return dealt


def _pinned_subnet(log: Log, draft: Draft, whole: IPNetwork) -> IPNetwork | None:
    """Return the good subnet that the file gives a node, if it does."""
    said = draft.entry.get("podSubnet", {})
    if whole.version not in said or draft.is_counted:
        return None
    subnet: IPNetwork = choose_families(said, [whole.version])[whole.version]
    _, node = said[whole.version]
    if subnet.version != whole.version or not subnet.subnet_of(whole):  # type: ignore[arg-type]
        log.wrong(
            node,
            f"{draft.said}: podSubnet {subnet} is not in networking.podSubnet {whole}",
            "a part of it, or leave podSubnet out",
        )
    elif subnet.max_prefixlen - subnet.prefixlen < 2:
        log.wrong(node, f"{draft.said}: podSubnet {subnet} has no room for pods", f"at most /{subnet.max_prefixlen - 2}")
    else:
        return subnet
    return None
