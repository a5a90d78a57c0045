"""The fixtures of the cluster tests: names of this process alone, and clusters that go however the test ends."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "plan"))  # the hand-built models are shared with the unit tests

from cluster_tools import Running, remove_foreign

from kemu.cluster import lifecycle

_COUNTER = itertools.count()


def _new_name() -> str:
    return f"kt{os.getpid()}-{next(_COUNTER)}"


@pytest.fixture
def make_name() -> Iterator[Callable[[], str]]:
    names: list[str] = []

    def make() -> str:
        names.append(_new_name())
        return names[-1]

    yield make
    for name in names:
        remove_foreign(name)
        lifecycle.down(name)


@pytest.fixture
def name(make_name: Callable[[], str]) -> str:
    return make_name()


@pytest.fixture(scope="module")
def shared() -> Iterator[Callable[[str, str], Running]]:
    """Clusters that the tests of a file share, one a backend and family; each is repaired before it is handed out."""
    clusters: dict[tuple[str, str], Running] = {}

    def find(backend: str, family: str) -> Running:
        running = clusters.setdefault((backend, family), Running.build(_new_name(), backend=backend, family=family, pods=3))
        running.restore()
        return running

    yield find
    for running in clusters.values():
        remove_foreign(running.name)
        lifecycle.down(running.name)
