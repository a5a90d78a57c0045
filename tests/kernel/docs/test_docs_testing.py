"""What docs/testing.md shows is what happens."""

from __future__ import annotations

import pytest
from docs_blocks import ROOT, find_blocks, find_steps, first_missing
from docs_terminal import Terminal

pytestmark = pytest.mark.kernel

PAGE = (ROOT / "docs" / "testing.md").read_text()


def test_the_commands_print_what_the_page_shows(terminal: Terminal) -> None:
    [checks] = find_blocks(PAGE, "yaml", between="checks")
    (terminal.directory / "checks.yaml").write_text(checks)
    [block] = find_blocks(PAGE, "console")
    for step in find_steps(block):
        output = terminal.run(step.command)
        missing = first_missing(step.shown, output)
        assert missing is None, f"$ {step.command}\ndoes not print\n{missing}\nbut\n{output}"
