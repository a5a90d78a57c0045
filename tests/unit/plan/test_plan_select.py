"""What serves one endpoint, and the tree."""

from __future__ import annotations

from kemu.api import Topology
from kemu.plan.objects import Fdb, Link, Neigh, Netns, Object, Route
from kemu.plan.select import select
from kemu.plan.tree import show_tree
from kemu.spec.endpoints import find_endpoint

TEXT = "name: t\nnodes: 3\npods: {perNode: 2}\nhosts: 1\n"


def _chosen(name: str, backend: str = "vxlan") -> list[Object]:
    topology = Topology.parse(TEXT, backend=backend)
    return select(topology.plan(), find_endpoint(topology.model, name))


def _of(kind: type[Object], objects: list[Object]) -> set[tuple[str, str]]:
    return {
        (item.netns, str(getattr(item, "name", getattr(item, "dst", "")) or "")) for item in objects if isinstance(item, kind)
    }


def test_a_pod_brings_its_node_and_its_cable() -> None:
    chosen = _chosen("p3")
    assert {item.netns for item in chosen if isinstance(item, Netns)} == {"default.p3", "n2", "fabric"}
    links = _of(Link, chosen)
    assert {
        ("default.p3", "eth0"),
        ("n2", "cni0"),
        ("n2", "flannel.1"),
        ("n2", "eth0"),
        ("fabric", "n2"),
        ("fabric", "br.lan"),
    } <= links
    assert len([name for netns, name in links if netns == "n2" and name.startswith("veth")]) == 1


def test_other_nodes_bring_only_the_way_to_the_pod() -> None:
    chosen = [item for item in _chosen("p3") if item.netns in ("n1", "n3")]
    assert {type(item) for item in chosen} == {Route, Neigh, Fdb}
    assert {item.dst for item in chosen if isinstance(item, Route)} == {"10.244.1.0/24"}
    assert {item.dst for item in chosen if isinstance(item, Fdb)} == {"172.18.0.12"}


def test_host_gw_needs_only_a_route_on_other_nodes() -> None:
    chosen = [item for item in _chosen("p3", "host-gw") if item.netns in ("n1", "n3")]
    assert [type(item) for item in chosen] == [Route, Route]


def test_a_host_brings_itself_and_its_cable() -> None:
    assert {item.netns for item in _chosen("h1")} == {"h1", "fabric"}


def test_the_tree_has_every_namespace_and_every_device() -> None:
    plan = Topology.parse(TEXT).plan()
    lines = show_tree(plan, "t").splitlines()
    assert lines[0] == "t"
    assert [line[3:] for line in lines if line[0] in "├└"] == plan.namespaces
    assert sum("  mtu " in line for line in lines) == sum(isinstance(item, Link) for item in plan)
