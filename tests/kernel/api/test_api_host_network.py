"""Pods in their nodes' networks, in a running cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kemu import Cluster, Topology
from kemu.api.inspecting import inspect_endpoint
from kemu.api.perf import Request
from kemu.base.errors import UsageError

pytestmark = pytest.mark.kernel

NAME = f"kh{os.getpid()}"
TEXT = f"""\
name: {NAME}
networking: {{ipFamily: dual}}
nodes: 2
pods:
- {{name: agent, hostNetwork: true, perNode: 1}}
- {{name: proxy, hostNetwork: true, node: n1}}
- {{name: web, node: n2}}
hosts: 1
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster.up(Topology.parse(TEXT), verify=True) as cluster:
        yield cluster
    assert not list(Path("/run/netns").glob(f"{NAME}.*"))


def test_they_have_no_namespace_of_their_own(cluster: Cluster) -> None:
    names = {path.name.removeprefix(f"{NAME}.") for path in Path("/run/netns").glob(f"{NAME}.*")}
    assert names == {"fabric", "router", "n1", "n2", "h1", "default.web"}
    assert cluster.status().drift == []


@pytest.mark.parametrize("protocol", ["icmp", "tcp", "udp"])
def test_everybody_reaches_them_as_their_node(cluster: Cluster, protocol: str) -> None:
    matrix = cluster.reach(kinds=("pod", "node", "host"), protocol=protocol)
    lost = {(one.sender, one.receiver) for one in matrix.results if not one.ok}
    assert lost == {("host/h1", "pod/default/web")}
    assert matrix.lost == 0


def test_commands_find_the_nodes_network_and_name(cluster: Cluster) -> None:
    agent, node = cluster.pod("agent-1"), cluster.node("n1")
    assert agent.run(["ip", "-br", "addr"]).stdout == node.run(["ip", "-br", "addr"]).stdout
    assert agent.run(["hostname"]).stdout == "n1\n"
    assert agent.run(["getent", "hosts", "proxy"]).stdout.split()[0] in node.addresses
    assert inspect_endpoint(cluster, "agent-1").netns == f"{NAME}.n1"


@pytest.mark.parametrize("other", ["node/n1", "agent-1", "proxy"])
def test_loopback_is_not_measured(cluster: Cluster, other: str) -> None:
    with pytest.raises(UsageError, match="loopback"):
        cluster.perf("agent-1", other, Request(seconds=1))


def test_a_file_may_give_a_pod_a_network_of_its_own_and_take_it_back(cluster: Cluster) -> None:
    other = TEXT.replace("{name: proxy, hostNetwork: true, node: n1}", "{name: proxy, node: n1}")
    for text, own in ((other, True), (TEXT, False)):
        Cluster.up(Topology.parse(text), confirm=lambda moves: [one.endpoint for one in moves] == ["pod/default/proxy"])
        assert Path("/run/netns", f"{NAME}.default.proxy").exists() == own
        assert Cluster.find(NAME).status().drift == []
    assert subprocess.run(["ip", "-n", f"{NAME}.n1", "link", "show", "cni0"], check=False, capture_output=True).returncode
