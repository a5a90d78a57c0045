"""The Python API on a real cluster."""

from __future__ import annotations

import itertools
import os

import pytest

from kemu import Cluster, Topology

pytestmark = pytest.mark.kernel

_COUNTER = itertools.count()


def _topology(text: str, *, backend: str | None = None, sets: tuple[str, ...] = ()) -> Topology:
    return Topology.parse(f"name: ka{os.getpid()}-{next(_COUNTER)}\n{text}", backend=backend, sets=sets)


def test_a_cluster_goes_when_its_block_raises() -> None:
    topology = _topology("nodes: 1\npods: {perNode: 1}\n")

    def use() -> None:
        with Cluster.up(topology):
            raise RuntimeError("in the block")

    with pytest.raises(RuntimeError, match="in the block"):
        use()
    assert topology.name not in [cluster.name for cluster in Cluster.all()]


def test_endpoints_run_start_and_know_their_addresses() -> None:
    with Cluster.up(_topology("nodes: 2\npods: {perNode: 1}\nhosts: 1\n")) as cluster:
        assert cluster.endpoint("p2").addresses == ("10.244.1.2",)
        assert cluster.endpoint("10.244.1.2").full == "pod/default/p2"
        assert cluster.host("h1").run(["hostname"]).stdout == "h1\n"
        with cluster.node("n1").start(["sleep", "60"]) as sleeper:
            sleeper.terminate()
        assert cluster.status().state == "ok"
        assert cluster.down()
        assert not cluster.down()
