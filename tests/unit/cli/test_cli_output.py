"""Tables, counts and progress."""

from __future__ import annotations

import pytest

from kemu.cli.output import count, show_table
from kemu.cli.progress import Progress


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert show_table(("NAME", "X"), [("a", 1), ("long-name", ())]) == ["NAME        X", "a           1", "long-name   -"]


def test_lists_are_joined_and_empty_cells_are_hyphens() -> None:
    assert show_table(("A", "B"), [(["x", "y"], None)])[1] == "x,y   -"


@pytest.mark.parametrize(("number", "text"), [(0, "0 pods"), (1, "1 pod"), (1000, "1,000 pods")])
def test_nouns_follow_their_number(number: int, text: str) -> None:
    assert count(number, "pod") == text


def test_quick_work_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(live=True, verbose=False)
    progress.step("devices", total=10)
    progress.advance(10)
    progress.clear()
    assert capsys.readouterr().err == ""


def test_long_work_draws_a_line_and_takes_it_away(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(100))
    monkeypatch.setattr("kemu.cli.progress.time.monotonic", lambda: float(next(now)))
    progress = Progress(live=True, verbose=False)
    progress.step("devices", total=10)
    progress.advance(4)
    assert capsys.readouterr().err.endswith("\rdevices 4/10 …")
    progress.warn("careful")
    assert capsys.readouterr().err.endswith("\rwarning: careful\n")


def test_verbose_names_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(live=False, verbose=True)
    progress.step("namespaces", total=3)
    progress.note("waiting")
    err = capsys.readouterr().err
    assert "namespaces (3)" in err
    assert "waiting" in err
