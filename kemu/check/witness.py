"""Who shows that a denied endpoint answers at all: a denial counts only if the same probe gets through from elsewhere."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import islice

from kemu.spec.endpoints import Endpoint, machine_endpoint, pod_endpoint
from kemu.spec.model import Topology

MOST = 4  # witnesses that are asked at once for each endpoint


def find_witnesses(topology: Topology, receiver: Endpoint, denied: Container[str]) -> list[Endpoint]:
    """Return who may reach an endpoint: of a pod its node, its neighbours, other nodes; of a machine other machines.

    `denied` are those, in full, who must not. Where nobody is left it is the endpoint itself, over its own address.
    """
    others = (one for one in _near(topology, receiver) if one.netns != receiver.netns and one.full not in denied)
    return list(islice(others, MOST)) or [receiver]


def _near(topology: Topology, receiver: Endpoint) -> Iterator[Endpoint]:
    if receiver.kind == "pod":
        own = topology.node(receiver.node)
        yield machine_endpoint(own)
        yield from map(pod_endpoint, islice(topology.wired_pods(own), MOST - 1))
    yield from (machine_endpoint(node) for node in topology.nodes if node.name != receiver.node)
    if receiver.kind != "pod":  # hosts have no route to pods
        yield from map(machine_endpoint, topology.hosts)
