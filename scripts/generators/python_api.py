"""The reference of the Python API, from the source itself: signatures, docstrings, fields and properties of the public classes.

`python()` returns it as Markdown. To document another class: a row in CLASSES. What a documented method returns must be there, too;
tests/contracts/test_python_reference.py holds it to that.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 100  # of a signature that stands in one line

#: The public classes, in the order in which people meet them, and the files that define them.
CLASSES: Sequence[tuple[str, str]] = (
    ("Cluster", "kemu/api/cluster.py"),
    ("Topology", "kemu/api/topology.py"),
    ("Endpoint", "kemu/api/endpoint.py"),
    ("Link", "kemu/api/links.py"),
    ("Capture", "kemu/api/capturing.py"),
    ("UpResult", "kemu/cluster/lifecycle.py"),
    ("Status", "kemu/api/status.py"),
    ("Matrix", "kemu/reach/model.py"),
    ("Result", "kemu/reach/model.py"),
    ("Request", "kemu/perf/model.py"),
    ("ProcessRecord", "kemu/cluster/processes.py"),
    ("PerfReport", "kemu/api/perf.py"),
    ("Run", "kemu/perf/model.py"),
    ("Report", "kemu/check/model.py"),
    ("Outcome", "kemu/check/model.py"),
)


def python() -> str:
    """Return the reference of every public class."""
    index = textwrap.wrap(", ".join(f"[{name}](#{name.lower()})" for name, _ in CLASSES), 120, break_on_hyphens=False)
    return "\n".join([*index, *(line for name, file in CLASSES for line in _class(find_class(name, file)))])


def find_class(name: str, file: str) -> ast.ClassDef:
    """Return a class as it stands in its file."""
    body = ast.parse((ROOT / file).read_text()).body
    return next(node for node in body if isinstance(node, ast.ClassDef) and node.name == name)


def methods(of: ast.ClassDef) -> list[ast.FunctionDef]:
    """Return the public methods of a class, without its properties."""
    return [one for one in of.body if isinstance(one, ast.FunctionDef) and _is_public(one.name) and not _is_property(one)]


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def _is_property(node: ast.FunctionDef) -> bool:
    return any("property" in ast.unparse(one) for one in node.decorator_list)


def _class(node: ast.ClassDef) -> Iterator[str]:
    yield from ("", f"## {node.name}", "", *_text(node))
    rows = [f"| `{name}` | {_code(kind)} | {what} |".replace("|  |", "| |") for name, kind, what in _values(node)]
    if rows:
        yield from ("", "| attribute | type | what it is |", "| --- | --- | --- |", *rows)
    for method in methods(node):
        yield from ("", f"### {node.name}.{method.name}", "", "```python", *_signature(node, method), "```", "", *_text(method))


def _values(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and first sentence of every field and property; fields are explained by their class."""
    for one in node.body:
        match one:
            case ast.AnnAssign(target=ast.Name(id=name)) if _is_public(name):
                yield name, ast.unparse(one.annotation), ""
            case ast.FunctionDef(name=name) if _is_public(name) and _is_property(one):
                yield name, ast.unparse(one.returns) if one.returns else "", " ".join(_text(one))


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _text(node: ast.ClassDef | ast.FunctionDef) -> list[str]:
    """Return a docstring as Markdown. ValueError if there is none."""
    text = ast.get_docstring(node)
    if not text:
        raise ValueError(f"{node.name} has no docstring")
    return inspect.cleandoc(text).replace("<", "&lt;").replace("*", "\\*").splitlines()


def _signature(owner: ast.ClassDef, method: ast.FunctionDef) -> list[str]:
    """Return how a method is called: of the class where it makes or finds one, else of an instance."""
    is_of_class = any(ast.unparse(one) == "classmethod" for one in method.decorator_list)
    head = f"{owner.name if is_of_class else _instance(owner.name)}.{method.name}("
    tail = f") -> {ast.unparse(method.returns) if method.returns else None}"
    words = list(_arguments(method.args))
    line = f"{head}{', '.join(words)}{tail}"
    return [line] if len(line) <= WIDTH else [head, *(f"    {word}," for word in words), tail]


def _instance(name: str) -> str:
    """Return what an instance is called: perf_report."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    """Yield the arguments but the first, which is the class or the instance."""
    plain = arguments.args[1:]
    given: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    yield from (_argument(one, default) for one, default in zip(plain, given, strict=True))
    if arguments.vararg:
        yield f"*{_argument(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    yield from (_argument(one, default) for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    if arguments.kwarg:
        yield f"**{_argument(arguments.kwarg, None)}"


def _argument(one: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(one.annotation)}" if one.annotation else ""
    return f"{one.arg}{kind}{f' = {ast.unparse(default)}' if default else ''}"
