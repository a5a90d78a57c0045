"""What `@pytest.mark.kemu(…)` asks for: which topologies, over which backends. Imports kemu only to bring one up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kemu.api import Topology

INLINE = "inline"

_WANTED: dict[Any, Wanted] = {}


@dataclass(frozen=True, eq=False)
class Wanted:
    """One cluster that tests ask for; `directory` is that of the tests. pytest shares one among those who have the very same object."""

    topology: Any
    backend: str | None
    sets: tuple[str, ...]
    directory: Path

    @property
    def id(self) -> str:
        """What pytest puts behind the test's name: two-nodes-vxlan."""
        return "-".join(filter(None, (_name(self.topology), self.backend)))

    def load(self) -> Topology:
        """Return the topology. KemuError says what is wrong with it."""
        from kemu.api import Topology  # noqa: PLC0415 (only whoever brings a cluster up waits for it)

        found, backend, sets = self.topology, self.backend, self.sets
        if isinstance(found, Topology):
            record = found.record
            return Topology.parse(
                found.model.text, file=record.file, backend=backend or record.backend, sets=(*record.sets, *sets)
            )
        if isinstance(found, Mapping):
            found = Topology.build(**{"name": INLINE, **found}).model.text
        if _is_text(found):
            return Topology.parse(found, file=str(self.directory / f"{INLINE}.yaml"), backend=backend, sets=sets)
        beside = self.directory / found
        return Topology.load(beside if beside.is_file() or isinstance(found, Path) else found, backend=backend, sets=sets)


def _is_text(topology: Any) -> bool:
    """Say whether a topology is the text of a file, not its path: paths have no colon before a space, and no second line."""
    return isinstance(topology, str) and ("\n" in topology or ": " in topology)


def _name(topology: Any) -> str:
    if isinstance(topology, Mapping):
        return str(topology.get("name", INLINE))
    if isinstance(topology, (str, Path)):
        return INLINE if _is_text(topology) else Path(topology).name.removesuffix(".yaml").removesuffix(".kemu")
    return str(topology.name)


def read_marker(
    directory: Path,
    topology: Any = None,
    *,
    backend: str | None = None,
    sets: Sequence[str] = (),
    topologies: Sequence[Any] = (),
    backends: Sequence[str] = (),
) -> list[Wanted]:
    """Return the clusters that a marker with these arguments asks for: each of the topologies over each of the backends.

    ValueError says what is wrong with the marker. Whoever asks for the same gets the same object, so that pytest shares the cluster.
    """
    if (topology is None) == (not topologies):
        raise ValueError('it takes a topology, as in kemu("two-nodes"), or topologies=[…], and not both')
    if backend and backends:
        raise ValueError("it takes backend or backends, and not both")
    if isinstance(sets, str) or isinstance(backends, str) or isinstance(topologies, (str, Mapping)):
        raise ValueError("sets, topologies and backends are lists")
    wanted = [topology] if topology is not None else list(topologies)
    return [_wanted(one, other, tuple(sets), directory) for one in wanted for other in backends or (backend,)]


def _wanted(topology: Any, backend: str | None, sets: tuple[str, ...], directory: Path) -> Wanted:
    said = topology if isinstance(topology, (str, Path)) else repr(topology) if isinstance(topology, Mapping) else id(topology)
    key = (said, backend, sets, directory)
    return _WANTED.setdefault(key, Wanted(topology, backend, sets, directory))
