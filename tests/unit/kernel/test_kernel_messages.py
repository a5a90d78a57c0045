"""What kemu packs itself, pyroute2 decodes as what was meant."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from kemu.kernel import messages
from kemu.kernel.messages import MAKE, PUT, SET, Indexes, Message
from kemu.kernel.netlink import attributes
from kemu.plan.objects import (
    MULTIPATH,
    Addr,
    Bridge,
    BridgePort,
    Fdb,
    Foreign,
    Link,
    Neigh,
    Netem,
    Pfifo,
    Qdisc,
    Route,
    Rule,
    Tbf,
    Veth,
    Vxlan,
)

_MAC, _OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
_INDEXES = Indexes({"cni0": 3, "eth0": 2}.__getitem__, {"p1": 42}.__getitem__)


def _decode(kind: type[Any], message: Message) -> Any:
    number, flags, body = message
    decoded = kind(struct.pack("IHHII", len(body) + 16, number, flags, 1, 0) + body)
    decoded.decode()
    return decoded


def _attributes(decoded: Any) -> dict[str, Any]:
    return {name: value for name, value in decoded["attrs"] if not name.startswith("UNKNOWN")}


def _link(detail: Veth | Bridge | Vxlan | Foreign, **other: Any) -> Link:
    return Link(**{"netns": "n1", "name": "dev0", "index": 7, "mac": _MAC, "mtu": 1450, "detail": detail, **other})


def _info(decoded: Any) -> tuple[str, dict[str, Any]]:
    info = decoded.get_attr("IFLA_LINKINFO")
    data = info.get_attr("IFLA_INFO_DATA")
    return info.get_attr("IFLA_INFO_KIND"), _attributes(data) if data else {}


def _head(message: Message) -> tuple[int, int]:
    return message[0], message[1]


# --- devices ----------------------------------------------------------------------------------------------------------------------

_PORT = BridgePort(hairpin=True)


def test_alias_comes_in_a_message_of_its_own() -> None:
    link = _link(Veth(peer_netns="p1", peer="eth0"), alias="mine")
    peer = Link(netns="p1", name="eth0", index=2, mac=_OTHER, mtu=1450, detail=Veth(peer_netns="n1", peer="dev0"), alias="its")
    making, naming = messages.make_veth(link, peer, _INDEXES)
    assert "IFLA_IFALIAS" not in _attributes(_decode(ifinfmsg, making))
    assert (_decode(ifinfmsg, naming)["index"], _attributes(_decode(ifinfmsg, naming))) == (7, {"IFLA_IFALIAS": "mine"})
    assert _attributes(_decode(ifinfmsg, messages.set_flags(peer)))["IFLA_IFALIAS"] == "its"


def test_veth_pair_is_one_message_for_both_ends() -> None:
    link = _link(Veth(peer_netns="p1", peer="eth0"), master="cni0")
    peer = Link(netns="p1", name="eth0", index=2, mac=_OTHER, mtu=1450, detail=Veth(peer_netns="n1", peer="dev0"))
    [message] = messages.make_veth(link, peer, _INDEXES)
    assert _head(message) == (messages.RTM_NEWLINK, MAKE)
    decoded = _decode(ifinfmsg, message)
    assert decoded["index"] == 7
    assert decoded["flags"] == messages.IFF_UP | messages.IFF_MULTICAST
    attributes = _attributes(decoded)
    assert (attributes["IFLA_IFNAME"], attributes["IFLA_MTU"], attributes["IFLA_ADDRESS"]) == ("dev0", 1450, _MAC)
    assert attributes["IFLA_MASTER"] == 3
    assert "IFLA_IFALIAS" not in attributes
    kind, data = _info(decoded)
    assert kind == "veth"
    other = data["VETH_INFO_PEER"]
    assert other["index"] == 2
    assert other["flags"] == 0, "the far end cannot come up before its peer exists"
    assert _attributes(other) == {
        "IFLA_IFNAME": "eth0",
        "IFLA_MTU": 1450,
        "IFLA_ADDRESS": _OTHER,
        "IFLA_NET_NS_FD": 42,
    }


def test_port_is_set_in_a_message_of_its_own() -> None:
    link = _link(
        Veth(peer_netns="p1", peer="eth0"),
        master="cni0",
        port=BridgePort(hairpin=True, isolated=True, learning=False, flood=False),
    )
    peer = Link(netns="p1", name="eth0", index=2, mac=_OTHER, mtu=1450, detail=Veth(peer_netns="n1", peer="dev0"))
    _, message = messages.make_veth(link, peer, _INDEXES)
    assert _head(message) == (messages.RTM_SETLINK, SET)
    decoded = _decode(ifinfmsg, message)
    assert (decoded["family"], decoded["index"]) == (messages.AF_BRIDGE, 7)
    port = _attributes(decoded.get_attr("IFLA_PROTINFO"))
    expected = {"IFLA_BRPORT_MODE": 1, "IFLA_BRPORT_LEARNING": 0, "IFLA_BRPORT_UNICAST_FLOOD": 0, "IFLA_BRPORT_ISOLATED": 1}
    assert {name: int(port[name]) for name in expected} == expected


def test_plain_port_needs_no_message() -> None:
    link = _link(Bridge(), port=BridgePort())
    assert len(messages.make_link(link, _INDEXES)) == 1


@pytest.mark.parametrize(
    ("bridge", "expected"),
    [
        (Bridge(), {}),
        (Bridge(multicast_snooping=False), {"IFLA_BR_MCAST_SNOOPING": 0}),
        (
            Bridge(ageing_seconds=10, stp=True, vlan_filtering=True),
            {"IFLA_BR_AGEING_TIME": 1000, "IFLA_BR_STP_STATE": 1, "IFLA_BR_VLAN_FILTERING": 1},
        ),
    ],
)
def test_bridge_is_made_with_what_differs_from_a_plain_one(bridge: Bridge, expected: dict[str, int]) -> None:
    [message] = messages.make_link(_link(bridge), _INDEXES)
    assert _head(message) == (messages.RTM_NEWLINK, MAKE)
    assert _info(_decode(ifinfmsg, message)) == ("bridge", expected)


@pytest.mark.parametrize(("local", "attribute"), [("172.18.0.11", "IFLA_VXLAN_LOCAL"), ("fd00::b", "IFLA_VXLAN_LOCAL6")])
def test_tunnel(local: str, attribute: str) -> None:
    link = _link(Vxlan(vni=77, local=local, lower="eth0", port=8472, learning=False))
    [message] = messages.make_link(link, _INDEXES)
    kind, data = _info(_decode(ifinfmsg, message))
    assert kind == "vxlan"
    assert data == {
        "IFLA_VXLAN_ID": 77,
        "IFLA_VXLAN_LINK": 2,
        attribute: local,
        "IFLA_VXLAN_LEARNING": 0,
        "IFLA_VXLAN_PORT": 8472,
    }


def test_device_that_kemu_does_not_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="makes no device"):
        messages.make_link(_link(Foreign(kind="dummy")), _INDEXES)


def test_change_says_only_what_differs() -> None:
    want = _link(Bridge(stp=False), mtu=1500)
    have = _link(Bridge(stp=True), mtu=1400, up=False)
    [message] = messages.change_link(want, have, _INDEXES)
    assert _head(message) == (messages.RTM_NEWLINK, SET)
    decoded = _decode(ifinfmsg, message)
    assert (decoded["index"], decoded["flags"], decoded["change"]) == (
        7,
        messages.IFF_UP | messages.IFF_MULTICAST,
        messages.ALL_FLAGS,
    )
    attributes = _attributes(decoded)
    assert set(attributes) == {"IFLA_MTU", "IFLA_TXQLEN", "IFLA_LINKINFO"}
    assert (attributes["IFLA_MTU"], attributes["IFLA_TXQLEN"]) == (1500, 1000)
    assert _info(decoded) == ("bridge", {"IFLA_BR_STP_STATE": 0})


def test_change_of_mac_alias_and_master() -> None:
    veth = Veth(peer_netns="p1", peer="eth0")
    want = _link(veth, master="cni0", port=_PORT)
    have = _link(veth, mac=_OTHER, alias="mine", master="br9", port=_PORT)
    message, port = messages.change_link(want, have, _INDEXES)
    attributes = _attributes(_decode(ifinfmsg, message))
    assert (attributes["IFLA_ADDRESS"], attributes["IFLA_IFALIAS"], attributes["IFLA_MASTER"]) == (_MAC, "", 3)
    assert port[0] == messages.RTM_SETLINK, "a port of another bridge starts anew"


@pytest.mark.parametrize(("want", "have", "count"), [(_PORT, _PORT, 1), (_PORT, BridgePort(), 2), (BridgePort(), _PORT, 2)])
def test_port_is_set_again_only_if_it_differs(want: BridgePort, have: BridgePort, count: int) -> None:
    veth = Veth(peer_netns="p1", peer="eth0")
    changed = messages.change_link(_link(veth, master="cni0", port=want), _link(veth, master="cni0", port=have), _INDEXES)
    assert len(changed) == count


def test_device_leaves_its_bridge() -> None:
    [message] = messages.change_link(_link(Bridge()), _link(Bridge(), master="br9", port=BridgePort()), _INDEXES)
    assert _attributes(_decode(ifinfmsg, message))["IFLA_MASTER"] == 0


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ((), messages.IFF_UP | messages.IFF_MULTICAST),
        (("nomulticast",), messages.IFF_UP),
        (("allmulti", "noarp", "promisc"), messages.IFF_UP | messages.IFF_MULTICAST | 0x380),
    ],
)
def test_flags(words: tuple[str, ...], flags: int) -> None:
    decoded = _decode(ifinfmsg, messages.set_flags(_link(Bridge(), flags=words)))
    assert (decoded["index"], decoded["flags"], decoded["change"]) == (7, flags, messages.ALL_FLAGS)


def test_settings_ride_on_the_message_that_brings_a_device_up() -> None:
    number = messages.INET_SETTINGS["arp_notify"]
    _, _, body = messages.set_flags(_link(Bridge()), [(number, 1)])
    families = attributes(attributes(body[16:])[26])
    assert attributes(attributes(families[socket.AF_INET])[1]) == {number: struct.pack("I", 1)}


def test_small_messages_about_devices() -> None:
    up = _decode(ifinfmsg, messages.bring_up(7))
    assert (up["index"], up["flags"], up["change"]) == (7, 1, 1)
    gone = messages.remove_link(7)
    assert _head(gone) == (messages.RTM_DELLINK, SET)
    assert _decode(ifinfmsg, gone)["index"] == 7
    alias = _decode(ifinfmsg, messages.link_alias(1, "kemu:demo.n1", up=True))
    assert (alias["index"], alias["flags"], alias.get_attr("IFLA_IFALIAS")) == (1, 1, "kemu:demo.n1")
    assert _decode(ifinfmsg, messages.link_alias(1, "x", up=False))["change"] == 0


# --- addresses, routes, rules, neighbours -------------------------------------------------------------------------------------


def test_address() -> None:
    addr = Addr(netns="n1", dev="eth0", address="10.0.0.1/24", broadcast="10.0.0.255")
    assert _head(messages.put_addr(addr, 2)) == (messages.RTM_NEWADDR, PUT)
    assert _head(messages.remove_addr(addr, 2)) == (messages.RTM_DELADDR, SET)
    decoded = _decode(ifaddrmsg, messages.put_addr(addr, 2))
    assert (decoded["family"], decoded["prefixlen"], decoded["scope"], decoded["index"]) == (2, 24, 0, 2)
    assert _attributes(decoded) == {"IFA_LOCAL": "10.0.0.1", "IFA_ADDRESS": "10.0.0.1", "IFA_BROADCAST": "10.0.0.255"}


def test_ipv6_address_is_not_probed_for_duplicates() -> None:
    decoded = _decode(ifaddrmsg, messages.put_addr(Addr(netns="n1", dev="eth0", address="fd00::1/64", scope="host"), 2))
    assert (decoded["family"], decoded["prefixlen"], decoded["scope"]) == (10, 64, 254)
    assert decoded.get_attr("IFA_FLAGS") == messages.IFA_F_NODAD


def _routes() -> Iterator[tuple[Route, dict[str, Any], dict[str, Any]]]:
    plain = {"family": 2, "dst_len": 24, "table": 254, "proto": 3, "scope": 0, "type": 1, "flags": 0}
    dst, table = {"RTA_DST": "10.1.0.0"}, {"RTA_TABLE": 254}
    yield (
        Route(netns="n1", dst="10.1.0.0/24", dev="d", via="10.0.0.9"),
        plain,
        {**table, **dst, "RTA_OIF": 2, "RTA_GATEWAY": "10.0.0.9"},
    )
    yield (
        Route(netns="n1", dst="0.0.0.0/0", dev="d", via="10.0.0.9"),
        {**plain, "dst_len": 0},
        {**table, "RTA_OIF": 2, "RTA_GATEWAY": "10.0.0.9"},
    )
    yield (
        Route(netns="n1", dst="10.1.0.0/24", dev="d", via="10.1.0.0", onlink=True, src="10.0.0.1", metric=50),
        {**plain, "flags": 4},
        {**table, **dst, "RTA_OIF": 2, "RTA_GATEWAY": "10.1.0.0", "RTA_PRIORITY": 50, "RTA_PREFSRC": "10.0.0.1"},
    )
    yield (
        Route(netns="n1", dst="10.1.0.0/24", dev="d", table=1000, protocol="80", scope="link"),
        {**plain, "table": 0, "proto": 80, "scope": 253},
        {"RTA_TABLE": 1000, **dst, "RTA_OIF": 2},
    )
    yield (
        Route(netns="n1", dst="fd00::/64", type="blackhole", metric=1024),
        {**plain, "family": 10, "dst_len": 64, "type": 6},
        {**table, "RTA_DST": "fd00::", "RTA_PRIORITY": 1024},
    )


@pytest.mark.parametrize(("route", "head", "attributes"), list(_routes()))
def test_route(route: Route, head: dict[str, Any], attributes: dict[str, Any]) -> None:
    index = 2 if route.dev else 0
    assert _head(messages.put_route(route, index)) == (messages.RTM_NEWROUTE, PUT)
    assert _head(messages.remove_route(route, index)) == (messages.RTM_DELROUTE, SET)
    decoded = _decode(rtmsg, messages.put_route(route, index))
    assert {name: decoded[name] for name in head} == head
    assert _attributes(decoded) == attributes


def test_routes_mtu_is_a_metric() -> None:
    decoded = _decode(rtmsg, messages.put_route(Route(netns="n1", dst="10.1.0.0/24", dev="d", mtu=1400), 2))
    assert decoded.get_attr("RTA_METRICS").get_attr("RTAX_MTU") == 1400


def test_route_of_several_gateways_is_removed_without_naming_them() -> None:
    decoded = _decode(rtmsg, messages.remove_route(Route(netns="n1", dst="10.1.0.0/24", via=MULTIPATH), 0))
    assert _attributes(decoded) == {"RTA_TABLE": 254, "RTA_DST": "10.1.0.0"}


def test_neighbour() -> None:
    neigh = Neigh(netns="n1", dev="d", address="10.1.0.0", mac=_MAC)
    assert _head(messages.put_neigh(neigh, 4)) == (messages.RTM_NEWNEIGH, PUT)
    assert _head(messages.remove_neigh(neigh, 4)) == (messages.RTM_DELNEIGH, SET)
    decoded = _decode(ndmsg, messages.put_neigh(neigh, 4))
    assert (decoded["family"], decoded["ifindex"], decoded["state"], decoded["flags"]) == (2, 4, messages.NUD_PERMANENT, 0)
    assert _attributes(decoded) == {"NDA_DST": "10.1.0.0", "NDA_LLADDR": _MAC}


def test_proxied_neighbour() -> None:
    decoded = _decode(ndmsg, messages.put_neigh(Neigh(netns="n1", dev="d", address="fd00::7", mac="", proxy=True), 4))
    assert (decoded["family"], decoded["state"], decoded["flags"]) == (10, 0, messages.NTF_PROXY)
    assert _attributes(decoded) == {"NDA_DST": "fd00::7"}


@pytest.mark.parametrize(
    ("fdb", "flags", "state", "attributes"),
    [
        (Fdb(netns="n1", dev="d", mac=_MAC, dst="172.18.0.12"), 2, 0x80, {"NDA_LLADDR": _MAC, "NDA_DST": "172.18.0.12"}),
        (Fdb(netns="n1", dev="d", mac=_MAC), 4, 0x40, {"NDA_LLADDR": _MAC}),
        (Fdb(netns="n1", dev="d", mac=_MAC, own=True), 2, 0x80, {"NDA_LLADDR": _MAC}),
    ],
)
def test_forwarding_entry(fdb: Fdb, flags: int, state: int, attributes: dict[str, str]) -> None:
    assert _head(messages.put_fdb(fdb, 4)) == (messages.RTM_NEWNEIGH, PUT)
    assert _head(messages.remove_fdb(fdb, 4)) == (messages.RTM_DELNEIGH, SET)
    decoded = _decode(ndmsg, messages.put_fdb(fdb, 4))
    assert (decoded["family"], decoded["ifindex"], decoded["flags"], decoded["state"]) == (messages.AF_BRIDGE, 4, flags, state)
    assert _attributes(decoded) == attributes


def test_forwarding_entry_towards_an_ipv6_node() -> None:
    body = messages.put_fdb(Fdb(netns="n1", dev="d", mac=_MAC, dst="fd00::c"), 4)[2]
    assert messages.ip_bytes("fd00::c") in body


def test_rule() -> None:
    rule = Rule(netns="n1", family=4, priority=50, table=1000, src="10.0.0.0/8", dst="9.9.9.9/32", iif="eth0", oif="eth1")
    assert _head(messages.put_rule(rule)) == (messages.RTM_NEWRULE, MAKE)
    assert _head(messages.remove_rule(rule)) == (messages.RTM_DELRULE, SET)
    decoded = _decode(fibmsg, messages.put_rule(rule))
    assert (decoded["family"], decoded["src_len"], decoded["dst_len"], decoded["action"]) == (2, 8, 32, 1)
    assert _attributes(decoded) == {
        "FRA_PRIORITY": 50,
        "FRA_TABLE": 1000,
        "FRA_SRC": "10.0.0.0",
        "FRA_DST": "9.9.9.9",
        "FRA_IIFNAME": "eth0",
        "FRA_OIFNAME": "eth1",
    }


def test_rule_on_a_mark() -> None:
    rule = Rule(netns="n1", family=6, priority=51, mark="0x10/0xff", action="unreachable")
    decoded = _decode(fibmsg, messages.put_rule(rule))
    assert (decoded["family"], decoded["action"]) == (10, 7)
    assert (decoded.get_attr("FRA_FWMARK"), decoded.get_attr("FRA_FWMASK")) == (0x10, 0xFF)


@pytest.mark.parametrize(
    ("parent", "handle", "numbers"),
    [
        ("root", "8001:", (0xFFFFFFFF, 0x80010000)),
        ("ingress", "ffff:", (0xFFFFFFF1, 0xFFFF0000)),
        ("1:2", "a:", (0x10002, 0xA0000)),
    ],
)
def test_qdisc_is_removed_by_its_parent_and_handle(parent: str, handle: str, numbers: tuple[int, int]) -> None:
    message = messages.remove_qdisc(Qdisc(netns="n1", dev="eth0", parent=parent, handle=handle, detail=Foreign(kind="tbf")), 2)
    assert _head(message) == (messages.RTM_DELQDISC, SET)
    decoded = _decode(tcmsg, message)
    assert (decoded["index"], decoded["parent"], decoded["handle"]) == (2, *numbers)


def _qdisc(detail: Tbf | Netem | Pfifo | Foreign) -> Qdisc:
    return Qdisc(netns="n1", dev="eth0", parent="1:1", handle="2:", detail=detail)


@pytest.mark.parametrize(("rate", "rate64"), [(5_000_000, None), (40 * 10**9, 5 * 10**9)])
def test_token_bucket(rate: int, rate64: int | None) -> None:
    message = messages.put_qdisc(_qdisc(Tbf(rate_bits_per_second=rate, burst_bytes=3125, limit_bytes=31_250)), 2)
    assert _head(message) == (messages.RTM_NEWQDISC, PUT)
    decoded = _decode(tcmsg, message)
    assert (decoded["index"], decoded["parent"], decoded["handle"]) == (2, 0x10001, 0x20000)
    assert decoded.get_attr("TCA_KIND") == "tbf"
    options = decoded.get_attr("TCA_OPTIONS")
    parms = options.get_attr("TCA_TBF_PARMS")
    assert (parms["rate"], parms["limit"]) == (min(rate // 8, 2**32 - 1), 31_250)
    assert parms["buffer"] == 3125 * 8 * 10**9 // rate // 64
    found = attributes(attributes(message[2][20:])[2])
    assert struct.unpack("I", found[messages.TBF_BURST]) == (3125,)
    assert (struct.unpack("Q", found[messages.TBF_RATE64])[0] if messages.TBF_RATE64 in found else None) == rate64


def test_netem() -> None:
    netem = Netem(
        limit_packets=100, delay_seconds=0.08, jitter_seconds=0.005, loss_ratio=0.3, duplicate_ratio=1.0, reorder_ratio=0.25
    )
    message = messages.put_qdisc(_qdisc(netem), 2)
    decoded = _decode(tcmsg, message)
    assert decoded.get_attr("TCA_KIND") == "netem"
    options = decoded.get_attr("TCA_OPTIONS")
    assert (options["delay"], options["jitter"]) == (80 * 10**6 // 64, 5 * 10**6 // 64)
    assert (options["limit"], options["loss"], options["duplicate"], options["gap"]) == (
        100,
        round(0.3 * (2**32 - 1)),
        2**32 - 1,
        1,
    )
    reorder = options.get_attr("TCA_NETEM_REORDER")
    assert (reorder["prob_reorder"], reorder["corr_reorder"]) == (round(0.25 * (2**32 - 1)), 0)
    found = attributes(attributes(message[2][20:])[2][24:])
    assert struct.unpack("q", found[messages.NETEM_LATENCY64]) == (80 * 10**6,)
    assert struct.unpack("q", found[messages.NETEM_JITTER64]) == (5 * 10**6,)


def test_netem_that_reorders_nothing_has_no_gap() -> None:
    options = _decode(tcmsg, messages.put_qdisc(_qdisc(Netem(limit_packets=9, delay_seconds=1e-9)), 2)).get_attr("TCA_OPTIONS")
    assert (options["gap"], options["loss"]) == (0, 0)


def test_plain_queue() -> None:
    options = attributes(messages.put_qdisc(_qdisc(Pfifo(limit_packets=50)), 2)[2][20:])
    assert (options[1], options[2]) == (b"pfifo\0", struct.pack("I", 50))


def test_qdisc_that_kemu_does_not_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="no part of kemu plans a htb"):
        messages.put_qdisc(_qdisc(Foreign(kind="htb")), 2)
