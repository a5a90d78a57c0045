"""The network model that every backend must honour, by real packets."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from backends_facts import COMBINATIONS, FACTS, topology

from kemu import Cluster
from kemu.api.backends import backend_facts, backend_names, find_capabilities

pytestmark = pytest.mark.kernel

TREE = "nodes: 4\npods: {perNode: 4}\n"  # what `mn --topo tree,2,4` has: 16 leaves under four switches
PAIR = "nodes: 2\npods: {perNode: 1}\n"


def test_every_backend_that_can_run_here_is_tested() -> None:
    here = {one.name for one in find_capabilities() if one.available}
    assert set(FACTS) == {name for name in backend_names() if set(backend_facts(name).needs) <= here}


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def tree(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    backend, family = request.param
    with Cluster.up(topology(TREE, backend=backend, family=family)) as cluster:
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


def test_a_packet_takes_as_many_hops_as_with_the_real_one(tree: Cluster) -> None:
    facts = FACTS[tree.topology.backend]
    node = {endpoint.full: endpoint.spec.node for endpoint in tree.endpoints()}
    ttls = {(node[one.sender] == node[one.receiver], one.ttl) for one in tree.reach().results}
    assert ttls == {(True, facts.same_node), (False, facts.across)}


@pytest.mark.parametrize("backend", FACTS)
def test_the_largest_packet_is_as_large_as_the_backend_says(backend: str) -> None:
    largest = FACTS[backend].largest
    with Cluster.up(topology(PAIR, backend=backend)) as cluster:
        assert _ping(cluster, largest)[0] == 0
        code, output = _ping(cluster, largest + 1)
        assert code != 0
        assert re.search(rf"mtu ?[= ] ?{largest}\b", output)
        device = cluster.pod("p1").run(["cat", "/sys/class/net/eth0/mtu"]).stdout
        assert int(device) == (FACTS[backend].pod_mtu or largest)


def _ping(cluster: Cluster, size: int) -> tuple[int, str]:
    """Return exit code and output of a ping from p1 to p2 with an IP packet of so many bytes that must not be fragmented."""
    done = cluster.pod("p1").run(["ping", "-c1", "-W2", "-M", "do", "-s", str(size - 28), "10.244.1.2"])
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("backend", FACTS)
def test_the_fabric_carries_what_the_backend_says(backend: str) -> None:
    with Cluster.up(topology(PAIR, backend=backend)) as cluster:
        before = _udp_datagrams(cluster)
        cluster.pod("p1").run(["ping", "-c3", "-i0.05", "10.244.1.2"])
        assert (_udp_datagrams(cluster) - before >= 3) == (FACTS[backend].port is not None)


def _udp_datagrams(cluster: Cluster) -> int:
    """Return how many UDP datagrams node n2 took in."""
    lines = cluster.node("n2").run(["cat", "/proc/net/snmp"]).stdout.splitlines()
    names, values = (line.split() for line in lines if line.startswith("Udp:"))
    return int(values[names.index("InDatagrams")])
