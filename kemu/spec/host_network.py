"""Rules for pods that share their node's network: what they cannot have of their own, and ports that they would fight over."""

from __future__ import annotations

from collections.abc import Iterable

from kemu.spec.expand import Draft, declared_ports
from kemu.spec.tables import Entry


def check_host_network(pods: Iterable[Draft]) -> None:
    """Note what pods in their nodes' networks cannot have, each entry of the file once."""
    sharing = [pod for pod in pods if pod.shares_node]
    for entry in {id(pod.entry): pod.entry for pod in sharing}.values():
        _check_own(entry)
    _check_ports(sharing)


def _check_own(entry: Entry) -> None:
    if entry.said("address"):
        entry.wrong("address", "with hostNetwork it has its node's address", "leave out one of them")
    if entry.said("sysctls"):  # as the kubelet refuses them. Source: Kubernetes, pkg/kubelet/sysctl/allowlist.go
        entry.wrong("sysctls", "with hostNetwork these are its node's settings", "write them as sysctls of the node")


def _check_ports(pods: Iterable[Draft]) -> None:
    owners: dict[tuple[str, int, str], Draft] = {}
    noted: set[int] = set()
    for pod in pods:
        for number, protocol, place in declared_ports(pod.entry):
            owner = owners.setdefault((pod.place, number, protocol), pod)
            if pod.place and owner is not pod and id(place) not in noted:
                noted.add(id(place))
                message = f"{pod.said}: port {number}/{protocol} of node {pod.place} is taken by {owner.said}, in its network too"
                place.log.wrong(place.nodes["containerPort"], message, "another port or node; perNode: 1 puts one on each node")
