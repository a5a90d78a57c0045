"""Finding backends: every module without a leading underscore in a package that the entry point group `kemu.backends` names."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, cast

from kemu.base.errors import MachineError, UsageError
from kemu.plan.backend import Backend
from kemu.spec.model import Topology
from kemu.spec.read import read_topology as _read_topology
from kemu.spec.source import Source, find_close

GROUP = "kemu.backends"


@cache
def backends() -> Mapping[str, Backend]:
    """Return every installed backend by its name, sorted. Two packages that offer one name are an error that names both."""
    found: dict[str, ModuleType] = {}
    for package in _packages():
        for name, module in _modules(package):
            if name in found:
                raise UsageError(
                    f'two packages offer a backend called "{name}": {found[name].__name__} and {module.__name__}',
                    hint="uninstall one of them",
                )
            found[name] = module
    if not found:
        raise MachineError("no backend is installed", hint="kemu runs from a checkout that is not installed: pip install -e .")
    return {name: cast("Backend", found[name]) for name in sorted(found)}


def _packages() -> list[str]:
    return sorted({point.value for point in entry_points(group=GROUP)})


def _modules(package: str) -> list[tuple[str, ModuleType]]:
    paths = importlib.import_module(package).__path__
    names = (info.name for info in pkgutil.iter_modules(paths) if not info.name.startswith("_"))
    return [(name.replace("_", "-"), importlib.import_module(f"{package}.{name}")) for name in names]


def find_backend(name: str) -> Backend:
    """Return the backend called `name`; UsageError lists those that exist."""
    try:
        return backends()[name]
    except KeyError:
        raise UsageError(f'there is no backend called "{name}"', hint=find_close(name, backends(), "backends")) from None


def options_classes() -> dict[str, type[Any]]:
    """Return the Options class of every backend by the backend's name."""
    return {name: backend.Options for name, backend in backends().items()}


def read_topology(source: Source, *, backend: str | None = None, sets: tuple[str, ...] = ()) -> Topology:
    """Return the topology that `source` describes, its backend's options read too. Raises SpecError with every problem."""
    return _read_topology(source, backends=options_classes(), backend=backend, sets=sets)
