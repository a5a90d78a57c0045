"""Every example comes up on a distribution's kernel, and the machine's own network is the same before, during and after."""

from __future__ import annotations

import pytest
from vm_machine import entries, sysctls

from kemu import Cluster
from kemu.api.topology import Example, Topology, examples
from kemu.cluster import lifecycle
from kemu.kernel import capability

pytestmark = pytest.mark.vm

#: What takes an emulated machine many minutes; tests/kernel and scripts/bench have as many pods.
LARGE = frozenset({"thousand-pods"})
EXAMPLES = [example for example in examples() if example.name not in LARGE]


def _topology(example: Example) -> Topology:
    return Topology.load(example.path).renamed(f"kv-{example.name}"[:32].rstrip("-"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.name))
def test_example_comes_up_as_planned_and_leaves_the_machine_as_it_was(example: Example) -> None:
    topology = _topology(example)
    for module in capability.modules_to_load(topology.plan().needs):
        capability.load(module)  # what a module leaves on the machine is another test's
    things, settings = entries(), sysctls()
    try:
        cluster = Cluster.up(topology, verify=True)
        assert (entries(), sysctls()) == (things, settings)
        assert cluster.status().drift == []
    finally:
        lifecycle.down(topology.name)
    assert (entries(), sysctls()) == (things, settings)
