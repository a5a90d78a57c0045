"""Canal: Calico's pods over flannel's tunnel. Source: Calico, manifests/canal.yaml, felix/dataplane/linux/endpoint_mgr.go."""

from __future__ import annotations

import hashlib

import pytest
from plan_models import build, build_topology

from kemu.base.errors import SpecError
from kemu.plan.build import build_plan
from kemu.plan.objects import Addr, Bridge, Link, Neigh, NftTable, Route, Sysctl, Vxlan

CALI = f"cali{hashlib.sha1(b'default.p1').hexdigest()[:11]}"


def test_pods_are_calicos() -> None:
    plan = build(backend="canal")
    far = plan.objects["link", "n1", CALI]
    assert isinstance(far, Link)
    assert (far.mac, far.mtu, far.master) == ("ee:ee:ee:ee:ee:ee", 1500, "")
    assert not [item for item in plan if isinstance(item, Addr) and item.dev == CALI]
    assert Neigh(netns="n1", dev=CALI, address="10.244.0.2", mac=plan.objects["link", "default.p1", "eth0"].mac) in list(plan)  # type: ignore[union-attr]
    assert Route(netns="n1", dst="10.244.0.2/32", dev=CALI, scope="link", protocol="80") in list(plan)
    assert [item for item in plan if isinstance(item, (Addr, Route)) and item.netns == "default.p1"] == [
        Addr(netns="default.p1", dev="eth0", address="10.244.0.2/32"),
        Route(netns="default.p1", dst="169.254.1.1/32", dev="eth0", scope="link"),
        Route(netns="default.p1", dst="0.0.0.0/0", dev="eth0", via="169.254.1.1"),
    ]


def test_the_nodes_end_answers_for_everybody() -> None:
    names = {item.name: item.value for item in build(backend="canal") if isinstance(item, Sysctl) and item.netns == "n1"}
    assert names[f"net/ipv4/conf/{CALI}/proxy_arp"] == "1"
    assert names[f"net/ipv4/conf/{CALI}/route_localnet"] == "1"
    assert names[f"net/ipv4/neigh/{CALI}/proxy_delay"] == "0"


def test_between_nodes_it_is_flannel_without_its_bridge() -> None:
    plan = build(backend="canal")
    kinds = {type(item.detail) for item in plan if isinstance(item, Link) and item.netns == "n1"}
    assert Vxlan in kinds
    assert Bridge not in kinds
    assert Route(netns="n1", dst="10.244.1.0/24", dev="flannel.1", via="10.244.1.0", onlink=True) in list(plan)
    assert [item.name for item in plan if isinstance(item, NftTable) and item.netns == "n1"] == ["flannel-ipv4"]


@pytest.mark.parametrize("family", ["ipv6", "dual"])
def test_ipv6_is_refused(family: str) -> None:
    with pytest.raises(SpecError, match="canal has no IPv6"):
        build_plan(build_topology(backend="canal", family=family))
