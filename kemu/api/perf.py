"""What `perf` gives back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kemu.base.errors import UsageError
from kemu.perf.model import Direction, Protocol, Request, Run
from kemu.perf.summary import Summary, build_summaries
from kemu.spec.endpoints import Endpoint

__all__ = ["Direction", "PerfReport", "Protocol", "Request", "Run", "Summary"]


def check_apart(source: Endpoint, target: Endpoint) -> None:
    """Raise UsageError where no network is between two endpoints."""
    if source.full == target.full:
        raise UsageError(f"{source.full} to itself is loopback, not the network", hint="name two endpoints")
    if source.netns == target.netns:
        message = f"{source.full} and {target.full} are both in the network of node {source.node}: that is loopback"
        raise UsageError(message, hint="name two endpoints apart")


SCHEMA = "kemu.perf/1"


@dataclass(frozen=True, kw_only=True)
class PerfReport:
    """The runs of one measurement, and their medians."""

    cluster: str
    runs: tuple[Run, ...]

    @cached_property
    def summary(self) -> tuple[Summary, ...]:
        """A row for each path and direction."""
        return build_summaries(self.runs)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as `kemu.perf/1`."""
        return {
            "schema": SCHEMA,
            "cluster": self.cluster,
            "runs": [run.to_dict() for run in self.runs],
            "summary": [row.to_dict() for row in self.summary],
        }
