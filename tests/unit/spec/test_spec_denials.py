from __future__ import annotations

import re

import pytest
from spec_reading import problems, read

from kemu.spec.denials import Denials
from kemu.spec.model import Denial, PodRoutes


def _read(*words: str) -> tuple[Denial, ...]:
    return read(f"fabric: {{deny: [{', '.join(words)}]}}").fabric.deny


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("udp/8472", Denial(protocol=17, first=8472, last=8472)),
        ("tcp/30000-32767", Denial(protocol=6, first=30000, last=32767)),
        ("sctp/1-65535", Denial(protocol=132, first=1, last=65535)),
        ("icmp", Denial(protocol=1)),
        ("icmpv6", Denial(protocol=58)),
        ("ipip", Denial(protocol=4)),
        ("esp", Denial(protocol=50)),
        ("udp", Denial(protocol=17)),
        ("0", Denial(protocol=0)),
        ("255", Denial(protocol=255)),
    ],
)
def test_a_word_is_a_protocol_with_or_without_ports(word: str, meaning: Denial) -> None:
    assert _read(word) == (meaning,)


def test_a_range_of_ports_is_not_the_whole_protocol() -> None:
    assert [one.is_whole for one in _read("tcp/1-65535", "udp")] == [False, True]


def test_every_word_has_its_place_in_the_schema() -> None:
    words, _ = Denials().schema()["items"]["anyOf"]
    for word in ("udp/8472", "tcp/30000-32767", "icmp", "47"):
        assert re.fullmatch(words["pattern"], word)
    for word in ("udp/", "icmp/8", "vxlan", "tcp/1-2-3"):
        assert not re.fullmatch(words["pattern"], word)


@pytest.mark.parametrize("words", [("udp", "udp/53"), ("udp/53", "17"), ("udp/1-100", "udp/100-200"), ("icmp", "icmp")])
def test_what_is_denied_twice_is_a_problem(words: tuple[str, ...]) -> None:
    [message] = problems(f"fabric: {{deny: [{', '.join(words)}]}}")
    assert f"{words[1]} is denied already, by {words[0]} in line 1" in message


def test_neighbours_do_not_overlap() -> None:
    assert len(_read("udp/1-99", "udp/100", "udp/101-200", "tcp/100")) == 4


def test_a_fabric_by_default_lets_everything_through_and_knows_nothing_of_pods() -> None:
    fabric = read("nodes: 2").fabric
    assert (fabric.allow_foreign_addresses, fabric.pod_routes, fabric.deny, fabric.leads_to_pods) == (
        True,
        PodRoutes.NONE,
        (),
        False,
    )


@pytest.mark.parametrize(
    ("foreign", "routes", "leads"), [("true", "static", True), ("false", "static", False), ("true", "none", False)]
)
def test_packets_from_outside_find_pods_where_routes_lead_and_nothing_drops_them(foreign: str, routes: str, leads: bool) -> None:
    fabric = read(f"fabric: {{allowForeignAddresses: {foreign}, podRoutes: {routes}}}").fabric
    assert fabric.leads_to_pods is leads
