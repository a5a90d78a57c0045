"""Which devices a cluster waits for."""

from __future__ import annotations

from dataclasses import replace

from plan_models import build

from kemu.plan.objects import Link, Object
from kemu.plan.operational import find_operational


def _names(objects: list[Object]) -> set[tuple[str, str]]:
    names = {(item.netns, item.index): item.name for item in objects if isinstance(item, Link)}
    return {(netns, names[netns, index]) for netns, indexes in find_operational(objects).items() for index in indexes}


def test_cables_and_the_bridges_that_they_are_in() -> None:
    names = _names(list(build(nodes=1, pods=1)))
    assert names >= {("fabric", "n1"), ("n1", "eth0"), ("fabric", "br.lan"), ("n1", "cni0"), ("default.p1", "eth0")}
    assert ("n1", "flannel.1") not in names  # a tunnel has no carrier


def test_a_cable_with_one_end_down_is_not_waited_for() -> None:
    objects = [
        replace(item, up=False) if isinstance(item, Link) and item.name == "n1" else item for item in build(nodes=1, pods=0)
    ]
    assert _names(objects) == {("fabric", "router.0"), ("router", "eth0"), ("fabric", "br.lan")}


def test_a_bridge_without_ports_is_not_waited_for() -> None:
    objects = [item for item in build(nodes=1, pods=1) if not (isinstance(item, Link) and item.master == "cni0")]
    assert ("n1", "cni0") not in _names(objects)
