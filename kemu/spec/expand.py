"""From what the file says to one draft for each machine and pod: counts and replicas numbered, segments dealt out, pods placed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kemu.base.names import RESERVED
from kemu.spec.kinds import Entry
from kemu.spec.model import IPNetwork
from kemu.spec.source import Log, Node, find_close

NODES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A machine or pod before it has addresses. `place` is a machine's segment or a pod's node; `namespace` is a pod's."""

    name: str
    place: str
    entry: Entry
    namespace: str = ""

    @property
    def said(self) -> str:
        """What messages call it."""
        return f"{self.entry.title.split(' ')[0]} {self.name}"


def expand_machines(entries: Sequence[Entry], segments: Sequence[str]) -> list[Draft]:
    """Return a draft for each node or host, in the order of the file. Unknown segments are noted and replaced by the first."""
    return [draft for entry in entries for draft in _machines(entry, segments)]


def _machines(entry: Entry, segments: Sequence[str]) -> Iterator[Draft]:
    if entry.said("count") and entry.said("address"):
        entry.wrong("address", "one address cannot be given to several machines", "leave out count, or the address")
    if entry.said("count") and entry.said("podSubnet"):
        entry.wrong("podSubnet", "one subnet cannot be given to several nodes", "leave out count, or podSubnet")
    places = _places(entry, segments)
    for number, name in enumerate(_names(entry, entry.get("count"))):
        yield Draft(name, places[number % len(places)], entry)


def _places(entry: Entry, segments: Sequence[str]) -> list[str]:
    """Return the segments that a machine's copies take turns on."""
    if entry.said("segments") and (entry.said("segment") or not entry.said("count")):
        entry.wrong(
            "segments", "segments is for several nodes, with count, and instead of segment", "segment: rack1 puts one node there"
        )
    key = "segments" if entry.get("segments") else "segment"
    wanted = entry.get("segments") or [entry.get("segment") or segments[0]]
    unknown = [name for name in wanted if name and name not in segments]
    for name in unknown:
        entry.wrong(key, f'segment "{name}" does not exist', find_close(name, segments))
    return [name for name in wanted if name and name not in unknown] or [segments[0]]


def _names(entry: Entry, count: int | None) -> list[str]:
    """Return the numbered names, or the bare one without a count; none where the file gives no good name."""
    name = entry.get("name")
    if name is None:
        return []
    return [name] if count is None else [f"{name}-{number}" for number in range(1, count + 1)]


def counted(noun: str, prefix: str, count: int, node: Node, log: Log) -> list[Entry]:
    """Return entries for `nodes: 3`: n1, n2 and n3."""
    names = [f"{prefix}{number}" for number in range(1, count + 1)]
    return [Entry(f"{noun} {name}", node, log, {"name": name}, {}) for name in names]


def expand_pods(pods: Any, nodes: Sequence[Draft], pinned: Sequence[tuple[str, IPNetwork]]) -> list[Draft]:
    """Return a draft for each pod. `pods` is a list of entries, or the one that stands for all; `pinned` which subnet is whose.

    A pod without a node goes to the one that holds an address of its own, else to that with the fewest pods so far.
    """
    names = [node.name for node in nodes]
    if isinstance(pods, Entry):
        return _per_node(pods, names)
    placement = _Placement(names)
    return [draft for entry in pods for draft in _pods(entry, placement, pinned)]


def _per_node(entry: Entry, nodes: Sequence[str]) -> list[Draft]:
    namespace = entry.get("namespace", "default")
    places = [node for node in nodes for _ in range(entry.get("perNode", 0))]
    return [Draft(f"p{number}", node, entry, namespace) for number, node in enumerate(places, 1)]


class _Placement:
    """Counts pods on nodes."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.counts = dict.fromkeys(nodes, 0)

    def put(self, node: str | None) -> str:
        chosen = node or min(self.counts, key=self.counts.__getitem__)
        self.counts[chosen] += 1
        return chosen


def _pods(entry: Entry, placement: _Placement, pinned: Sequence[tuple[str, IPNetwork]]) -> Iterator[Draft]:
    _check_numbers(entry)
    namespace = entry.get("namespace", "default")
    if per_node := entry.get("perNode"):
        places: list[str | None] = [node for node in placement.counts for _ in range(per_node)]
    else:
        places = [_node_of(entry, placement.counts, pinned)] * entry.get("replicas", 1)
    count = len(places) if entry.said("replicas") or entry.said("perNode") else None
    for name, node in zip(_names(entry, count), places, strict=False):
        yield Draft(name, placement.put(node), entry, namespace)


def _check_numbers(entry: Entry) -> None:
    if entry.said("perNode") and entry.said("replicas"):
        entry.wrong("perNode", "replicas and perNode exclude each other")
    if entry.said("perNode") and entry.said("node"):
        entry.wrong("node", "perNode puts pods on every node", "leave out node, or use replicas")
    if entry.said("address") and (entry.said("replicas") or entry.said("perNode")):
        entry.wrong("address", "one address cannot be given to several pods", "leave out the address")


def _node_of(entry: Entry, nodes: Iterable[str], pinned: Sequence[tuple[str, IPNetwork]]) -> str | None:
    """Return the node that a pod asks for, by name or by address."""
    name = entry.get("node")
    known = list(nodes)
    if name in known:
        return str(name)
    if name is not None:
        entry.wrong("node", f'node "{name}" does not exist', find_close(name, known))
    for address, _ in entry.get("address", {}).values():
        for node, subnet in pinned:
            if address in subnet:
                return node
    return None


def check_names(log: Log, machines: Sequence[Draft], pods: Sequence[Draft]) -> None:
    """Note every name that two things have, or that kemu keeps for itself."""
    seen: dict[tuple[str, str], Draft] = {}
    for draft in (*machines, *pods):
        if len(draft.name) > 63:
            draft.entry.wrong("name", f'the name "{draft.name}" is longer than 63 characters')
        if not draft.namespace and draft.name in RESERVED:
            draft.entry.wrong("name", f'"{draft.name}" is a name that kemu keeps for itself', "choose another name")
        first = seen.setdefault((draft.namespace, draft.name), draft)
        if first is not draft:
            where = f" in namespace {draft.namespace}" if draft.namespace else ""
            line = log.mark(first.entry.nodes.get("name", first.entry.node)).line
            draft.entry.wrong("name", f'the name "{draft.name}" is taken{where}', f"by {first.said} in line {line}")
