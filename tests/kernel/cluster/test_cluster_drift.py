"""What somebody changed by hand is named exactly, and mended by one `up`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cluster_tools import Running
from plan_models import build

from kemu.base.names import mac_address, veth_name
from kemu.plan.codec import kind_of
from kemu.plan.objects import Link, Netns, Object, Sysctl
from kemu.plan.show import command, title

pytestmark = pytest.mark.kernel

_PORT = veth_name("default.p1")
_PORTS = sorted([_PORT, veth_name("default.p3")])
_TUNNEL = mac_address("n2", "flannel.1")
_NODE_DEVICES = ["cni0", "eth0", "flannel-v6.1", "flannel.1", *_PORTS]


def _setting(netns: str, name: str, is_: str, should: str) -> str:
    return f"{netns}: setting {name}: value is {is_}, should be {should}"


def _check(cluster: Running, script: str, expected: list[str]) -> None:
    cluster.shell(script)
    assert cluster.drift() == sorted(expected)
    assert cluster.up().changes == len(expected)
    assert cluster.drift() == []


# --- gone -------------------------------------------------------------------------------------------------------------------------

_SAMPLE_OF = {"host-gw": "dual", "vxlan": "dual"}


def _samples() -> list[tuple[str, Object]]:
    """Return one object of each kind, part, machine and device among those that a person can remove alone."""
    chosen: dict[tuple[object, ...], tuple[str, Object]] = {}
    for backend, family in _SAMPLE_OF.items():
        for item in build(backend=backend, family=family, pods=3):
            if not isinstance(item, (Sysctl, Link, Netns)):
                place = item.netns.rstrip("0123456789"), getattr(item, "dev", "")
                version = ":" in str(getattr(item, "address", getattr(item, "dst", getattr(item, "family", ""))))
                chosen.setdefault((backend, kind_of(item), item.origin and item.origin.part, *place, version), (backend, item))
    return list(chosen.values())


@pytest.mark.parametrize(("backend", "item"), _samples(), ids=lambda value: value if isinstance(value, str) else title(value))
def test_removed_object_is_named_and_made_again(shared: Callable[[str, str], Running], backend: str, item: Object) -> None:
    cluster = shared(backend, _SAMPLE_OF[backend])
    cluster.shell(command(item, cluster.name, "remove"))
    drift = cluster.drift()
    assert f"{item.netns}: {title(item)} is missing" in drift
    assert all("is missing" in line and ": route" in line for line in drift if title(item) not in line) or kind_of(item) == "addr"
    cluster.up()
    assert cluster.drift() == []


_GONE = {
    "bridge of a node": (
        "ip -n @n1 link del cni0",
        [
            "n1: address 10.244.0.1/24 on cni0 is missing",
            "n1: address fd00:10:244::1/64 on cni0 is missing",
            "n1: bridge cni0 is missing",
            *(
                f"n1: veth {port}: master is none, should be cni0, port is none, should be hairpin on isolated off learning on flood on"
                for port in _PORTS
            ),
        ],
    ),
    "tunnel": (
        "ip -n @n1 link del flannel.1",
        [
            "n1: address 10.244.0.0/32 on flannel.1 is missing",
            f"n1: forwarding entry {_TUNNEL} on flannel.1 to 172.18.0.12 is missing",
            "n1: neighbour 10.244.1.0 on flannel.1 is missing",
            "n1: route 10.244.1.0/24 is missing",
            "n1: vxlan flannel.1 is missing",
        ],
    ),
    "pod's end of its veth": (
        "ip -n @default.p1 link del eth0",
        [
            "default.p1: address 10.244.0.2/24 on eth0 is missing",
            "default.p1: address fd00:10:244::2/64 on eth0 is missing",
            "default.p1: route 10.244.0.0/16 is missing",
            "default.p1: route default is missing",
            "default.p1: route default (IPv6) is missing",
            "default.p1: route fd00:10:244::/56 is missing",
            "default.p1: veth eth0 is missing",
            f"n1: veth {_PORT} is missing",
        ],
    ),
    "router's cable": (
        "ip -n @fabric link del router.0",
        [
            "fabric: veth router.0 is missing",
            "router: address 172.18.0.1/16 on eth0 is missing",
            "router: address fd00:172:18::1/64 on eth0 is missing",
            "router: veth eth0 is missing",
        ],
    ),
    "all tables": (
        "ip netns exec @n1 nft flush ruleset",
        ["n1: nft table ip flannel-ipv4 is missing", "n1: nft table ip6 flannel-ipv6 is missing"],
    ),
    "lo is down": ("ip -n @default.p1 link set lo down", ["default.p1: lo is down, address ::1/128 on lo is missing"]),
    "loopback address": ("ip -n @n2 addr del 127.0.0.1/8 dev lo", ["n2: address 127.0.0.1/8 on lo is missing"]),
    "default rule": ("ip -n @n1 rule del priority 32767", ["n1: rule 32767 (IPv4) from all lookup 253 is missing"]),
    "default IPv6 rule": ("ip -6 -n @n1 rule del priority 32766", ["n1: rule 32766 (IPv6) from all lookup 254 is missing"]),
    "connected route": (
        "ip -n @n1 route del 10.244.0.0/24 dev cni0",
        ["n1: address 10.244.0.1/24 on cni0: its connected route 10.244.0.0/24 is missing"],
    ),
    "connected IPv6 route": (
        "ip -6 -n @n1 route del fd00:172:18::/64 dev eth0",
        ["n1: address fd00:172:18::b/64 on eth0: its connected route fd00:172:18::/64 is missing"],
    ),
    "local route": (
        "ip -n @n1 route del table local 172.18.0.11 dev eth0",
        ["n1: address 172.18.0.11/16 on eth0: its local route 172.18.0.11 is missing"],
    ),
    "local IPv6 route": (
        "ip -6 -n @n1 route del table local fd00:172:18::b dev eth0",
        ["n1: address fd00:172:18::b/64 on eth0: its local route fd00:172:18::b is missing"],
    ),
    "all routes": (
        "ip -n @n1 route flush table main",
        [
            "n1: address 10.244.0.1/24 on cni0: its connected route 10.244.0.0/24 is missing",
            "n1: address 172.18.0.11/16 on eth0: its connected route 172.18.0.0/16 is missing",
            "n1: route 10.244.1.0/24 is missing",
            "n1: route default is missing",
        ],
    ),
}


@pytest.mark.parametrize(("script", "expected"), _GONE.values(), ids=list(_GONE))
def test_what_went_is_named_and_made_again(shared: Callable[[str, str], Running], script: str, expected: list[str]) -> None:
    _check(shared("vxlan", "dual"), script, expected)


@pytest.mark.parametrize("netns", ["fabric", "router", "n1", "default.p1"])
@pytest.mark.parametrize("script", ["ip netns del @{}", "umount /run/netns/@{}"])
@pytest.mark.parametrize("backend", ["host-gw", "vxlan"])
def test_lost_namespace_is_named_and_made_again(
    shared: Callable[[str, str], Running], backend: str, script: str, netns: str
) -> None:
    cluster = shared(backend, "dual")
    cluster.shell(script.format(netns))
    drift = cluster.drift()
    assert f"{netns}: namespace is missing" in drift
    assert {line for line in drift if line.startswith(f"{netns}:")} >= {
        f"{netns}: {title(item)} is missing" for item in cluster.plan if item.netns == netns and not isinstance(item, Sysctl)
    }
    cluster.up()
    assert cluster.drift() == []
    assert cluster.ping("default.p1", "10.244.1.2") == 62


def test_fabric_and_router_lost_at_once(shared: Callable[[str, str], Running]) -> None:
    cluster = shared("vxlan", "dual")
    cluster.shell("ip netns del @fabric; ip netns del @router")
    cluster.up()
    assert cluster.drift() == []
    assert cluster.ping("n1", "172.18.0.1") == 64


def test_every_device_of_a_node_lost_at_once(shared: Callable[[str, str], Running]) -> None:
    cluster = shared("vxlan", "dual")
    cluster.shell("for dev in eth0 cni0 $(ip -n @n1 -o link | grep -o 'veth[0-9a-f]*'); do ip -n @n1 link del $dev; done")
    cluster.up()
    assert cluster.drift() == []
    assert cluster.ping("default.p1", "10.244.0.3") == 64


# --- changed ----------------------------------------------------------------------------------------------------------------------

_CHANGED = {
    "mtu of a node": ("ip -n @n1 link set eth0 mtu 1400", ["n1: veth eth0: mtu is 1400, should be 1500"]),
    "mtu of a bridge": ("ip -n @n1 link set cni0 mtu 1400", ["n1: bridge cni0: mtu is 1400, should be 1450"]),
    "mtu of a tunnel": ("ip -n @n1 link set flannel.1 mtu 1300", ["n1: vxlan flannel.1: mtu is 1300, should be 1450"]),
    "mtu of a pod": ("ip -n @default.p1 link set eth0 mtu 1300", ["default.p1: veth eth0: mtu is 1300, should be 1450"]),
    "mac": (
        "ip -n @n1 link set eth0 address 02:00:00:00:00:01",
        [f"n1: veth eth0: mac is 02:00:00:00:00:01, should be {mac_address('n1', 'eth0')}"],
    ),
    "mac of a bridge": (
        "ip -n @n1 link set cni0 address 02:00:00:00:00:01",
        [f"n1: bridge cni0: mac is 02:00:00:00:00:01, should be {mac_address('n1', 'cni0')}"],
    ),
    "node down": (
        "ip -n @n1 link set eth0 down",
        [
            "n1: address fd00:172:18::b/64 on eth0 is missing",
            "n1: route default is missing",
            "n1: route default (IPv6) is missing",
            "n1: veth eth0: up is off, should be on",
        ],
    ),
    "tunnel down": (
        "ip -n @n1 link set flannel-v6.1 down",
        [
            "n1: address fd00:10:244::/128 on flannel-v6.1 is missing",
            "n1: neighbour fd00:10:244:1:: on flannel-v6.1 is missing",
            "n1: route fd00:10:244:1::/64 is missing",
            "n1: vxlan flannel-v6.1: up is off, should be on",
        ],
    ),
    "port down": (f"ip -n @n1 link set {_PORT} down", [f"n1: veth {_PORT}: up is off, should be on"]),
    "port without bridge": (
        f"ip -n @n1 link set {_PORT} nomaster",
        [
            f"n1: veth {_PORT}: master is none, should be cni0, port is none, should be hairpin on isolated off learning on flood on"
        ],
    ),
    "port on another bridge": (
        f"ip -n @n1 link add br9 type bridge; ip -n @n1 link set {_PORT} master br9",
        ["n1: bridge br9 should not be there", f"n1: veth {_PORT}: master is br9, should be cni0, hairpin is off, should be on"],
    ),
    "hairpin off": (f"bridge -n @n1 link set dev {_PORT} hairpin off", [f"n1: veth {_PORT}: hairpin is off, should be on"]),
    "hairpin on": ("bridge -n @fabric link set dev n1 hairpin on", ["fabric: veth n1: hairpin is on, should be off"]),
    "isolated": (f"bridge -n @n1 link set dev {_PORT} isolated on", [f"n1: veth {_PORT}: isolated is on, should be off"]),
    "port learning": (f"bridge -n @n1 link set dev {_PORT} learning off", [f"n1: veth {_PORT}: learning is off, should be on"]),
    "port flood": (f"bridge -n @n1 link set dev {_PORT} flood off", [f"n1: veth {_PORT}: flood is off, should be on"]),
    "bridge's ageing": (
        "ip -n @n1 link set cni0 type bridge ageing_time 100",
        ["n1: bridge cni0: ageing_seconds is 1, should be 300"],
    ),
    "bridge's spanning tree": ("ip -n @n1 link set cni0 type bridge stp_state 1", ["n1: bridge cni0: stp is on, should be off"]),
    "snooping off": (
        "ip -n @n1 link set cni0 type bridge mcast_snooping 0",
        ["n1: bridge cni0: multicast_snooping is off, should be on"],
    ),
    "snooping on": (
        "ip -n @fabric link set br.lan type bridge mcast_snooping 1",
        ["fabric: bridge br.lan: multicast_snooping is on, should be off"],
    ),
    "tunnel learns": ("ip -n @n1 link set flannel.1 type vxlan learning", ["n1: vxlan flannel.1: learning is on, should be off"]),
    "another tunnel": (
        "mac=$(ip -n @n1 -o link show flannel.1 | grep -o 'ether [0-9a-f:]*')\n"
        "index=$(ip -n @n1 -o link show flannel.1 | cut -d: -f1)\n"
        "ip -n @n1 link del flannel.1\n"
        "ip -n @n1 link add flannel.1 index $index address ${mac#ether } "
        "type vxlan id 7 dev eth0 local 172.18.0.11 dstport 4789 nolearning\n"
        "ip netns exec @n1 sysctl -qw net/ipv6/conf/flannel.1/accept_ra=0; ip -n @n1 link set flannel.1 up",
        [
            "n1: address 10.244.0.0/32 on flannel.1 is missing",
            f"n1: forwarding entry {_TUNNEL} on flannel.1 to 172.18.0.12 is missing",
            "n1: neighbour 10.244.1.0 on flannel.1 is missing",
            "n1: route 10.244.1.0/24 is missing",
            "n1: vxlan flannel.1: vni is 7, should be 1, port is 4789, should be 8472",
        ],
    ),
    "promiscuous": ("ip -n @n1 link set eth0 promisc on", ["n1: veth eth0: flags is promisc, should be none"]),
    "no multicast": ("ip -n @n1 link set eth0 multicast off", ["n1: veth eth0: flags is nomulticast, should be none"]),
    "all multicast": ("ip -n @n1 link set eth0 allmulticast on", ["n1: veth eth0: flags is allmulti, should be none"]),
    "no ARP": ("ip -n @n1 link set cni0 arp off", ["n1: bridge cni0: flags is noarp, should be none"]),
    "queue length": ("ip -n @n1 link set eth0 txqueuelen 77", ["n1: veth eth0: queue_length is 77, should be 1000"]),
    "alias": ("ip -n @n1 link set eth0 alias mine", ["n1: veth eth0: alias is mine, should be none"]),
    "mtu of lo": ("ip -n @n1 link set lo mtu 9000", ["n1: device lo: mtu is 9000, should be 65536"]),
    "renamed device": (
        "ip -n @n2 link set eth0 down; ip -n @n2 link set eth0 name lan0",
        [
            "fabric: veth n2: peer is lan0, should be eth0",
            "n2: address 172.18.0.12/16 on eth0 is missing",
            "n2: address fd00:172:18::c/64 on eth0 is missing",
            "n2: route default is missing",
            "n2: route default (IPv6) is missing",
            "n2: veth eth0 is missing",
            "n2: veth lan0 should not be there",
            "n2: vxlan flannel-v6.1: lower is lan0, should be eth0",
            "n2: vxlan flannel.1: lower is lan0, should be eth0",
        ],
    ),
    "device in another namespace": (
        "ip -n @fabric link set n1 netns @default.p1",
        [
            "default.p1: veth n1 should not be there",
            "fabric: veth n1 is missing",
            "n1: veth eth0: peer_netns is default.p1, should be fabric",
        ],
    ),
    "prefix length": (
        "ip -n @n2 addr del 10.244.1.1/24 dev cni0; ip -n @n2 addr add 10.244.1.1/25 brd 10.244.1.127 dev cni0",
        ["n2: address 10.244.1.1/24 on cni0 is missing", "n2: address 10.244.1.1/25 on cni0 should not be there"],
    ),
    "broadcast": (
        "ip -n @n2 addr del 10.244.1.1/24 dev cni0; ip -n @n2 addr add 10.244.1.1/24 brd 10.244.1.254 dev cni0",
        ["n2: address 10.244.1.1/24 on cni0: broadcast is 10.244.1.254, should be 10.244.1.255"],
    ),
    "scope": (
        "ip -n @n2 addr del 10.244.1.1/24 dev cni0; ip -n @n2 addr add 10.244.1.1/24 brd 10.244.1.255 scope link dev cni0",
        ["n2: address 10.244.1.1/24 on cni0: scope is link, should be global"],
    ),
    "gateway": (
        "ip -n @n1 route replace default via 172.18.0.12",
        ["n1: route default: via is 172.18.0.12, should be 172.18.0.1"],
    ),
    "IPv6 gateway": (
        "ip -6 -n @n1 route replace default via fd00:172:18::c metric 1024",
        ["n1: route default (IPv6): via is fd00:172:18::c, should be fd00:172:18::1"],
    ),
    "second gateway": (
        "ip -n @n1 route append default via 172.18.0.12",
        ["n1: route default should not be there"],
    ),
    "two gateways at once": (
        "ip -n @n1 route replace default nexthop via 172.18.0.12 nexthop via 172.18.0.1",
        ["n1: route default: dev is none, should be eth0, via is multipath, should be 172.18.0.1"],
    ),
    "two IPv6 gateways at once": (
        "ip -6 -n @n1 route append default via fd00:172:18::c metric 1024",
        ["n1: route default (IPv6): dev is none, should be eth0, via is multipath, should be fd00:172:18::1"],
    ),
    "route past the tunnel": (
        "ip -n @n1 route change 10.244.1.0/24 via 172.18.0.12 dev eth0",
        [
            "n1: route 10.244.1.0/24: dev is eth0, should be flannel.1, via is 172.18.0.12, should be 10.244.1.0, "
            "onlink is off, should be on"
        ],
    ),
    "IPv6 route past the tunnel": (
        "ip -6 -n @n1 route del fd00:10:244:1::/64; ip -6 -n @n1 route add fd00:10:244:1::/64 via fd00:172:18::c dev eth0",
        [
            "n1: route fd00:10:244:1::/64: dev is eth0, should be flannel-v6.1, via is fd00:172:18::c, should be fd00:10:244:1::, "
            "onlink is off, should be on"
        ],
    ),
    "route's protocol": (
        "ip -n @n1 route replace default via 172.18.0.1 proto static",
        ["n1: route default: protocol is static, should be boot"],
    ),
    "route's mtu": ("ip -n @n1 route replace default via 172.18.0.1 mtu 1200", ["n1: route default: mtu is 1200, should be 0"]),
    "neighbour": (
        "ip -n @n1 neigh replace 10.244.1.0 lladdr 02:00:00:00:00:09 dev flannel.1 nud permanent",
        [f"n1: neighbour 10.244.1.0 on flannel.1: mac is 02:00:00:00:00:09, should be {_TUNNEL}"],
    ),
    "neighbour that may change": (
        f"ip -n @n1 neigh replace 10.244.1.0 lladdr {_TUNNEL} dev flannel.1 nud reachable",
        ["n1: neighbour 10.244.1.0 on flannel.1 is missing"],
    ),
    "forwarding entry": (
        f"bridge -n @n1 fdb replace {_TUNNEL} dev flannel.1 dst 172.18.0.99",
        [
            f"n1: forwarding entry {_TUNNEL} on flannel.1 to 172.18.0.12 is missing",
            f"n1: forwarding entry {_TUNNEL} on flannel.1 to 172.18.0.99 should not be there",
        ],
    ),
    "chain flushed": (
        "ip netns exec @n1 nft flush chain ip flannel-ipv4 postrtg",
        [
            'n1: nft table ip flannel-ipv4: chain postrtg: "meta mark 0x00004000 return", '
            '"ip saddr 10.244.0.0/24 ip daddr 10.244.0.0/16 return" and 4 more are missing',
        ],
    ),
    "table flushed": (
        "ip netns exec @n1 nft flush table ip flannel-ipv4",
        [
            'n1: nft table ip flannel-ipv4: chain forward: "ip saddr 10.244.0.0/16 accept", "ip daddr 10.244.0.0/16 accept" '
            'are missing, chain postrtg: "meta mark 0x00004000 return", '
            '"ip saddr 10.244.0.0/24 ip daddr 10.244.0.0/16 return" and 4 more are missing',
        ],
    ),
    "rule added": (
        "ip netns exec @n1 nft add rule ip6 flannel-ipv6 forward drop",
        ['n1: nft table ip6 flannel-ipv6: chain forward: "drop" should not be there'],
    ),
    "set added": (
        "ip netns exec @n1 nft 'add set ip flannel-ipv4 mine { type ipv4_addr; }'",
        ["n1: nft table ip flannel-ipv4: set mine should not be there"],
    ),
    "table dormant": (
        "ip netns exec @n1 nft 'add table ip flannel-ipv4 { flags dormant; }'",
        ['n1: nft table ip flannel-ipv4: "flags dormant" should not be there'],
    ),
    "chain policy": (
        "ip netns exec @n1 nft 'chain ip flannel-ipv4 forward { policy drop; }'",
        [
            'n1: nft table ip flannel-ipv4: chain forward: "type filter hook forward priority filter; policy accept;" is missing, '
            '"type filter hook forward priority filter; policy drop;" should not be there',
        ],
    ),
}


@pytest.mark.parametrize(("script", "expected"), _CHANGED.values(), ids=list(_CHANGED))
def test_what_changed_is_named_and_mended(shared: Callable[[str, str], Running], script: str, expected: list[str]) -> None:
    _check(shared("vxlan", "dual"), script, expected)


_SETTINGS = {
    "no forwarding": (
        "net.ipv4.ip_forward=0",
        [
            _setting("n1", "net/ipv4/conf/all/accept_redirects", "1", "0"),
            _setting("n1", "net/ipv4/ip_forward", "0", "1"),
            *(_setting("n1", f"net/ipv4/conf/{dev}/forwarding", "0", "1") for dev in ("all", "default", "lo", *_NODE_DEVICES)),
        ],
    ),
    "no IPv6 forwarding": (
        "net.ipv6.conf.all.forwarding=0",
        [_setting("n1", f"net/ipv6/conf/{dev}/forwarding", "0", "1") for dev in ("all", "default", "lo", *_NODE_DEVICES)],
    ),
    "device": ("net/ipv4/conf/eth0/rp_filter=1", [_setting("n1", "net/ipv4/conf/eth0/rp_filter", "1", "0")]),
    "all": ("net.ipv4.conf.all.rp_filter=2", [_setting("n1", "net/ipv4/conf/all/rp_filter", "2", "0")]),
    "forwarding of a device": ("net/ipv4/conf/cni0/forwarding=0", [_setting("n1", "net/ipv4/conf/cni0/forwarding", "0", "1")]),
    "asked for": ("net/ipv6/conf/cni0/accept_ra=1", [_setting("n1", "net/ipv6/conf/cni0/accept_ra", "1", "0")]),
    "not asked for": ("net/ipv6/conf/eth0/accept_ra=0", [_setting("n1", "net/ipv6/conf/eth0/accept_ra", "0", "1")]),
    "IPv6 of a device": (
        "net/ipv6/conf/cni0/disable_ipv6=1",
        ["n1: address fd00:10:244::1/64 on cni0 is missing", _setting("n1", "net/ipv6/conf/cni0/disable_ipv6", "1", "0")],
    ),
    "neighbours": ("net/ipv4/neigh/eth0/proxy_delay=0", [_setting("n1", "net/ipv4/neigh/eth0/proxy_delay", "0", "80")]),
    "IPv6 neighbours": ("net/ipv6/neigh/eth0/gc_stale_time=5", [_setting("n1", "net/ipv6/neigh/eth0/gc_stale_time", "5", "60")]),
    "bridge filters": ("net.bridge.bridge-nf-call-iptables=0", [_setting("n1", "net/bridge/bridge-nf-call-iptables", "0", "1")]),
    "several numbers": ("net.ipv4.ping_group_range=0 0", [_setting("n1", "net/ipv4/ping_group_range", "0 0", "1 0")]),
    "connection tracking": (
        "net.netfilter.nf_conntrack_tcp_be_liberal=1",
        [_setting("n1", "net/netfilter/nf_conntrack_tcp_be_liberal", "1", "0")],
    ),
}


@pytest.mark.parametrize(("setting", "expected"), _SETTINGS.values(), ids=list(_SETTINGS))
def test_changed_setting_is_named_and_mended(shared: Callable[[str, str], Running], setting: str, expected: list[str]) -> None:
    _check(shared("vxlan", "dual"), f"ip netns exec @n1 sysctl -qw '{setting}'", expected)


def test_ipv6_switched_off_everywhere_comes_back(shared: Callable[[str, str], Running]) -> None:
    cluster = shared("vxlan", "dual")
    cluster.shell("ip netns exec @n1 sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
    assert "n1: address ::1/128 on lo is missing" in cluster.drift()
    cluster.up()
    assert cluster.drift() == []
    assert cluster.ping("default.p1", "fd00:10:244:1::2") == 62


# --- added ------------------------------------------------------------------------------------------------------------------------

_ADDED = {
    "address": ("ip -n @n1 addr add 172.18.0.99/16 dev eth0", ["address 172.18.0.99/16 on eth0"]),
    "address of another network": ("ip -n @n1 addr add 9.9.9.9/32 dev cni0", ["address 9.9.9.9/32 on cni0"]),
    "IPv6 address": ("ip -n @n1 addr add fd99::1/64 dev eth0", ["address fd99::1/64 on eth0"]),
    "link-local address": ("ip -n @n1 addr add 169.254.3.3/24 dev eth0 scope link", ["address 169.254.3.3/24 on eth0"]),
    "address on lo": ("ip -n @n1 addr add 10.9.9.9/32 dev lo", ["address 10.9.9.9/32 on lo"]),
    "route": ("ip -n @n1 route add 99.0.0.0/8 via 172.18.0.1", ["route 99.0.0.0/8"]),
    "route with metric": ("ip -n @n1 route add default via 172.18.0.12 metric 50", ["route default metric 50"]),
    "route in a table": ("ip -n @n1 route add 99.0.0.0/8 via 172.18.0.1 table 1000", ["route 99.0.0.0/8 in table 1000"]),
    "route of two gateways": (
        "ip -n @n1 route add 99.0.0.0/8 nexthop via 172.18.0.12 nexthop via 172.18.0.1",
        ["route 99.0.0.0/8"],
    ),
    "blackhole": ("ip -n @n1 route add blackhole 10.244.1.2/32", ["blackhole route 10.244.1.2/32"]),
    "IPv6 route": ("ip -6 -n @n1 route add fd88::/64 via fd00:172:18::1", ["route fd88::/64"]),
    "unreachable IPv6": ("ip -6 -n @n1 route add unreachable fd88::/64", ["unreachable route fd88::/64"]),
    "local route": ("ip -n @n1 route add table local local 5.5.5.5 dev lo", ["local route 5.5.5.5/32 in table 255"]),
    "rule": (
        "ip -n @n1 rule add from 1.2.3.0/24 to 4.4.4.4 oif eth0 lookup 1000 priority 50",
        ["rule 50 (IPv4) from 1.2.3.0/24 to 4.4.4.4/32 oif eth0 lookup 1000"],
    ),
    "rule on a mark": (
        "ip -n @n1 rule add fwmark 0x10/0xff blackhole priority 51",
        ["rule 51 (IPv4) from all fwmark 0x10/0xff blackhole"],
    ),
    "IPv6 rule": ("ip -6 -n @n1 rule add iif eth0 lookup 100 priority 52", ["rule 52 (IPv6) from all iif eth0 lookup 100"]),
    "rule on a port": ("ip -n @n1 rule add ipproto 6 dport 80 lookup 1000 priority 53", ["rule 53 (IPv4) from all lookup 1000"]),
    "neighbour": (
        "ip -n @n1 neigh add 172.18.0.77 lladdr 02:00:00:00:00:09 dev eth0 nud permanent",
        ["neighbour 172.18.0.77 on eth0"],
    ),
    "proxied neighbour": ("ip -n @n1 neigh add proxy 1.2.3.4 dev eth0", ["proxied neighbour 1.2.3.4 on eth0"]),
    "proxied IPv6 neighbour": ("ip -n @n1 neigh add proxy fd00::7 dev eth0", ["proxied neighbour fd00::7 on eth0"]),
    "tunnel's entry": (
        "bridge -n @n1 fdb add 02:00:00:00:00:09 dev flannel.1 dst 172.18.0.12",
        ["forwarding entry 02:00:00:00:00:09 on flannel.1 to 172.18.0.12"],
    ),
    "tunnel's flooding": (
        "bridge -n @n1 fdb append 00:00:00:00:00:00 dev flannel.1 dst 172.18.0.12",
        ["forwarding entry 00:00:00:00:00:00 on flannel.1 to 172.18.0.12"],
    ),
    "bridge's entry": (
        f"bridge -n @n1 fdb add 02:00:00:00:00:09 dev {_PORT} master static",
        [f"forwarding entry 02:00:00:00:00:09 on {_PORT}"],
    ),
    "device's own entry": (
        "bridge -n @n1 fdb add 02:00:00:00:00:09 dev eth0 self",
        ["forwarding entry 02:00:00:00:00:09 on eth0"],
    ),
    "bridge's own entry": (
        "bridge -n @n1 fdb add 02:00:00:00:00:09 dev cni0 self",
        ["forwarding entry 02:00:00:00:00:09 on cni0"],
    ),
    "bridge": ("ip -n @n1 link add br9 type bridge", ["bridge br9"]),
    "bridge with an address": ("ip -n @n1 link add br9 up type bridge; ip -n @n1 addr add 7.7.7.7/24 dev br9", ["bridge br9"]),
    "veth": ("ip -n @n1 link add one type veth peer name two", ["veth one", "veth two"]),
    "tunnel": ("ip -n @n1 link add other type vxlan id 9 dev eth0 dstport 4789", ["vxlan other"]),
    "table": ("ip netns exec @n1 nft add table inet mine", ["nft table inet mine"]),
    "qdisc": ("tc -n @n1 qdisc add dev eth0 root tbf rate 1mbit burst 32kbit latency 400ms", ["qdisc tbf on eth0 root"]),
    "next hop": ("ip -n @n1 nexthop add id 5 via 172.18.0.12 dev eth0", ["nexthop 5"]),
    "IPsec policy": (
        "ip -n @n1 xfrm policy add dir out src 10.244.0.2 dst 10.244.1.2 action block",
        ["xfrm policy out src 10.244.0.2/32 dst 10.244.1.2/32"],
    ),
    "IPv6 IPsec policy": (
        "ip -n @n1 xfrm policy add dir fwd src fd00::/64 dst ::/0 action allow",
        ["xfrm policy fwd src fd00::/64 dst ::/0"],
    ),
    "IPsec state": (
        "ip -n @n1 xfrm state allocspi src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel min 0x100 max 0x100",
        ["xfrm state src 10.0.0.1 dst 10.0.0.2 spi 0x100"],
    ),
    "IPv6 IPsec state": (
        "ip -n @n1 xfrm state allocspi src fd00::1 dst fd00::2 proto esp mode tunnel min 0x101 max 0x101",
        ["xfrm state src fd00::1 dst fd00::2 spi 0x101"],
    ),
    "clsact": ("tc -n @n1 qdisc add dev eth0 clsact", ["qdisc clsact on eth0 ingress"]),
}


@pytest.mark.parametrize(("script", "expected"), _ADDED.values(), ids=list(_ADDED))
def test_what_was_added_is_named_and_removed(shared: Callable[[str, str], Running], script: str, expected: list[str]) -> None:
    _check(shared("vxlan", "dual"), script, [f"n1: {what} should not be there" for what in expected])


def test_veth_into_another_namespace_is_removed(shared: Callable[[str, str], Running]) -> None:
    script = "ip -n @n1 link add back type veth peer name door netns @default.p2"
    _check(shared("vxlan", "dual"), script, ["default.p2: veth door should not be there", "n1: veth back should not be there"])


def test_namespace_of_ours_that_nobody_planned_is_removed(shared: Callable[[str, str], Running]) -> None:
    cluster = shared("vxlan", "dual")
    script = f"ip netns add @extra; ip -n @extra link set lo alias kemu:{cluster.name}.extra"
    _check(cluster, script, ["extra: namespace should not be there"])


def test_many_things_at_once_are_mended_by_one_up(shared: Callable[[str, str], Running]) -> None:
    cluster = shared("vxlan", "dual")
    cluster.shell(
        "ip netns del @default.p2; ip -n @n1 link del flannel.1; ip -n @n2 route flush table main; ip -n @n2 link set cni0 down\n"
        "ip netns exec @n2 nft flush ruleset; ip netns exec @n1 sysctl -qw net.ipv4.ip_forward=0; ip -n @router link del eth0"
    )
    cluster.up()
    assert cluster.drift() == []
    assert cluster.ping("default.p1", "10.244.1.2") == 62
    assert cluster.ping("n1", "fd00:172:18::1") == 64
