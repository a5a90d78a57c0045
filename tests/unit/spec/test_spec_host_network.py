"""Pods that share their node's network."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spec_reading import read, texts

from kemu.spec.endpoints import all_endpoints, find_endpoint, find_endpoints
from kemu.spec.hosts import show_hosts

TEXT = "nodes: 2\npods:\n- {name: agent, hostNetwork: true, perNode: 1, labels: {app: agent}}\n- {name: web}\n- {name: db}\n"


def test_such_a_pod_has_its_nodes_network() -> None:
    topology = read(TEXT, "networking.ipFamily=dual")
    for pod in topology.pods[:2]:
        node = topology.node(pod.node)
        assert (pod.netns, pod.addresses, pod.hostname) == (node.netns, node.addresses, node.name)
    assert [pod.name for pod in topology.pods_of(topology.nodes[0])] == ["agent-1", "web"]
    assert [pod.name for pod in topology.wired_pods(topology.nodes[0])] == ["web"]


def test_it_takes_no_address_of_the_pods() -> None:
    assert texts(pod.addresses[0] for pod in read(TEXT).pods) == ["172.18.0.11", "172.18.0.12", "10.244.0.2", "10.244.1.2"]
    assert len(read("nodes: 1\npods:\n- {name: a, hostNetwork: true, replicas: 400}\n- {name: b, replicas: 253}").pods) == 653


@pytest.mark.parametrize("text", ["pods: {perNode: 2, hostNetwork: true}", "pods: [{name: a, replicas: 3, hostNetwork: true}]"])
def test_numbered_ones_share_as_well(text: str) -> None:
    assert {pod.netns for pod in read(text).pods} == {"n1", "n2"}


def test_it_goes_where_its_ports_are_free() -> None:
    busy = "nodes: 3\npods:\n- {name: busy, node: n1, replicas: 2}\n"
    topology = read(busy + "- {name: web, replicas: 3, hostNetwork: true, ports: [{containerPort: 80}]}")
    assert [pod.node for pod in topology.pods[2:]] == ["n2", "n3", "n1"]


@pytest.mark.parametrize(
    "other", ["ports: [{containerPort: 80}]", "hostNetwork: true, ports: [{containerPort: 80, protocol: UDP}]"]
)
def test_ports_of_other_protocols_and_of_pods_with_networks_of_their_own_do_not_collide(other: str) -> None:
    first = "nodes: 1\npods:\n- {name: a, hostNetwork: true, ports: [{containerPort: 80}]}\n"
    assert len(read(f"{first}- {{name: b, {other}}}").pods) == 2


def test_its_name_means_it_and_its_address_the_node() -> None:
    topology = read(TEXT)
    found = find_endpoint(topology, "agent-1")
    assert (found.full, found.netns, found.shares_node, found.hostname) == ("pod/default/agent-1", "n1", True, "n1")
    assert find_endpoint(topology, "172.18.0.11").full == "node/n1"
    assert [one.full for one in find_endpoints(topology, "app=agent")] == ["pod/default/agent-1", "pod/default/agent-2"]
    assert [one.full for one in all_endpoints(topology) if one.shares_node] == ["pod/default/agent-1", "pod/default/agent-2"]


def test_a_pod_called_like_its_node_shares_nothing() -> None:
    topology = read("nodes: [{name: a}]\npods: [{name: a}]")
    endpoint = find_endpoint(topology, "pod/a")
    assert (endpoint.shares_node, endpoint.hostname) == (False, "a")
    assert not replace(find_endpoint(topology, "node/a")).shares_node


def test_the_first_name_of_an_address_is_the_nodes() -> None:
    lines = [line for line in show_hosts(read(TEXT)).splitlines() if line.startswith("172.18.0.11 ")]
    assert lines == ["172.18.0.11 n1", "172.18.0.11 agent-1 agent-1.default"]
