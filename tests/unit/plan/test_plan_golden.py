"""Whole plans, as the script that `kemu plan` prints. KEMU_UPDATE_GOLDEN=1 writes them anew, to be reviewed as a diff."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from plan_models import COMBINATIONS, build

from kemu.plan.show import show_script

_FOLDER = Path(__file__).parents[2] / "golden" / "plans"


@pytest.mark.parametrize(("backend", "family"), COMBINATIONS)
def test_plan_is_as_it_was(backend: str, family: str) -> None:
    text = show_script(build(backend=backend, family=family), "demo")
    golden = _FOLDER / f"{backend}-{family}.txt"
    if os.environ.get("KEMU_UPDATE_GOLDEN") == "1":
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize(("backend", "family"), COMBINATIONS)
def test_plan_is_the_same_every_time(backend: str, family: str) -> None:
    assert list(build(backend=backend, family=family)) == list(build(backend=backend, family=family))


def test_every_golden_plan_is_of_a_backend_and_family() -> None:
    assert sorted(path.stem for path in _FOLDER.glob("*.txt")) == sorted(
        f"{backend}-{family}" for backend, family in COMBINATIONS
    )
