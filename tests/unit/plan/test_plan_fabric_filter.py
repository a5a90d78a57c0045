from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from plan_models import build_topology

from kemu.plan import base, fabric_filter
from kemu.plan.build import build_plan
from kemu.plan.drift import read_blocks
from kemu.plan.objects import Link, NftTable, Route
from kemu.spec.model import Denial, Host, PodRoutes, Topology


def _with(topology: Topology, **fabric: object) -> Topology:
    return replace(topology, fabric=replace(topology.fabric, **fabric))  # type: ignore[arg-type]


def _table(topology: Topology) -> NftTable:
    [table] = [item for item in base.desired(topology) if isinstance(item, NftTable)]
    assert (table.netns, table.family, table.name) == ("fabric", "bridge", "fabric")
    return table


def _rules(chain: str) -> list[str]:
    return [line.strip() for line in chain.splitlines()]


def test_fabric_that_lets_everything_through_has_no_table_and_needs_nothing() -> None:
    topology = build_topology()
    assert [item for item in base.desired(topology) if isinstance(item, NftTable)] == []
    assert base.needs(topology) == frozenset()


@pytest.mark.parametrize("fabric", [{"allow_foreign_addresses": False}, {"deny": (Denial(protocol=1),)}])
def test_filter_is_a_need_of_the_plan(fabric: dict[str, object]) -> None:
    topology = build_topology()
    assert build_plan(_with(topology, **fabric)).needs - build_plan(topology).needs == {"nft:bridge"}


def test_every_machine_has_its_port_and_addresses_in_the_sets() -> None:
    long = "a-machine-with-a-very-long-name"
    host = Host(name=long, position=0, segment="lan", addresses=(ip_address("172.18.0.101"), ip_address("fd00:172:18::65")))
    topology = replace(_with(build_topology(family="dual"), allow_foreign_addresses=False), hosts=(host,))
    blocks = read_blocks(_table(topology).body)
    ports = [link.name for link in base.desired(topology) if isinstance(link, Link) and link.netns == "fabric" and link.master]
    assert long not in ports
    for port in ports:
        name = "set routers" if port == "router.0" else "set own-ipv4"
        assert f'"{port}"' in blocks[name]
    assert '"n1" . fd00:172:18::b' in blocks["set own-ipv6"]


def test_filter_of_one_family_says_nothing_of_the_other() -> None:
    for family, other in (("ipv4", "ip6"), ("ipv6", "ip saddr")):
        assert other not in _table(_with(build_topology(family=family), allow_foreign_addresses=False)).body


def test_rules_do_not_grow_with_machines() -> None:
    def rules(nodes: int) -> dict[str, str]:
        blocks = read_blocks(_table(_with(build_topology(nodes=nodes), allow_foreign_addresses=False)).body)
        return {name: text for name, text in blocks.items() if name.startswith("chain")}

    assert rules(2) == rules(200)


def test_denials_are_rules_with_numbers_in_a_fixed_order() -> None:
    deny = (
        Denial(protocol=17, first=8472, last=8472),
        Denial(protocol=50),
        Denial(protocol=58),
        Denial(protocol=6, first=30000, last=32767),
        Denial(protocol=1),
    )
    chain = read_blocks(_table(_with(build_topology(), deny=deny)).body)["chain denied"]
    assert _rules(chain) == [
        "meta l4proto { 1, 50 } counter drop",
        "icmpv6 type != { 130-136, 143 } counter drop",
        "meta l4proto . th dport { tcp . 30000-32767, udp . 8472 } counter drop",
    ]
    assert fabric_filter.is_wanted(replace(build_topology().fabric, deny=deny))


def test_router_has_a_route_to_the_pods_of_every_node_where_the_file_says_so() -> None:
    topology = build_topology(family="dual")
    plain = [item for item in base.desired(topology) if isinstance(item, Route) and item.netns == "router"]
    known = [item for item in base.desired(_with(topology, pod_routes=PodRoutes.STATIC)) if isinstance(item, Route)]
    assert plain == []
    assert [(one.dst, one.via, one.dev) for one in known if one.netns == "router"] == [
        ("10.244.0.0/24", "172.18.0.11", "eth0"),
        ("fd00:10:244::/64", "fd00:172:18::b", "eth0"),
        ("10.244.1.0/24", "172.18.0.12", "eth0"),
        ("fd00:10:244:1::/64", "fd00:172:18::c", "eth0"),
    ]
