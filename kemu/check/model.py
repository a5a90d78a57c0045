"""What came of the expectations of a file. Frozen data; Report.to_dict is the JSON contract."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kemu.base.marks import Mark
from kemu.base.units import show_bits_per_second, show_seconds

SCHEMA = "kemu.test/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One pair in one IP family of which an expectation does not hold.

    `expected` is allow, deny, above or below. `reason` is that of reach for what is not reached, "reached" for what should be denied,
    "unproven" for a denial that is none because nobody at all gets an answer there, "figure" for a figure out of its limits, and
    "error" where nothing could be measured. `message` says it to people.
    """

    sender: str
    receiver: str
    address: str
    family: str
    protocol: str
    port: int | None
    expected: str
    reason: str
    message: str

    @property
    def way(self) -> str:
        """The pair and what was sent: pod/default/a -> pod/default/db, tcp 5432."""
        return f"{self.sender} -> {self.receiver}, {self.protocol}{f' {self.port}' if self.port else ''}"

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as JSON."""
        facts = asdict(self)
        return {"from": facts.pop("sender"), "to": facts.pop("receiver"), **facts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure: one of `bits_per_second` and `rtt_seconds`."""

    sender: str
    receiver: str
    address: str
    family: str
    bits_per_second: float | None = None
    rtt_seconds: float | None = None

    def __str__(self) -> str:
        return show_figure(self.bits_per_second, self.rtt_seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as JSON."""
        facts = asdict(self)
        return {"from": facts.pop("sender"), "to": facts.pop("receiver"), **facts}


def show_figure(bits_per_second: float | None, rtt_seconds: float | None) -> str:
    """Return the one of two figures that there is, with its unit."""
    return show_bits_per_second(bits_per_second) if bits_per_second is not None else show_seconds(rtt_seconds or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one expectation. `kind` is reach, perf or rtt; `total` counts what was tried, `seconds` is its share of the time."""

    name: str
    kind: str
    mark: Mark | None
    total: int
    seconds: float
    failures: tuple[Failure, ...] = ()
    measured: tuple[Measured, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        mark = self.mark
        return {
            "name": self.name,
            "kind": self.kind,
            "holds": self.holds,
            "line": mark.line if mark else None,
            "column": mark.column if mark else None,
            "seconds": self.seconds,
            "total": self.total,
            "failures": [one.to_dict() for one in self.failures],
            "measured": [one.to_dict() for one in self.measured],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcomes of a file's expectations, in its order. `file` is its absolute path, empty where it came through a pipe."""

    cluster: str
    file: str
    outcomes: tuple[Outcome, ...]

    @property
    def held(self) -> int:
        """How many expectations hold."""
        return sum(one.holds for one in self.outcomes)

    @property
    def holds(self) -> bool:
        """Whether all do."""
        return self.held == len(self.outcomes)

    @property
    def failures(self) -> list[str]:
        """What does not hold, a line for each failure: `assert cluster.test().failures == []` tells the reader of a test."""
        return [f"{one.name}: {failure.way}: {failure.message}" for one in self.outcomes for failure in one.failures]

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        return sum(one.seconds for one in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as `kemu.test/1`."""
        return {
            "schema": SCHEMA,
            "cluster": self.cluster,
            "file": self.file or None,
            "expectations": [one.to_dict() for one in self.outcomes],
            "held": self.held,
            "total": len(self.outcomes),
            "seconds": self.seconds,
        }
