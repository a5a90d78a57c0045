"""The program at the top of docs/reference/python.md does what it says."""

from __future__ import annotations

import os

import pytest
from docs_blocks import ROOT, find_blocks

pytestmark = pytest.mark.kernel


def test_the_program_works(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/reference/python.md").read_text().partition("<!-- python -->")[0]
    [program] = find_blocks(page, "python")
    exec(program.replace('"lab"', f'"kdocr{os.getpid()}"'), {})
    out = capsys.readouterr().out
    assert "Gbit/s\n" in out
    assert out.endswith(".n1: route 10.244.1.0/24 is missing\n")
