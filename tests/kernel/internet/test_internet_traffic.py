"""What passes and what does not, by real packets."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from internet_world import CLUSTERS_OWN, MACHINE, SOMEBODY, Online, World, answers, ask, heard, is_silent

from kemu.kernel.netns import path_of

pytestmark = pytest.mark.kernel

_VERSIONS = {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}
_FAR = {4: "10.244.1.2", 6: "fd00:10:244:1::2"}
_OWN = {4: "10.244.0.2", 6: "fd00:10:244::2"}


def _is_inner(address: str) -> bool:
    return any(ip_address(address) in network for network in CLUSTERS_OWN)


@pytest.mark.parametrize(
    ("backend", "family"), [("vxlan", "ipv4"), ("vxlan", "dual"), ("vxlan", "ipv6"), ("host-gw", "ipv4"), ("host-gw", "dual")]
)
def test_pod_gets_out_with_the_address_of_the_link_and_then_of_the_machine(
    world: World, make_online: Callable[..., Online], backend: str, family: str
) -> None:
    cluster = make_online(backend=backend, family=family)
    cluster.up()
    pod = path_of(cluster.name, "default.p1")
    for version in _VERSIONS[family]:
        with heard(world.path("machine"), cluster.device) as inside, heard(world.path("outside"), "eth0") as outside:
            assert ask(world.path("outside"), pod, SOMEBODY[version]) == MACHINE[version]
        [link] = [one for one in cluster.link_addresses() if (one, SOMEBODY[version]) in inside]
        assert inside == {(link, SOMEBODY[version]), (SOMEBODY[version], link)}
        assert outside == {(MACHINE[version], SOMEBODY[version]), (SOMEBODY[version], MACHINE[version])}
    assert cluster.drift() == []


@pytest.mark.parametrize("family", ["dual"])
def test_nodes_and_hosts_get_out_too_and_pods_stay_untranslated_among_themselves(
    world: World, make_online: Callable[..., Online], family: str
) -> None:
    cluster = make_online(family=family)
    cluster.up()
    for version in _VERSIONS[family]:
        assert answers(path_of(cluster.name, "n1"), SOMEBODY[version])
        there, here = (path_of(cluster.name, f"default.{pod}") for pod in ("p2", "p1"))
        assert ask(there, here, _FAR[version]) == _OWN[version]


def test_nobody_comes_in(world: World, make_online: Callable[..., Online]) -> None:
    cluster = make_online("198.18.4.0/30 fd00:7::/126", family="dual")
    cluster.up()
    for version, link in ((4, "198.18.4.2"), (6, "fd00:7::2")):
        inner = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}[version]
        world.shell("outside", f"ip -{version} route add {inner} via {MACHINE[version]}")
        world.shell("outside", f"ip -{version} route add {link} via {MACHINE[version]}")
        world.shell("machine", f"ip -{version} route add {inner} via {link}")
        for side in ("outside", "machine"):
            assert is_silent(world.path(side), link), "the router of the cluster"
            assert is_silent(world.path(side), _OWN[version]), "a pod"
        world.shell("machine", f"ip -{version} route del {inner}")
    assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[4]), "the way out is still there"


def test_what_the_cluster_does_not_know_of_itself_never_leaves(world: World, make_online: Callable[..., Online]) -> None:
    cluster = make_online(family="dual")
    cluster.up()
    with heard(world.path("machine"), cluster.device) as packets:
        for address in ("10.244.99.9", "fd00:10:244:99::9"):
            answer = cluster.shell(f"ip netns exec @n1 ping -n -c 1 -W 2 {address} || true")
            assert "nreachable" in answer
        assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[4])
    assert packets
    assert not [pair for pair in packets if any(map(_is_inner, pair))]


def test_packet_of_no_connection_never_leaves(world: World, online: Online) -> None:
    """A TCP reset that nobody knows of is not translated; it would show the machine a cluster's address."""
    online.up()
    reset = (
        "import socket,struct;"
        "s=socket.socket(socket.AF_INET,socket.SOCK_RAW,socket.IPPROTO_TCP);"
        f"s.sendto(struct.pack('!HHIIBBHHH',1,9,1,1,0x50,0x04,0,0,0),('{SOMEBODY[4]}',0))"
    )
    with heard(world.path("machine"), online.device) as packets:
        online.shell(f'ip netns exec @default.p1 python3 -c "{reset}"')
        assert answers(path_of(online.name, "default.p1"), SOMEBODY[4])
    assert packets
    assert not [pair for pair in packets if any(map(_is_inner, pair))]


def test_two_clusters_at_once(world: World, make_online: Callable[..., Online]) -> None:
    one, other = make_online(), make_online(backend="host-gw")
    one.up()
    other.up()
    for cluster in (one, other):
        assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[4])
        assert cluster.drift() == []
    silent = [address for address in other.link_addresses() if is_silent(path_of(one.name, "default.p1"), address)]
    assert len(silent) == 1, "one cluster meets the machine's end of the other's link, and not its router"
    one.down()
    assert answers(path_of(other.name, "default.p1"), SOMEBODY[4])
    assert other.drift() == []
    other.down()
    assert world.setting("net/ipv4/conf/wan0/forwarding") == "0"


def test_big_packet_is_answered_by_whoever_finds_it_too_big(world: World, online: Online) -> None:
    world.shell("machine", "ip link set wan0 mtu 1300")
    online.up()
    answer = online.shell(f"ip netns exec @default.p1 ping -n -c 1 -W 2 -M do -s 1380 {SOMEBODY[4]} || true")
    assert "1300" in answer
