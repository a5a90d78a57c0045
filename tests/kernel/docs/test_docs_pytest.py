"""The files that docs/pytest.md shows pass."""

from __future__ import annotations

import os

import pytest
from docs_blocks import ROOT, find_blocks

pytestmark = pytest.mark.kernel
pytest_plugins = "pytester"

PAGE = (ROOT / "docs" / "pytest.md").read_text()


def test_the_test_file_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    tests, _ = find_blocks(PAGE, "python")
    [shop] = find_blocks(PAGE, "yaml")
    pytester.makepyfile(test_network=tests)
    pytester.makefile(".yaml", shop=shop)
    result = pytester.runpytest_subprocess("-p", "kemu.testing.plugin", "--strict-markers")
    result.assert_outcomes(passed=4)


def test_the_program_works(capsys: pytest.CaptureFixture[str]) -> None:
    _, program = find_blocks(PAGE, "python")
    exec(program.replace('"lab"', f'"kdocb{os.getpid()}"'), {})
    assert "pods:\n- {name: web, perNode: 1, labels: {app: web}}\n" in capsys.readouterr().out
