"""Every source file with logic in it is imported by a test, or by a neighbour that is, or stands here with a reason.

The list is to become shorter: a row that is no longer needed fails.
"""

from __future__ import annotations

import ast
from functools import cache

import pytest

from .layers import Room, find_room, is_within
from .source import ROOT, Module, imports, modules, strings, test_modules

#: Modules that the rule does not see tested, and what tests them instead.
EXCEPTIONS: dict[str, str] = {
    "kemu.perf.worker": "a program: kemu.perf.process starts it, and tests/kernel/perf measures with it",
    "kemu.kernel.read": "tests/kernel/cluster reads every cluster back that it makes, and each kind of drift",
    "kemu.kernel.read_links": "the same",
    "kemu.kernel.read_entries": "the same",
    "kemu.kernel.read_qdiscs": "the same",
    "kemu.kernel.read_machine": "tests/kernel/internet does so with a cluster's device on the machine",
    "kemu.kernel.strays": "tests/kernel/cluster adds each kind by hand and has it mended",
    "kemu.agent.program": "a program: kemu.cluster.agent starts it, and tests/kernel/processes sees what it does",
    "kemu.agent.containers": "the same",
    "kemu.agent.ports": "the same",
    "kemu.agent.watch": "the same",
    "kemu.cluster.logs": "tests/kernel/processes reads and follows logs with it",
    "kemu.kernel.control": "tests/kernel/processes: whatever `up` tells an agent goes through it",
    "kemu.kernel.spawn": "tests/kernel/processes: every container is started with it",
    "kemu.kernel.write": "tests/kernel/cluster makes and mends clusters with it",
    "kemu.testing.plugin": "tests/unit/testing and tests/kernel/testing run a pytest of their own with it",
    "kemu.probe.limits": "tests/kernel/reach measures with it",
    "kemu.probe.line_servers": "tests/kernel/reach measures with it",
}


def _has_logic(module: Module) -> bool:
    return any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in ast.walk(module.tree))


def _is_tested(module: Module) -> bool:
    """Return whether a test, or a neighbour that a test imports, imports the module; of a verb or a backend, whether one names it."""
    return module.name in _imported() or module.name in _behind_neighbours() or _is_named(module)


def _is_named(module: Module) -> bool:
    package, _, name = module.name.rpartition(".")
    word = name.strip("_").replace("_", "-")
    return package in ("kemu.cli.verbs", "kemu_backends") and not name.startswith("_") and word in _said()


@cache
def _behind_neighbours() -> frozenset[str]:
    """Return what the modules that a test imports or names import of their own room; a verb also stands in front of the API."""
    fronts = [module for module in modules() if module.name in _imported() or _is_named(module)]
    seen = {one.target for front in fronts for one in imports(front) if find_room(one.target) in _behind(front)}
    doors = [module for module in modules() if module.is_package and module.name in seen]
    return frozenset(seen | {one.target for door in doors for one in imports(door)})


def _behind(front: Module) -> list[Room | None]:
    return [find_room(front.name), *([find_room("kemu.api")] if is_within(front.name, "kemu.cli") else [])]


@cache
def _imported() -> frozenset[str]:
    return frozenset(one.target for test in _mirrors() for one in imports(test))


@cache
def _said() -> frozenset[str]:
    return frozenset(text for test in _mirrors() for text in strings(test))


def _mirrors() -> list[Module]:
    """Return the tests but these, which look at the source without running it."""
    return [test for test in test_modules() if "contracts" not in test.path.relative_to(ROOT).parts]


@pytest.mark.parametrize("module", [module for module in modules() if _has_logic(module)], ids=str)
def test_has_a_test(module: Module) -> None:
    assert _is_tested(module) or module.name in EXCEPTIONS, f"no test imports {module.name}"


def test_every_exception_is_still_needed() -> None:
    needed = {module.name for module in modules() if _has_logic(module) and not _is_tested(module)}
    assert set(EXCEPTIONS) <= needed
