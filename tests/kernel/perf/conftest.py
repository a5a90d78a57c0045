"""The fixture of the perf tests: a pair of joined namespaces, removed however the test ends."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from perf_pair import Pair, build_pair, remove_pair

_COUNTER = itertools.count()


@pytest.fixture
def make_pair() -> Iterator[Callable[..., Pair]]:
    pairs: list[Pair] = []

    def make(*, mtu: int = 1500) -> Pair:
        name = f"kemut-{os.getpid()}-{next(_COUNTER)}"
        pairs.append(Pair(a=f"{name}-a", b=f"{name}-b"))
        build_pair(pairs[-1], mtu=mtu)
        return pairs[-1]

    yield make
    for pair in pairs:
        remove_pair(pair)


@pytest.fixture
def pair(make_pair: Callable[..., Pair]) -> Pair:
    return make_pair()
