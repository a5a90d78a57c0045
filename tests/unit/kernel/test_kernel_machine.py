from __future__ import annotations

from ipaddress import ip_network

import pytest

from kemu.kernel.machine import find_free, overlaps


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ([], "198.18.0.0/30"),
        (["198.18.0.0/30"], "198.18.0.4/30"),
        (["198.18.0.0/31", "198.18.0.4/30"], "198.18.0.8/30"),
        (["198.18.0.0/16"], "198.19.0.0/30"),
        (["198.18.0.0/15", "10.0.0.0/8"], "172.31.0.0/30"),
        (["fd00::/8", "198.0.0.0/8"], "10.255.0.0/30"),
    ],
)
def test_free_network_meets_none_that_is_taken(taken: list[str], free: str) -> None:
    assert find_free(ip_network("198.18.4.0/30"), map(ip_network, taken)) == ip_network(free)


def test_free_network_of_ipv6() -> None:
    taken = [ip_network("fd00:198:18::/48")]
    assert find_free(ip_network("fd00:198:18:7::/126"), taken) == ip_network("fd00:198:19::/126")


def test_nothing_public_is_ever_proposed() -> None:
    everything = [
        ip_network(text) for text in ("198.18.0.0/15", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    ]
    assert find_free(ip_network("198.18.4.0/30"), everything) is None


def test_networks_of_two_families_never_overlap() -> None:
    assert not overlaps(ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert overlaps(ip_network("10.0.0.0/8"), ip_network("10.1.0.0/16"))
