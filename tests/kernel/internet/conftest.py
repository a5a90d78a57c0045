"""The fixtures of the internet tests: a world, and clusters in it that go however the test ends."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "plan"))  # models and tools are shared
sys.path.insert(0, str(Path(__file__).parents[1] / "cluster"))

from cluster_tools import remove_foreign
from internet_world import Online, World

from kemu.cluster import lifecycle

_COUNTER = itertools.count()


@pytest.fixture
def world() -> Iterator[World]:
    one = World(f"kiw{os.getpid()}-{next(_COUNTER)}")
    try:
        one.make()
        yield one
    finally:
        one.remove()


@pytest.fixture
def make_online(world: World) -> Iterator[Callable[..., Online]]:
    made: list[Online] = []

    def make(subnet: str = "", **shape: object) -> Online:
        made.append(Online.of(world, f"k{os.getpid():x}-{next(_COUNTER)}", subnet, **shape))
        return made[-1]

    yield make
    for one in made:
        remove_foreign(one.name)
        with world.machine():
            lifecycle.down(one.name)


@pytest.fixture
def online(make_online: Callable[..., Online]) -> Online:
    return make_online()
