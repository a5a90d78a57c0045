"""Dealing out subnets and addresses, and finding those that overlap, without a file around them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import islice

import pytest

from kemu.spec.check import Claim, check_overlaps
from kemu.spec.defaults import deal_subnets, free_addresses, segment_subnets
from kemu.spec.source import Log, Source

WHOLE = ip_network("10.0.0.0/22")


def shown(subnets: list[object]) -> list[str]:
    return [str(subnet) if subnet else "-" for subnet in subnets]


@pytest.mark.parametrize(
    ("pinned", "expected"),
    [
        ({}, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ({1: "10.0.3.0/24"}, ["10.0.0.0/24", "10.0.3.0/24", "10.0.2.0/24"]),
        ({1: "10.0.0.0/24"}, ["10.0.3.0/24", "10.0.0.0/24", "10.0.2.0/24"]),
        ({2: "10.0.0.0/23"}, ["10.0.3.0/24", "10.0.2.0/24", "10.0.0.0/23"]),
        ({0: "10.0.0.64/26"}, ["10.0.0.64/26", "10.0.1.0/24", "10.0.2.0/24"]),
    ],
)
def test_parts_follow_position_around_pinned_ones(pinned: dict[int, str], expected: list[str]) -> None:
    # what a pin pushes out of its own place takes a part behind the others
    fixed = {i: ip_network(text) for i, text in pinned.items()}
    assert shown(deal_subnets(WHOLE, 24, 3, fixed)) == expected


def test_when_no_part_is_left_there_is_none() -> None:
    assert shown(deal_subnets(WHOLE, 23, 3, {})) == ["10.0.0.0/23", "10.0.2.0/23", "-"]


def test_one_segment_has_all_of_the_fabric_and_256_are_one_too_many() -> None:
    assert shown(segment_subnets(6, 1, {})) == ["fd00:172:18::/64"]
    subnets = segment_subnets(4, 256, {})
    assert (str(subnets[0]), str(subnets[254]), subnets[255]) == ("172.18.1.0/24", "172.18.255.0/24", None)


def test_addresses_come_from_their_start_and_then_from_before_it() -> None:
    subnet = ip_network("10.0.0.0/29")
    taken = {ip_address("10.0.0.1"), ip_address("10.0.0.5")}
    assert [str(one) for one in free_addresses(subnet, 4, taken)] == ["10.0.0.4", "10.0.0.6", "10.0.0.2", "10.0.0.3"]


def test_a_start_beyond_the_subnet_begins_at_its_first() -> None:
    assert [str(one) for one in free_addresses(ip_network("10.0.0.0/30"), 100, ())] == ["10.0.0.1", "10.0.0.2"]


def test_large_subnets_are_not_listed() -> None:
    assert [str(one) for one in islice(free_addresses(ip_network("fd00::/8"), 2, ()), 2)] == ["fd00::2", "fd00::3"]


def overlaps(*subnets: str) -> list[str]:
    log = Log(Source(name="lab.yaml", text=""))
    check_overlaps(log, [Claim(ip_network(text), f"s{i}", None) for i, text in enumerate(subnets)])
    return [problem.message for problem in log.problems]


def test_subnets_side_by_side_do_not_overlap() -> None:
    assert overlaps("10.0.1.0/24", "10.0.0.0/24", "fd00::/64", "10.0.2.0/23") == []


def test_a_wide_subnet_overlaps_also_what_is_not_next_to_it() -> None:
    assert len(overlaps("10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16")) == 2


def test_both_subnets_are_named() -> None:
    assert overlaps("10.0.0.0/8", "10.1.0.0/16") == ["s1 10.1.0.0/16 (the default) overlaps s0 10.0.0.0/8 (the default)"]
