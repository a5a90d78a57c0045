"""Clusters whose packets are captured, a backend each; they go however the tests end."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parents[1] / "cli")
)  # the command line as a user calls it is shared with the tests of the verbs

from cli_kemu import Kemu

from kemu import Cluster, Topology

_COUNTER = itertools.count()
TEXT = """\
nodes: 2
pods: [{name: a, node: n1, labels: {app: web}}, {name: b, node: n1}, {name: c, node: n2, labels: {app: web}}]
hosts: [{name: client}]
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Callable[[str, str], Cluster]]:
    """Hand out a running cluster of a backend and a family, always the same one."""
    with ExitStack() as stack:
        clusters: dict[tuple[str, str], Cluster] = {}

        def find(backend: str = "vxlan", family: str = "ipv4") -> Cluster:
            if (backend, family) not in clusters:
                text = f"name: kcap{os.getpid()}-{next(_COUNTER)}\n{TEXT}"
                topology = Topology.parse(text, backend=backend, sets=(f"networking.ipFamily={family}",))
                clusters[backend, family] = stack.enter_context(Cluster.up(topology))
            return clusters[backend, family]

        yield find


@pytest.fixture
def kemu(tmp_path: Path) -> Iterator[Kemu]:
    """A command line with a cluster that is up."""
    one = Kemu(name=f"kcapl{os.getpid()}-{next(_COUNTER)}", directory=tmp_path)
    one.up(TEXT)
    yield one
    one.call("down", one.name)
