"""The responder in a whole cluster: pods of both kinds, asked from pods, nodes and hosts. The agent is told not to serve them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator

import pytest
from responder_lab import LIMIT, driven

from kemu import Cluster, Topology
from kemu.kernel.enter import inside
from kemu.probe.answer import read_answer
from kemu.probe.responder import Responder, speaker_of

pytestmark = pytest.mark.kernel

NAME = f"kr{os.getpid()}"
TEXT = f"""\
name: {NAME}
networking: {{ipFamily: dual}}
nodes: 2
pods:
- {{name: web, node: n2, serve: false, ports: [{{containerPort: 8080}}, {{containerPort: 8080, protocol: UDP}}]}}
- {{name: proxy, node: n1, hostNetwork: true, serve: false, ports: [{{containerPort: 8080}}, {{containerPort: 8080, protocol: UDP}}]}}
- {{name: client, node: n1}}
hosts: 1
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster.up(Topology.parse(TEXT)) as cluster, Responder() as responder:
        versions = cluster.model.networking.ip_family.versions
        for pod in cluster.model.pods:
            assert responder.add(speaker_of(pod), cluster.pod(pod.name).netns, pod.ports, versions=versions) == ()
        with driven(responder):
            yield cluster


@pytest.mark.parametrize("family", [0, 1])
@pytest.mark.parametrize(("sender", "receiver"), [("client", "web"), ("node/n1", "web"), ("client", "proxy"), ("h1", "proxy")])
def test_curl_is_told_who_answered_and_who_asked(cluster: Cluster, sender: str, receiver: str, family: int) -> None:
    place, target = cluster.endpoint(sender), cluster.endpoint(receiver)
    address = target.addresses[family]
    url = f"http://{f'[{address}]' if family else address}:8080/json"
    facts = json.loads(place.run(["curl", "-s", "--max-time", str(LIMIT), url]).stdout)
    assert (facts["pod"], facts["node"], facts["server"]) == (receiver, target.spec.node, {"address": address, "port": 8080})
    if sender != "node/n1":  # which has several addresses
        assert facts["client"]["address"] == place.addresses[family]


@pytest.mark.parametrize("address", ["172.18.0.11", "10.244.0.1", "fd00:172:18::b", "fd00:10:244::1"])
def test_pod_with_many_addresses_answers_datagrams_from_the_one_that_was_asked(cluster: Cluster, address: str) -> None:
    with inside(cluster.pod("client").netns):
        udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    with udp:
        udp.settimeout(LIMIT)
        udp.connect((address, 8080))  # what comes from another address is not heard
        udp.send(b"hello")
        served = read_answer(udp.recv(1000))
    assert served
    assert (served.name, served.echo) == ("pod/default/proxy", b"hello")


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_reach_finds_its_ports_served(cluster: Cluster, protocol: str) -> None:
    matrix = cluster.reach(kinds=("pod", "node"), protocol=protocol, port=8080)
    assert (matrix.reached, matrix.lost) == (len(matrix.results), 0)
