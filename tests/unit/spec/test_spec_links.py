"""What `link:` and `uplink:` mean: directions, defaults, what a machine overrides."""

from __future__ import annotations

import pytest
from spec_reading import read

from kemu.spec.model import Cable, Shape

_PLAIN = Shape()


def test_no_key_is_a_plain_cable_with_the_fabrics_mtu() -> None:
    topology = read("fabric: {mtu: 1400}\nnodes: 2\nhosts: 1")
    links = [*(node.link for node in topology.nodes), topology.hosts[0].link, topology.fabric.segments[0].uplink]
    assert links == [Cable(mtu=1400)] * 4


def test_a_flat_key_holds_in_both_directions() -> None:
    text = "nodes: [{name: n1, link: {rate: 10mbit, delay: 1ms, jitter: 100us, loss: 0.1%, queue: 50packets, mtu: 1300}}]"
    shape = Shape(rate_bits_per_second=10**7, delay_seconds=0.001, jitter_seconds=0.0001, loss_ratio=0.001, queue_packets=50)
    assert read(text).nodes[0].link == Cable(mtu=1300, outward=shape, inward=shape)


def test_a_direction_has_keys_of_its_own_and_flat_ones_as_defaults() -> None:
    link = read("hosts: [{name: c, link: {delay: 5ms, out: {delay: 80ms, duplicate: 1%}, in: {reorder: 25%}}}]").hosts[0].link
    assert link.outward == Shape(delay_seconds=0.08, duplicate_ratio=0.01)
    assert link.inward == Shape(delay_seconds=0.005, reorder_ratio=0.25)


def test_a_machine_overrides_the_fabrics_link_key_by_key() -> None:
    topology = read(
        "fabric: {link: {rate: 1gbit, delay: 1ms, mtu: 1400, out: {loss: 1%}}}\n"
        "nodes: [{name: n1, link: {delay: 2ms}}, {name: n2, link: {rate: none, out: {loss: 0%}, mtu: 9000}}]\nhosts: 1"
    )
    n1, n2 = topology.nodes
    common = {"rate_bits_per_second": 10**9, "delay_seconds": 0.001}
    assert topology.hosts[0].link == Cable(mtu=1400, outward=Shape(**common, loss_ratio=0.01), inward=Shape(**common))
    assert n1.link.outward == Shape(rate_bits_per_second=10**9, delay_seconds=0.002, loss_ratio=0.01)
    assert n2.link == Cable(mtu=9000, outward=Shape(delay_seconds=0.001), inward=Shape(delay_seconds=0.001))


def test_a_machines_flat_key_outranks_a_direction_of_the_fabrics_link() -> None:
    [node] = read("fabric: {link: {out: {delay: 9ms}}}\nnodes: [{name: n1, link: {delay: 2ms}}]").nodes
    assert node.link.outward == node.link.inward == Shape(delay_seconds=0.002)


def test_without_a_rate_there_is_no_queue() -> None:
    [node] = read("fabric: {link: {rate: 10mbit, queue: 9packets}}\nnodes: [{name: n1, link: {in: {rate: none}}}]").nodes
    assert node.link.inward == _PLAIN
    assert node.link.outward == Shape(rate_bits_per_second=10**7, queue_packets=9)


def test_the_fabrics_link_is_no_segments_uplink() -> None:
    topology = read("fabric: {link: {delay: 1ms}, segments: [{name: a}, {name: b, uplink: {delay: 20ms, out: {rate: 1gbit}}}]}")
    first, second = topology.fabric.segments
    assert first.uplink == Cable()
    assert second.uplink.outward == Shape(delay_seconds=0.02, rate_bits_per_second=10**9)
    assert second.uplink.inward == Shape(delay_seconds=0.02)


def test_a_link_of_several_machines_is_that_of_each() -> None:
    topology = read("nodes: [{name: w, count: 3, link: {delay: 1ms}}]")
    assert [node.link.outward.delay_seconds for node in topology.nodes] == [0.001] * 3


def test_a_single_value_is_set_from_the_command_line() -> None:
    topology = read("nodes: 2", "nodes.n1.link.delay=5ms", "nodes.n1.link.out.loss=1%")
    assert topology.nodes[0].link.outward == Shape(delay_seconds=0.005, loss_ratio=0.01)
    assert topology.nodes[1].link == Cable()


@pytest.mark.parametrize(
    ("shape", "impaired"),
    [
        (Shape(), False),
        (Shape(rate_bits_per_second=8000, queue_packets=1), False),
        (Shape(delay_seconds=1e-9), True),
        (Shape(loss_ratio=0.1), True),
        (Shape(duplicate_ratio=0.1), True),
    ],
)
def test_impaired_is_what_takes_more_than_a_rate(shape: Shape, impaired: bool) -> None:
    assert shape.is_impaired is impaired
