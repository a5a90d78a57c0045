"""kind's data plane. Source: kubernetes-sigs/kind, images/kindnetd; containernetworking/plugins, plugins/main/ptp."""

from __future__ import annotations

from plan_models import build, build_topology

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
