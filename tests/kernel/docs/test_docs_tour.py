"""What pages show as typed is what happens: every page with a tour is run."""

from __future__ import annotations

import os

import pytest
from docs_blocks import ROOT, find_blocks, find_steps, first_missing
from docs_terminal import Terminal

pytestmark = pytest.mark.kernel

MARK = "<!-- tour -->"
PAGES = [
    str(page.relative_to(ROOT))
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if MARK in page.read_text()
]


def _read(page: str) -> str:
    return (ROOT / page).read_text()


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_print_what_the_page_shows(page: str, terminal: Terminal) -> None:
    steps = [step for block in find_blocks(_read(page), "console", between="tour") for step in find_steps(block)]
    assert len(steps) > 3
    for step in steps:
        output = terminal.run(step.command)
        missing = first_missing(step.shown, output)
        assert missing is None, f"$ {step.command}\ndoes not print\n{missing}\nbut\n{output}"


@pytest.mark.parametrize("page", PAGES)
def test_there_is_no_console_block_outside_the_tour(page: str) -> None:
    assert len(list(find_blocks(_read(page), "console"))) == len(list(find_blocks(_read(page), "console", between="tour")))
    assert not list(find_blocks(_read(page), "bash"))


def test_the_lines_of_python_work(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    [program] = find_blocks(_read("README.md"), "python")
    monkeypatch.chdir(terminal.directory)
    exec(program.replace('"two-nodes"', repr(str(terminal.file("two-nodes")))), {})


def test_a_tree_is_built_in_python() -> None:
    [program] = find_blocks(_read("docs/from-mininet.md"), "python")
    exec(program.replace("tree", f"kdoct{os.getpid()}"), {})


def test_the_test_that_is_shown_passes() -> None:
    [program] = find_blocks(_read("docs/how-to.md"), "python")
    names: dict[str, object] = {}
    exec(program.replace("big-packets", f"kdocp{os.getpid()}"), names)
    test = names["test_big_packets_pass"]
    assert callable(test)
    test()
