"""Every process that runs these tests looks at its end whether they left anything behind."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from leftovers import find_leftovers


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail the last test of the process if some test left a namespace, a state directory or a link of the machine."""
    yield
    left = find_leftovers(os.getpid())
    assert not left, f"tests left behind: {', '.join(left)}"
