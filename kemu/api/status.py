"""How a running cluster compares with what it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kemu.cluster.processes import ProcessRecord
from kemu.plan.diff import Change
from kemu.plan.drift import show_change, to_drift
from kemu.spec import model
from kemu.spec.endpoints import all_endpoints
from kemu.spec.live import LiveItem

STATUS_SCHEMA = "kemu.status/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A cluster beside its plan. `state` is starting, ok, degraded or drifted; `changes` what `up` would do, `live` what verbs changed.

    It is degraded if a process is not ready; `unmet` has those.
    """

    cluster: str
    backend: str
    state: str
    changes: tuple[Change, ...]
    live: tuple[LiveItem, ...]
    warnings: tuple[str, ...]
    nodes: int
    pods: int
    objects: int
    processes: tuple[ProcessRecord, ...] = ()

    @property
    def unmet(self) -> list[ProcessRecord]:
        """The processes that are not as they should be."""
        return [one for one in self.processes if not one.ready]

    @property
    def drift(self) -> list[str]:
        """The changes, each in a line."""
        return [show_change(change, self.cluster) for change in self.changes]

    def to_dict(self) -> dict[str, Any]:
        """Return the status as `kemu.status/1`."""
        return {
            "schema": STATUS_SCHEMA,
            "cluster": self.cluster,
            "state": self.state,
            "drift": [to_drift(change, self.cluster) for change in self.changes],
            "unmet": [{"object": one.title, "netns": f"{self.cluster}.{one.netns}", "reason": one.reason} for one in self.unmet],
            "live": [asdict(item) for item in self.live],
            "warnings": list(self.warnings),
            "processes": [one.to_dict(self.cluster) for one in self.processes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumbered:
    """An endpoint whose addresses a changed file moves."""

    endpoint: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.endpoint} {self.before} -> {self.after}"


def find_renumbered(before: model.Topology, after: model.Topology) -> Sequence[Renumbered]:
    """Return the endpoints that both topologies have, with different addresses."""
    old = {endpoint.full: _addresses(endpoint.addresses) for endpoint in all_endpoints(before)}
    new = {endpoint.full: _addresses(endpoint.addresses) for endpoint in all_endpoints(after)}
    return [
        Renumbered(endpoint=name, before=old[name], after=new[name]) for name in old if name in new and old[name] != new[name]
    ]


def _addresses(addresses: Sequence[model.IPAddress]) -> str:
    return ",".join(map(str, addresses))
