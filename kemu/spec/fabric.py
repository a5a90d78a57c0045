"""Reading `fabric:`: its MTU, what it lets through and knows, and the segments with their subnets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kemu.spec import defaults
from kemu.spec.check import Claim, check_unique, choose_families
from kemu.spec.expand import Names, read_entries
from kemu.spec.links import read_link
from kemu.spec.model import Cable, Fabric, IPNetwork, PodRoutes, Segment
from kemu.spec.tables import Entry

MTU = 1500
LEAST_IPV6_MTU = 1280  # Source: RFC 8200, section 5
TUNNEL_HEADERS = 100  # bytes that the largest of all backends' headers stays below


def read_fabric(part: Entry, segments: Sequence[Segment]) -> Fabric:
    """Return the fabric of these segments."""
    return Fabric(
        mtu=part.get("mtu", MTU),
        segments=tuple(segments),
        allow_foreign_addresses=part.get("allowForeignAddresses", True),
        pod_routes=part.get("podRoutes", PodRoutes.NONE),
        deny=tuple(part.get("deny", ())),
    )


def check_mtus(parts: Iterable[Entry], versions: Sequence[int]) -> None:
    """Note MTUs, of the fabric or of a link, that are too small for IPv6."""
    for part in parts:
        if message := small_mtu(part.get("mtu", MTU), versions):
            part.wrong("mtu", message, f"at least {LEAST_IPV6_MTU + TUNNEL_HEADERS}, since tunnels add headers")


def small_mtu(mtu: int, versions: Sequence[int]) -> str:
    """Return what is wrong with an MTU in a cluster of these IP versions; nothing if it is large enough."""
    is_small = 6 in versions and mtu < LEAST_IPV6_MTU + TUNNEL_HEADERS
    return f"mtu: {mtu} leaves pods less than the {LEAST_IPV6_MTU} bytes that IPv6 needs" if is_small else ""


def segment_entries(part: Entry) -> tuple[list[Entry], Names]:
    """Return an entry for each segment, one if the file has none, and what the segments are called."""
    if not part.said("segments"):
        plain = Entry("segment", part.node, part.log, {"name": defaults.SEGMENT_NAME}, {})
        return [plain], Names("segment", [defaults.SEGMENT_NAME])
    entries, complete = read_entries(part, "segments")
    check_unique(entries, "name", "segment")
    return entries, Names("segment", [entry.get("name") for entry in entries], complete)


def read_segments(entries: Sequence[Entry], versions: Sequence[int], mtu: int) -> list[Segment]:
    """Return the segments that have a good subnet of each IP version; what is wrong with the others is noted."""
    columns = [_column(entries, version) for version in versions]
    rows = [tuple(column[i] for column in columns) for i in range(len(entries))]
    return [
        _segment(entry, position, [subnet for subnet in row if subnet], read_link(entry, "uplink", mtu))
        for position, (entry, row) in enumerate(zip(entries, rows, strict=True))
        if all(row) and not entry.bad("subnet") and _has_room(entry, [subnet for subnet in row if subnet])
    ]


def _column(entries: Sequence[Entry], version: int) -> list[IPNetwork | None]:
    said = [choose_families(entry.get("subnet", {}), [version]) for entry in entries]
    found = defaults.segment_subnets(version, len(entries), {i: one[version] for i, one in enumerate(said) if one})
    if None in found:
        entry = entries[found.index(None)]
        entry.wrong("name", f"no subnet is left in {defaults.FABRIC_WHOLES[version]}", "give it a subnet")
    return found


def _has_room(entry: Entry, subnets: Sequence[IPNetwork]) -> bool:
    full = [subnet for subnet in subnets if subnet.max_prefixlen - subnet.prefixlen < 2]
    for subnet in full:
        entry.wrong("subnet", f"subnet: {subnet} has no room for machines", f"at most /{subnet.max_prefixlen - 2}")
    return not full


def _segment(entry: Entry, position: int, subnets: Sequence[IPNetwork], uplink: Cable) -> Segment:
    mark = entry.log.mark(entry.node) if entry.nodes else None
    router = tuple(subnet[1] for subnet in subnets)
    name = entry.get("name")
    return Segment(name=name, position=position, subnets=tuple(subnets), router=router, uplink=uplink, mark=mark)


def claims(entries: Sequence[Entry], segments: Sequence[Segment]) -> Iterator[Claim]:
    """Yield the subnets that nothing else may overlap."""
    by_name: Mapping[str, Entry] = {entry.get("name"): entry for entry in entries}
    for segment in segments:
        for subnet in segment.subnets:
            _, node = by_name[segment.name].get("subnet", {}).get(subnet.version, (None, None))
            yield Claim(subnet, f"segment {segment.name}", node)
