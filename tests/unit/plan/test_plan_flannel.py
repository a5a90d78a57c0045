"""flannel's data planes as flannel makes them. Source: flannel, Documentation/backends.md, pkg/backend, pkg/trafficmngr/nftables."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from plan_models import BACKENDS, FLANNELS, build, build_topology

from kemu.plan.build import Plan, build_plan
from kemu.plan.objects import Addr, Bridge, BridgePort, Fdb, Link, Neigh, NftTable, Object, Route, Sysctl, Veth, Vxlan
from kemu.spec.model import Segment, Topology


def _of(plan: Plan, kind: type[Object], netns: str = "n1") -> list[Object]:
    return [item for item in plan if isinstance(item, kind) and item.netns == netns]


def _link(plan: Plan, netns: str, name: str) -> Link:
    link = plan.objects["link", netns, name]
    assert isinstance(link, Link)
    return link


def test_tunnel_device_is_flannels() -> None:
    tunnel = _link(build(), "n1", "flannel.1")
    assert tunnel.detail == Vxlan(vni=1, local="172.18.0.11", lower="eth0", port=8472, learning=False)
    assert tunnel.mtu == 1450


def test_tunnel_over_ipv6_is_20_bytes_smaller_than_the_pods() -> None:
    plan = build(family="dual")
    tunnel = _link(plan, "n1", "flannel-v6.1")
    assert tunnel.detail == Vxlan(vni=1, local="fd00:172:18::b", lower="eth0", port=8472, learning=False)
    assert tunnel.mtu == 1430
    assert _link(plan, "n1", "cni0").mtu == _link(plan, "default.p1", "eth0").mtu == 1450


def test_tunnels_address_is_the_subnets_own_with_full_length() -> None:
    addrs = {addr.dev: addr.address for addr in _of(build(family="dual"), Addr, "n2") if isinstance(addr, Addr)}
    assert addrs["flannel.1"] == "10.244.1.0/32"
    assert addrs["flannel-v6.1"] == "fd00:10:244:1::/128"


def test_peer_is_three_entries() -> None:
    plan = build()
    mac = _link(plan, "n2", "flannel.1").mac
    assert _of(plan, Neigh) == [Neigh(netns="n1", dev="flannel.1", address="10.244.1.0", mac=mac)]
    assert _of(plan, Fdb) == [Fdb(netns="n1", dev="flannel.1", mac=mac, dst="172.18.0.12")]
    route = Route(netns="n1", dst="10.244.1.0/24", dev="flannel.1", via="10.244.1.0", onlink=True, protocol="boot")
    assert route in _of(plan, Route)


def test_router_advertisements_are_refused_on_bridge_and_tunnel() -> None:
    names = {item.name: item.value for item in _of(build(family="dual"), Sysctl) if isinstance(item, Sysctl)}
    for dev in ("cni0", "flannel.1", "flannel-v6.1"):
        assert names[f"net/ipv6/conf/{dev}/accept_ra"] == "0"


def test_options_name_the_tunnel() -> None:
    tunnel = _link(build(vni=77, port=4789), "n1", "flannel.77")
    assert tunnel.detail == Vxlan(vni=77, local="172.18.0.11", lower="eth0", port=4789, learning=False)


def test_direct_routing_takes_plain_routes_and_no_entries() -> None:
    plan = build(direct_routing=True, family="dual")
    assert _of(plan, Neigh) == _of(plan, Fdb) == []
    assert Route(netns="n1", dst="10.244.1.0/24", dev="eth0", via="172.18.0.12") in _of(plan, Route)


def test_host_gw_has_one_route_a_peer_and_no_tunnel() -> None:
    plan = build(backend="host-gw", nodes=3)
    assert not [item for item in plan if isinstance(item, Link) and isinstance(item.detail, Vxlan)]
    routes = [item for item in _of(plan, Route) if isinstance(item, Route) and item.dst.startswith("10.244")]
    assert routes == [
        Route(netns="n1", dst="10.244.1.0/24", dev="eth0", via="172.18.0.12"),
        Route(netns="n1", dst="10.244.2.0/24", dev="eth0", via="172.18.0.13"),
    ]
    assert not any(route.onlink for route in routes)
    assert _link(plan, "n1", "cni0").mtu == 1500


@pytest.mark.parametrize(("backend", "family"), FLANNELS)
def test_pods_hang_on_cni0_with_hairpin(backend: str, family: str) -> None:
    plan = build(backend=backend, family=family)
    ports = [item for item in _of(plan, Link) if isinstance(item, Link) and item.master == "cni0"]
    assert len(ports) == 2
    for port in ports:
        assert port.port == BridgePort(hairpin=True)
        assert port.name.startswith("veth")
        assert len(port.name) == 12
        assert isinstance(port.detail, Veth)
        assert port.detail.peer == "eth0"
    assert _link(plan, "n1", "cni0").detail == Bridge()


def test_pods_routes_are_the_cni_plugins() -> None:
    plan = build()
    assert _of(plan, Route, "default.p1") == [
        Route(netns="default.p1", dst="10.244.0.0/16", dev="eth0", via="10.244.0.1"),
        Route(netns="default.p1", dst="0.0.0.0/0", dev="eth0", via="10.244.0.1"),
    ]
    assert plan.objects["sysctl", "default.p1", "net/ipv4/conf/eth0/arp_notify"].value == "1"  # type: ignore[union-attr]


def test_rules_are_flannels_in_nftables_mode() -> None:
    tables = {item.name: item for item in _of(build(family="dual"), NftTable) if isinstance(item, NftTable)}
    assert sorted(tables) == ["flannel-ipv4", "flannel-ipv6"]
    assert tables["flannel-ipv4"].family == "ip"
    assert tables["flannel-ipv6"].family == "ip6"
    lines = [line.strip() for line in tables["flannel-ipv4"].body.splitlines()]
    forward = lines[lines.index("type filter hook forward priority filter; policy accept;") + 1 :][:2]
    assert forward == ["ip saddr 10.244.0.0/16 accept", "ip daddr 10.244.0.0/16 accept"]
    masquerade = lines[lines.index("type nat hook postrouting priority srcnat; policy accept;") + 1 :][:6]
    assert masquerade == [
        "meta mark 0x00004000 return",
        "ip saddr 10.244.0.0/24 ip daddr 10.244.0.0/16 return",
        "ip saddr 10.244.0.0/16 ip daddr 10.244.0.0/24 return",
        "ip saddr != 10.244.0.0/24 ip daddr 10.244.0.0/16 return",
        "ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random",
        "ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random",
    ]
    assert "ip6 daddr != ff00::/8 masquerade fully-random" in tables["flannel-ipv6"].body


def test_node_without_pods_has_no_bridge_but_everything_else() -> None:
    plan = build(pods=1)
    assert ("link", "n2", "cni0") not in plan.objects
    assert ("link", "n2", "flannel.1") in plan.objects
    assert ("nft-table", "n2", "ip", "flannel-ipv4") in plan.objects


def _apart() -> tuple[object, ...]:
    topology = build_topology(backend="host-gw", nodes=3)
    other = Segment(name="far", position=1, subnets=(ip_network("172.19.0.0/16"),), router=(ip_address("172.19.0.1"),))
    nodes = (*topology.nodes[:2], replace(topology.nodes[2], segment="far", addresses=(ip_address("172.19.0.13"),)))
    return topology, replace(topology, nodes=nodes, fabric=replace(topology.fabric, segments=(*topology.fabric.segments, other)))


def test_host_gw_names_nodes_in_two_segments_once_a_pair_of_segments() -> None:
    together, apart = _apart()
    module = BACKENDS["host-gw"]
    assert list(module.problems(together, module.Options())) == []
    [problem] = module.problems(apart, module.Options())
    assert problem.forcible
    assert "n1 (segment lan) and n3 (segment far)" in problem.message


def _strict(backend: str, **options: object) -> Topology:
    topology = build_topology(backend=backend, **options)  # type: ignore[arg-type]
    return replace(topology, fabric=replace(topology.fabric, allow_foreign_addresses=False))


@pytest.mark.parametrize(("backend", "options"), [("host-gw", {}), ("vxlan", {"direct_routing": True})])
def test_plain_routes_over_a_fabric_that_drops_pods_addresses_are_a_warning(backend: str, options: dict[str, object]) -> None:
    [warning] = build_plan(_strict(backend, **options)).warnings
    assert "this fabric drops them (allowForeignAddresses: false)" in warning


def test_tunnel_over_a_fabric_that_drops_pods_addresses_is_fine() -> None:
    assert build_plan(_strict("vxlan")).warnings == ()


def test_host_gw_leaves_out_the_routes_between_segments() -> None:
    _, apart = _apart()
    module = BACKENDS["host-gw"]
    routes = [item for item in module.desired(apart, module.Options()) if isinstance(item, Route) and item.netns == "n1"]
    assert [route.dst for route in routes] == ["10.244.1.0/24"]


@pytest.mark.parametrize(("backend", "mtu"), [("host-gw", 1500), ("vxlan", 1450)])
def test_mtu_is_what_the_pods_have(backend: str, mtu: int) -> None:
    topology = build_topology(backend=backend)
    module = BACKENDS[backend]
    assert module.mtu(topology, module.Options(), topology.nodes[0]) == mtu
    assert _link(build(backend=backend), "default.p1", "eth0").mtu == mtu
