"""Differences in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kemu.plan.diff import Change
from kemu.plan.drift import show_change, to_drift
from kemu.plan.objects import MACHINE, Addr, Forwarding, Netns, NftTable, Object, Route, Rule

_RULE = Rule(netns="n1", family=4, priority=32765, src="1.2.3.4/32", table=77)
_ROUTE = Route(netns="n1", dst="10.0.0.0/8", type="blackhole", table=77)
_ADDR = Addr(netns="n1", dev="eth0", address="10.0.0.1/24")
_NETNS = Netns(netns="n1")
_WAY_OUT = Forwarding(netns=MACHINE, family=4, inner="kemu-lab")
_CHAIN = "\tchain in {{\n\t\ttype filter hook input priority filter; policy accept;\n{}\t}}"


def _chain(*rules: str) -> NftTable:
    return NftTable(netns="n1", family="ip", name="t", body=_CHAIN.format("".join(f"\t\t{rule}\n" for rule in rules)))


def _changed(want: Object, have: Object) -> str:
    return show_change(Change(action="change", want=want, have=have), "lab")


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (_RULE, "rule 32765 (IPv4) from 1.2.3.4/32 lookup 77"),
        (replace(_RULE, src="", mark="0x1/0x1", action="prohibit"), "rule 32765 (IPv4) from all fwmark 0x1/0x1 prohibit"),
        (_ROUTE, "blackhole route 10.0.0.0/8 in table 77"),
        (replace(_ROUTE, type="unicast"), "route 10.0.0.0/8 in table 77"),
    ],
)
def test_what_is_there_too_much_says_what_it_does(item: Object, words: str) -> None:
    assert show_change(Change(action="remove", have=item), "lab") == f"lab.n1: {words} should not be there"


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (("lo up", "lo ::1/128"), "lab.n1: lo is down, address ::1/128 on lo is missing"),
        (("rule 4 32766 254",), "lab.n1: rule 32766 (IPv4) from all lookup 254 is missing"),
    ],
)
def test_what_a_namespace_lost_is_named_like_anything_else(lost: tuple[str, ...], words: str) -> None:
    assert _changed(_NETNS, replace(_NETNS, lacks=lost)) == words


def test_routes_of_an_address_are_gone_or_are_there_too_much() -> None:
    without = replace(_ADDR, lacks=("connected 10.0.0.0/24",))
    assert _changed(_ADDR, without) == "lab.n1: address 10.0.0.1/24 on eth0: its connected route 10.0.0.0/24 is missing"
    assert _changed(without, _ADDR) == "lab.n1: address 10.0.0.1/24 on eth0: its connected route 10.0.0.0/24 should not be there"


def test_forwarding_of_the_machine_names_what_is_off() -> None:
    off = replace(_WAY_OUT, lacks=("net/ipv4/conf/wan0/forwarding",))
    assert _changed(_WAY_OUT, off).endswith("(IPv4): net/ipv4/conf/wan0/forwarding is off")


@pytest.mark.parametrize(
    ("want", "have", "words"),
    [
        (["a"], ["a", "drop"], 'chain in: "drop" should not be there'),
        (["a", "b", "c"], [], 'chain in: "a", "b" and 1 more are missing'),
        (["a", "b"], ["b", "a"], "chain in: the lines are in another order"),
        (["a", "a"], ["a"], 'chain in: "a" is missing'),
        (['oifname "x" drop'], [], """chain in: 'oifname "x" drop' is missing"""),
        (["x" * 120], ["b"], f'chain in: "{"x" * 100}…" is missing, "b" should not be there'),
    ],
)
def test_a_changed_chain_names_its_lines(want: list[str], have: list[str], words: str) -> None:
    assert _changed(_chain(*want), _chain(*have)) == f"lab.n1: nft table ip t: {words}"


def test_a_table_names_blocks_that_are_missing_and_what_stands_outside_of_them() -> None:
    other = replace(_chain(), body="\tflags dormant\n\tset mine {\n\t\ttype ipv4_addr\n\t}")
    found = _changed(_chain(), other)
    assert (
        found == 'lab.n1: nft table ip t: chain in is missing, set mine should not be there, "flags dormant" should not be there'
    )


def test_in_json_the_whole_chain_stands_on_both_sides() -> None:
    found = to_drift(Change(action="change", want=_chain("a"), have=_chain()), "lab")
    assert (found["want"].keys(), "a" in found["want"]["chain in"]) == ({"chain in"}, True)
