"""A module imports only from floors below its own; the floors that are pure touch nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from . import layers
from .layers import IMPURE_EXCEPTIONS, OUTSIDE, PURE, ROOMS, find_room, is_within
from .source import ROOT, Import, Module, imports, modules

OURS = ("kemu", "kemu_backends", "kemu_topologies")


def test_every_package_has_a_room() -> None:
    homeless = [module.name for module in modules() if find_room(module.name) is None and module.name not in layers.HALLS]
    assert not homeless, "in no row of tests/contracts/layers.py"


def test_every_room_exists() -> None:
    assert [room.folder for room in ROOMS if not (ROOT / room.folder / "__init__.py").exists()] == []


def test_the_table_goes_down() -> None:
    floors = [room.floor for room in ROOMS]
    assert floors == sorted(floors, reverse=True)


@pytest.mark.parametrize("module", modules(), ids=str)
def test_imports_only_from_floors_below(module: Module) -> None:
    wrong = [
        f"{module.path.relative_to(ROOT)}:{one.line} imports {one.target}"
        for one in imports(module)
        if one.target.split(".", maxsplit=1)[0] in OURS and not _may_import(module.name, one.target)
    ]
    assert not wrong, "\n".join(wrong)


def _may_import(importer: str, target: str) -> bool:
    """Return whether the table lets `importer` import `target`."""
    room, other = find_room(importer), find_room(target)
    if target == layers.ROOT:
        return True
    if room is None:
        return any(is_within(target, package) for package in layers.HALLS.get(importer, ()))
    if is_within(target, room.package):
        return True
    if room.only is not None:
        return any(is_within(target, package) for package in room.only)
    return other is not None and other.floor < room.floor


@pytest.mark.parametrize(
    ("importer", "target", "allowed"),
    [
        ("kemu.plan.build", "kemu.spec.model", True),
        ("kemu.plan.build", "kemu.plan.diff", True),
        ("kemu.plan.build", "kemu.kernel.netns", False),
        ("kemu.plan.build", "kemu_backends.vxlan", False),
        ("kemu.reach.run", "kemu.perf.run", False),
        ("kemu.base.errors", "kemu.spec.model", False),
        ("kemu.base.errors", "kemu", True),
        ("kemu.cli.main", "kemu.api.cluster", True),
        ("kemu.cli.main", "kemu.plan.show", False),
        ("kemu_backends.vxlan", "kemu_backends.host_gw", True),
        ("kemu_backends.vxlan", "kemu.plan.objects", True),
        ("kemu_backends.vxlan", "kemu.plan.build", False),
        ("kemu", "kemu.api", True),
        ("kemu", "kemu.kernel", False),
    ],
)
def test_the_rule_says(importer: str, target: str, allowed: bool) -> None:
    assert _may_import(importer, target) is allowed


@pytest.mark.parametrize("module", modules(), ids=str)
def test_reaches_outside_only_with_a_reason(module: Module) -> None:
    wrong = [
        f"{module.path.relative_to(ROOT)}:{one.line} imports {one.target}"
        for one in imports(module)
        if (users := _users(one)) is not None and not any(is_within(module.name, user) for user in users)
    ]
    assert not wrong, "\n".join(wrong)


def _users(one: Import) -> list[str] | None:
    return next((list(users) for library, users in OUTSIDE.items() if is_within(one.target, library)), None)


def test_every_reason_to_reach_outside_is_still_needed() -> None:
    uses = {(module.name, one.target) for module in modules() for one in imports(module)}
    stale = [
        f"{user}: {library}"
        for library, users in OUTSIDE.items()
        for user in users
        if not any(is_within(name, user) and is_within(target, library) for name, target in uses)
    ]
    assert not stale, "take these rows out of OUTSIDE in tests/contracts/layers.py"


def _pure() -> list[Module]:
    return [module for module in modules() if any(is_within(module.name, package) for package in PURE)]


@pytest.mark.parametrize("module", _pure(), ids=str)
def test_pure_floors_touch_nothing(module: Module) -> None:
    wrong = [
        f"{module.path.relative_to(ROOT)}:{line} uses {what}"
        for what, line in _impurities(module)
        if (module.name, what) not in IMPURE_EXCEPTIONS
    ]
    assert not wrong, "\n".join(wrong)


def test_every_exception_of_purity_is_still_needed() -> None:
    found = {(module.name, what) for module in _pure() for what, _ in _impurities(module)}
    assert set(IMPURE_EXCEPTIONS) <= found


def test_purity_sees_through_every_way() -> None:
    text = """
import os.path
def now():
    from time import monotonic
    return monotonic(), open("x"), Path("x").read_text(), importlib.import_module("socket")
"""
    module = Module("kemu.plan.example", ROOT / "kemu/plan/example.py", ast.parse(text))
    assert {what for what, _ in _impurities(module)} == {"os.path", "time", "open()", "read_text()", "socket", "import_module()"}


def _impurities(module: Module) -> Iterator[tuple[str, int]]:
    """Yield what a module uses of the world outside, and in which line."""
    for one in imports(module):
        if one.target.split(".", maxsplit=1)[0] in layers.IMPURE_MODULES:
            yield one.target, one.line
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in layers.IMPURE_CALLS:
                yield f"{name}()", node.lineno
            case ast.Call(func=ast.Attribute(attr=name)) if name in layers.IMPURE_METHODS:
                yield f"{name}()", node.lineno
