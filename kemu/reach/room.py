"""Room in the machine's neighbour table, which all namespaces share: by default 1,024 entries, which 35 pods that all talk fill.

The kernel does not let go of an entry that was of use in the last half minute. So between batches, when the probes themselves have filled
much of the table, the probed namespaces forget what they learned; what they need again they ask for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kemu.kernel.neighbours import forget_learned, read_neighbour_table

_FULL = 2  # from half of the limit on
_GROWTH = 4  # and when a quarter of the limit was added since


@dataclass(slots=True)
class Room:
    """Keeps room for the probes of some namespaces."""

    namespaces: Sequence[Path]
    versions: Sequence[int]
    _floor: dict[int, int] = field(default_factory=lambda: {4: 0, 6: 0})

    def make(self) -> None:
        """Forget learned neighbours if the table of a probed IP version fills."""
        if any(self._is_filling(version) for version in self.versions):
            forget_learned(self.namespaces)
            self._floor = {version: read_neighbour_table(version)[0] for version in self.versions}

    def _is_filling(self, version: int) -> bool:
        entries, limit = read_neighbour_table(version)
        return entries * _FULL >= limit and (entries - self._floor[version]) * _GROWTH >= limit
