"""From a model back to a file: minimal, in the words of the file, and when it is read the same model again.

What follows from the order of the file is left out. So the file is read again, and what came out otherwise, an address or the node of
a pod, is pinned, until nothing does. Comments and `x-…` keys are not in the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from kemu.base.errors import BugError, SpecError
from kemu.spec import defaults
from kemu.spec.containers import show_container
from kemu.spec.denials import show_denial
from kemu.spec.expect import show_expectation
from kemu.spec.fabric import MTU
from kemu.spec.fields import camel_case
from kemu.spec.internet import show_internet
from kemu.spec.links import show_link
from kemu.spec.model import Backend, Cable, Fabric, Host, IpFamily, Namespace, Networking, Node, Pod, Port, Segment, Topology
from kemu.spec.networking import DEFAULT_BACKEND
from kemu.spec.yaml_text import show_yaml

Pin = tuple[str, str, str]  # what is pinned: a class, a name, a field
Entry = dict[str, Any]

_ROUNDS = 6  # in which only what differs is pinned; after them everything is
_FEW = 30  # pins of which each is tried
_NUMBERED = re.compile(r"(.+)-([1-9][0-9]*)")

#: Fields that say where something stands, not what it is; and of a link, that somebody took it down for now.
PLACES = frozenset({"mark", "source", "text", "up"})


def write_topology(topology: Topology, read: Callable[[str], Topology]) -> str:
    """Return a file that `read` makes the same topology of: all but the places of things, as `is_same` compares."""
    pins: frozenset[Pin] = frozenset()
    for number in range(_ROUNDS + 1):
        again = _read_again(topology, pins, read)
        if again is not None and is_same(topology, again):
            return _text(topology, _loosen(topology, pins, read))
        pins |= _all_pins(topology) if again is None or number == _ROUNDS - 1 else _differences(topology, again)
    raise BugError(f"{topology.name} cannot be written as a file that is read the same:\n{_text(topology, pins)}")


def _text(topology: Topology, pins: frozenset[Pin]) -> str:
    return show_yaml(_Writer(topology, pins).document())


def _read_again(topology: Topology, pins: frozenset[Pin], read: Callable[[str], Topology]) -> Topology | None:
    """Return what is read from the file with these pins; None if what is not pinned has no room beside what is."""
    try:
        return read(_text(topology, pins))
    except SpecError:
        return None


def _loosen(topology: Topology, pins: frozenset[Pin], read: Callable[[str], Topology]) -> frozenset[Pin]:
    """Return the pins without those that are there only because of others, as long as they are few."""
    for pin in sorted(pins) if len(pins) <= _FEW else ():
        again = _read_again(topology, pins - {pin}, read)
        if again is not None and is_same(topology, again):
            pins -= {pin}
    return pins


def is_same(one: Any, other: Any) -> bool:
    """Say whether two models, or parts of them, differ in nothing but the places where things stand."""
    return bool(_bare(one) == _bare(other))


def _bare(value: Any) -> Any:
    if is_dataclass(value):
        return (type(value), [_bare(getattr(value, one.name)) for one in fields(value) if one.name not in PLACES])
    return [_bare(one) for one in value] if isinstance(value, (tuple, list)) else value


# --- what each class is written as ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """How one field is written: under its key, if it is not what it is by default.

    Without `default` that is the class's own. What is `pinned` follows from the order of the file.
    """

    field: str
    key: str = ""
    show: Callable[[Any, Topology], Any] = lambda value, _: value
    default: Callable[[Topology], Any] | None = None
    pinned: bool = False

    @property
    def name(self) -> str:
        """The key in the file."""
        return self.key or camel_case(self.field)


def _families(values: Sequence[Any], _: Topology) -> Any:
    """Return what there is once for each IP family: one, or a list."""
    return values[0] if len(values) == 1 else list(values)


def _by_version(texts: Mapping[int, Any], read: Callable[[Any], Any]) -> Callable[[Topology], Any]:
    return lambda topology: tuple(read(texts[version]) for version in topology.networking.ip_family.versions)


def _backend(backend: Backend, _: Topology) -> Any:
    """Return a backend by its name, with the options that are not their defaults; None for the one that needs no word."""
    said = {one: value for one in fields(backend.options) if (value := getattr(backend.options, one.name)) != one.default}
    if said:
        return {backend.name: {camel_case(one.name): value for one, value in said.items()}}
    return None if backend.name == DEFAULT_BACKEND else backend.name


def _first_segment(topology: Topology) -> str:
    return topology.fabric.segments[0].name


def _link(cable: Cable, topology: Topology) -> Any:
    """Return a link, None for one that only somebody took down for now."""
    return show_link(cable, topology.fabric.mtu) or None


def _plain_link(topology: Topology) -> Cable:
    return Cable(mtu=topology.fabric.mtu)


def _common_link(topology: Topology) -> Cable:
    """Return the link that all nodes and hosts have, a plain one where they differ."""
    links = [*(node.link for node in topology.nodes), *(host.link for host in topology.hosts)]
    return links[0] if all(link == links[0] for link in links) else _plain_link(topology)


_ADDRESS = Row("addresses", "address", _families, pinned=True)
_SEGMENT = Row("segment", default=_first_segment)
_LINK = Row("link", show=_link, default=_common_link)

#: In the order in which people expect the keys. The name comes before them.
ROWS: Mapping[type, tuple[Row, ...]] = {
    Networking: (
        Row("backend", show=_backend),
        Row("ip_family", default=lambda _: IpFamily.IPV4),
        Row("pod_subnets", "podSubnet", _families, _by_version(defaults.POD_SUBNETS, defaults.network)),
        Row("node_prefixes", "nodePrefix", _families, _by_version(defaults.NODE_PREFIXES, int)),
        Row("service_subnets", "serviceSubnet", _families, _by_version(defaults.SERVICE_SUBNETS, defaults.network)),
        Row("kube_proxy_mode"),
        Row("policy_engine"),
    ),
    Fabric: (
        Row("mtu", default=lambda _: MTU),
        Row("allow_foreign_addresses"),
        Row("pod_routes"),
        Row("deny", show=lambda denials, _: [show_denial(one) for one in denials]),
    ),
    Segment: (
        Row("subnets", "subnet", _families, pinned=True),
        Row("uplink", show=_link, default=_plain_link),
    ),
    Node: (_SEGMENT, _ADDRESS, Row("pod_subnets", "podSubnet", _families, pinned=True), _LINK, Row("labels"), Row("sysctls")),
    Host: (_SEGMENT, _ADDRESS, _LINK),
    Namespace: (Row("labels"),),
    Pod: (
        Row("namespace", default=lambda _: "default"),
        Row("node", pinned=True),
        _ADDRESS,
        Row("labels"),
        Row("sysctls"),
        Row("ports", show=lambda ports, _: [_port(one) for one in ports]),
        Row("containers", show=lambda containers, _: [show_container(one) for one in containers]),
        Row("serve"),
        Row("serves_at_once", "serve"),
        Row("host_network"),
    ),
}


def _port(port: Port) -> Entry:
    name = {"name": port.name} if port.name else {}
    protocol = {"protocol": port.protocol} if port.protocol != "TCP" else {}
    return {**name, "containerPort": port.number, **protocol}


def _default(topology: Topology, row: Row, item: Any) -> Any:
    if row.default is not None:
        return row.default(topology)
    [declared] = [one for one in fields(item) if one.name == row.field]
    return declared.default_factory() if declared.default_factory is not MISSING else declared.default


# --- pins ----------------------------------------------------------------------------------------------------------------------------


def _full_name(item: Any) -> str:
    return f"{getattr(item, 'namespace', '')}/{item.name}"


def _pinnable(topology: Topology) -> Iterator[tuple[Any, Row]]:
    for item in (*topology.fabric.segments, *topology.nodes, *topology.pods, *topology.hosts):
        has_own = not getattr(item, "host_network", False)  # an address: else it is the node's
        yield from ((item, row) for row in ROWS[type(item)] if row.pinned and (has_own or row is not _ADDRESS))


def _all_pins(topology: Topology) -> frozenset[Pin]:
    return frozenset((type(item).__name__, _full_name(item), row.field) for item, row in _pinnable(topology))


def _differences(topology: Topology, again: Topology) -> frozenset[Pin]:
    """Return what has to be pinned, since it came out otherwise; addresses only when everything is where it belongs."""
    pairs = zip(_pinnable(topology), _pinnable(again), strict=True)
    found = [(item, row) for (item, row), (other, _) in pairs if getattr(item, row.field) != getattr(other, row.field)]
    first = [(item, row) for item, row in found if row is not _ADDRESS] or found
    return frozenset((type(item).__name__, _full_name(item), row.field) for item, row in first)


# --- the document --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes the document of a topology with some things pinned."""

    topology: Topology
    pins: frozenset[Pin]

    def document(self) -> Entry:
        """Return the whole file as plain data; None for what needs no word."""
        topology = self.topology
        return {
            "name": topology.name,
            "networking": self._values(topology.networking) or None,
            "fabric": self._fabric() or None,
            "nodes": self._machines(topology.nodes, "n"),
            "namespaces": [{"name": one.name, **self._values(one)} for one in topology.namespaces] or None,
            "pods": self._pods() or None,
            "hosts": self._machines(topology.hosts, "h") or None,
            "internet": show_internet(topology.internet),
            "expect": [show_expectation(one) for one in topology.expect] or None,
        }

    def _values(self, item: Any, *, without: Iterable[str] = ()) -> Entry:
        """Return what an item says beside its name."""
        said = [
            (row, row.show(getattr(item, row.field), self.topology))
            for row in ROWS[type(item)]
            if self._is_said(item, row, without)
        ]
        return {row.name: value for row, value in said if value is not None}

    def _is_said(self, item: Any, row: Row, without: Iterable[str]) -> bool:
        if row.pinned:
            return self._is_pinned(item, row.field)
        return row.field not in without and getattr(item, row.field) != _default(self.topology, row, item)

    def _is_pinned(self, item: Any, field: str) -> bool:
        return (type(item).__name__, _full_name(item), field) in self.pins

    def _fabric(self) -> Entry:
        topology = self.topology
        segments = [{"name": one.name, **self._values(one)} for one in topology.fabric.segments]
        is_default = segments == [{"name": defaults.SEGMENT_NAME}]
        link = show_link(_common_link(topology), topology.fabric.mtu)
        return {
            **self._values(topology.fabric),
            **({"link": link} if link else {}),
            **({} if is_default else {"segments": segments}),
        }

    def _runs(self, items: Iterable[Any], alike: Callable[[Any], Entry]) -> Iterator[list[Any]]:
        """Yield what `count` or `replicas` may stand for: a-1, a-2 … that are alike; everything else alone."""
        run: list[Any] = []
        for item in items:
            if run and not (_continues(run, item) and alike(run[0]) == alike(item)):
                yield run
                run = []
            run.append(item)
        if run:
            yield run

    def _machines(self, machines: Sequence[Node | Host], prefix: str) -> Any:
        """Return nodes or hosts: their number, where that says all, else an entry for each or for many."""
        plain = [{"name": f"{prefix}{number}"} for number in range(1, len(machines) + 1)]
        if [{"name": one.name, **self._values(one)} for one in machines] == plain:
            return len(machines)
        dealt = ("segment",) if prefix == "n" else ()  # copies of a node may take turns on several, those of a host not
        runs = self._runs(machines, lambda one: self._values(one, without=dealt))
        return [entry for run in runs for entry in self._run_of_machines(run)]

    def _run_of_machines(self, run: Sequence[Node | Host]) -> list[Entry]:
        """Return one entry for all, on one segment or dealt out to several in turn, or else one for each."""
        segments = [one.segment for one in run]
        turn = list(dict.fromkeys(segments))
        is_dealt = segments == [turn[i % len(turn)] for i in range(len(run))]
        if len(run) == 1 or not is_dealt:
            return [{"name": one.name, **self._values(one)} for one in run]
        values = self._values(run[0], without=("segment",))
        where = {"segments": turn} if len(turn) > 1 else {} if turn == [_first_segment(self.topology)] else {"segment": turn[0]}
        return [{"name": _stem(run[0]), "count": len(run), **where, **values}]

    def _pods(self) -> Any:
        """Return the pods: {perNode: …} where that says all, else an entry for each or for many.

        If one of them is not where it would come by itself, each says where it is.
        """
        pods = self.topology.pods
        placed = any((kind, field) == ("Pod", "node") for kind, _, field in self.pins)
        each = self._per_node(pods)
        if each and not placed and [one.name for one in pods] == [f"p{number}" for number in range(1, len(pods) + 1)]:
            values = [self._values(one) for one in pods]
            if all(one == values[0] for one in values):
                return {"perNode": each, **values[0]}
        return [entry for run in self._runs(pods, self._values) for entry in self._run_of_pods(run, placed=placed)]

    def _per_node(self, pods: Sequence[Pod]) -> int:
        """Return how many of the pods are on each node, 0 if not node by node equally many."""
        each = len(pods) // len(self.topology.nodes)
        return each if [one.node for one in pods] == [node.name for node in self.topology.nodes for _ in range(each)] else 0

    def _run_of_pods(self, run: Sequence[Pod], *, placed: bool) -> list[Entry]:
        first = run[0]
        if len(run) == 1 or self._is_pinned(first, "node"):
            return [{"name": one.name, **({"node": one.node} if placed else {}), **self._values(one)} for one in run]
        return [{"name": _stem(first), **self._number(run), **self._values(first)}]

    def _number(self, run: Sequence[Pod]) -> Entry:
        """Return how many there are and where: on one node, on each, or wherever there are fewest."""
        if len({one.node for one in run}) == 1 and len(self.topology.nodes) > 1:
            return {"node": run[0].node, "replicas": len(run)}
        each = self._per_node(run)
        return {"perNode": each} if each else {"replicas": len(run)}


def _stem(item: Any) -> str:
    match = _NUMBERED.fullmatch(item.name)
    return match[1] if match else ""


def _continues(run: Sequence[Any], item: Any) -> bool:
    """Say whether a run goes on with an item by its name: from a-1 and a-2 to a-3."""
    stem = _stem(run[0])
    return bool(stem) and run[0].name == f"{stem}-1" and item.name == f"{stem}-{len(run) + 1}"
