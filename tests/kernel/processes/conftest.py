"""A small cluster for the tests of processes, with names of this test process alone; it goes when the test ends."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))  # the command line as a user calls it

from cli_kemu import Kemu

from kemu import Cluster, Topology

_COUNTER = itertools.count()
SMALL = "nodes: 2\npods:\n- {name: a, node: n1}\n- {name: b, node: n2}\nhosts: 1\n"


def _new_name() -> str:
    return f"kpr{os.getpid()}-{next(_COUNTER)}"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster.up(Topology.parse(f"name: {_new_name()}\n{SMALL}")) as one:
        yield one


@pytest.fixture
def kemu(tmp_path: Path) -> Iterator[Kemu]:
    one = Kemu(name=_new_name(), directory=tmp_path)
    one.up(SMALL)
    yield one
    one.call("down", one.name)
