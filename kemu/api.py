"""The Python API: `Cluster` and `Topology`, a facade over the floors below. The command line uses nothing else.

    from kemu import Cluster

    with Cluster.up("topo.yaml") as cluster:
        done = cluster.pod("web-1").run(["ping", "-c1", "10.244.1.2"])
        assert done.returncode == 0
        matrix = cluster.reach()
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from kemu.base.errors import NotFoundError, StateError, UsageError
from kemu.base.reporter import SILENT, Reporter
from kemu.cluster import lifecycle
from kemu.cluster.lifecycle import UpResult
from kemu.cluster.state import Record, StateDirectory
from kemu.kernel import limits, process
from kemu.kernel.netns import path_of
from kemu.plan.build import Plan, build_plan
from kemu.plan.diff import Change
from kemu.plan.registry import read_topology
from kemu.spec import endpoints, model
from kemu.spec.source import Source

STATUS_SCHEMA = "kemu.status/1"

Confirm = Callable[[str], bool]


def _never(question: str) -> bool:
    return False


# --- files ------------------------------------------------------------------------------------------------------------------------


def bundled_topologies() -> dict[str, Path]:
    """Return the example topologies that come with kemu, by name."""
    folder = Path(str(resources.files("kemu_topologies")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


@dataclass(frozen=True)
class Topology:
    """A topology file, read and checked. `record` says what the command line added to it."""

    model: model.Topology
    record: Record

    @classmethod
    def load(cls, file: str | Path, *, backend: str | None = None, sets: Sequence[str] = ()) -> Topology:
        """Return the topology in a file, or the bundled one of that name.

        `backend` replaces the file's, `sets` are changes such as "nodes.n1.address=172.18.0.9". Raises SpecError with every problem.
        """
        path = _find_file(file)
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"{path} cannot be read: {reason}") from None
        return cls._read(Source(name=str(file) if path == Path(file) else path.name, text=text, path=path.absolute()), backend, sets)

    @classmethod
    def parse(cls, text: str, *, name: str = "", backend: str | None = None, sets: Sequence[str] = ()) -> Topology:
        """Return the topology in a text; `name` is the cluster's where the text gives none."""
        source = Source(name="<text>", text=text, path=Path(f"/{name}.yaml") if name else None)
        return cls._read(source, backend, sets)

    @classmethod
    def _read(cls, source: Source, backend: str | None, sets: Sequence[str]) -> Topology:
        topology = read_topology(source, backend=backend, sets=tuple(sets))
        record = Record(cluster=topology.name, file=str(source.path or ""), backend=backend, sets=tuple(sets))
        return cls(topology, record)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.model.name

    def plan(self, *, force: bool = False) -> Plan:
        """Return the kernel objects that the cluster would consist of. Needs no rights."""
        return build_plan(self.model, force=force)

    def renamed(self, name: str) -> Topology:
        """Return the same topology as a cluster of another name."""
        from dataclasses import replace

        return Topology(replace(self.model, name=name), replace(self.record, cluster=name))


def _find_file(file: str | Path) -> Path:
    path = Path(file)
    if path.exists() or path.suffix in (".yaml", ".yml") or path.parent != Path():
        return path
    bundled = bundled_topologies()
    if str(file) in bundled:
        return bundled[str(file)]
    raise UsageError(f'there is no file and no example called "{file}"', hint=f"the examples are {', '.join(bundled)}")
