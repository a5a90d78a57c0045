from __future__ import annotations

from dataclasses import replace

import pytest
from plan_models import COMBINATIONS, build

from kemu.base.names import veth_name
from kemu.plan.build import Plan
from kemu.plan.diff import Change
from kemu.plan.objects import (
    Addr,
    Bridge,
    BridgePort,
    Foreign,
    Key,
    Link,
    Netem,
    Netns,
    NftTable,
    Object,
    Qdisc,
    Route,
    Sysctl,
    Tbf,
    Veth,
    Vxlan,
)
from kemu.plan.order import Steps, steps_for, steps_for_all

_PORT = veth_name("default.p1")


def _changed(plan: Plan, key: Key, **other: object) -> Change:
    want = plan.objects[key]
    return Change(action="change", want=want, have=replace(want, origin=None, **other))  # type: ignore[arg-type]


def _steps(plan: Plan, *changes: Change) -> Steps:
    return steps_for(changes, plan.objects)


def _entries(steps: Steps) -> set[Key]:
    return {item.key for items in steps.entries.values() for item in items}


@pytest.mark.parametrize(("backend", "family"), COMBINATIONS)
def test_whole_plan_is_done_once_and_in_order(backend: str, family: str) -> None:
    plan = build(backend=backend, family=family)
    steps = steps_for_all(plan)
    settings = [item for group in (steps.early, steps.settings) for items in group.values() for item in items]
    entries = [item for items in steps.entries.values() for item in items]
    done: list[Object] = [*steps.make, *settings, *steps.links, *entries, *steps.tables]
    assert sorted(item.key for item in done) == sorted(item.key for item in plan)
    assert not steps.remove + steps.mend
    assert not steps.relinks
    kinds = [type(link.detail) for link in steps.links]
    assert kinds == sorted(kinds, key=[Bridge, Veth, Vxlan].index)
    for items in steps.entries.values():
        ranks = [
            [Addr, "Neigh", "Fdb", Route].index(kind if (kind := type(item)) in (Addr, Route) else kind.__name__)
            for item in items
        ]
        assert ranks == sorted(ranks)


def test_settings_of_a_namespace_come_before_its_devices_and_those_of_devices_after() -> None:
    steps = steps_for_all(build())
    assert [item.name for item in steps.early["n1"]] == [
        "net/ipv6/conf/default/disable_ipv6",
        "net/ipv4/ip_forward",
        "net/bridge/bridge-nf-call-ip6tables",
        "net/bridge/bridge-nf-call-iptables",
    ]
    assert {item.name for item in steps.settings["n1"]} == {f"net/ipv6/conf/{dev}/accept_ra" for dev in ("cni0", "flannel.1")}


def test_nothing_to_do_is_no_steps() -> None:
    assert steps_for([], build().objects) == Steps()


def test_missing_route_is_put_and_nothing_else() -> None:
    plan = build()
    route = next(item for item in plan if isinstance(item, Route) and item.netns == "n1")
    steps = _steps(plan, Change(action="add", want=route))
    assert steps == Steps(entries={"n1": [route]})


def test_stray_is_removed_and_nothing_else() -> None:
    stray = Route(netns="n1", dst="9.0.0.0/8", dev="eth0")
    assert _steps(build(), Change(action="remove", have=stray)) == Steps(remove=(stray,))


def test_changed_device_keeps_its_place_and_gets_back_what_stands_on_it() -> None:
    plan = build()
    steps = _steps(plan, _changed(plan, ("link", "n1", "flannel.1"), up=False))
    [(want, have)] = steps.relinks
    assert want.up
    assert not have.up
    assert steps.links == steps.remove == ()
    assert {key[0] for key in _entries(steps)} == {"addr", "neigh", "fdb", "route"}
    assert {getattr(item, "dev", "") for item in steps.entries["n1"]} == {"flannel.1"}


def test_tunnel_with_another_number_is_made_anew_with_all_on_it() -> None:
    plan = build()
    tunnel = plan.objects["link", "n1", "flannel.1"]
    assert isinstance(tunnel, Link)
    assert isinstance(tunnel.detail, Vxlan)
    change = _changed(plan, tunnel.key, detail=replace(tunnel.detail, vni=7))
    steps = _steps(plan, change)
    assert steps.remove == (change.have,)
    assert steps.links == (tunnel,)
    assert steps.relinks == ()
    assert {key[0] for key in _entries(steps)} == {"addr", "neigh", "fdb", "route"}
    assert [item.name for item in steps.settings["n1"]] == ["net/ipv6/conf/flannel.1/accept_ra"]


def test_lost_end_of_a_veth_makes_both_ends_and_the_tunnel_over_it() -> None:
    plan = build()
    steps = _steps(plan, Change(action="add", want=plan.objects["link", "n1", "eth0"]))
    names = [(link.netns, link.name) for link in steps.links]
    assert sorted(names[:2]) == [("fabric", "n1"), ("n1", "eth0")]
    assert names[2:] == [("n1", "flannel.1")]
    assert ("route", "n1", 254, "0.0.0.0/0", 0) in _entries(steps)
    assert ("route", "n1", 254, "10.244.1.0/24", 0) in _entries(steps)


def test_lost_bridge_gets_its_ports_back() -> None:
    plan = build()
    steps = _steps(plan, Change(action="add", want=plan.objects["link", "n1", "cni0"]))
    assert [link.name for link in steps.links] == ["cni0"]
    ports = {want.name: have for want, have in steps.relinks}
    assert sorted(ports) == sorted([_PORT, veth_name("default.p3")])
    assert ports[_PORT].master == ""
    assert ports[_PORT].port is None


def test_bridges_own_setting_is_changed_in_place() -> None:
    plan = build()
    steps = _steps(plan, _changed(plan, ("link", "n1", "cni0"), detail=Bridge(stp=True)))
    assert [want.name for want, _ in steps.relinks] == ["cni0"]
    assert steps.links == ()


def test_ports_hairpin_is_changed_in_place() -> None:
    plan = build()
    steps = _steps(plan, _changed(plan, ("link", "n1", _PORT), port=BridgePort()))
    assert [want.name for want, _ in steps.relinks] == [_PORT]


def test_device_with_another_index_is_made_anew() -> None:
    plan = build()
    change = _changed(plan, ("link", "n1", "cni0"), index=77)
    steps = _steps(plan, change)
    assert steps.remove == (change.have,)
    assert [link.name for link in steps.links] == ["cni0"]


def test_address_that_lacks_a_route_is_put_anew_with_what_needs_it() -> None:
    plan = build()
    change = _changed(plan, ("addr", "n1", "eth0", "172.18.0.11/16"), lacks=("connected 172.18.0.0/16",))
    steps = _steps(plan, change)
    assert steps.remove == (change.have,)
    assert _entries(steps) == {("addr", "n1", "eth0", "172.18.0.11/16"), ("route", "n1", 254, "0.0.0.0/0", 0)}


def test_route_through_another_device_is_removed_first() -> None:
    plan = build()
    key = ("route", "n1", 254, "10.244.1.0/24", 0)
    change = _changed(plan, key, dev="eth0")
    assert _steps(plan, change).remove == (change.have,)
    assert _steps(plan, _changed(plan, key, via="1.2.3.4")).remove == ()


def test_namespace_that_lacks_something_is_mended_and_not_made() -> None:
    have = Netns(netns="n1", lacks=("lo up",))
    steps = _steps(build(), Change(action="change", want=Netns(netns="n1"), have=have))
    assert steps == Steps(mend=(have,))


def test_removals_begin_with_what_others_do_not_need() -> None:
    link = Link(netns="n1", name="br9", index=9, mac="02:00:00:00:00:01", mtu=1500, detail=Bridge())
    strays: list[Object] = [
        Netns(netns="old"),
        link,
        Addr(netns="n1", dev="eth0", address="1.1.1.1/32"),
        Route(netns="n1", dst="9.0.0.0/8", dev="eth0"),
        NftTable(netns="n1", family="ip", name="mine", body=""),
    ]
    steps = _steps(build(), *(Change(action="remove", have=item) for item in strays))
    assert steps.remove == tuple(reversed(strays))


def test_namespaces_forwarding_comes_before_that_of_its_devices() -> None:
    device = Sysctl(netns="n1", name="net/ipv4/conf/eth0/forwarding", value="0")
    whole = Sysctl(netns="n1", name="net/ipv4/ip_forward", value="1")
    changes = [Change(action="change", want=item, have=replace(item, value="9")) for item in (device, whole)]
    assert _steps(build(), *changes).settings == {"n1": [whole, device]}


# --- queueing disciplines ---------------------------------------------------------------------------------------------------------

_ROOT = Qdisc(
    netns="n1", dev="eth0", parent="root", handle="1:", detail=Tbf(rate_bits_per_second=8000, burst_bytes=1, limit_bytes=2)
)
_LEAF = Qdisc(netns="n1", dev="eth0", parent="1:1", handle="2:", detail=Netem(limit_packets=10, loss_ratio=0.1))


def _queue_steps(plan: list[Qdisc], *changes: Change) -> tuple[list[Object], list[Object]]:
    steps = steps_for(changes, {item.key: item for item in plan})
    return list(steps.remove), [item for items in steps.entries.values() for item in items]


def _change(want: Qdisc, have: Qdisc) -> Change:
    return Change(action="change", want=want, have=have)


def test_other_numbers_of_a_qdisc_are_changed_where_it_stands() -> None:
    have = replace(_LEAF, detail=Netem(limit_packets=10, loss_ratio=0.5))
    assert _queue_steps([_ROOT, _LEAF], _change(_LEAF, have)) == ([], [_LEAF])


def test_another_kind_of_qdisc_makes_the_device_start_anew() -> None:
    have = replace(_ROOT, detail=Foreign(kind="htb"))
    assert _queue_steps([_ROOT, _LEAF], _change(_ROOT, have), Change(action="add", want=_LEAF)) == ([have], [_ROOT, _LEAF])


def test_what_somebody_added_to_netem_goes_with_it() -> None:
    have = replace(_LEAF, detail=replace(_LEAF.detail, more=("corrupt",)))  # type: ignore[type-var]
    assert _queue_steps([_ROOT, _LEAF], _change(_LEAF, have)) == ([_ROOT], [_ROOT, _LEAF])


def test_a_leaf_that_goes_takes_its_root_along_which_comes_back() -> None:
    assert _queue_steps([_ROOT], Change(action="remove", have=_LEAF)) == ([_LEAF, _ROOT], [_ROOT])


def test_a_stray_tree_goes_once() -> None:
    changes = [Change(action="remove", have=item) for item in (_ROOT, _LEAF)]
    assert _queue_steps([], *changes) == ([_ROOT, _LEAF], [])


def test_a_new_tree_removes_nothing_but_itself() -> None:
    changes = [Change(action="add", want=item) for item in (_ROOT, _LEAF)]
    assert _queue_steps([_ROOT, _LEAF], *changes)[1] == [_ROOT, _LEAF]


def test_filters_on_the_way_in_are_no_part_of_the_tree() -> None:
    clsact = Qdisc(netns="n1", dev="eth0", parent="ingress", handle="ffff:", detail=Foreign(kind="clsact"))
    assert _queue_steps([_ROOT], Change(action="remove", have=clsact)) == ([clsact], [])
