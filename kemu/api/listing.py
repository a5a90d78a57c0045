"""What `get` lists: one row for each pod, node, host, namespace or segment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kemu.base.errors import NotFoundError
from kemu.cluster.processes import EXITED, RESTARTING, ProcessRecord
from kemu.spec.model import Host, Node, Pod, Topology

Rows = list[tuple[Any, ...]]
Processes = Sequence[ProcessRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Rows of one kind. `keys` name the columns."""

    kind: str
    keys: tuple[str, ...]
    rows: Rows


def list_kind(
    topology: Topology,
    kind: str,
    *,
    namespace: str | None = None,
    name: str | None = None,
    processes: Sequence[ProcessRecord] = (),
) -> Listing:
    """Return the things of a kind, of one namespace or all, or the one called `name`. NotFoundError if there is none of that name.

    `processes` are what is known of those of the cluster; pods show how theirs are.
    """
    keys, build = _KINDS[kind]
    column = keys.index("name")
    rows = [row for row in build(topology, processes) if _fits(keys, row, namespace) and name in (None, row[column])]
    if name is not None and not rows:
        raise NotFoundError(f'there is no {kind.removesuffix("s")} "{name}" in {topology.name}', hint=f"kemu get {kind}")
    return Listing(kind=kind, keys=keys, rows=rows)


def _fits(keys: Sequence[str], row: Sequence[Any], namespace: str | None) -> bool:
    return namespace is None or "namespace" not in keys or row[keys.index("namespace")] == namespace


def _pods(topology: Topology, processes: Processes) -> Rows:
    known: dict[str, list[ProcessRecord]] = defaultdict(list)
    for one in processes:
        known[one.pod].append(one)
    return [
        (
            pod.namespace,
            pod.name,
            *_condition(pod, known[f"{pod.namespace}.{pod.name}"]),
            pod.node,
            _texts(pod.addresses),
            _texts(pod.ports),
            dict(pod.labels),
        )
        for pod in topology.pods
    ]


def _condition(pod: Pod, processes: Processes) -> tuple[str, str, int]:
    """Return how many of a pod's containers are ready, its status in kubectl's words, and how often they were started again."""
    ready = sum(one.ready for one in processes)
    return f"{ready}/{len(pod.containers)}", _status(pod, processes), sum(one.restarts for one in processes)


def _status(pod: Pod, processes: Processes) -> str:
    """Return how a pod is. Source of the words: Kubernetes, printPod in pkg/printers/internalversion/printers.go; `Idle` is kemu's."""
    if not pod.containers:
        return "Idle"
    if len(processes) < len(pod.containers):
        return "Pending"
    states = {one.state for one in processes}
    if RESTARTING in states:
        return "CrashLoopBackOff"
    if any(one.state == EXITED and one.exit_code != 0 for one in processes):
        return "Error"
    return "Completed" if states == {EXITED} else "NotReady" if EXITED in states else "Running"


def _nodes(topology: Topology, _: Processes) -> Rows:
    return [
        (
            node.name,
            node.segment,
            _texts(node.addresses),
            _texts(node.pod_subnets),
            len(topology.pods_of(node)),
            dict(node.labels),
        )
        for node in topology.nodes
    ]


def _hosts(topology: Topology, _: Processes) -> Rows:
    return [(host.name, host.segment, _texts(host.addresses)) for host in topology.hosts]


def _namespaces(topology: Topology, _: Processes) -> Rows:
    labels = {one.name: dict(one.labels) for one in topology.namespaces}
    return [
        (name, sum(pod.namespace == name for pod in topology.pods), labels.get(name, {})) for name in namespace_names(topology)
    ]


def namespace_names(topology: Topology) -> list[str]:
    """Return the Kubernetes namespaces that there are: default, those of the file, and those of its pods."""
    return list(dict.fromkeys(["default", *(one.name for one in topology.namespaces), *(pod.namespace for pod in topology.pods)]))


def _segments(topology: Topology, _: Processes) -> Rows:
    machines: list[Node | Host] = [*topology.nodes, *topology.hosts]
    return [
        (one.name, _texts(one.subnets), _texts(one.router), [machine.name for machine in machines if machine.segment == one.name])
        for one in topology.fabric.segments
    ]


def _texts(values: Sequence[object]) -> list[str]:
    return [str(value) for value in values]


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Topology, Processes], Rows]]] = {
    "pods": (("namespace", "name", "ready", "status", "restarts", "node", "addresses", "ports", "labels"), _pods),
    "nodes": (("name", "segment", "addresses", "subnets", "pods", "labels"), _nodes),
    "hosts": (("name", "segment", "addresses"), _hosts),
    "namespaces": (("name", "pods", "labels"), _namespaces),
    "segments": (("name", "subnets", "router", "machines"), _segments),
}
