"""Many runs in few rows: medians, their spread, and the ratio to the first backend. Pure; used by perf and compare."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kemu.perf.model import Direction, Protocol, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median and how far the values lie apart. `relative` is (maximum - minimum) / median; None for a median of 0."""

    median: float
    minimum: float
    maximum: float

    @property
    def relative(self) -> float | None:
        """The width of the range in medians: 0.1 says that the values differ by a tenth."""
        return (self.maximum - self.minimum) / self.median if self.median else None

    def to_dict(self) -> dict[str, Any]:
        """Return the spread as JSON."""
        return {"median": self.median, "min": self.minimum, "max": self.maximum, "relative_ratio": self.relative}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All runs of one backend between two endpoints, one protocol, one direction; every figure but the spread is a median.

    `ratio` is the median rate over that of the first backend's row for the same path; 1 for the first backend, None
    where it has no such row.
    """

    backend: str
    source: str
    target: str
    protocol: Protocol
    direction: Direction
    runs: int
    bits_per_second: Spread
    ratio: float | None
    retransmits: float | None
    loss_ratio: float | None
    jitter_seconds: float | None
    rtt_p50_seconds: float | None
    rtt_p99_seconds: float | None
    cpu_sender_seconds: float
    cpu_receiver_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the row as `-o json` prints it in `summary`."""
        return {
            "backend": self.backend,
            "from": self.source,
            "to": self.target,
            "protocol": str(self.protocol),
            "direction": str(self.direction),
            "runs": self.runs,
            "bits_per_second": self.bits_per_second.to_dict(),
            "ratio": self.ratio,
            "retransmits": self.retransmits,
            "loss_ratio": self.loss_ratio,
            "jitter_seconds": self.jitter_seconds,
            "rtt_seconds": {"p50": self.rtt_p50_seconds, "p99": self.rtt_p99_seconds},
            "cpu_seconds": {"sender": self.cpu_sender_seconds, "receiver": self.cpu_receiver_seconds},
        }


class _Path(NamedTuple):
    source: str
    target: str
    protocol: Protocol
    direction: Direction


def build_spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    return Spread(median=statistics.median(values), minimum=min(values), maximum=max(values))


def build_summaries(runs: Iterable[Run]) -> tuple[Summary, ...]:
    """Return a row for each backend and path, in the order in which they first appear among the runs."""
    groups: dict[tuple[str, _Path], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.backend, _path(run)), []).append(run)
    first = next(iter(groups), ("",))[0]
    reference = {path: _median_rate(group) for (backend, path), group in groups.items() if backend == first}
    return tuple(_build_summary(group, reference.get(path)) for (_, path), group in groups.items())


def _path(run: Run) -> _Path:
    return _Path(run.source, run.target, run.protocol, run.direction)


def _median_rate(runs: Sequence[Run]) -> float:
    return statistics.median(run.bits_per_second for run in runs)


def _build_summary(runs: Sequence[Run], reference: float | None) -> Summary:
    run = runs[0]
    spread = build_spread([each.bits_per_second for each in runs])
    return Summary(
        backend=run.backend,
        source=run.source,
        target=run.target,
        protocol=run.protocol,
        direction=run.direction,
        runs=len(runs),
        bits_per_second=spread,
        ratio=spread.median / reference if reference else None,
        retransmits=_median(each.retransmits for each in runs),
        loss_ratio=_median(each.loss_ratio for each in runs),
        jitter_seconds=_median(each.jitter_seconds for each in runs),
        rtt_p50_seconds=_median(each.rtt_seconds.p50 for each in runs),
        rtt_p99_seconds=_median(each.rtt_seconds.p99 for each in runs),
        cpu_sender_seconds=statistics.median(each.cpu_seconds.sender for each in runs),
        cpu_receiver_seconds=statistics.median(each.cpu_seconds.receiver for each in runs),
    )


def _median(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that there are; None if there is none."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
