"""The Python API on a real cluster, and the network model that every backend must honour."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator

import pytest

from kemu import Cluster, Topology

pytestmark = pytest.mark.kernel

BACKENDS = ("host-gw", "vxlan")
FAMILIES = ("ipv4", "ipv6", "dual")
_COUNTER = itertools.count()
TREE = "nodes: 4\npods: {perNode: 4}\n"  # what `mn --topo tree,2,4` has: 16 leaves under four switches


def _topology(text: str, *, backend: str | None = None, sets: tuple[str, ...] = ()) -> Topology:
    return Topology.parse(f"name: ka{os.getpid()}-{next(_COUNTER)}\n{text}", backend=backend, sets=sets)


@pytest.fixture(scope="module", params=[(backend, family) for backend in BACKENDS for family in FAMILIES], ids="-".join)
def tree(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    backend, family = request.param
    with Cluster.up(_topology(TREE, backend=backend, sets=(f"networking.ipFamily={family}",))) as cluster:
        yield cluster


def _count(cluster: Cluster, endpoints: int) -> int:
    return endpoints * (endpoints - 1) * len(cluster.model.networking.ip_family.versions)


@pytest.mark.parametrize("protocol", ["icmp", "tcp", "udp"])
def test_every_pod_reaches_every_pod(tree: Cluster, protocol: str) -> None:
    matrix = tree.reach(protocol=protocol)
    assert (matrix.reached, len(matrix.results)) == (_count(tree, 16), _count(tree, 16))


def test_nodes_and_pods_reach_each_other(tree: Cluster) -> None:
    matrix = tree.reach(kinds=("pod", "node"))
    assert matrix.reached == _count(tree, 20)


def test_every_pod_is_seen_with_its_own_address(tree: Cluster) -> None:
    own = {endpoint.full: endpoint.addresses for endpoint in tree.endpoints()}
    for result in tree.reach(protocol="tcp").results:
        assert result.seen_as in own[result.sender]


def test_a_packet_is_routed_twice_between_nodes_and_never_on_one(tree: Cluster) -> None:
    node = {endpoint.full: endpoint.spec.node for endpoint in tree.endpoints()}
    ttls = {(node[one.sender] == node[one.receiver], one.ttl) for one in tree.reach().results}
    assert ttls == {(True, 64), (False, 62)}


@pytest.mark.parametrize(("backend", "mtu"), [("host-gw", 1500), ("vxlan", 1450)])
def test_the_largest_packet_is_as_large_as_the_backend_says(backend: str, mtu: int) -> None:
    with Cluster.up(_topology("nodes: 2\npods: {perNode: 1}\n", backend=backend)) as cluster:
        fits = cluster.pod("p1").run(["ping", "-c1", "-W2", "-M", "do", "-s", str(mtu - 28), "10.244.1.2"])
        assert fits.returncode == 0, fits.stdout
        too_big = cluster.pod("p1").run(["ping", "-c1", "-W2", "-M", "do", "-s", str(mtu - 27), "10.244.1.2"])
        assert too_big.returncode != 0
        assert re.search(rf"mtu[ =]{mtu}", too_big.stdout + too_big.stderr)


def test_the_fabric_carries_the_outer_packet_of_vxlan_and_plain_ones_of_host_gw() -> None:
    for backend, port in (("vxlan", "8472"), ("host-gw", None)):
        with Cluster.up(_topology("nodes: 2\npods: {perNode: 1}\n", backend=backend)) as cluster:
            before = _udp_datagrams(cluster)
            cluster.pod("p1").run(["ping", "-c3", "-i0.05", "10.244.1.2"])
            assert (_udp_datagrams(cluster) - before >= 3) == (port is not None)


def _udp_datagrams(cluster: Cluster) -> int:
    """Return how many UDP datagrams node n2 took in."""
    lines = cluster.node("n2").run(["cat", "/proc/net/snmp"]).stdout.splitlines()
    names, values = (line.split() for line in lines if line.startswith("Udp:"))
    return int(values[names.index("InDatagrams")])


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
