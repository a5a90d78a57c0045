"""The project's own source as syntax trees, for the contracts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Import names of the folders that hold source; kemu_backends is backends/.
FOLDERS = {"kemu": "kemu", "kemu_backends": "backends", "kemu_topologies": "topologies"}
#: What runs *in* a node is no part of kemu.
PROGRAMS = "program"


@dataclass(frozen=True, slots=True)
class Module:
    """A source file: its import name, its place and its tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether it is an __init__.py."""
        return self.path.name == "__init__.py"

    def __str__(self) -> str:
        return self.name


@cache
def modules() -> tuple[Module, ...]:
    """Return every module of kemu, the backends and the examples."""
    return tuple(_read(package, ROOT / folder, path) for package, folder in FOLDERS.items() for path in _files(ROOT / folder))


@cache
def test_modules() -> tuple[Module, ...]:
    """Return every Python file of the tests."""
    return tuple(_read("tests", ROOT / "tests", path) for path in _files(ROOT / "tests"))


test_modules.__test__ = False  # type: ignore[attr-defined] # pytest: it only sounds like a test


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.py")) if PROGRAMS not in path.relative_to(folder).parts]


def _read(package: str, folder: Path, path: Path) -> Module:
    parts = path.relative_to(folder).with_suffix("").parts
    name = ".".join((package, *parts)).removesuffix(".__init__")
    return Module(name, path, ast.parse(path.read_text(), str(path)))


@dataclass(frozen=True, slots=True)
class Import:
    """An import of `target`, a module's full name; for `from X import y`, y is in it if X.y is a module of ours."""

    target: str
    line: int


def imports(module: Module) -> Iterator[Import]:
    """Yield what a module imports, inside functions too, and by importlib where the name is written out."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from (Import(alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(names=names):
                base = _base(module, node)
                yield from (Import(_full(base, alias.name), node.lineno) for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield Import(name, node.lineno)


def _base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    up = node.level - 1 if module.is_package else node.level
    parts = module.name.split(".")[: -up or None]
    return ".".join((*parts, *([node.module] if node.module else [])))


def _full(base: str, name: str) -> str:
    return f"{base}.{name}" if f"{base}.{name}" in _names() else base


@cache
def _names() -> frozenset[str]:
    return frozenset(module.name for module in modules())


def strings(module: Module) -> Iterator[str]:
    """Yield every string constant of a module."""
    return (node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
