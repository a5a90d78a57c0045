"""The devices that a packet passes, as the plan would forward it."""

from __future__ import annotations

from kemu.api import Topology
from kemu.base.names import veth_name
from kemu.plan.objects import Object, Route
from kemu.plan.way import Way, find_way
from kemu.spec.endpoints import find_endpoint

TWO_NODES = "name: t\nnodes: 2\npods: [{name: a, node: n1}, {name: b, node: n1}, {name: c, node: n2}]\nhosts: [{name: h}]\n"
TWO_RACKS = """\
name: t
fabric: {segments: [{name: r1, subnet: 172.18.1.0/24}, {name: r2, subnet: 172.18.2.0/24}]}
nodes: [{name: n1, segment: r1}, {name: n2, segment: r2}]
pods: [{name: a, node: n1}, {name: c, node: n2}]
"""


def _ways(text: str, source: str, target: str, *, backend: str = "vxlan", family: str = "ipv4") -> list[Way]:
    topology = Topology.parse(text, backend=backend, sets=(f"networking.ipFamily={family}",))
    one, other = (find_endpoint(topology.model, name) for name in (source, target))
    return [find_way(topology.plan(), one.netns, address) for address in other.addresses]


def _words(way: Way) -> str:
    names = {veth_name(f"default.{pod}"): f"veth-{pod}" for pod in "abc"}
    return " ".join(f"{netns.removeprefix('default.')}%{names.get(name, name)}" for netns, name in way.places)


def _way(text: str, source: str, target: str, **settings: str) -> str:
    [way] = _ways(text, source, target, **settings)
    assert not way.lost
    return _words(way)


def test_pods_of_one_node_meet_at_the_bridge_which_does_not_see_them() -> None:
    assert _way(TWO_NODES, "a", "b") == "a%eth0 n1%veth-a n1%veth-b b%eth0"


def test_host_gw_crosses_the_fabric_as_it_is() -> None:
    assert _way(TWO_NODES, "a", "c", backend="host-gw") == (
        "a%eth0 n1%veth-a n1%cni0 n1%eth0 fabric%n1 fabric%n2 n2%eth0 n2%cni0 n2%veth-c c%eth0"
    )


def test_vxlan_goes_into_the_tunnel_and_comes_out_of_it() -> None:
    assert _way(TWO_NODES, "a", "c") == (
        "a%eth0 n1%veth-a n1%cni0 n1%flannel.1 n1%eth0 fabric%n1 fabric%n2 n2%eth0 n2%flannel.1 n2%cni0 n2%veth-c c%eth0"
    )


def test_a_tunnel_between_two_segments_passes_the_router() -> None:
    assert _way(TWO_RACKS, "a", "c") == (
        "a%eth0 n1%veth-a n1%cni0 n1%flannel.1 n1%eth0 fabric%n1 fabric%router.0 router%eth0 router%eth1 fabric%router.1 fabric%n2"
        " n2%eth0 n2%flannel.1 n2%cni0 n2%veth-c c%eth0"
    )


def test_each_family_has_its_own_tunnel() -> None:
    first, second = _ways(TWO_NODES, "a", "c", family="dual")
    assert not first.lost
    assert not second.lost
    assert _words(second) == _words(first).replace("flannel.1", "flannel-v6.1")


def test_nodes_and_hosts_are_ends_too() -> None:
    assert _way(TWO_NODES, "a", "n1") == "a%eth0 n1%veth-a n1%cni0"
    assert _way(TWO_NODES, "n1", "a") == "n1%cni0 n1%veth-a a%eth0"
    assert _way(TWO_NODES, "h", "n2") == "h%eth0 fabric%h fabric%n2 n2%eth0"
    assert _way(TWO_NODES, "n2", "c") == "n2%cni0 n2%veth-c c%eth0"


def test_a_way_that_ends_early_says_where_and_why() -> None:
    [way] = _ways(TWO_NODES, "h", "a")
    assert _words(way) == "h%eth0 fabric%h fabric%router.0 router%eth0"
    assert way.lost == "router has no route to 10.244.0.2"


def test_routes_in_a_circle_end() -> None:
    objects: list[Object] = list(Topology.parse(TWO_NODES, backend="host-gw").plan())
    back = Route(netns="n2", dst="10.244.1.2/32", dev="eth0", via="172.18.0.11")
    way = find_way([*objects, back], "default.a", find_endpoint(Topology.parse(TWO_NODES).model, "c").addresses[0])
    assert "in a circle" in way.lost


def test_what_is_missing_on_the_way_is_named() -> None:
    objects = [item for item in Topology.parse(TWO_NODES).plan() if item.key[:3] != ("neigh", "n1", "flannel.1")]
    way = find_way(objects, "default.a", find_endpoint(Topology.parse(TWO_NODES).model, "c").addresses[0])
    assert way.lost == "flannel.1 of n1 does not know where 10.244.1.0 is"
