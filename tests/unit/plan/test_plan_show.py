from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest
from plan_models import COMBINATIONS, build
from plan_samples import SAMPLES

from kemu.base.marks import Mark, Origin
from kemu.plan.codec import KINDS, from_dict, kind_of, to_dict
from kemu.plan.diff import Change
from kemu.plan.drift import read_blocks, show_change, to_drift
from kemu.plan.objects import Addr, Bridge, BridgePort, Link, Netns, NftTable, Object, Route, Sysctl, Veth
from kemu.plan.show import command, title

_COMMANDS = {
    "namespace": ("ip netns add demo.n1", "ip netns del demo.n1"),
    "veth": (
        "ip -n demo.n1 link add name dev0 index 7 address 02:00:00:00:00:01 mtu 1450 type veth peer name eth0 netns demo.default.p1",
        "ip -n demo.n1 link del dev dev0",
    ),
    "bridge": (
        "ip -n demo.n1 link add name dev0 index 7 address 02:00:00:00:00:01 mtu 1450 type bridge ageing_time 1000 stp_state 1 "
        "mcast_snooping 0 vlan_filtering 1",
        "ip -n demo.n1 link del dev dev0",
    ),
    "vxlan": (
        "ip -n demo.n1 link add name dev0 index 7 address 02:00:00:00:00:01 mtu 1450 type vxlan id 1 local 172.18.0.11 dev eth0 "
        "dstport 8472 nolearning",
        "ip -n demo.n1 link del dev dev0",
    ),
    "address": (
        "ip -n demo.n1 addr add 10.0.0.1/24 brd 10.0.0.255 dev eth0",
        "ip -n demo.n1 addr del 10.0.0.1/24 brd 10.0.0.255 dev eth0",
    ),
    "address with scope": (
        "ip -n demo.n1 addr add 10.0.0.1/32 dev lo scope host",
        "ip -n demo.n1 addr del 10.0.0.1/32 dev lo scope host",
    ),
    "IPv6 address": ("ip -n demo.n1 addr add fd00::1/64 dev eth0 nodad", "ip -n demo.n1 addr del fd00::1/64 dev eth0 nodad"),
    "default route": (
        "ip -n demo.n1 route add default via 10.0.0.254 dev eth0",
        "ip -n demo.n1 route del default via 10.0.0.254 dev eth0",
    ),
    "on-link route": (
        "ip -n demo.n1 route add 10.1.0.0/24 via 10.1.0.0 dev flannel.1 onlink",
        "ip -n demo.n1 route del 10.1.0.0/24 via 10.1.0.0 dev flannel.1 onlink",
    ),
    "full route": (
        "ip -n demo.n1 route add 10.1.0.0/24 dev eth0 proto 80 scope link src 10.0.0.1 metric 50 table 1000 mtu 1400",
        "ip -n demo.n1 route del 10.1.0.0/24 dev eth0 proto 80 scope link src 10.0.0.1 metric 50 table 1000 mtu 1400",
    ),
    "blackhole": (
        "ip -6 -n demo.n1 route add blackhole fd00::/64 metric 1024",
        "ip -6 -n demo.n1 route del blackhole fd00::/64 metric 1024",
    ),
    "rule": (
        "ip -4 -n demo.n1 rule add from 10.0.0.0/8 to 9.9.9.9/32 iif eth0 oif eth1 priority 50 lookup 1000",
        "ip -4 -n demo.n1 rule del from 10.0.0.0/8 to 9.9.9.9/32 iif eth0 oif eth1 priority 50 lookup 1000",
    ),
    "rule on a mark": (
        "ip -6 -n demo.n1 rule add from all fwmark 0x10/0xff priority 51 unreachable",
        "ip -6 -n demo.n1 rule del from all fwmark 0x10/0xff priority 51 unreachable",
    ),
    "neighbour": (
        "ip -n demo.n1 neigh add 10.1.0.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent",
        "ip -n demo.n1 neigh del 10.1.0.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent",
    ),
    "proxied neighbour": ("ip -n demo.n1 neigh add proxy fd00::7 dev eth0", "ip -n demo.n1 neigh del proxy fd00::7 dev eth0"),
    "tunnel's entry": (
        "bridge -n demo.n1 fdb add 02:00:00:00:00:01 dev flannel.1 dst 172.18.0.12 self permanent",
        "bridge -n demo.n1 fdb del 02:00:00:00:00:01 dev flannel.1 dst 172.18.0.12 self permanent",
    ),
    "bridge's entry": (
        "bridge -n demo.n1 fdb add 02:00:00:00:00:01 dev veth0 master static",
        "bridge -n demo.n1 fdb del 02:00:00:00:00:01 dev veth0 master static",
    ),
    "setting": ("ip netns exec demo.n1 sysctl -qw net/ipv4/conf/flannel.1/rp_filter=1", ""),
    "machine's veth": (
        "ip link add name kemu-demo index 7 address 02:00:00:00:00:01 mtu 1500 type veth peer name internet netns demo.router",
        "ip link del dev kemu-demo",
    ),
    "machine's address": (
        "ip addr add 198.18.0.1/30 brd 198.18.0.3 dev kemu-demo",
        "ip addr del 198.18.0.1/30 brd 198.18.0.3 dev kemu-demo",
    ),
    "machine's setting": ("sysctl -qw net/ipv6/conf/kemu-demo/disable_ipv6=1", ""),
    "machine's table": (
        "nft -f - <<'END'\ntable inet kemu-demo {\n\tchain c {\n\t\tdrop\n\t}\n}\nEND",
        "nft delete table inet kemu-demo",
    ),
    "forwarding": (
        "for dev in kemu-demo $(ip -4 route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'); "
        "do sysctl -qw net/ipv4/conf/$dev/forwarding=1; done",
        "",
    ),
    "table": (
        "ip netns exec demo.n1 nft -f - <<'END'\ntable ip mine {\n\tchain c {\n\t\tdrop\n\t}\n}\nEND",
        "ip netns exec demo.n1 nft delete table ip mine",
    ),
}


@pytest.mark.parametrize("name", _COMMANDS)
def test_command_is_what_a_person_would_type(name: str) -> None:
    add, remove = _COMMANDS[name]
    assert command(SAMPLES[name], "demo") == add
    if remove:
        assert command(SAMPLES[name], "demo", "remove") == remove


_TITLES = {
    "namespace": "namespace",
    "veth": "veth dev0",
    "lo": "device dev0",
    "foreign device": "device (dummy) dev0",
    "address": "address 10.0.0.1/24 on eth0",
    "default route": "route default",
    "IPv6 default route": "route default (IPv6) metric 5",
    "full route": "route 10.1.0.0/24 metric 50 in table 1000",
    "blackhole": "blackhole route fd00::/64",
    "rule on a mark": "rule 51 (IPv6) from all fwmark 0x10/0xff unreachable",
    "proxied neighbour": "proxied neighbour fd00::7 on eth0",
    "tunnel's entry": "forwarding entry 02:00:00:00:00:01 on flannel.1 to 172.18.0.12",
    "setting": "setting net/ipv4/conf/flannel.1/rp_filter",
    "rate": "qdisc tbf on eth0 root",
    "foreign qdisc": "qdisc htb on eth0 root",
    "table": "nft table ip mine",
    "forwarding": "forwarding to the default route (IPv4)",
    "next hop": "nexthop 5",
    "IPsec policy": "xfrm policy out src 10.0.0.1/32 dst 10.0.0.2/32",
}


@pytest.mark.parametrize("name", _TITLES)
def test_title_says_what_it_is(name: str) -> None:
    assert title(SAMPLES[name]) == _TITLES[name]


# --- JSON -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_object_comes_back_from_json(name: str) -> None:
    item = SAMPLES[name]
    assert from_dict(json.loads(json.dumps(to_dict(item)))) == item


@pytest.mark.parametrize(("backend", "family"), COMBINATIONS)
def test_plan_comes_back_from_json(backend: str, family: str) -> None:
    plan = list(build(backend=backend, family=family))
    assert [from_dict(json.loads(json.dumps(to_dict(item)))) for item in plan] == plan


def test_every_kind_of_object_has_a_name_and_a_sample() -> None:
    kinds = set(get_args(Object))
    assert set(KINDS.values()) == kinds
    assert {type(item) for item in SAMPLES.values()} == kinds
    assert {kind_of(item) for item in SAMPLES.values()} == set(KINDS)


def test_origin_goes_out_as_text() -> None:
    item = Netns(netns="n1", origin=Origin(part="nodes", mark=Mark(file="a.yaml", line=7, column=3)))
    assert to_dict(item)["origin"] == "nodes (a.yaml:7)"


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(KeyError):
        from_dict({"kind": "wormhole", "netns": "n1"})


# --- differences in words ---------------------------------------------------------------------------------------------------------

_ADDR = Addr(netns="n1", dev="eth0", address="10.0.0.1/24", broadcast="10.0.0.255", origin=Origin(part="nodes"))
_PORT = Link(
    netns="n1",
    name="v",
    index=7,
    mac="02:00:00:00:00:01",
    mtu=1450,
    detail=Veth(peer_netns="p", peer="eth0"),
    master="b",
    port=BridgePort(hairpin=True),
)
_BRIDGE = Link(netns="n1", name="b", index=3, mac="02:00:00:00:00:02", mtu=1450, detail=Bridge())
_TABLE = NftTable(netns="n1", family="ip", name="t", body="\tchain a {\n\t\tdrop\n\t}\n\tset s {\n\t\ttype ipv4_addr\n\t}")


def _change(want: Object, **other: object) -> Change:
    return Change(action="change", want=want, have=replace(want, **other))  # type: ignore[arg-type]


_WORDS = [
    (Change(action="add", want=_ADDR), "address 10.0.0.1/24 on eth0 is missing"),
    (Change(action="remove", have=_ADDR), "address 10.0.0.1/24 on eth0 should not be there"),
    (_change(_ADDR, broadcast=""), "address 10.0.0.1/24 on eth0: broadcast is none, should be 10.0.0.255"),
    (_change(_ADDR, lacks=("local 10.0.0.1", "connected x")), "address 10.0.0.1/24 on eth0: "
        "its local route 10.0.0.1 is missing, its connected route x is missing"),
    (_change(_PORT, up=False, mtu=9000), "veth v: mtu is 9000, should be 1450, up is off, should be on"),
    (_change(_PORT, port=BridgePort()), "veth v: hairpin is off, should be on"),
    (
        _change(_PORT, port=None, master=""),
        "veth v: master is none, should be b, port is none, should be hairpin on isolated off learning on flood on",
    ),
    (_change(_PORT, flags=("noarp", "promisc")), "veth v: flags is noarp promisc, should be none"),
    (_change(_BRIDGE, detail=Bridge(stp=True, ageing_seconds=1)), "bridge b: ageing_seconds is 1, should be 300, stp is on, should be off"),
    (_change(Sysctl(netns="n1", name="net/x", value="1"), value="0"), "setting net/x: value is 0, should be 1"),
    (_change(Route(netns="n1", dst="10.0.0.0/8", onlink=True), onlink=False), "route 10.0.0.0/8: onlink is off, should be on"),
    (_change(_TABLE, body="\tchain a {\n\t}\n\tset s {\n\t\ttype ipv4_addr\n\t}"), 'nft table ip t: chain a: "drop" is missing'),
    (_change(_TABLE, body="\tset s {\n\t\ttype ipv4_addr\n\t}"), "nft table ip t: chain a is missing"),
    (_change(_TABLE, body=_TABLE.body + "\n\tmap m {\n\t\ttype mark : verdict\n\t}"), "nft table ip t: map m should not be there"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), _WORDS)
def test_difference_in_words(change: Change, words: str) -> None:
    assert show_change(change, "demo") == f"demo.n1: {words}"


def test_drift_as_json_holds_only_what_differs() -> None:
    assert to_drift(_change(_ADDR, broadcast=""), "demo") == {
        "action": "change",
        "object": "address 10.0.0.1/24 on eth0",
        "netns": "demo.n1",
        "want": {"broadcast": "10.0.0.255"},
        "have": {"broadcast": ""},
        "origin": "nodes",
    }
    whole = to_drift(Change(action="remove", have=_ADDR), "demo")
    assert whole["want"] is None
    assert whole["have"]["address"] == "10.0.0.1/24"
    assert "origin" not in whole["have"]


def test_blocks_of_a_table() -> None:
    assert read_blocks('\tcomment "x"\n\n' + _TABLE.body) == {
        "chain a": "\t\tdrop\n",
        "set s": "\t\ttype ipv4_addr\n",
        "rest": 'comment "x"',
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rate", "root handle 1: tbf rate 5000000bit burst 3028b limit 33308b"),
        ("delay and more", "parent 1:1 handle 2: netem limit 100 delay 80ms 2500us loss 0.1% duplicate 25% reorder 100%"),
        ("queue", "parent 1:1 handle 2: pfifo limit 50"),
    ],
)
def test_a_qdisc_is_a_command_of_tc(name: str, words: str) -> None:
    assert command(SAMPLES[name], "demo") == f"tc -n demo.n1 qdisc add dev eth0 {words}"
