"""One object of every kind and shape."""

from __future__ import annotations

from kemu.plan.objects import (
    MACHINE,
    Addr,
    Bridge,
    BridgePort,
    Fdb,
    Foreign,
    Forwarding,
    Link,
    Loopback,
    Neigh,
    Netem,
    Netns,
    NftTable,
    Object,
    Pfifo,
    Process,
    Qdisc,
    Route,
    Rule,
    Stray,
    Sysctl,
    Tbf,
    Veth,
    Vxlan,
)

_MAC = "02:00:00:00:00:01"


def _link(detail: Veth | Bridge | Vxlan | Loopback | Foreign, **other: object) -> Link:
    return Link(netns="n1", name="dev0", index=7, mac=_MAC, mtu=1450, detail=detail, **other)  # type: ignore[arg-type]


SAMPLES: dict[str, Object] = {
    "namespace": Netns(netns="n1"),
    "namespace that lacks": Netns(netns="n1", lacks=("lo up", "rule 4 0 255")),
    "veth": _link(Veth(peer_netns="default.p1", peer="eth0"), master="cni0", port=BridgePort(hairpin=True)),
    "bridge": _link(Bridge(ageing_seconds=10, stp=True, multicast_snooping=False, vlan_filtering=True), up=False),
    "vxlan": _link(Vxlan(vni=1, local="172.18.0.11", lower="eth0", port=8472, learning=False), flags=("noarp", "promisc")),
    "vxlan over IPv6": _link(Vxlan(vni=1, local="fd00::b", lower="eth0", port=8472)),
    "lo": _link(Loopback(), alias="kemu:demo.n1", queue_length=5),
    "foreign device": _link(Foreign(kind="dummy")),
    "address": Addr(netns="n1", dev="eth0", address="10.0.0.1/24", broadcast="10.0.0.255", lacks=("local 10.0.0.1",)),
    "address with scope": Addr(netns="n1", dev="lo", address="10.0.0.1/32", scope="host"),
    "IPv6 address": Addr(netns="n1", dev="eth0", address="fd00::1/64"),
    "default route": Route(netns="n1", dst="0.0.0.0/0", dev="eth0", via="10.0.0.254"),
    "IPv6 default route": Route(netns="n1", dst="::/0", dev="eth0", via="fd00::1", metric=5),
    "on-link route": Route(netns="n1", dst="10.1.0.0/24", dev="flannel.1", via="10.1.0.0", onlink=True),
    "full route": Route(
        netns="n1", dst="10.1.0.0/24", dev="eth0", src="10.0.0.1", table=1000, metric=50, protocol="80", scope="link", mtu=1400
    ),
    "blackhole": Route(netns="n1", dst="fd00::/64", type="blackhole", metric=1024),
    "rule": Rule(netns="n1", family=4, priority=50, table=1000, src="10.0.0.0/8", dst="9.9.9.9/32", iif="eth0", oif="eth1"),
    "rule on a mark": Rule(netns="n1", family=6, priority=51, mark="0x10/0xff", action="unreachable"),
    "agent": Process(netns="fabric", kind="agent", pod="", name="agent", command=("python3", "-m", "kemu.agent")),
    "container": Process(
        netns="default.p1",
        kind="container",
        pod="default.p1",
        name="server",
        command=("sh", "-c", "sleep inf"),
        env=("A=b c",),
        restart="Always",
    ),
    "neighbour": Neigh(netns="n1", dev="flannel.1", address="10.1.0.0", mac=_MAC),
    "proxied neighbour": Neigh(netns="n1", dev="eth0", address="fd00::7", mac="", proxy=True),
    "tunnel's entry": Fdb(netns="n1", dev="flannel.1", mac=_MAC, dst="172.18.0.12"),
    "bridge's entry": Fdb(netns="n1", dev="veth0", mac=_MAC),
    "own entry": Fdb(netns="n1", dev="eth0", mac=_MAC, own=True),
    "setting": Sysctl(netns="n1", name="net/ipv4/conf/flannel.1/rp_filter", value="1"),
    "rate": Qdisc(
        netns="n1",
        dev="eth0",
        parent="root",
        handle="1:",
        detail=Tbf(rate_bits_per_second=5_000_000, burst_bytes=3028, limit_bytes=33308),
    ),
    "delay and more": Qdisc(
        netns="n1",
        dev="eth0",
        parent="1:1",
        handle="2:",
        detail=Netem(
            limit_packets=100,
            delay_seconds=0.08,
            jitter_seconds=0.0025,
            loss_ratio=0.001,
            duplicate_ratio=0.25,
            reorder_ratio=1.0,
        ),
    ),
    "queue": Qdisc(netns="n1", dev="eth0", parent="1:1", handle="2:", detail=Pfifo(limit_packets=50)),
    "foreign qdisc": Qdisc(netns="n1", dev="eth0", parent="root", handle="8001:", detail=Foreign(kind="htb")),
    "bridge's table": NftTable(netns="fabric", family="bridge", name="fabric", body="\tchain c {\n\t\tdrop\n\t}"),
    "machine's veth": Link(
        netns=MACHINE,
        name="kemu-demo",
        index=7,
        mac=_MAC,
        mtu=1500,
        detail=Veth(peer_netns="router", peer="internet"),
        alias="kemu:demo.machine",
    ),
    "machine's address": Addr(netns=MACHINE, dev="kemu-demo", address="198.18.0.1/30", broadcast="198.18.0.3"),
    "machine's setting": Sysctl(netns=MACHINE, name="net/ipv6/conf/kemu-demo/disable_ipv6", value="1"),
    "machine's table": NftTable(netns=MACHINE, family="inet", name="kemu-demo", body="\tchain c {\n\t\tdrop\n\t}"),
    "forwarding": Forwarding(netns=MACHINE, family=4, inner="kemu-demo"),
    "IPv6 forwarding": Forwarding(netns=MACHINE, family=6, inner="kemu-demo", lacks=("net/ipv6/conf/all/forwarding",)),
    "next hop": Stray(netns="n1", kind="nexthop", name="5"),
    "IPsec policy": Stray(netns="n1", kind="xfrm policy", name="out src 10.0.0.1/32 dst 10.0.0.2/32"),
    "table": NftTable(netns="n1", family="ip", name="mine", body="\tchain c {\n\t\tdrop\n\t}"),
}
