"""What is known of each backend, for the tests that all of them pass."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass

from kemu import Topology

_COUNTER = itertools.count()
ALL_FAMILIES = ("ipv4", "ipv6", "dual")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The IP families a backend has, the TTL of an answer from the same node and from another, and the largest packet
    between nodes.

    `pod_mtu` is that of a pod's device, where it is not the largest packet. `port` is the UDP port of its tunnel, `fabric`
    what it needs of the fabric.
    """

    families: tuple[str, ...] = ALL_FAMILIES
    same_node: int = 64
    across: int = 62
    largest: int = 1500
    pod_mtu: int = 0
    port: int | None = None
    fabric: str = ""


#: Every backend that the running kernel can bring up. Source of the figures: the docstring of each, and docs.
FACTS: dict[str, Facts] = {
    "canal": Facts(families=("ipv4",), same_node=63, largest=1450, pod_mtu=1500, port=8472),
    "host-gw": Facts(),
    "kindnet": Facts(same_node=63),
    "ptp": Facts(same_node=63, across=61, fabric="fabric: {podRoutes: static}\n"),  # the router in between is a hop, too
    "vxlan": Facts(largest=1450, port=8472),
}
COMBINATIONS = [(backend, family) for backend, facts in FACTS.items() for family in facts.families]


def topology(text: str, *, backend: str, family: str = "ipv4") -> Topology:
    """Return a topology with a name of its own."""
    name = f"kb{os.getpid()}-{next(_COUNTER)}"
    return Topology.parse(
        f"name: {name}\n{FACTS[backend].fabric}{text}", backend=backend, sets=(f"networking.ipFamily={family}",)
    )
