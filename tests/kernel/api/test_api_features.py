"""inspect, compare and capabilities, called directly."""

from __future__ import annotations

import os

import pytest

from kemu import Cluster, Topology
from kemu.api.backends import find_capabilities
from kemu.api.comparing import compare
from kemu.api.inspecting import inspect_all, inspect_endpoint
from kemu.api.perf import Direction, Protocol, Request
from kemu.base.errors import NotFoundError, ProbeError, StateError
from kemu.cluster import inspect
from kemu.compare import run
from kemu.compare.model import Comparison, Verdict
from kemu.kernel.neighbours import forget_learned

pytestmark = pytest.mark.kernel

NAME = f"kf{os.getpid()}"
TEXT = f"name: {NAME}\nnodes: 2\npods: {{perNode: 1}}\n"


def test_inspect_shows_what_is_inside_and_who() -> None:
    with Cluster.up(Topology.parse(TEXT)) as cluster:
        cluster.pod("p1").run(["ping", "-c1", "10.244.1.2"])
        with cluster.pod("p1").start(["sleep", "60"]) as sleeper:
            view = inspect_endpoint(cluster, "p1")
            sleeper.terminate()
        assert [one.pid for one in view.data.processes if not one.keeps] == [sleeper.pid]
        assert ("eth0", "10.244.0.1") in {row[:2] for row in view.data.learned}
        assert "eth0  veth  to " in view.lines[0]
        assert view.to_dict()["schema"] == "kemu.inspect/1"
        assert len(inspect_all(cluster)) == 6
        forget_learned([cluster.pod("p1").netns])
        assert inspect_endpoint(cluster, "p1").data.learned == ()
        with pytest.raises(NotFoundError):
            inspect.inspect(cluster.name, "nobody")


def test_compare_measures_in_turns_and_leaves_nothing() -> None:
    found = compare(Topology.parse(TEXT), ["vxlan", "host-gw"], Request(seconds=1), rounds=2)
    assert isinstance(found, Comparison)
    assert [one.backend for one in found.runs] == ["vxlan", "host-gw", "vxlan", "host-gw"]
    assert [(row.backend, row.runs) for row in found.summary] == [("vxlan", 2), ("host-gw", 2)]
    assert all(isinstance(one, Verdict) and one.works and one.reached == 2 for one in found.verdicts)
    assert not [one.name for one in Cluster.all() if one.name.startswith(NAME)]


def test_compare_never_touches_a_cluster_of_its_name() -> None:
    with Cluster.up(Topology.parse(TEXT).renamed(f"{NAME}-vs-vxlan")) as cluster:
        with pytest.raises(StateError, match="is there"):
            compare(Topology.parse(TEXT), ["host-gw", "vxlan"], Request(seconds=1))
        assert cluster.status().state == "ok"
    assert not [one.name for one in Cluster.all() if one.name.startswith(NAME)]


def test_compare_cleans_up_when_measuring_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ProbeError("no measurement today")

    monkeypatch.setattr(run.perf, "measure", fail)
    with pytest.raises(ProbeError, match="no measurement today"):
        compare(Topology.parse(TEXT), ["host-gw", "vxlan"], Request(seconds=1))
    assert not [one.name for one in Cluster.all() if one.name.startswith(NAME)]


def test_perf_measures_udp_both_ways() -> None:
    with Cluster.up(Topology.parse(TEXT)) as cluster:
        report = cluster.perf(
            "p1", "p2", Request(protocol=Protocol.UDP, seconds=1, direction=Direction.BOTH, bits_per_second=10_000_000)
        )
    assert [(one.source, one.target) for one in report.runs] == [
        ("pod/default/p1", "pod/default/p2"),
        ("pod/default/p2", "pod/default/p1"),
    ]


def test_capabilities_are_tried_and_explained() -> None:
    found = {one.name: one for one in find_capabilities()}
    assert found["link:veth"].available
    for one in found.values():
        assert one.available or (one.reason and one.fix)
