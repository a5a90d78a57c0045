"""What tests leave behind is found, and nobody else's is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from leftovers import find_leftovers, is_of


@pytest.mark.parametrize(
    "name",
    ["kc4711-0.n1", "kc4711-0-vs-vxlan.router", "kt-reach-4711-3", "kf4711", "k1267-0.machine", "kemu-k1267-0", "kcapl4711-12"],
)
def test_a_tests_own_names_are_known(name: str) -> None:
    assert is_of(name, 4711)


@pytest.mark.parametrize(
    "name", ["kc47110-0.n1", "kc14711-0.n1", "k12670-0", "k4711-0", "two-nodes.n1", "eth0", "polish4711", "kemu-lab"]
)
def test_names_of_others_are_not(name: str) -> None:
    assert not is_of(name, 4711)


def test_leftovers_are_named_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "kc4711-0.n1").touch()
    (tmp_path / "kc4712-0.n1").touch()
    assert find_leftovers(4711, [tmp_path, tmp_path / "absent"]) == [str(tmp_path / "kc4711-0.n1")]
