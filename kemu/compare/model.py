"""What a comparison of backends is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kemu.perf.model import Run
from kemu.perf.summary import Summary, build_summaries
from kemu.plan.build import Plan
from kemu.spec.model import Topology

SCHEMA = "kemu.compare/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One backend of the comparison: the topology under the name of its own cluster, and its plan, or why there is none."""

    backend: str
    topology: Topology
    plan: Plan | None
    why_not: str = ""
    fidelity: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its plan warns of."""
        return self.plan.warnings if self.plan else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a backend works with this topology on this machine. `reason` says why not; `seconds` is how long `up` took.

    `reached` of `total` pairs of pods got an answer; both are None where the cluster did not come up. `mtu` is the pods', in bytes.
    """

    backend: str
    works: bool
    reason: str = ""
    reached: int | None = None
    total: int | None = None
    mtu: int | None = None
    seconds: float | None = None
    fidelity: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON."""
        return {
            "backend": self.backend,
            "works": self.works,
            "reason": self.reason,
            "reached": self.reached,
            "total": self.total,
            "mtu": self.mtu,
            "up_seconds": self.seconds,
            "fidelity": self.fidelity,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came out: a verdict for each backend in the order asked for, and the runs of those that could be measured."""

    cluster: str
    ends: tuple[str, str]
    rounds: int
    verdicts: tuple[Verdict, ...]
    runs: tuple[Run, ...]

    @cached_property
    def summary(self) -> tuple[Summary, ...]:
        """The medians, in the order of the backends."""
        order: Mapping[str, int] = {verdict.backend: place for place, verdict in enumerate(self.verdicts)}
        return tuple(sorted(build_summaries(self.runs), key=lambda row: order[row.backend]))

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as `kemu.compare/1`."""
        return {
            "schema": SCHEMA,
            "cluster": self.cluster,
            "from": self.ends[0],
            "to": self.ends[1],
            "rounds": self.rounds,
            "backends": [verdict.to_dict() for verdict in self.verdicts],
            "runs": [run.to_dict() for run in self.runs],
            "summary": [row.to_dict() for row in self.summary],
        }
