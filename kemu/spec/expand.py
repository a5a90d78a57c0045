"""From what the file says to one draft for each machine and pod: counts and replicas numbered, segments dealt out, pods placed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kemu.spec.model import IPNetwork, Protocol
from kemu.spec.source import SequenceNode, find_close
from kemu.spec.tables import Entry

NODES = 2
MOST_PODS = 100_000  # far beyond what a machine holds, and short of a slip of the finger
_PREFIXES = {"node": "n", "host": "h"}
_COUNTS = ("count", "replicas", "perNode")


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A machine or pod before it has addresses. `place` is a machine's segment or a pod's node, empty if that is unknown."""

    noun: str
    name: str
    place: str
    entry: Entry
    namespace: str = ""

    @property
    def said(self) -> str:
        """What messages call it."""
        return f"{self.noun} {self.name}"

    @property
    def shares_node(self) -> bool:
        """Whether it is a pod in its node's network, without an address of its own."""
        return bool(self.entry.get("hostNetwork", False))

    @property
    def is_counted(self) -> bool:
        """Whether its entry stands for several."""
        return any(self.entry.said(key) for key in _COUNTS)


@dataclass(frozen=True, slots=True)
class Names:
    """What may be referred to. Where not all could be read, an unknown name is no mistake: it may be one of the others.

    `uncounted` are the names of those of which only the number could not be read: theirs have one behind, w-1.
    """

    noun: str
    known: Sequence[str]
    complete: bool = True
    uncounted: Sequence[str] = ()

    @property
    def all_read(self) -> bool:
        """Whether these are all names there are."""
        return self.complete and not self.uncounted

    def check(self, entry: Entry, key: str, name: str) -> bool:
        """Return whether the name is known; if it is a mistake, note it."""
        may_be_there = not self.complete or name.rpartition("-")[0] in self.uncounted
        if name not in self.known and not may_be_there:
            node = entry.nodes[key]
            parts = node.value if isinstance(node, SequenceNode) else [node]
            where = next((one for one in parts if one.value == name), node)
            hint = find_close(name, self.known, f"{self.noun}s")
            entry.log.wrong(where, f'{entry.title}: {self.noun} "{name}" does not exist', hint)
        return name in self.known


def read_entries(root: Entry, key: str) -> tuple[list[Entry], bool]:
    """Return the readable members of a list, and whether those are all."""
    found = root.get(key) or []
    entries = [one for one in found if isinstance(one, Entry) and one.get("name")]
    return entries, len(entries) == len(found) and not root.bad(key)


def expand_machines(root: Entry, noun: str, segments: Names, *, default: int) -> tuple[list[Draft], Names]:
    """Return a draft for each node or host, in the order of the file, and their names."""
    key = f"{noun}s"
    number = root.get(key, default)
    if isinstance(number, int):
        entries, complete = _counted(root, noun, number), not root.bad(key)
    else:
        entries, complete = read_entries(root, key)
    drafts = [draft for entry in entries for draft in _machines(noun, entry, segments)]
    uncounted = [entry.get("name") for entry in entries if entry.bad("count")]
    return drafts, Names(noun, [draft.name for draft in drafts], complete, uncounted)


def _counted(root: Entry, noun: str, count: int) -> list[Entry]:
    """Return entries for `nodes: 3`: n1, n2 and n3."""
    node = root.nodes.get(f"{noun}s", root.node)
    names = [f"{_PREFIXES[noun]}{number}" for number in range(1, count + 1)]
    return [Entry(f"{noun} {name}", node, root.log, {"name": name}, {}) for name in names]


def _machines(noun: str, entry: Entry, segments: Names) -> Iterator[Draft]:
    _check_count(entry, noun)
    places = _places(entry, segments)
    for number, name in enumerate(_names(entry, "count")):
        yield Draft(noun, name, places[number % len(places)], entry)


def _check_count(entry: Entry, noun: str) -> None:
    if entry.said("count") and entry.said("address"):
        entry.wrong("address", f"one address cannot be given to several {noun}s", "leave out count, or the address")
    if entry.said("count") and entry.said("podSubnet"):
        entry.wrong("podSubnet", "one subnet cannot be given to several nodes", "leave out count, or podSubnet")
    if entry.said("segments") and entry.said("segment"):
        entry.wrong("segments", "segment and segments exclude each other", "leave out one of them")
    elif entry.said("segments") and not entry.said("count"):
        entry.wrong("segments", "one machine is on one segment", "segment: NAME, or count: N to deal N of them out")


def _places(entry: Entry, segments: Names) -> list[str]:
    """Return the segments that a machine's copies take turns on; an empty one where it cannot be known."""
    if entry.bad("segment", "segments"):
        return [""]
    key = "segments" if entry.said("segments") else "segment"
    said = entry.get(key)
    if said is None:
        return [segments.known[0] if segments.known else ""]
    wanted = said if isinstance(said, list) else [said]
    return [name if isinstance(name, str) and segments.check(entry, key, name) else "" for name in wanted]


def _names(entry: Entry, *keys: str, count: int | None = None) -> list[str]:
    """Return the numbered names, or the bare one if none of the keys gives a number; none where the number is bad."""
    if entry.bad("name", "namespace", *keys):
        return []
    if not any(entry.said(key) for key in keys):
        return [entry.get("name")]
    number = entry.get(keys[0]) if count is None else count
    return [f"{entry.get('name')}-{i}" for i in range(1, number + 1)]


def expand_pods(root: Entry, nodes: Names, subnets: Mapping[str, Sequence[IPNetwork]]) -> list[Draft]:
    """Return a draft for each pod; `subnets` are the nodes' subnets, as far as they are known.

    A pod without a node goes to the one that holds an address of its own, else to that with the fewest pods so far.
    """
    one = root.get("pods")
    entries = [one] if isinstance(one, Entry) else read_entries(root, "pods")[0]
    if (total := sum(_pod_count(entry, nodes) for entry in entries)) > MOST_PODS:
        root.wrong("pods", f"pods: these are {total} pods, and {MOST_PODS} are the most", "fewer replicas, or fewer perNode")
        return []
    if isinstance(one, Entry):
        return _per_node(one, nodes.known)
    room = {name: _Room() for name in nodes.known}
    return [draft for entry in entries for draft in _pods(entry, nodes, room, subnets)]


def _pod_count(entry: Entry, nodes: Names) -> int:
    return int(entry.get("perNode", 0)) * len(nodes.known) if entry.said("perNode") else int(entry.get("replicas", 1))


def _per_node(entry: Entry, nodes: Sequence[str]) -> list[Draft]:
    namespace = entry.get("namespace", "default")
    places = [node for node in nodes for _ in range(entry.get("perNode", 0))]
    return [Draft("pod", f"p{number}", node, entry, namespace) for number, node in enumerate(places, 1)]


@dataclass(slots=True)
class _Room:
    """What a node has so far: pods, and the ports of those that share its network."""

    pods: int = 0
    ports: set[tuple[int, str]] = field(default_factory=set)


def _pods(entry: Entry, nodes: Names, room: Mapping[str, _Room], subnets: Mapping[str, Sequence[IPNetwork]]) -> Iterator[Draft]:
    """Yield the pods of an entry, and count them on their nodes."""
    _check_numbers(entry)
    namespace = entry.get("namespace", "default")
    places = _pod_places(entry, nodes, subnets)
    ports = {one[:2] for one in declared_ports(entry)} if entry.get("hostNetwork") else set()
    for name, place in zip(_names(entry, "replicas", "perNode", count=len(places)), places, strict=False):
        chosen = _choose(room, ports) if place is None else place
        if chosen:
            room[chosen].pods += 1
            room[chosen].ports |= ports
        yield Draft("pod", name, chosen, entry, namespace)


def _choose(room: Mapping[str, _Room], ports: set[tuple[int, str]]) -> str:
    """Return the node with the fewest pods, of those where the ports are free: Kubernetes' scheduler puts host ports nowhere else."""
    free = [name for name, one in room.items() if not one.ports & ports]
    return min(free or room, key=lambda name: room[name].pods, default="")


def declared_ports(entry: Entry) -> Iterator[tuple[int, str, Entry]]:
    """Yield number, protocol and place of each readable port of a pod's entry."""
    for one in entry.get("ports", ()):
        if isinstance(one, Entry) and one.get("containerPort") is not None and not one.bad("protocol"):
            yield one.get("containerPort"), one.get("protocol", Protocol.TCP), one


def _pod_places(entry: Entry, nodes: Names, subnets: Mapping[str, Sequence[IPNetwork]]) -> list[str | None]:
    """Return the node of each pod of an entry: None where it may be any, empty where it cannot be known."""
    if entry.said("perNode"):
        return [node for node in nodes.known for _ in range(entry.get("perNode", 0))]
    return [_node_of(entry, nodes, subnets)] * int(entry.get("replicas", 1))


def _check_numbers(entry: Entry) -> None:
    if entry.said("perNode") and entry.said("replicas"):
        entry.wrong("perNode", "replicas and perNode exclude each other", "leave out one of them")
    if entry.said("perNode") and entry.said("node"):
        entry.wrong("node", "perNode puts pods on every node", "leave out node, or use replicas")
    if entry.said("address") and (entry.said("replicas") or entry.said("perNode")):
        entry.wrong("address", "one address cannot be given to several pods", "leave out the address")


def _node_of(entry: Entry, nodes: Names, subnets: Mapping[str, Sequence[IPNetwork]]) -> str | None:
    if entry.bad("node"):
        return ""
    name = entry.get("node")
    if name is not None:
        return str(name) if nodes.check(entry, "node", name) else ""
    if not entry.said("address"):
        return None
    return find_owner((address for address, _ in entry.get("address", {}).values()), subnets)


def find_owner(addresses: Any, subnets: Mapping[str, Sequence[IPNetwork]]) -> str | None:
    """Return who has a subnet that holds one of the addresses."""
    wanted = list(addresses)
    return next((name for name, row in subnets.items() for one in row if any(address in one for address in wanted)), None)
