"""What a picture shows of a topology and its plan."""

from __future__ import annotations

from kemu.api import Topology
from kemu.graph.picture import MOST_PODS, Machine, Picture, build_picture

TWO_NODES = """\
name: lab
nodes: 2
pods:
- {name: a, node: n1}
- {name: b, node: n1, namespace: shop}
- {name: c, node: n2}
hosts:
- {name: client}
"""
RACKS = """\
name: lab
networking: {backend: {vxlan: {directRouting: true}}}
fabric: {segments: [{name: rack1}, {name: rack2}]}
nodes:
- {name: n1, segment: rack1}
- {name: n2, segment: rack1}
- {name: n3, segment: rack2}
"""


def _picture(text: str = TWO_NODES, **settings: object) -> Picture:
    topology = Topology.parse(text)
    return build_picture(topology.model, topology.plan(), **settings)  # type: ignore[arg-type]


def _machine(picture: Picture, name: str) -> Machine:
    return next(machine for segment in picture.segments for machine in segment.machines if machine.name == name)


def test_every_machine_is_in_its_segment_with_its_pods() -> None:
    [segment] = _picture().segments
    assert (segment.name, segment.router) == ("lan", ("172.18.0.1",))
    assert [(one.name, one.kind, [pod.name for pod in one.pods]) for one in segment.machines] == [
        ("n1", "node", ["a", "shop/b"]),
        ("n2", "node", ["c"]),
        ("client", "host", []),
    ]


def test_pods_hang_on_the_bridge_and_their_far_ends_are_no_devices() -> None:
    node = _machine(_picture(), "n1")
    assert {pod.bridge for pod in node.pods} == {"cni0"}
    assert {device.name: device.addresses for device in node.devices} == {
        "eth0": ("172.18.0.11/16",),
        "flannel.1": ("10.244.0.0/32",),
        "cni0": ("10.244.0.1/24",),
    }


def test_pods_in_their_nodes_network_hang_on_nothing() -> None:
    node = _machine(_picture("name: t\nnodes: 1\npods: [{name: a, hostNetwork: true}, {name: b}]\n"), "n1")
    assert [(pod.name, pod.addresses, pod.bridge, pod.is_wired) for pod in node.pods] == [
        ("a", ("172.18.0.11",), "", False),
        ("b", ("10.244.0.2",), "cni0", True),
    ]


def test_tunnels_are_known_by_their_forwarding_entries() -> None:
    [tunnel] = _picture().tunnels
    assert (tunnel.name, tunnel.what, tunnel.pairs) == ("flannel.1", "VXLAN 1, UDP 8472, MTU 1450", (("n1", "n2"),))
    [racks] = _picture(RACKS).tunnels
    assert racks.pairs == (("n1", "n3"), ("n2", "n3"))  # n1 and n2 share a segment


def test_many_pods_are_drawn_as_a_few_and_a_rest() -> None:
    node = _machine(_picture("name: lab\nnodes: 1\npods: [{name: p, replicas: 40}]\n"), "n1")
    assert len(node.shown_pods) == MOST_PODS
    assert (node.shown_pods[-1].name, node.shown_pods[-1].addresses) == ("+ 29 more", ("10.244.0.13 …",))


def test_trouble_stands_where_it_is() -> None:
    trouble = {
        ("n1", "flannel.1"): ("the tunnel is gone",),
        ("n1", ""): ("a setting differs",),
        ("default.c", "eth0"): ("c has no address",),
        ("fabric", "n2"): ("the port of n2 is down",),
        ("fabric", "br.lan"): ("the switch is gone",),
    }
    picture = _picture(state="drifted", trouble=trouble)
    node = _machine(picture, "n1")
    assert node.trouble == ("the tunnel is gone", "a setting differs")
    assert {device.name: device.trouble for device in node.devices}["flannel.1"] == ("the tunnel is gone",)
    assert _machine(picture, "n2").pods[0].trouble == ("c has no address",)
    assert _machine(picture, "n2").port.trouble == ("the port of n2 is down",)
    assert not _machine(picture, "n2").trouble
    assert picture.trouble == ("the port of n2 is down", "the switch is gone")
    assert picture.title == "lab: 2 nodes, 3 pods, vxlan, drifted"


def test_trouble_at_a_pods_far_end_is_the_pods() -> None:
    topology = Topology.parse(TWO_NODES)
    [far] = [link for link in topology.plan() if getattr(getattr(link, "detail", None), "peer_netns", "") == "default.a"]
    picture = build_picture(topology.model, topology.plan(), trouble={("n1", far.name): ("down",)})  # type: ignore[union-attr]
    node = _machine(picture, "n1")
    assert not node.trouble
    assert [pod.trouble for pod in node.pods] == [("down",), ()]


def test_links_are_described_both_directions_in_one_where_they_are_alike() -> None:
    text = TWO_NODES.replace(
        "nodes: 2", "nodes: [{name: n1, link: {rate: 5mbit}}, {name: n2, link: {delay: 1ms, in: {loss: 1%}, mtu: 1400}}]"
    )
    [segment] = _picture(text + "fabric: {segments: [{name: lan, uplink: {delay: 20ms}}]}\n").segments
    assert [machine.link for machine in segment.machines] == [
        ("rate 5mbit",),
        ("delay 1ms mtu 1400", "in loss 1%"),
        (),
    ]
    assert segment.uplink == ("delay 20ms",)
