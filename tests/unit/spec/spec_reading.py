"""Reading a text as the tests want it: with the installed backends, as a file called lab.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from kemu.base.errors import SpecError
from kemu.plan.registry import options_classes
from kemu.spec.model import Topology
from kemu.spec.read import read_topology
from kemu.spec.source import Source

FILE = Path("/nowhere/lab.yaml")


def read(text: str, *sets: str, backend: str | None = None, path: Path | None = FILE) -> Topology:
    name = path.name if path else "<stdin>"
    return read_topology(Source(name=name, text=text, path=path), backends=options_classes(), sets=sets, backend=backend)


def problems(text: str, *sets: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(text, *sets)
    return [problem.message for problem in caught.value.problems]


def texts(values: object) -> list[str]:
    return [str(value) for value in values]  # type: ignore[attr-defined]
