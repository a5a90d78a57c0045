"""Whatever a backend plans can be lost: it is named, and `up` puts it back."""

from __future__ import annotations

import subprocess

import pytest
from backends_facts import COMBINATIONS, topology

from kemu import Cluster
from kemu.plan.objects import Netns, Object, Sysctl
from kemu.plan.show import command, title

pytestmark = pytest.mark.kernel

TWO = "nodes: 2\npods: {perNode: 1}\n"


@pytest.mark.parametrize(("backend", "family"), [pair for pair in COMBINATIONS if pair[1] != "ipv6"])
def test_every_object_that_is_dropped_is_named_and_put_back(backend: str, family: str) -> None:
    wanted = topology(TWO, backend=backend, family=family)
    with Cluster.up(wanted, verify=True) as cluster:
        for item in _of_the_backend(cluster):
            subprocess.run(["bash", "-ec", command(item, cluster.name, "remove")], check=True, capture_output=True)
            named = [(change.subject.netns, title(change.subject)) for change in cluster.status().changes]
            assert (item.netns, title(item)) in named
            Cluster.up(wanted)
            assert cluster.status().drift == [], f"after {title(item)} of {item.netns} was dropped"
        assert cluster.reach(kinds=("pod", "node")).lost == 0


def _of_the_backend(cluster: Cluster) -> list[Object]:
    """Return what the backend itself planned for n1 and its pod: the fabric's own is tested with every backend in the same way."""
    places = ("n1", "default.p1")
    return [
        item
        for item in cluster.plan()
        if item.origin
        and item.origin.part == cluster.topology.backend
        and item.netns in places
        and not isinstance(item, (Netns, Sysctl))
    ]
