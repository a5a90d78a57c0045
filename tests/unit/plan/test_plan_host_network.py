"""Pods in their nodes' networks are nobody's to wire, whatever the backend."""

from __future__ import annotations

import pytest

from kemu import Topology
from kemu.api.backends import backend_names
from kemu.base.errors import SpecError
from kemu.plan.build import Plan
from kemu.plan.select import select
from kemu.spec.endpoints import find_endpoint

PLAIN = "name: t\nnodes: 2\nfabric: {podRoutes: static}\npods:\n- {name: web, node: n1}\n"
WITH = PLAIN + "- {name: agent, hostNetwork: true, perNode: 1, ports: [{containerPort: 80}], serve: false}\n"


def plan_of(text: str, backend: str, family: str) -> Plan | None:
    """Return a plan; None where the backend does not have the family."""
    try:
        return Topology.parse(text, backend=backend, sets=(f"networking.ipFamily={family}",)).plan()
    except SpecError:
        return None


@pytest.mark.parametrize("backend", backend_names())
def test_no_backend_makes_anything_for_them(backend: str) -> None:
    plans = {family: (plan_of(PLAIN, backend, family), plan_of(WITH, backend, family)) for family in ("ipv4", "ipv6", "dual")}
    assert any(plain for plain, _ in plans.values())
    for plain, sharing in plans.values():
        assert (plain and plain.objects) == (sharing and sharing.objects)


def test_a_node_with_such_pods_alone_has_no_bridge() -> None:
    plan = plan_of(WITH, "vxlan", "ipv4")
    assert plan
    assert [netns for kind, netns, *name in plan.objects if kind == "link" and name == ["cni0"]] == ["n1"]


def test_what_serves_one_is_what_serves_its_node() -> None:
    topology = Topology.parse(WITH)
    plan = topology.plan()
    pod, node = (select(plan, find_endpoint(topology.model, name)) for name in ("agent-1", "node/n1"))
    assert pod == node
