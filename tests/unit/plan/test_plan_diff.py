from __future__ import annotations

from dataclasses import replace

import pytest
from plan_models import COMBINATIONS, build

from kemu.plan.diff import Change, diff, expected_sysctls
from kemu.plan.objects import Addr, Bridge, Link, Loopback, Netns, Object, Route, Sysctl, fresh_lo

_BASELINE = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/accept_redirects": "1",
    "net/ipv4/conf/all/forwarding": "0",
    "net/ipv4/conf/default/forwarding": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/neigh/lo/gc_stale_time": "60",
}
_NS = Netns(netns="n1")
_ETH0 = Link(netns="n1", name="eth0", index=2, mac="02:00:00:00:00:01", mtu=1500, detail=Bridge())
_ADDR = Addr(netns="n1", dev="eth0", address="10.0.0.1/24", broadcast="10.0.0.255")
_ROUTE = Route(netns="n1", dst="0.0.0.0/0", dev="eth0", via="10.0.0.254")


def _sysctl(name: str, value: str) -> Sysctl:
    return Sysctl(netns="n1", name=name, value=value)


def _diff(want: list[Object], have: list[Object]) -> tuple[Change, ...]:
    return diff(want, have, _BASELINE)


def test_nothing_differs_from_itself() -> None:
    assert _diff([_NS, _ETH0, _ADDR, _ROUTE], [_ROUTE, _ADDR, _ETH0, _NS]) == ()


@pytest.mark.parametrize(("backend", "family"), COMBINATIONS)
def test_plan_differs_from_nothing_in_all_but_settings(backend: str, family: str) -> None:
    plan = list(build(backend=backend, family=family))
    changes = diff(plan, [], _BASELINE)
    assert [change.want for change in changes] == [item for item in plan if not isinstance(item, Sysctl)]
    assert {change.action for change in changes} == {"add"}


def test_missing_changed_and_extra_in_the_order_of_the_plan() -> None:
    other = replace(_ETH0, mtu=9000)
    stray = replace(_ROUTE, dst="9.0.0.0/8")
    assert _diff([_NS, _ETH0, _ADDR], [_NS, other, stray]) == (
        Change(action="change", want=_ETH0, have=other),
        Change(action="add", want=_ADDR),
        Change(action="remove", have=stray),
    )


def test_origin_never_counts() -> None:
    from_plan = next(item for item in build() if isinstance(item, Link))
    assert from_plan.origin is not None
    assert diff([from_plan], [replace(from_plan, origin=None)], {}) == ()


def test_inside_of_a_namespace_that_goes_is_not_named() -> None:
    gone = Netns(netns="old")
    assert _diff([_NS], [_NS, gone, replace(_ETH0, netns="old"), replace(_ADDR, netns="old")]) == (
        Change(action="remove", have=gone),
    )


def test_what_stands_on_a_device_that_goes_is_not_named() -> None:
    stray = replace(_ETH0, name="br9", index=9)
    setting = _sysctl("net/ipv4/conf/br9/rp_filter", "1")
    assert _diff([_NS], [_NS, stray, replace(_ADDR, dev="br9"), setting]) == (Change(action="remove", have=stray),)


def test_of_two_routes_with_one_key_the_wrong_one_goes() -> None:
    wrong = replace(_ROUTE, via="10.0.0.9")
    remove = (Change(action="remove", have=wrong),)
    assert _diff([_NS, _ROUTE], [_NS, _ROUTE, wrong]) == remove
    assert _diff([_NS, _ROUTE], [_NS, wrong, _ROUTE]) == remove


def test_lo_is_changed_back_and_never_removed() -> None:
    lo = Link(netns="n1", name="lo", index=1, mac="00:00:00:00:00:00", mtu=9000, detail=Loopback(), alias="kemu:demo.n1")
    assert _diff([_NS], [_NS, lo]) == (Change(action="change", want=fresh_lo(lo), have=lo),)
    assert fresh_lo(lo).mtu == 65536
    assert fresh_lo(lo).alias == lo.alias


def test_setting_that_nobody_asked_for_goes_back() -> None:
    have = _sysctl("net/ipv4/conf/eth0/rp_filter", "1")
    want = _sysctl("net/ipv4/conf/eth0/rp_filter", "0")
    assert _diff([_NS, _ETH0], [_NS, _ETH0, have]) == (Change(action="change", want=want, have=have),)


def test_neighbour_setting_of_a_device_is_like_los() -> None:
    have = _sysctl("net/ipv4/neigh/eth0/gc_stale_time", "5")
    [change] = _diff([_NS, _ETH0], [_NS, _ETH0, have])
    assert change.want == _sysctl("net/ipv4/neigh/eth0/gc_stale_time", "60")


def test_setting_that_was_asked_for_is_missed() -> None:
    want = _sysctl("net/ipv4/conf/eth0/rp_filter", "1")
    assert _diff([_NS, _ETH0, want], [_NS, _ETH0]) == (
        Change(action="change", want=want, have=_sysctl("net/ipv4/conf/eth0/rp_filter", "0")),
    )


def test_settings_of_what_is_missing_are_not_named() -> None:
    want = _sysctl("net/ipv4/conf/eth0/rp_filter", "1")
    assert _diff([_NS, _ETH0, want], [_NS]) == (Change(action="add", want=_ETH0),)
    assert _diff([_NS, want], []) == (Change(action="add", want=_NS),)


def test_what_follows_from_a_setting_is_no_difference() -> None:
    forward = _sysctl("net/ipv4/ip_forward", "1")
    follows = [
        _sysctl("net/ipv4/conf/all/accept_redirects", "0"),
        *(_sysctl(f"net/ipv4/conf/{dev}/forwarding", "1") for dev in ("all", "default", "lo", "eth0")),
    ]
    assert _diff([_NS, _ETH0, forward], [_NS, _ETH0, forward, *follows]) == ()


def test_users_own_setting_outranks_what_follows() -> None:
    asked = [_sysctl("net/ipv4/ip_forward", "1"), _sysctl("net/ipv4/conf/eth0/forwarding", "0")]
    expected = expected_sysctls([_NS, _ETH0, *asked])
    assert expected["sysctl", "n1", "net/ipv4/conf/eth0/forwarding"].value == "0"
    assert expected["sysctl", "n1", "net/ipv4/conf/lo/forwarding"].value == "1"


def test_subject_is_the_wanted_object_or_the_unwanted() -> None:
    assert Change(action="add", want=_ADDR).subject is _ADDR
    assert Change(action="remove", have=_ROUTE).subject is _ROUTE
