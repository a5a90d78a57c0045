"""The fixtures of the reach tests: stars of namespaces, removed however the test ends."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from reach_star import Star, build_star, remove_star

_COUNTER = itertools.count()


@pytest.fixture
def make_star() -> Iterator[Callable[[int], Star]]:
    stars: list[Star] = []

    def make(size: int) -> Star:
        stars.append(Star(f"kt-reach-{os.getpid()}-{next(_COUNTER)}", size))
        build_star(stars[-1])
        return stars[-1]

    yield make
    for star in stars:
        remove_star(star)


@pytest.fixture
def star(make_star: Callable[[int], Star]) -> Star:
    return make_star(3)
