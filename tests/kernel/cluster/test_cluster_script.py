from __future__ import annotations

import pytest
from cluster_tools import Running, shell, traces
from plan_models import COMBINATIONS

from kemu.cluster import lifecycle
from kemu.plan.show import show_script

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(("backend", "family"), COMBINATIONS)
def test_printed_script_makes_the_planned_cluster(name: str, backend: str, family: str) -> None:
    cluster = Running.build(name, backend=backend, family=family, pods=3)
    shell(show_script(cluster.plan, name))
    assert cluster.drift() == []
    assert cluster.compare().state == "ok"
    assert cluster.ping("default.p1", {"ipv6": "fd00:10:244:1::2"}.get(family, "10.244.1.2")) in (61, 62)
    assert lifecycle.down(name) is True
    assert traces(name) == []


def test_a_cluster_made_by_hand_is_adopted_by_up(name: str) -> None:
    cluster = Running.build(name)
    shell(show_script(cluster.plan, name))
    assert not cluster.up().made
    assert cluster.compare().state == "ok"
