from __future__ import annotations

from dataclasses import replace

import pytest
from plan_models import build_topology

from kemu.base.marks import Origin
from kemu.plan.build import Plan, build_plan, needs
from kemu.plan.diff import diff, expected_sysctls
from kemu.plan.objects import Addr, Foreign, Link, Netem, Object, Pfifo, Qdisc, Route, Sysctl, Tbf
from kemu.plan.shape import round_burst, shape
from kemu.spec.model import Cable, Shape, Topology

_ORIGIN = Origin(part="test")
_MBIT = 10**6


def _shaped(**wanted: object) -> list[Qdisc]:
    return list(shape("n1", "eth0", Shape(**wanted), 1500, _ORIGIN))  # type: ignore[arg-type]


def _places(qdiscs: list[Qdisc]) -> list[tuple[str, str, str]]:
    return [(one.parent, one.handle, one.kind) for one in qdiscs]


def test_no_key_is_no_qdisc() -> None:
    assert _shaped() == []


def test_a_rate_alone_is_a_bucket() -> None:
    [bucket] = _shaped(rate_bits_per_second=100 * _MBIT)
    assert _places([bucket]) == [("root", "1:", "tbf")]
    assert bucket.detail == Tbf(rate_bits_per_second=100 * _MBIT, burst_bytes=50_000, limit_bytes=50_000 + 413 * 1514)


def test_a_slow_bucket_holds_four_frames_and_fifty_wait() -> None:
    [bucket] = _shaped(rate_bits_per_second=8000)
    assert bucket.detail == Tbf(rate_bits_per_second=8000, burst_bytes=4 * 1514, limit_bytes=54 * 1514)


def test_delay_alone_is_netem_with_room_for_a_fast_sender() -> None:
    [netem] = _shaped(delay_seconds=0.04)
    assert _places([netem]) == [("root", "1:", "netem")]
    assert netem.detail == Netem(limit_packets=40_000, delay_seconds=0.04)


@pytest.mark.parametrize("key", ["jitter_seconds", "loss_ratio", "duplicate_ratio", "reorder_ratio"])
def test_dice_are_thrown_for_single_frames(key: str) -> None:
    for mtu, burst in ((1500, 2048), (9000, 10240), (576, 2048)):
        bucket, netem = shape("n1", "eth0", Shape(delay_seconds=0.01, **{key: 0.01}), mtu, _ORIGIN)
        assert _places([bucket, netem]) == [("root", "1:", "tbf"), ("1:1", "2:", "netem")]
        assert bucket.detail == Tbf(rate_bits_per_second=40 * 10**9, burst_bytes=burst, limit_bytes=burst)
        assert round_burst(burst, 40 * 10**9) == burst
        assert isinstance(netem.detail, Netem)
        assert netem.detail.limit_packets >= 10_000


def test_a_rate_with_a_delay_is_a_bucket_above_netem() -> None:
    bucket, netem = _shaped(rate_bits_per_second=100 * _MBIT, delay_seconds=0.04, queue_packets=100)
    assert _places([bucket, netem]) == [("root", "1:", "tbf"), ("1:1", "2:", "netem")]
    assert netem.detail == Netem(limit_packets=100 + 331, delay_seconds=0.04), "100 wait, and 331 frames are on their way"


def test_a_queue_is_counted_in_packets() -> None:
    bucket, queue = _shaped(rate_bits_per_second=_MBIT, queue_packets=7)
    assert _places([bucket, queue]) == [("root", "1:", "tbf"), ("1:1", "2:", "pfifo")]
    assert queue.detail == Pfifo(limit_packets=7)


@pytest.mark.parametrize("bits", [8000, 5 * _MBIT, 100 * _MBIT, 10**9, 10**10, 4 * 10**11])
def test_a_burst_survives_the_kernels_ticks(bits: int) -> None:
    [bucket] = _shaped(rate_bits_per_second=bits)
    assert isinstance(bucket.detail, Tbf)
    for tick in (-1, 0, 1):
        ticks = bucket.detail.burst_bytes * 8 * 10**9 // bits // 64 + tick
        assert round_burst(ticks * 64e-9 * bits / 8, bits) == bucket.detail.burst_bytes


def test_values_are_rounded_as_netem_counts() -> None:
    [netem] = _shaped(delay_seconds=0.0123456789, loss_ratio=1 / 3)[1:]
    assert isinstance(netem.detail, Netem)
    assert (netem.detail.delay_seconds, netem.detail.loss_ratio) == (0.012346, 0.33333333)


def test_a_rate_is_in_whole_bytes() -> None:
    [bucket] = _shaped(rate_bits_per_second=10_003)
    assert isinstance(bucket.detail, Tbf)
    assert bucket.detail.rate_bits_per_second == 10_000


# --- where they stand -------------------------------------------------------------------------------------------------------------

_OUT, _IN = Shape(rate_bits_per_second=_MBIT), Shape(delay_seconds=0.01)


def _with_link(topology: Topology, link: Cable) -> Topology:
    return replace(topology, nodes=(replace(topology.nodes[0], link=link), *topology.nodes[1:]))


def _plan(link: Cable, **shape: object) -> Plan:
    return build_plan(_with_link(build_topology(**shape), link))  # type: ignore[arg-type]


def _qdiscs(plan: Plan) -> list[tuple[str, str, str]]:
    return [(item.netns, item.dev, item.kind) for item in plan if isinstance(item, Qdisc)]


def test_a_nodes_out_is_its_own_device_and_in_is_the_fabrics_port() -> None:
    plan = _plan(Cable(outward=_OUT, inward=_IN))
    assert sorted(_qdiscs(plan)) == [("fabric", "n1", "netem"), ("n1", "eth0", "tbf")]
    assert plan.needs >= {"qdisc:tbf", "qdisc:netem", "link:vxlan", "br_netfilter"}


def test_an_uplinks_out_leads_to_the_router() -> None:
    topology = build_topology()
    segment = replace(topology.fabric.segments[0], uplink=Cable(mtu=1400, outward=_OUT, inward=_IN))
    plan = build_plan(replace(topology, fabric=replace(topology.fabric, segments=(segment,))))
    assert sorted(_qdiscs(plan)) == [("fabric", "router.0", "tbf"), ("router", "eth0", "netem")]
    assert (_mtu(plan, "router", "eth0"), _mtu(plan, "fabric", "router.0"), _mtu(plan, "n1", "eth0")) == (1400, 1400, 1500)


def _mtu(plan: Plan, netns: str, name: str) -> int:
    item = plan.objects["link", netns, name]
    assert isinstance(item, Link)
    return item.mtu


@pytest.mark.parametrize(("backend", "pods"), [("host-gw", 1300), ("vxlan", 1250)])
def test_pods_take_the_mtu_of_their_own_nodes_link(backend: str, pods: int) -> None:
    plan = _plan(Cable(mtu=1300), backend=backend)
    assert {_mtu(plan, *place) for place in (("n1", "eth0"), ("fabric", "n1"), ("fabric", "br.lan"))} == {1300}
    assert {_mtu(plan, *place) for place in (("n1", "cni0"), ("default.p1", "eth0"))} == {pods}
    assert _mtu(plan, "n2", "eth0") == _mtu(plan, "fabric", "n2") == 1500
    assert _mtu(plan, "default.p2", "eth0") == pods + 200


@pytest.mark.parametrize("family", ["ipv4", "dual"])
def test_a_link_that_is_down_keeps_what_the_kernel_keeps(family: str) -> None:
    whole, down = _plan(Cable(), backend="host-gw", family=family), _plan(Cable(up=False), backend="host-gw", family=family)
    assert not down.objects["link", "n1", "eth0"].up  # type: ignore[union-attr]
    assert not down.objects["link", "fabric", "n1"].up  # type: ignore[union-attr]
    gone = [whole.objects[key] for key in whole.objects.keys() - down.objects.keys()]
    assert {(type(item), item.netns, getattr(item, "dev", "")) for item in gone} == (
        {(Route, "n1", "eth0")} | ({(Addr, "n1", "eth0")} if family == "dual" else set())
    )
    assert all(":" in item.address for item in gone if isinstance(item, Addr))
    assert len([item for item in gone if isinstance(item, Route)]) == 2 * (2 if family == "dual" else 1)


def test_needs_follow_from_the_objects() -> None:
    objects: list[Object] = [
        *_shaped(rate_bits_per_second=_MBIT, queue_packets=3),
        Qdisc(netns="n1", dev="eth1", parent="root", handle="1:", detail=Foreign(kind="htb")),
    ]
    assert needs(objects) == {"qdisc:tbf", "qdisc:htb"}


@pytest.mark.parametrize("backend", ["host-gw", "vxlan"])
def test_a_device_that_is_too_small_for_ipv6_has_no_setting_of_it(backend: str) -> None:
    plan = _plan(Cable(mtu=1200), backend=backend)
    small = {(item.netns, item.name) for item in plan if isinstance(item, Link) and item.mtu < 1280}
    assert ("n1", "eth0") in small
    names = [(item.netns, item.name.split("/")) for item in expected_sysctls(plan).values() if item.name.startswith("net/ipv6/")]
    assert [(netns, parts) for netns, parts in names if (netns, parts[3]) in small] == []
    assert ("n1", ["net", "ipv6", "conf", "default", "disable_ipv6"]) in names


def test_settings_that_go_with_ipv6_are_no_difference() -> None:
    plan = _plan(Cable(mtu=1200), backend="vxlan")
    gone = Sysctl(netns="n1", name="net/ipv6/conf/eth0/disable_ipv6", value="1")
    have = [*(item for item in plan if not isinstance(item, Sysctl)), *expected_sysctls(plan).values(), gone]
    assert diff(plan, have, {}) == ()
