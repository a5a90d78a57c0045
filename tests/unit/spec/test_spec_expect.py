"""Expectations: what their ways mean, and what a file of nothing else is."""

from __future__ import annotations

import pytest
from spec_reading import problems, read

from kemu.base.errors import SpecError, UsageError
from kemu.spec.expect import is_alone, read_alone, require
from kemu.spec.model import Figure, FigureExpectation, ReachExpectation, Topology, Way
from kemu.spec.source import Source
from kemu.spec.ways import all_attempts, count_pairs, find_end, find_pairs, find_place, read_way

SHOP = """\
networking: {ipFamily: dual}
pods:
- {name: api, labels: {app: api}, node: n1}
- {name: db, labels: {app: db}, node: n2}
- {name: web, replicas: 2, labels: {app: web}}
- {name: db, namespace: shop}
hosts: [{name: client}]
"""


def shop(expect: str = "") -> Topology:
    return read(f"{SHOP}expect:\n{expect}" if expect else SHOP)


def names(topology: Topology, text: str) -> list[str]:
    return [f"{sender.full} {receiver.full}" for sender, receiver in find_pairs(topology, read_way(text))]


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("a -> b", Way(senders="a", receivers="b")),
        ("a->b", Way(senders="a", receivers="b")),
        ("app=web -> app=db:5432", Way(senders="app=web", receivers="app=db", protocol="tcp", port=5432)),
        ("any -> shop/db:53/UDP", Way(senders="any", receivers="shop/db", protocol="udp", port=53)),
        ("pod/shop/a -> node/n1", Way(senders="pod/shop/a", receivers="node/n1")),
        ("a -> fd00::1", Way(senders="a", receivers="fd00::1")),
        ("a -> [fd00::1]:80", Way(senders="a", receivers="fd00::1", protocol="tcp", port=80)),
        ("10.0.0.1 -> 10.0.0.2:80", Way(senders="10.0.0.1", receivers="10.0.0.2", protocol="tcp", port=80)),
        ("example.com/role=a -> b!=c", Way(senders="example.com/role=a", receivers="b!=c")),
    ],
)
def test_a_way_is_read_and_written(text: str, way: Way) -> None:
    assert read_way(text) == way
    assert read_way(str(way)) == way


def test_pairs_are_all_of_both_sides_but_nobody_to_itself() -> None:
    assert names(shop(), "app=web -> app=web") == [
        "pod/default/web-1 pod/default/web-2",
        "pod/default/web-2 pod/default/web-1",
    ]
    assert names(shop(), "client -> node/n1") == ["host/client node/n1"]
    assert len(names(shop(), "any -> any")) == 5 * 4
    for text in ("any -> any", "app=web -> app=web", "client -> node/n1", "app=web -> any", "api -> api"):
        assert count_pairs(shop(), read_way(text)) == len(names(shop(), text))


def test_an_address_means_that_one_alone() -> None:
    [endpoint] = find_end(shop(), "fd00:10:244:1::2")
    assert (endpoint.full, [str(one) for one in endpoint.addresses]) == ("pod/default/db", ["fd00:10:244:1::2"])


def test_a_pod_that_is_called_any_can_be_named_in_full() -> None:
    topology = read("pods: [{name: any}, {name: b}]")
    assert [one.name for one in find_end(topology, "any")] == ["any", "b"]
    assert [one.name for one in find_end(topology, "pod/any")] == ["any"]


def test_any_leaves_out_what_the_same_entry_allows() -> None:
    [one] = shop("- {name: x, allow: app=api -> db:5432, deny: [any -> db:5432, any -> db:80]}\n").expect
    assert isinstance(one, ReachExpectation)
    found = [(attempt.sender.name, attempt.way.port, attempt.expected) for attempt in all_attempts(shop(), one)]
    assert found == [
        ("api", 5432, "allow"),
        ("web-1", 5432, "deny"),
        ("web-2", 5432, "deny"),
        ("db", 5432, "deny"),
        ("api", 80, "deny"),
        ("web-1", 80, "deny"),
        ("web-2", 80, "deny"),
        ("db", 80, "deny"),
    ]


def test_what_is_said_twice_is_tried_once() -> None:
    [one] = shop("- allow: [api -> db, app=api -> db, api -> default/db]\n").expect
    assert isinstance(one, ReachExpectation)
    assert len(all_attempts(shop(), one)) == 1


def test_an_entry_without_a_name_is_called_by_what_it_says() -> None:
    found = shop("- {allow: api -> db:80, deny: [app=web -> db:80]}\n- {perf: api -> db, above: 1gbit, below: 20gbit}\n").expect
    assert [one.name for one in found] == ["allow api -> db:80; deny app=web -> db:80", "perf api -> db above 1gbit below 20gbit"]


def test_figures_have_the_unit_of_their_kind() -> None:
    found = shop("- {perf: api -> db, above: 800mbit, seconds: 7}\n- {rtt: api -> db, below: 5ms}\n").expect
    assert [(one.figure, one.above, one.below, one.seconds) for one in found if isinstance(one, FigureExpectation)] == [
        (Figure.PERF, 800_000_000, None, 7),
        (Figure.RTT, None, 0.005, 3),
    ]


def test_the_place_of_one_side_is_found_even_in_quotes() -> None:
    text = f'{SHOP}expect:\n- {{name: x, allow: "api -> nobody"}}\n'
    with pytest.raises(SpecError) as caught:
        read(text)
    mark = caught.value.problems[0].mark
    assert mark is not None
    assert mark.text[mark.column - 1 : mark.column - 1 + mark.width] == "nobody"


def test_the_place_of_a_side_in_a_folded_text_is_that_of_the_way() -> None:
    [one] = shop("- allow: >-\n    api ->\n    db\n").expect
    assert isinstance(one, ReachExpectation)
    assert find_place(one.allow[0], "db") == one.allow[0].mark


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("expect: [allow: a -> b]", True),
        ("x-old: {}\nexpect: [allow: a -> b]", True),
        ("name: lab\nexpect: [allow: a -> b]", False),
        ("nodes: 2", False),
        ("[expect]", False),
        ("expect: []\n---\nexpect: []", False),
    ],
)
def test_a_file_of_expectations_holds_nothing_else(text: str, alone: bool) -> None:
    assert is_alone(Source(name="checks.yaml", text=text)) is alone


def test_a_file_of_expectations_is_checked_with_a_topology() -> None:
    found = read_alone(Source(name="checks.yaml", text="expect:\n- allow: api -> nobody\n"))
    with pytest.raises(SpecError) as caught:
        require(shop(), found)
    [problem] = caught.value.problems
    assert str(problem.mark) == "checks.yaml:2:17"
    with pytest.raises(SpecError, match="expects nothing"):
        read_alone(Source(name="checks.yaml", text="expect: [{}]"))


def test_an_anchor_with_a_mistake_is_noted_once() -> None:
    text = SHOP + "x-way: &way api -> nobody\nexpect: [{name: a, allow: *way}, {name: b, deny: *way}]\n"
    assert len([one for one in problems(text) if "nobody" in one]) == 1


def test_a_sender_with_a_port_is_refused() -> None:
    with pytest.raises(UsageError, match="a port is what somebody receives on"):
        read_way("a:80 -> b")
