"""What the kernel tests make is called so that they find their own leftovers: see tests/kernel/leftovers.py."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from .source import ROOT, Module, test_modules

_HEAD = re.compile(r"(?:.*\W)?k[a-z-]*", re.DOTALL)
_MODULES = [module for module in test_modules() if module.path.is_relative_to(ROOT / "tests" / "kernel")]


@pytest.mark.parametrize("module", _MODULES, ids=str)
def test_names_with_a_pid_begin_with_k(module: Module) -> None:
    wrong = [f"{module.path.relative_to(ROOT)}:{line} {head}" for line, head in _heads(module.tree) if not _HEAD.fullmatch(head)]
    assert wrong == [], "such a name is k, a few letters, and the PID"


def test_there_are_such_names() -> None:
    assert sum(1 for module in _MODULES for _ in _heads(module.tree)) > 10


def _heads(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text before every PID of this process in a formatted text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for before, value in zip([None, *node.values], node.values, strict=False):
                if isinstance(value, ast.FormattedValue) and "getpid()" in ast.unparse(value.value):
                    yield node.lineno, str(before.value) if isinstance(before, ast.Constant) else ""
