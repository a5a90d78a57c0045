"""Topology files: finding, reading and planning them. Needs no rights and changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from kemu.base.errors import Problem, SpecError, UsageError
from kemu.cluster.state import Record
from kemu.plan.build import Plan, build_plan
from kemu.plan.registry import options_classes, read_topology
from kemu.spec import model
from kemu.spec.live import Live, fold
from kemu.spec.schema import json_schema
from kemu.spec.source import Source, decode, read_documents
from kemu.spec.write import write_topology
from kemu.spec.yaml_text import find_path, show_yaml

STDIN = "-"
DEFAULT_FILE = "kemu.yaml"
DEFAULT_PATTERN = "*.kemu.yaml"


@dataclass(frozen=True)
class Topology:
    """A topology file, read and checked. `record` says what was added to the file: a backend, changes."""

    model: model.Topology
    record: Record

    @classmethod
    def load(cls, file: str | Path | None = None, *, backend: str | None = None, sets: Sequence[str] = ()) -> Topology:
        """Return the topology in a file, on standard input (`-`), or the bundled one of that name.

        Without `file`, it is kemu.yaml, or the only *.kemu.yaml, of this directory. `backend` replaces the file's; `sets` are changes
        such as "nodes.n1.address=172.18.0.9". Raises SpecError with every problem.
        """
        return cls.read(load_source(file), backend=backend, sets=sets)

    @classmethod
    def parse(cls, text: str, *, file: str = "", backend: str | None = None, sets: Sequence[str] = ()) -> Topology:
        """Return the topology in a text; `file` is the path that it is said to come from, whose name the cluster takes."""
        source = Source(name=Path(file).name or "<text>", text=text, path=Path(file) if file else None)
        return cls.read(source, backend=backend, sets=sets)

    @classmethod
    def build(cls, **keys: Any) -> Topology:
        """Return the topology of the file's own words as Python data: build(name="lab", nodes=3, pods=[{"name": "web", "replicas": 3}]).

        The same reader checks it. SpecError has every problem, with the path to it in place of a line: pods[0].replicas.
        """
        text = show_yaml(keys)
        try:
            return cls.parse(text)
        except SpecError as error:
            raise SpecError([_with_path(problem, text) for problem in error.problems]) from None

    @classmethod
    def read(cls, source: Source, *, backend: str | None = None, sets: Sequence[str] = ()) -> Topology:
        """Return the topology in a source, which `load_source` gives."""
        topology = read_topology(source, backend=backend, sets=tuple(sets))
        record = Record(cluster=topology.name, file=str(source.path or ""), backend=backend, sets=tuple(sets))
        return cls(topology, record)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.model.name

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self.model.networking.backend.name

    def plan(self, *, force: bool = False) -> Plan:
        """Return the kernel objects that the cluster would consist of. `force` turns what the backend cannot do into warnings."""
        return build_plan(self.model, force=force)

    def to_yaml(self) -> str:
        """Return a file that describes the same: minimal, without comments."""
        return show_model(self.model)

    def with_live(self, live: Live) -> Topology:
        """Return the topology with what verbs changed live. Raises SpecError where that does not fit."""
        return Topology(fold(self.model, live), self.record)

    def renamed(self, name: str) -> Topology:
        """Return the same topology as a cluster of another name."""
        return Topology(replace(self.model, name=name), replace(self.record, cluster=name))


def show_model(topology: model.Topology) -> str:
    """Return a file that describes a model, which may be that of a running cluster."""
    return write_topology(topology, lambda text: read_topology(Source(name=topology.name, text=text)))


def _with_path(problem: Problem, text: str) -> Problem:
    """Return a problem of a text that nobody has seen with the path of what is wrong."""
    path = find_path(read_documents(Source(name="", text=text))[0], problem.mark) if problem.mark else ""
    return replace(problem, mark=None, message=f"{path}: {problem.message}" if path else problem.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A bundled topology: its name, its file, and the first comment's lines, which tell its lesson."""

    name: str
    path: Path
    lesson: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the example as JSON."""
        return {"name": self.name, "path": str(self.path), "lesson": list(self.lesson)}


def examples() -> list[Example]:
    """Return the topologies that come with kemu."""
    folder = Path(str(resources.files("kemu_topologies")))
    return [Example(name=path.stem, path=path, lesson=_lesson(path)) for path in sorted(folder.glob("*.yaml"))]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of topology files, with the options of every installed backend."""
    return json_schema(options_classes())


def _lesson(path: Path) -> tuple[str, ...]:
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return tuple(lines)


def load_source(file: str | Path | None = None) -> Source:
    """Return the text of a file, of standard input (`-`), of the bundled topology of that name, or of this directory's own file."""
    if file == STDIN:
        return Source(name="<stdin>", text=decode("<stdin>", sys.stdin.buffer.read()))
    path = find_file(file)
    name = str(file) if file is not None and path == Path(file) else path.name
    return Source(name=name, text=decode(name, _read_bytes(path)), path=path.resolve())


def find_file(file: str | Path | None) -> Path:
    """Return the path of a topology by its path or bundled name, or of this directory's own. UsageError says what there is."""
    if file is None:
        return _own_file()
    path = Path(file)
    if path.is_file() or path.suffix in (".yaml", ".yml") or path.parent != Path():
        return path
    bundled = {example.name: example.path for example in examples()}
    if str(file) in bundled:
        return bundled[str(file)]
    raise UsageError(f'there is no file and no example called "{file}"', hint=f"the examples are {', '.join(bundled)}")


def _own_file() -> Path:
    if Path(DEFAULT_FILE).is_file():
        return Path(DEFAULT_FILE)
    found = sorted(Path().glob(DEFAULT_PATTERN))
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"which one: {', '.join(map(str, found))}?", hint="name the file")
    raise UsageError(
        f"there is no {DEFAULT_FILE} and no {DEFAULT_PATTERN} here", hint="name a file, or try an example: kemu up two-nodes"
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
