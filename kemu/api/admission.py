"""What `up` asks before it changes a cluster that is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kemu.api.status import Renumbered, find_renumbered
from kemu.api.topology import Topology
from kemu.base.errors import SpecError, StateError
from kemu.base.reporter import Reporter
from kemu.cluster.state import Record, StateDirectory

Confirm = Callable[[Sequence[Renumbered]], bool]


def refuse(moves: Sequence[Renumbered]) -> bool:
    """Confirm nothing."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Decides, for lifecycle.up, whether a cluster may become `wanted` as it is, must be made anew, or must be left alone."""

    wanted: Topology
    replace: bool
    confirm: Confirm
    reporter: Reporter

    def __call__(self, known: Record, state: StateDirectory) -> bool:
        """Return whether the cluster can be changed in place. Raises StateError if it must not be changed at all."""
        self._check_file(known)
        before = self._find_before(known, state)
        if before is None:
            return not known.ready
        if before.backend != self.wanted.backend:
            self.reporter.warn(f"{self.wanted.backend} instead of {before.backend}: the cluster goes down and comes up anew")
            return False
        if known.sets and not self.wanted.record.sets:
            self.reporter.warn(f"what it was brought up with no longer holds: {' '.join(f'--set {one}' for one in known.sets)}")
        self._check_numbers(before)
        return True

    def _check_file(self, known: Record) -> None:
        if known.file == self.wanted.record.file or self.replace:
            return
        files = [file or "standard input" for file in (known.file, self.wanted.record.file)]
        raise StateError(
            f"the cluster {known.cluster} was made from {files[0]}, and this is {files[1]}",
            hint="--replace makes it follow this file; a line such as name: lab in this one makes another cluster",
        )

    def _find_before(self, known: Record, state: StateDirectory) -> Topology | None:
        """Return what the cluster was last brought up with; None if that was never finished, or is a file of another version."""
        try:
            return applied(known, state) if known.ready else None
        except (SpecError, StateError):
            return None

    def _check_numbers(self, before: Topology) -> None:
        moves = find_renumbered(before.model, self.wanted.model)
        if moves and not self.confirm(moves):
            raise StateError(
                f"the changed file moves {len(moves)} endpoints to other addresses: {show_moves(moves)}",
                hint="--yes moves them; new pods and nodes at the end of their lists move nobody, and address: pins one",
            )


def show_moves(moves: Sequence[Renumbered]) -> str:
    """Return the first few moves in a line."""
    return ", ".join(map(str, moves[:3])) + (" …" if len(moves) > 3 else "")


def applied(record: Record, state: StateDirectory) -> Topology:
    """Return the topology that a cluster was last brought up with. Raises StateError if its file is lost."""
    text = state.find_topology()
    if text is None:
        raise StateError(f"the file of {state.cluster} is lost", hint=f"kemu down {state.cluster} still removes the cluster")
    topology = Topology.parse(text, file=record.file, backend=record.backend, sets=record.sets)
    return topology if topology.name == record.cluster else topology.renamed(record.cluster)
