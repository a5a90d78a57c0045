"""Everything public says what it is."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

import pytest

from .source import ROOT, Module, modules

#: Files where a class or a method needs no docstring of its own, and why.
SPOKEN_FOR = {
    "kemu.base.errors": "the tree at its head documents the classes",
    "kemu.plan.objects": "`key` means the same in each, and the head of the file says what",
    "kemu.spec.kinds": "`read` and `schema` mean the same in each, and the Protocol says what",
    "kemu.spec.address_kinds": "the same",
    "kemu.spec.denials": "the same",
    "kemu.spec.tables": "the same",
    "kemu.spec.fields": "the same",
}
ENDS = (".", ":", "?", "!")


@pytest.mark.parametrize("module", modules(), ids=str)
def test_everything_public_has_a_docstring(module: Module) -> None:
    missing = [
        f"{module.path.relative_to(ROOT)}:{_line(node)} {name}"
        for name, node in _public(module)
        if not ast.get_docstring(node) and (module.name not in SPOKEN_FOR or isinstance(node, ast.Module))
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("module", modules(), ids=str)
def test_first_lines_are_whole_sentences(module: Module) -> None:
    wrong = [
        f"{module.path.relative_to(ROOT)}:{_line(node)} {name}: {first}"
        for name, node in _public(module)
        if (first := _first_line(node)) and not first.endswith(ENDS)
    ]
    assert not wrong, "\n".join(wrong)


def test_everything_spoken_for_still_needs_it() -> None:
    silent = {module.name for module in modules() for _, node in _public(module) if not ast.get_docstring(node)}
    assert set(SPOKEN_FOR) <= silent


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _public(module: Module) -> Iterator[tuple[str, Documented]]:
    """Yield the module, and its public classes, functions and methods; what is inside functions is nobody's business."""
    yield module.name, module.tree
    yield from _members(module.name, module.tree)


def _members(owner: str, node: ast.Module | ast.ClassDef) -> Iterator[tuple[str, Documented]]:
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not child.name.startswith("_"):
            if not _is_overload(child):
                yield f"{owner}.{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from _members(f"{owner}.{child.name}", child)


def _is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)


def _first_line(node: Documented) -> str:
    text = ast.get_docstring(node)
    return inspect.cleandoc(text).partition("\n")[0] if text else ""


def _line(node: Documented) -> int:
    return 1 if isinstance(node, ast.Module) else node.lineno
