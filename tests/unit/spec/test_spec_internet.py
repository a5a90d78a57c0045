from __future__ import annotations

from ipaddress import ip_network

import pytest
from spec_reading import problems, read

from kemu.spec.defaults import WAY_OUT_WHOLES, way_out_subnet


def test_without_the_key_there_is_no_way_out() -> None:
    assert read("nodes: 1").internet is None
    assert read("internet: false").internet is None


@pytest.mark.parametrize("text", ["internet: true", "internet: {}"])
def test_way_out_may_leave_everything_to_kemu(text: str) -> None:
    internet = read(text).internet
    assert internet is not None
    assert dict(internet.subnets) == {}
    assert internet.mark is not None
    assert internet.mark.line == 1


def test_subnets_of_the_file_are_kept_by_family() -> None:
    text = "networking: {ipFamily: dual}\ninternet: {subnet: [198.18.4.0/30, fd00:7::/126]}"
    internet = read(text).internet
    assert internet is not None
    assert dict(internet.subnets) == {4: ip_network("198.18.4.0/30"), 6: ip_network("fd00:7::/126")}


def test_subnet_that_is_larger_than_needed_will_do() -> None:
    assert read("internet: {subnet: 198.18.4.0/24}").internet


def test_default_subnets_follow_from_the_name_and_stay_in_their_whole() -> None:
    for version, whole in WAY_OUT_WHOLES.items():
        names = [f"lab-{number}" for number in range(50)]
        subnets = [way_out_subnet(version, name) for name in names]
        assert subnets == [way_out_subnet(version, name) for name in names]
        assert len(set(subnets)) == 50
        assert all(ip_network(whole).supernet_of(subnet) for subnet in subnets)  # type: ignore[arg-type]


def test_default_subnet_is_claimed_too() -> None:
    [message] = problems("internet: true\nnetworking: {podSubnet: 198.18.0.0/15}")
    assert message.startswith("networking.podSubnet 198.18.0.0/15 overlaps internet.subnet 198.1")
    assert read("internet: false\nnetworking: {podSubnet: 198.18.0.0/15}")
