from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from plan_models import build_topology

from kemu.plan.build import Plan, build_plan
from kemu.plan.diff import diff
from kemu.plan.internet import NEEDS
from kemu.plan.objects import MACHINE, Addr, Forwarding, Link, NftTable, Object, Route, Sysctl, Veth
from kemu.plan.order import steps_for
from kemu.plan.select import select
from kemu.plan.show import show_script
from kemu.plan.tree import show_tree
from kemu.spec.endpoints import find_endpoint
from kemu.spec.model import Internet, Topology

_WITHOUT = build_topology("lab", family="dual")
_TOPOLOGY = replace(_WITHOUT, internet=Internet(subnets={4: ip_network("198.18.4.0/30"), 6: ip_network("fd00:7::/126")}))
_PLAN = build_plan(_TOPOLOGY)


def _of(kind: type[Object], netns: str, plan: Plan = _PLAN) -> list[Object]:
    return [item for item in plan if isinstance(item, kind) and item.netns == netns]


def test_only_a_topology_that_asks_for_it_touches_the_machine() -> None:
    plan = build_plan(_WITHOUT)
    assert not [item for item in plan if item.netns == MACHINE]
    assert not plan.warnings
    assert "machine" not in show_script(plan, "lab").splitlines()


def test_what_the_machine_gets_is_one_device_its_addresses_one_table_and_forwarding() -> None:
    [link] = _of(Link, MACHINE)
    assert isinstance(link, Link)
    assert (link.name, link.alias, link.detail) == ("kemu-lab", "kemu:lab.machine", Veth(peer_netns="router", peer="internet"))
    assert [item.address for item in _of(Addr, MACHINE)] == ["198.18.4.1/30", "fd00:7::1/126"]  # type: ignore[union-attr]
    [table] = _of(NftTable, MACHINE)
    assert isinstance(table, NftTable)
    assert (table.family, table.name) == ("inet", "kemu-lab")
    assert 'comment "kemu:lab.machine"' in table.body
    assert [item.family for item in _of(Forwarding, MACHINE)] == [4, 6]  # type: ignore[union-attr]
    assert {type(item) for item in _PLAN if item.netns == MACHINE} == {Link, Addr, NftTable, Forwarding, Sysctl}


def test_router_has_a_default_route_and_dead_ends_for_the_clusters_own_subnets() -> None:
    routes = {item.dst: item for item in _of(Route, "router") if isinstance(item, Route)}
    assert (routes["0.0.0.0/0"].via, routes["0.0.0.0/0"].dev) == ("198.18.4.1", "internet")
    assert routes["::/0"].via == "fd00:7::1"
    assert routes["10.244.0.0/16"].type == routes["fd00:10:244::/56"].type == "unreachable"


def test_node_with_a_subnet_of_its_own_is_behind_a_dead_end_too() -> None:
    node = replace(_TOPOLOGY.nodes[0], pod_subnets=(ip_network("10.7.0.0/24"), ip_network("fd00:7:7::/64")))
    plan = build_plan(replace(_TOPOLOGY, nodes=(node,), pods=()))
    dead_ends = [item.dst for item in plan if isinstance(item, Route) and item.type == "unreachable"]
    assert dead_ends == ["10.7.0.0/24", "10.244.0.0/16", "fd00:7:7::/64", "fd00:10:244::/56"]


def test_ipv6_is_off_on_the_device_of_a_cluster_without_it() -> None:
    plan = build_plan(replace(build_topology("lab"), internet=Internet()))
    [setting] = _of(Sysctl, MACHINE, plan)
    assert setting == Sysctl(netns=MACHINE, name="net/ipv6/conf/kemu-lab/disable_ipv6", value="1")


def test_long_name_of_a_cluster_is_cut_for_its_device_alone() -> None:
    plan = build_plan(replace(build_topology("a-very-long-name-of-a-cluster"), internet=Internet()))
    [link], [table] = _of(Link, MACHINE, plan), _of(NftTable, MACHINE, plan)
    assert isinstance(link, Link)
    assert isinstance(table, NftTable)
    assert len(link.name) == 15
    assert (table.name, link.alias) == ("kemu-a-very-long-name-of-a-cluster", "kemu:a-very-long-name-of-a-cluster.machine")


def test_capabilities_are_asked_for() -> None:
    assert _PLAN.needs >= NEEDS


def test_warning_says_what_the_machine_gets() -> None:
    [line] = _PLAN.warnings
    for part in ("kemu-lab", "198.18.4.1/30", "fd00:7::1/126", "inet kemu-lab", "forwards"):
        assert part in line


@pytest.mark.parametrize("line", ["-n machine", "exec machine", "-n lab.machine", "exec lab.machine", "netns lab.machine"])
def test_script_addresses_the_machine_by_no_name(line: str) -> None:
    assert line not in show_script(_PLAN, "lab")


def test_script_makes_the_device_from_the_machines_side() -> None:
    script = show_script(_PLAN, "lab").splitlines()
    [made] = [line for line in script if line.startswith("ip link add name kemu-lab ")]
    assert "peer name internet index 999" in made
    assert made.endswith("netns lab.router")
    assert "ip link set dev kemu-lab alias kemu:lab.machine up" in script
    assert "nft -f - <<'END'" in script


def test_tree_shows_the_machine_and_the_dead_ends() -> None:
    tree = show_tree(_PLAN, "lab")
    assert "machine\n" in tree
    assert "unreachable route 10.244.0.0/16 metric 4278190080" in tree


def test_dead_end_serves_no_pod() -> None:
    endpoint = find_endpoint(_TOPOLOGY, "p1", namespace="default")
    assert not [item for item in select(_PLAN, endpoint) if isinstance(item, Route) and item.type == "unreachable"]


def _changes(want: Topology, have: Topology) -> dict[str, list[Object]]:
    changes = diff(build_plan(want), build_plan(have), {})
    found: dict[str, list[Object]] = {"add": [], "change": [], "remove": []}
    for change in changes:
        found[change.action].append(change.subject)
    return found


def test_way_out_that_left_the_file_is_removed_from_the_machine() -> None:
    removed = [item for item in _changes(_WITHOUT, _TOPOLOGY)["remove"] if item.netns == MACHINE]
    assert {type(item) for item in removed} == {Link, NftTable, Forwarding}


def test_forwarding_that_lacks_something_is_asked_for_again() -> None:
    have = [
        replace(item, lacks=("net/ipv4/conf/wan0/forwarding",)) if isinstance(item, Forwarding) and item.family == 4 else item
        for item in _PLAN
    ]
    changes = [change for change in diff(_PLAN, have, {}) if isinstance(change.subject, Forwarding)]
    assert [change.action for change in changes] == ["change"]
    assert [item.family for item in steps_for(changes, _PLAN.objects).forwarding] == [4]


def test_device_that_is_made_anew_takes_everything_of_the_machine_along() -> None:
    have = [item for item in _PLAN if item.netns != MACHINE or isinstance(item, NftTable)]
    steps = steps_for(diff(_PLAN, have, {}), _PLAN.objects)
    assert {link.name for link in steps.links} == {"kemu-lab", "internet"}
    assert {item.family for item in steps.forwarding} == {4, 6}
    assert any(isinstance(item, Route) and item.dst == "0.0.0.0/0" for item in steps.entries["router"])
