"""Plans as text and JSON: the commands, the tree, the counts, one endpoint's part, and the difference to another backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from kemu.api.cluster import Cluster
from kemu.api.status import Status
from kemu.api.topology import Topology
from kemu.base.reporter import SILENT, Reporter
from kemu.cluster import lifecycle
from kemu.plan.codec import SCHEMA, kind_of, to_dict
from kemu.plan.diff import diff
from kemu.plan.objects import Netns, Object, place
from kemu.plan.select import select
from kemu.plan.show import command, show_part, show_script
from kemu.plan.tree import show_tree
from kemu.spec.endpoints import find_endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """The kernel objects of a cluster, or the part of them that serves the endpoint `whom`."""

    cluster: str
    objects: tuple[Object, ...]
    whom: str = ""
    warnings: tuple[str, ...] = ()

    def place(self, netns: str) -> str:
        """Return what a namespace of the plan is called outside."""
        return place(self.cluster, netns)

    def script(self) -> str:
        """Return the commands that a person would type: as a script for bash, or of a part to be read."""
        return show_part(self.objects, self.cluster, self.whom) if self.whom else show_script(self.objects, self.cluster)

    def tree(self) -> str:
        """Return every namespace with what is in it."""
        return show_tree(self.objects, self.cluster)

    def counts(self) -> dict[str, int]:
        """Return how many objects there are of each kind."""
        return dict(Counter(kind_of(item) for item in self.objects))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as `kemu.plan/1`."""
        return {"schema": SCHEMA, "cluster": self.cluster, "objects": [to_dict(item) for item in self.objects]}


def view(topology: Topology, *, force: bool = False, endpoint: str | None = None, namespace: str = "default") -> PlanView:
    """Return a topology's plan; with `endpoint` only the part that serves it."""
    plan = topology.plan(force=force)
    if endpoint is None:
        return PlanView(cluster=topology.name, objects=tuple(plan), warnings=plan.warnings)
    whom = find_endpoint(topology.model, endpoint, namespace=namespace)
    return PlanView(cluster=topology.name, objects=tuple(select(plan, whom)), whom=whom.full, warnings=plan.warnings)


def changes(topology: Topology, *, force: bool = False, reporter: Reporter = SILENT) -> Status:
    """Return what `up` would change: in the running cluster, or, where there is none, everything that it would make."""
    if topology.name in lifecycle.find_clusters():
        return Cluster(topology.name).compare(topology, force=force, reporter=reporter)
    reporter.warn(f"there is no cluster {topology.name}: up would make all of it")
    plan = topology.plan(force=force)
    return Status(
        cluster=topology.name,
        backend=topology.backend,
        state="drifted",
        changes=diff(plan, (), {}),
        live=(),
        warnings=plan.warnings,
        nodes=len(topology.model.nodes),
        pods=len(topology.model.pods),
        objects=len(plan),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One object that two plans do not share: a command less (`-`) or more (`+`)."""

    sign: str
    netns: str
    command: str


def differences(here: PlanView, there: PlanView) -> list[Difference]:
    """Return what `there` has otherwise than `here`, namespace by namespace, in the commands that would make it."""
    known, other = _by_key(here.objects), _by_key(there.objects)
    found = [_difference("-", item, here) for key, item in known.items() if other.get(key) != item]
    found += [_difference("+", item, there) for key, item in other.items() if known.get(key) != item]
    order = {netns: place for place, netns in enumerate(dict.fromkeys(item.netns for item in (*here.objects, *there.objects)))}
    return sorted(found, key=lambda difference: order[difference.netns])


def _by_key(objects: Iterable[Object]) -> dict[tuple[Any, ...], Object]:
    return {item.key: item for item in objects if not isinstance(item, Netns)}


def _difference(sign: str, item: Object, of: PlanView) -> Difference:
    return Difference(sign=sign, netns=item.netns, command=command(item, of.cluster))


def with_backend(topology: Topology, backend: str) -> Topology:
    """Return the same file with another backend."""
    record = replace(topology.record, backend=backend)
    return Topology.parse(topology.model.text, file=record.file, backend=backend, sets=record.sets)
