"""What was measured: rows of samples, and what follows from them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from benchmarks.contestants import Sample

#: Which ratios are told: of whom, against whom.
RATIOS = (("kemu", "floor"), ("ip", "kemu"), ("script", "kemu"), ("mininet", "kemu"))


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, the least and the greatest."""

    median: float
    least: float
    greatest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The samples of one contestant at one size, one a round."""

    pods: int
    name: str
    samples: tuple[Sample, ...]

    def spread(self, key: str) -> Spread:
        """Return how a figure spreads."""
        return spread(getattr(sample, key) for sample in self.samples)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return {
            "pods": self.pods,
            "name": self.name,
            "up_seconds": self.spread("up_seconds").median,
            "samples": [asdict(one) for one in self.samples],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How much longer one takes than another to bring the same up. Rounds are compared with themselves."""

    pods: int
    slower: str
    faster: str
    spread: Spread

    def to_dict(self) -> dict[str, Any]:
        """Return the ratio as JSON."""
        return asdict(self)


def spread(figures: Iterable[float]) -> Spread:
    """Return how figures spread."""
    known = list(figures)
    return Spread(statistics.median(known), min(known), max(known))


def ratios(rows: Sequence[Row]) -> list[Ratio]:
    """Return the ratios between rows of one size."""
    known = {(row.pods, row.name): row for row in rows}
    sizes = dict.fromkeys(row.pods for row in rows)
    return [
        Ratio(pods=pods, slower=slower, faster=faster, spread=_compare(known[pods, slower], known[pods, faster]))
        for pods in sizes
        for slower, faster in RATIOS
        if (pods, slower) in known and (pods, faster) in known
    ]


def _compare(slower: Row, faster: Row) -> Spread:
    pairs = zip(slower.samples, faster.samples, strict=True)
    return spread(one.up_seconds / other.up_seconds for one, other in pairs)


def further_pods(rows: Sequence[Row], name: str) -> list[tuple[int, int, float]]:
    """Return (from, to, seconds): what each further pod costs between one size and the next."""
    own = [row for row in rows if row.name == name]
    return [(few.pods, many.pods, _slope(few, many)) for few, many in pairwise(own)]


def _slope(few: Row, many: Row) -> float:
    more = many.spread("up_seconds").median - few.spread("up_seconds").median
    return more / (many.pods - few.pods)
