"""Every capability that kemu knows is used by a test on a kernel that has it: the vm tier's, a distribution's own, has them all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from kemu.kernel import capability

from .source import ROOT

FOLDER = ROOT / "tests" / "vm"


@cache
def _marked() -> dict[str, list[str]]:
    """Return the names in `pytest.mark.vm(...)` with the files that they stand in."""
    found: dict[str, list[str]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        for name in _names(ast.parse(path.read_text())):
            found.setdefault(name, []).append(path.name)
    return found


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.vm":
            yield from (ast.literal_eval(one) for one in node.args)


def test_every_capability_is_tested_on_a_kernel_that_has_it() -> None:
    missing = set(capability._TESTS) - set(_marked())
    assert not missing, f"a test in tests/vm marked @pytest.mark.vm({', '.join(map(repr, sorted(missing)))}) is missing"


def test_marks_name_capabilities_that_there_are() -> None:
    assert set(_marked()) <= set(capability._TESTS)


def test_every_test_of_the_virtual_machine_is_marked_as_one() -> None:
    unmarked = [path.name for path in sorted(FOLDER.glob("test_*.py")) if "pytest.mark.vm" not in path.read_text()]
    assert unmarked == []
