"""The reference of the Python API is whole: what a documented method gives back is documented, too. Its freshness is test_generated's."""

from __future__ import annotations

import ast
import re
import sys

import pytest

from .source import ROOT

sys.path.insert(0, str(ROOT / "scripts"))  # the generators are no package of kemu

from generators import python_api

import kemu

DOCUMENTED = {name for name, _ in python_api.CLASSES}
#: What documented methods give back and the page leaves to the source, or to Python's own documentation.
ELSEWHERE = {
    "Any": "typing",
    "Mapping": "collections.abc",
    "Sequence": "collections.abc",
    "CompletedProcess": "subprocess",
    "Popen": "subprocess",
    "Plan": "kernel objects, which kemu/plan/objects.py documents",
}


@pytest.mark.parametrize(("name", "file"), python_api.CLASSES)
def test_what_a_documented_method_returns_is_documented(name: str, file: str) -> None:
    found = python_api.methods(python_api.find_class(name, file))
    named = {word for one in found if one.returns for word in re.findall(r"\b[A-Z]\w+", ast.unparse(one.returns))}
    assert named - DOCUMENTED - ELSEWHERE.keys() - {"None"} == set()


def test_what_kemu_exports_is_documented() -> None:
    assert set(kemu.__all__) <= DOCUMENTED


def test_signatures_show_how_a_method_is_called() -> None:
    page = python_api.python()
    assert "Cluster.find(name: str | None = None) -> Cluster\n" in page
    assert "link.reset() -> UpResult\n" in page
    assert "\n    *,\n    senders: str | None = None,\n" in page
    assert "endpoint.run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]\n" in page
