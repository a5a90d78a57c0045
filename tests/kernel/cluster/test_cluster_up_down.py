from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest
from cluster_tools import Running, traces
from plan_models import FLANNELS

from kemu.cluster import lifecycle
from kemu.cluster.state import ROOT, Record, StateDirectory
from kemu.kernel.enter import inside
from kemu.kernel.netns import path_of

pytestmark = pytest.mark.kernel

#: How a pod of the other node, and one of the same node, is reached in each family. Pods p1 and p3 are on n1, p2 and p4 on n2.
_FAR = {4: "10.244.1.2", 6: "fd00:10:244:1::2"}
_NEAR = {4: "10.244.0.3", 6: "fd00:10:244::3"}
_OWN = {4: "10.244.0.2", 6: "fd00:10:244::2"}
_VERSIONS = {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}


@pytest.mark.parametrize(("backend", "family"), FLANNELS)
def test_life_of_a_cluster(name: str, backend: str, family: str) -> None:
    cluster = Running.build(name, backend=backend, family=family)
    made = cluster.up()
    assert (made.made, made.changes, made.objects) == (True, len(cluster.plan), len(cluster.plan))
    assert cluster.compare().state == "ok"
    assert cluster.drift() == []
    again = cluster.up()
    assert (again.made, again.changes) == (False, 0)
    assert lifecycle.down(name) is True
    assert traces(name) == []
    assert lifecycle.down(name) is False


@pytest.mark.parametrize(("backend", "family"), FLANNELS)
def test_pods_reach_each_other_without_translation(name: str, backend: str, family: str) -> None:
    cluster = Running.build(name, backend=backend, family=family)
    cluster.up()
    for version in _VERSIONS[family]:
        assert cluster.ping("default.p1", _FAR[version]) == 62
        assert cluster.ping("default.p1", _NEAR[version]) == 64
        assert cluster.ping("n1", _FAR[version]) == 63
        assert _source_seen_by_p2(cluster, version) == _OWN[version]


def _source_seen_by_p2(cluster: Running, version: int) -> str:
    """Return from which address p2 sees a datagram of p1 come."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with inside(path_of(cluster.name, "default.p2")):
        there = socket.socket(family, socket.SOCK_DGRAM)
    with inside(path_of(cluster.name, "default.p1")):
        here = socket.socket(family, socket.SOCK_DGRAM)
    with here, there:
        there.settimeout(5)
        there.bind((_FAR[version], 5000))
        here.sendto(b"hello", (_FAR[version], 5000))
        return str(there.recvfrom(100)[1][0])


def test_verify_reads_a_new_cluster_back(name: str) -> None:
    cluster = Running.build(name)
    assert lifecycle.up(cluster.plan, Record(cluster=name, file=""), "", verify=True).made


def test_state_directory_tells_how_the_cluster_came_to_be(name: str) -> None:
    cluster = Running.build(name)
    cluster.up()
    state = StateDirectory(name)
    record = state.find_record()
    assert record is not None
    assert record.ready
    assert state.find_topology() == "the file\n"
    plan = json.loads((ROOT / name / "plan.json").read_text())
    assert len(plan["objects"]) == len(cluster.plan)
    assert json.loads((ROOT / name / "events.jsonl").read_text())["event"] == "up"
    assert name in lifecycle.find_clusters()


def test_two_clusters_with_the_same_addresses_live_side_by_side(make_name: Callable[[], str]) -> None:
    one, other = (Running.build(make_name(), family="dual") for _ in range(2))
    one.up()
    other.up()
    assert one.drift() == other.drift() == []
    assert one.ping("default.p1", "10.244.1.2") == other.ping("default.p1", "10.244.1.2") == 62
    lifecycle.down(one.name)
    assert other.drift() == []
    assert other.ping("default.p1", "10.244.1.2") == 62


def test_namespace_of_a_pod_that_left_the_file_is_removed(name: str) -> None:
    Running.build(name, pods=4).up()
    smaller = Running.build(name, pods=3)
    assert "default.p4: namespace should not be there" in smaller.drift()
    smaller.up()
    assert smaller.drift() == []
    assert not any("default.p4" in trace for trace in traces(name))


def test_backend_is_changed_in_place(name: str) -> None:
    Running.build(name, backend="vxlan", family="dual").up()
    other = Running.build(name, backend="host-gw", family="dual")
    assert not other.up().made
    assert other.drift() == []
    assert other.ping("default.p1", "10.244.1.2") == 62
    back = Running.build(name, backend="vxlan", family="dual", vni=77, port=4789)
    back.up()
    assert back.drift() == []
    assert back.ping("default.p1", "fd00:10:244:1::2") == 62
