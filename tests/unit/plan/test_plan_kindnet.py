"""kind's data plane, and the plugin that it is made of.

Source: kubernetes-sigs/kind, images/kindnetd; containernetworking/plugins, plugins/main/ptp.
"""

from __future__ import annotations

import pytest
from plan_models import build, build_topology

from kemu.api import Topology
from kemu.base.errors import SpecError
from kemu.base.names import veth_name
from kemu.plan.build import build_plan
from kemu.plan.objects import Addr, Bridge, Link, NftTable, Route


def test_there_is_no_bridge_on_a_node_and_every_veth_has_the_gateways_address() -> None:
    plan = build(backend="kindnet")
    assert not [item for item in plan if isinstance(item, Link) and isinstance(item.detail, Bridge) and item.netns == "n1"]
    gateways = [item for item in plan if isinstance(item, Addr) and item.netns == "n1" and item.address == "10.244.0.1/32"]
    assert {item.dev for item in gateways} == {veth_name("default.p1"), veth_name("default.p3")}


def test_a_pod_has_no_neighbour_but_the_gateway() -> None:
    plan = build(backend="kindnet")
    [addr] = [item for item in plan if isinstance(item, Addr) and item.netns == "default.p1"]
    assert (addr.address, addr.lacks) == ("10.244.0.2/24", ("connected 10.244.0.0/24",))
    assert [item for item in plan if isinstance(item, Route) and item.netns == "default.p1"] == [
        Route(netns="default.p1", dst="10.244.0.1/32", dev="eth0", scope="link", src="10.244.0.2"),
        Route(netns="default.p1", dst="10.244.0.0/24", dev="eth0", via="10.244.0.1", src="10.244.0.2"),
        Route(netns="default.p1", dst="0.0.0.0/0", dev="eth0", via="10.244.0.1"),
    ]


def test_a_node_routes_to_each_pod_and_to_each_node() -> None:
    routes = [
        item for item in build(backend="kindnet") if isinstance(item, Route) and item.netns == "n1" and item.dst != "0.0.0.0/0"
    ]
    assert Route(netns="n1", dst="10.244.0.2/32", dev=veth_name("default.p1"), scope="host") in routes
    assert Route(netns="n1", dst="10.244.1.0/24", dev="eth0", via="172.18.0.12") in routes


def test_what_goes_to_pods_of_any_node_keeps_its_address() -> None:
    [table] = [item for item in build(backend="kindnet", family="dual") if isinstance(item, NftTable) and item.netns == "n1"]
    assert (table.family, table.name) == ("inet", "kindnet-ipmasq")
    assert "elements = { 10.244.0.0/24, 10.244.1.0/24 }" in table.body
    assert "elements = { fd00:10:244::/64, fd00:10:244:1::/64 }" in table.body


def test_an_empty_set_has_no_elements() -> None:
    [table] = [
        item for item in build_plan(build_topology(backend="kindnet")) if isinstance(item, NftTable) and item.netns == "n1"
    ]
    assert table.body.count("elements") == 1


def test_ptp_routes_to_its_own_pods_and_leaves_the_others_to_the_fabric() -> None:
    routes = [item for item in build(backend="ptp") if isinstance(item, Route)]
    assert [route.dst for route in routes if route.netns == "n1"] == ["0.0.0.0/0", "10.244.0.2/32", "10.244.0.3/32"]
    assert [(route.dst, route.via) for route in routes if route.netns == "router"] == [
        ("10.244.0.0/24", "172.18.0.11"),
        ("10.244.1.0/24", "172.18.0.12"),
    ]


def test_ptp_needs_a_fabric_that_knows_the_pods() -> None:
    alone = "name: lab\nnodes: 1\nnetworking: {backend: ptp}\n"
    assert Topology.parse(alone).plan().warnings == ()
    with pytest.raises(SpecError, match="podRoutes: none"):
        Topology.parse(alone.replace("1", "2")).plan()
    assert "podRoutes: none" in Topology.parse(alone.replace("1", "2")).plan(force=True).warnings[0]
    cloud = f"{alone.replace('1', '2')}fabric: {{podRoutes: static, allowForeignAddresses: false}}\n"
    assert "drops them" in Topology.parse(cloud).plan().warnings[0]
