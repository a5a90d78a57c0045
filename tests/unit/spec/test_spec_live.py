"""The live layer: what a verb adds to it, what it is as text, and what file and layer mean together."""

from __future__ import annotations

import pytest
from spec_reading import read

from kemu.base.errors import NotFoundError, SpecError, StateError, UsageError
from kemu.spec.live import (
    LinkChange,
    LinkWish,
    Live,
    describe,
    find_link,
    fold,
    links,
    read_live,
    show_live,
    with_link,
    without_link,
    without_strangers,
)
from kemu.spec.model import Cable, Shape, Topology

_TEXT = """\
fabric: {link: {delay: 1ms}, segments: [{name: rack1}, {name: rack2, uplink: {rate: 1gbit, queue: 9packets}}]}
nodes: [{name: n1, link: {loss: 1%}}, {name: rack1}]
hosts: 1
"""


@pytest.fixture(scope="module")
def topology() -> Topology:
    return read(_TEXT)


def _wish(target: str = "node/n1", live: Live = Live(), **said: object) -> Live:  # noqa: B008 (it is frozen)
    return with_link(live, target, LinkWish(**said))  # type: ignore[arg-type]


# --- folding ----------------------------------------------------------------------------------------------------------------------


def test_nothing_changed_is_the_file(topology: Topology) -> None:
    assert fold(topology, Live()) == topology


def test_what_is_not_named_stays_as_in_the_file(topology: Topology) -> None:
    link = fold(topology, _wish(values={"delay": "5ms"}, ways=("out",))).nodes[0].link
    assert link == Cable(
        outward=Shape(delay_seconds=0.005, loss_ratio=0.01), inward=Shape(delay_seconds=0.001, loss_ratio=0.01), mtu=1500
    )


def test_a_second_change_keeps_the_first(topology: Topology) -> None:
    live = _wish(live=_wish(values={"delay": "5ms"}, up=False), values={"loss": "0%"}, ways=("in",), mtu="1400")
    link = fold(topology, live).nodes[0].link
    assert (link.up, link.mtu) == (False, 1400)
    assert link.outward == Shape(delay_seconds=0.005, loss_ratio=0.01)
    assert link.inward == Shape(delay_seconds=0.005)


def test_a_link_that_is_up_again_is_no_change() -> None:
    assert _wish(live=_wish(up=False), up=True) == Live()


def test_hosts_and_uplinks_change_too(topology: Topology) -> None:
    live = _wish("segment/rack2", _wish("host/h1", up=False), values={"rate": "none"})
    changed = fold(topology, live)
    assert not changed.hosts[0].link.up
    assert changed.fabric.segments[1].uplink == Cable(), "without a rate there is no queue"
    assert changed.nodes == topology.nodes


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"values": {"delay": "0ms", "jitter": "1ms"}}, "node/n1, with its live changes: jitter needs a delay, which it varies"),
        ({"values": {"queue": "9packets"}, "ways": ("in",)}, "node/n1, with its live changes: queue needs a rate"),
    ],
)
def test_what_does_not_fit_to_the_file_is_refused(topology: Topology, said: dict[str, object], problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        fold(topology, _wish(**said))
    assert [one.message.startswith(problem) for one in caught.value.problems] == [True]
    assert caught.value.problems[0].hint == "change that, too, or: kemu link reset node/n1"


def test_an_mtu_that_is_too_small_for_ipv6_is_refused() -> None:
    dual = read("networking: {ipFamily: dual}\nnodes: 1")
    with pytest.raises(SpecError, match="leaves pods less than the 1280 bytes that IPv6 needs"):
        fold(dual, _wish(mtu="1300"))
    assert fold(read("nodes: 1"), _wish(mtu="1300")).nodes[0].link.mtu == 1300


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"values": {"rate": "800"}}, 'rate: "800" is no rate'),
        ({"values": {"delay": "5"}}, 'delay: "5" is no duration'),
        ({"values": {"loss": "0.1"}}, 'loss: "0.1" is no percentage'),
        ({"values": {"queue": "100"}}, 'queue: "100" is no number of packets'),
        ({"values": {"delay": "2min"}}, 'delay: "2min" is out of range'),
        ({"mtu": "1500bytes"}, 'mtu: "1500bytes" is no MTU: expected a whole number from 576 to 65521'),
        ({"mtu": "100"}, 'mtu: "100" is no MTU'),
        ({"values": {"delai": "5ms"}}, 'a link has no "delai"'),
        ({"values": {"delay": "5ms"}, "ways": ("outward",)}, 'a link has no direction "outward"'),
    ],
)
def test_a_value_that_could_be_mistaken_is_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _wish(**said)
    assert caught.value.message.startswith(message)


# --- names ------------------------------------------------------------------------------------------------------------------------


def test_a_link_is_called_by_its_owner(topology: Topology) -> None:
    assert list(links(topology)) == ["node/n1", "node/rack1", "host/h1", "segment/rack1", "segment/rack2"]
    assert [find_link(topology, name) for name in ("n1", "node/n1", "h1", "rack2")] == ["node/n1"] * 2 + [
        "host/h1",
        "segment/rack2",
    ]


def test_a_name_that_may_be_two_is_asked_for_in_full(topology: Topology) -> None:
    with pytest.raises(UsageError) as caught:
        find_link(topology, "rack1")
    assert caught.value.message == '"rack1" may be node/rack1 or segment/rack1'


def test_an_unknown_link_is_answered_with_those_that_there_are(topology: Topology) -> None:
    with pytest.raises(NotFoundError) as caught:
        find_link(topology, "web")
    assert "node/n1" in caught.value.hint


def test_what_the_file_no_longer_has_is_forgotten(topology: Topology) -> None:
    live, strangers = without_strangers(topology, _wish("node/n9", _wish(up=False), up=False))
    assert list(live.links) == ["node/n1"]
    assert [str(item) for item in strangers] == ["link node/n9: down"]


def test_reset_forgets_one_or_all() -> None:
    live = _wish("node/n2", _wish(up=False), values={"loss": "1%"})
    assert list(without_link(live, "node/n1").links) == ["node/n2"]
    assert without_link(live, None) == Live()
    assert without_link(live, "node/n7") == live


# --- text -------------------------------------------------------------------------------------------------------------------------


def test_the_layer_comes_back_from_its_text() -> None:
    live = _wish(live=_wish(up=False, mtu="1400", values={"delay": "5ms"}), values={"rate": "none"}, ways=("in",))
    live = _wish("segment/rack2", live, values={"loss": "0.1%"}, ways=("out",))
    text = show_live(live)
    assert read_live(text) == live
    assert "up: false" in text
    assert show_live(live) == text


def test_no_text_is_no_layer() -> None:
    assert read_live(None) == read_live("") == read_live(show_live(Live())) == Live()


@pytest.mark.parametrize("text", ["links: [", "links: 7", "[]", "links: {node/n1: 5}", "links: {node/n1: {out: 5}}"])
def test_a_damaged_text_says_the_way_out(text: str) -> None:
    with pytest.raises(StateError) as caught:
        read_live(text)
    assert caught.value.hint == "kemu up --reset drops it"


def test_changes_are_told_in_words() -> None:
    live = _wish(live=_wish(up=False, mtu="1400", values={"delay": "5ms"}), values={"loss": "1%"}, ways=("in",))
    [item] = describe(live)
    assert str(item) == "link node/n1: down, mtu 1400, delay 5ms, in loss 1%"
    assert not LinkChange()
