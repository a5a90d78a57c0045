from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from plan_models import COMBINATIONS, build, build_topology

from kemu.base.errors import BugError, SpecError
from kemu.base.names import RESERVED
from kemu.plan import base
from kemu.plan.build import build_plan
from kemu.plan.objects import Addr, Link, Netns, Object, Route, Sysctl, Veth, broadcast
from kemu.spec.model import Host, Topology


def _links(objects: list[Object]) -> list[Link]:
    return [item for item in objects if isinstance(item, Link)]


@pytest.mark.parametrize(("backend", "family"), COMBINATIONS)
def test_plan_is_consistent(backend: str, family: str) -> None:
    plan = build(backend=backend, family=family, nodes=4, pods=10)
    namespaces = set(plan.namespaces)
    devices = {(link.netns, link.name): link for link in _links(list(plan))}
    indexes: dict[str, list[int]] = defaultdict(list)
    for link in devices.values():
        indexes[link.netns].append(link.index)
        assert link.index > 1
        assert len(link.name) <= 15
        assert int(link.mac[:2], 16) & 3 == 2, "a local unicast MAC"
        assert not link.master or (link.netns, link.master) in devices
        if isinstance(link.detail, Veth):
            peer = devices[link.detail.peer_netns, link.detail.peer]
            assert peer.detail == Veth(peer_netns=link.netns, peer=link.name)
            assert peer.mtu == link.mtu
    assert all(len(set(numbers)) == len(numbers) for numbers in indexes.values())
    own = [
        link.mac for link in devices.values() if link.mac != "ee:ee:ee:ee:ee:ee"
    ]  # which Calico gives to the ends of all pods' veths
    assert len(set(own)) == len(own)
    for item in plan:
        assert item.netns in namespaces
        assert item.origin is not None
        assert not getattr(item, "dev", "") or (item.netns, item.dev) in devices  # type: ignore[union-attr]


def test_indexes_follow_the_place_in_the_file() -> None:
    plan = build(nodes=2, pods=4)
    found = {(link.netns, link.name): link.index for link in _links(list(plan))}
    assert found["fabric", "br.lan"] == 20
    assert found["fabric", "router.0"] == 300
    assert (found["fabric", "n1"], found["fabric", "n2"]) == (1000, 1001)
    assert found["n1", "eth0"] == found["router", "eth0"] == found["default.p1", "eth0"] == 20
    assert found["n1", "cni0"] == 21
    assert found["n1", "flannel.1"] == 22
    ports = sorted(link.index for link in _links(list(plan)) if link.netns == "n1" and link.master == "cni0")
    assert ports == [1002, 1003]


def test_lowest_indexes_are_left_to_the_kernels_own_tunnels() -> None:
    assert min(link.index for link in _links(list(build(nodes=2, pods=2, family="dual")))) >= 20


def test_pod_with_an_address_far_away_gets_an_index_from_its_name() -> None:
    topology = build_topology(family="ipv6")
    node = topology.nodes[0]
    far = replace(topology.pods[0], addresses=(node.pod_subnets[0][2**40],))
    assert 100_000 <= base.pod_port_index(far, node) < 2**31
    assert base.pod_port_index(far, node) != base.pod_port_index(replace(far, name="other"), node)


def test_node_has_its_addresses_and_the_router_as_its_way_out() -> None:
    objects = list(base.desired(build_topology(family="dual")))
    node = [item for item in objects if item.netns == "n1"]
    assert [item.address for item in node if isinstance(item, Addr)] == ["172.18.0.11/16", "fd00:172:18::b/64"]
    assert [item for item in node if isinstance(item, Route)] == [
        Route(netns="n1", dst="0.0.0.0/0", dev="eth0", via="172.18.0.1"),
        Route(netns="n1", dst="::/0", dev="eth0", via="fd00:172:18::1", metric=1024),
    ]


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("ipv4", {"net/ipv6/conf/default/disable_ipv6": "1", "net/ipv4/ip_forward": "1"}),
        ("ipv6", {"net/ipv6/conf/default/accept_dad": "0", "net/ipv6/conf/all/forwarding": "1"}),
        (
            "dual",
            {"net/ipv6/conf/default/accept_dad": "0", "net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"},
        ),
    ],
)
def test_node_forwards_the_families_that_the_cluster_has(family: str, settings: dict[str, str]) -> None:
    objects = base.desired(build_topology(family=family))
    assert {item.name: item.value for item in objects if isinstance(item, Sysctl) and item.netns == "n1"} == settings


def test_pod_does_not_forward() -> None:
    names = {item.name for item in build(family="dual") if isinstance(item, Sysctl) and item.netns == "default.p1"}
    assert names == {"net/ipv6/conf/default/accept_dad", "net/ipv4/conf/eth0/arp_notify"}


def test_fabric_and_router_have_reserved_names() -> None:
    namespaces = build().namespaces
    assert namespaces == ["fabric", "router", "n1", "n2", "default.p1", "default.p2", "default.p3", "default.p4"]
    assert {"fabric", "machine", "router"} == RESERVED


def _with_host(topology: Topology) -> Topology:
    return replace(topology, hosts=(Host(name="laptop", position=0, segment="lan", addresses=(ip_address("172.18.1.1"),)),))


def test_host_is_on_the_fabric_and_does_not_forward() -> None:
    objects = [item for item in build_plan(_with_host(build_topology())) if item.netns == "laptop"]
    assert Netns(netns="laptop") in objects
    assert Addr(netns="laptop", dev="eth0", address="172.18.1.1/16", broadcast="172.18.255.255") in objects
    assert Route(netns="laptop", dst="0.0.0.0/0", dev="eth0", via="172.18.0.1") in objects
    assert not [item for item in objects if isinstance(item, Sysctl) and item.name.endswith("forward")]


def test_settings_of_the_file_outrank_kemus_own() -> None:
    topology = build_topology()
    node = replace(topology.nodes[0], sysctls={"net.ipv4.ip_forward": "0", "net/ipv4/conf/flannel.1/rp_filter": "2"})
    plan = build_plan(replace(topology, nodes=(node, topology.nodes[1])))
    forward = plan.objects["sysctl", "n1", "net/ipv4/ip_forward"]
    assert forward == Sysctl(netns="n1", name="net/ipv4/ip_forward", value="0")
    assert forward.origin is not None
    assert forward.origin.part == "sysctls"
    assert ("sysctl", "n1", "net/ipv4/conf/flannel.1/rp_filter") in plan.objects


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/flannel.1/rp_filter", "net/ipv4/conf/flannel.1/rp_filter"),
        ("net.ipv4.conf.flannel/1.rp_filter", "net/ipv4/conf/flannel.1/rp_filter"),
    ],
)
def test_setting_is_written_as_sysctl_takes_it(written: str, name: str) -> None:
    topology = build_topology()
    pod = replace(topology.pods[0], sysctls={written: "1"})
    [setting] = base.users_settings(replace(topology, pods=(pod,)))
    assert setting.name == name


def test_two_wishes_for_one_thing_name_both_origins() -> None:
    topology = build_topology()
    twin = replace(topology.pods[0], addresses=(ip_address("10.244.0.77"),))
    with pytest.raises(BugError, match=r"by vxlan and by vxlan"):
        build_plan(replace(topology, pods=(*topology.pods, twin)))


def test_forcible_problem_is_a_warning_under_force() -> None:
    topology = build_topology(backend="host-gw")
    far = replace(topology.fabric.segments[0], name="far", position=1, subnets=(ip_network("172.19.0.0/16"),))
    nodes = (topology.nodes[0], replace(topology.nodes[1], segment="far"))
    apart = replace(topology, nodes=nodes, fabric=replace(topology.fabric, segments=(*topology.fabric.segments, far)))
    with pytest.raises(SpecError, match="host-gw cannot join"):
        build_plan(apart)
    plan = build_plan(apart, force=True)
    assert len(plan.warnings) == 1
    assert len(plan) > 0


def test_capabilities_are_the_backends() -> None:
    assert build(backend="vxlan").needs - build(backend="host-gw").needs == {"link:vxlan"}


@pytest.mark.parametrize(
    ("interface", "expected"), [("10.0.0.1/24", "10.0.0.255"), ("10.0.0.1/31", ""), ("10.0.0.1/32", ""), ("fd00::1/64", "")]
)
def test_broadcast_address(interface: str, expected: str) -> None:
    assert broadcast(interface) == expected
