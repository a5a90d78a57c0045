"""What the machine's own namespace has of a cluster, and that it is as before when the cluster is gone, whatever happened."""

from __future__ import annotations

import random
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cluster_tools import machine, shell, traces
from internet_world import SOMEBODY, Online, World, answers
from plan_models import build

from kemu.base.errors import MachineError, StateError
from kemu.base.reporter import Silent
from kemu.cluster import lifecycle
from kemu.cluster.state import ROOT, Record
from kemu.kernel import forwarding
from kemu.kernel import machine as machines
from kemu.kernel.netns import path_of
from kemu.plan.show import show_script

pytestmark = pytest.mark.kernel

Make = Callable[..., Online]
_NO_MASQUERADE = (
    "machine: nft table inet kemu-@: chain postrouting: 'ip saddr 198.18.4.0/30 oifname != \"kemu-@\" masquerade' is missing"
)
_LACKS = "machine: forwarding to the default route (IPv4): net/ipv4/conf/wan0/forwarding is off"
_IPV6_OFF = "setting net/ipv6/conf/kemu-@/disable_ipv6"
_FORWARDS = "net/ipv4/conf/wan0/forwarding"


class Listener(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def _look(world: World) -> dict[str, str]:
    with world.machine():
        return machine()


def _new_lines(before: dict[str, str], after: dict[str, str], what: str) -> set[str]:
    assert not set(before[what].splitlines()) - set(after[what].splitlines()) or what == "settings"
    return set(after[what].splitlines()) - set(before[what].splitlines())


# --- what there is, and that it goes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["ipv4", "dual"])
def test_machine_has_what_the_plan_names_and_nothing_else_and_is_as_before_afterwards(
    world: World, make_online: Make, family: str
) -> None:
    cluster = make_online(family=family)
    before = _look(world)
    cluster.up()
    during = _look(world)
    for what in before:
        lines = _new_lines(before, during, what)
        assert not [line for line in lines if cluster.device not in line and not _is_ours(line, cluster)], what
    cluster.down()
    assert _look(world) == before
    assert traces(cluster.name) == []
    assert not world.record().exists()


def _is_ours(line: str, cluster: Online) -> bool:
    """Say whether a line belongs to the cluster without naming its device: its table, forwarding of the way out, local routes."""
    if any(line.startswith(f"/proc/sys/net/ip{version}/conf/wan0/") for version in ("v4", "v6")):
        return line.endswith("forwarding=1")
    return line.startswith("\t") or line == "}" or any(address in line for address in cluster.link_addresses())


def test_no_index_of_a_device_is_used_up(world: World, online: Online) -> None:
    """The next device that the machine makes is called by the number that it would have had."""
    online.up()
    world.shell("machine", "ip link add d1 type dummy 2>/dev/null || ip link add d1 type bridge")
    index = world.shell("machine", "cat /sys/class/net/d1/ifindex 2>/dev/null || ip -o link show d1").split(":")[0]
    assert int(index) < 1000


def test_forwarding_that_was_on_stays_on(world: World, online: Online) -> None:
    world.shell("machine", "sysctl -qw net.ipv4.ip_forward=1")
    before = _look(world)
    online.up()
    online.down()
    assert _look(world) == before


def test_forwarding_that_somebody_switched_on_for_all_meanwhile_stays_on(world: World, online: Online) -> None:
    online.up()
    world.shell("machine", "sysctl -qw net.ipv4.ip_forward=1")
    online.down()
    assert world.setting(_FORWARDS) == "1"
    assert not world.record().exists()


def test_last_of_two_clusters_gives_forwarding_back(world: World, make_online: Make) -> None:
    before = _look(world)
    one, other = make_online(family="dual"), make_online()
    one.up()
    other.up()
    one.down()
    assert world.setting(_FORWARDS) == "1"
    other.down()
    assert _look(world) == before


def test_another_device_of_the_default_route_forwards_after_up_and_both_come_back(world: World, online: Online) -> None:
    before = _look(world)
    online.up()
    world.shell(
        "machine", "ip link add wlan0 type veth peer name far; ip link set wlan0 up; ip addr add 192.0.2.130/25 dev wlan0"
    )
    world.shell("machine", "ip route replace default via 192.0.2.129 dev wlan0")
    assert online.drift() == ["machine: forwarding to the default route (IPv4): net/ipv4/conf/wlan0/forwarding is off"]
    online.up()
    assert online.drift() == []
    world.shell("machine", "ip link del wlan0; ip route replace default via 192.0.2.1")
    online.down()
    assert _look(world) == before


def test_forwarding_of_ipv6_as_a_whole_comes_back_with_all_that_the_kernel_changed(
    world: World, make_online: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.17 no single device can forward IPv6."""
    monkeypatch.setattr(forwarding, "can_force", lambda: False)
    world.shell("machine", "ip link add other type veth peer name far; sysctl -qw net.ipv6.conf.other.forwarding=1")
    before = _look(world)
    cluster = make_online(family="dual")
    cluster.up()
    assert world.setting("net/ipv6/conf/all/forwarding") == "1"
    assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[6])
    assert cluster.drift() == []
    cluster.down()
    assert _look(world) == before


def _advertised(world: World) -> str:
    """Give the machine an IPv6 default route that a router advertised, and return it, without its age."""
    world.shell("machine", "ip -6 route del default")
    world.advertise()
    return _default(world)


def _default(world: World) -> str:
    return world.shell("machine", "ip -6 route show default").partition(" expires")[0]


@pytest.mark.skipif(
    not forwarding.can_force(), reason="single devices forward IPv6 since Linux 6.17; the next test is for others"
)
def test_default_route_that_a_router_advertised_stays(world: World, make_online: Make) -> None:
    route = _advertised(world)
    assert "proto ra" in route
    cluster = make_online(family="dual")
    cluster.up()
    assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[6])
    cluster.down()
    assert _default(world) == route


def test_default_route_that_a_router_advertised_is_not_put_at_risk(
    world: World, make_online: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "can_force", lambda: False)
    route = _advertised(world)
    before = _look(world)
    cluster = make_online(family="dual")
    with pytest.raises(MachineError, match="advertised on wan0") as caught:
        cluster.up()
    assert "accept_ra=2" in caught.value.hint
    assert _look(world) == before
    assert traces(cluster.name) == []
    world.shell("machine", "sysctl -qw net.ipv6.conf.wan0.accept_ra=2")
    cluster.up()
    assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[6])
    assert _default(world) == route


# --- interrupted, lost, half gone ---------------------------------------------------------------------------------------------------


def _drive(world: World, name: str, verb: str, step: str) -> subprocess.Popen[str]:
    argv = [sys.executable, str(Path(__file__).with_name("internet_driver.py")), world.name, name, verb, step]
    return subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )


@pytest.mark.parametrize("step", ["namespaces", "devices", "addresses and routes"])
def test_killed_up_is_taken_away_by_down(world: World, online: Online, step: str) -> None:
    before = _look(world)
    driver = _drive(world, online.name, "up", step)
    assert driver.communicate(timeout=60)[1] == ""
    assert driver.returncode == -signal.SIGKILL
    assert online.down()
    assert _look(world) == before
    assert traces(online.name) == []
    assert not world.record().exists()


@pytest.mark.parametrize("seed", range(8))
def test_kill_at_a_random_moment(world: World, make_online: Make, seed: int) -> None:
    before = _look(world)
    cluster = make_online(family="dual")
    driver = _drive(world, cluster.name, "up", "never")
    assert driver.stdout is not None
    assert driver.stdout.readline() == "ready\n"
    select.select([], [], [], random.Random(seed).uniform(0.0, 0.3))
    driver.kill()
    driver.communicate(timeout=60)
    if seed % 2:
        cluster.up()
        assert cluster.drift() == []
        assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[6])
    cluster.down()
    assert _look(world) == before
    assert traces(cluster.name) == []
    assert not world.record().exists()


def test_kill_in_the_middle_of_down(world: World, make_online: Make) -> None:
    before = _look(world)
    cluster = make_online(family="dual")
    cluster.up()
    driver = _drive(world, cluster.name, "down", "removing")
    driver.communicate(timeout=60)
    assert driver.returncode == -signal.SIGKILL
    cluster.down()
    assert _look(world) == before


def test_down_without_the_state_directory(world: World, online: Online) -> None:
    before = _look(world)
    online.up()
    shutil.rmtree(ROOT / online.name)
    assert online.down()
    assert _look(world) == before


def test_down_when_all_namespaces_and_the_state_directory_are_gone(world: World, online: Online) -> None:
    before = _look(world)
    online.up()
    shutil.rmtree(ROOT / online.name)
    shell(f"for one in /run/netns/{online.name}.*; do ip netns del $(basename $one); done")
    with world.machine():
        assert online.name in lifecycle.find_clusters()
        assert machines.has_traces(online.name)
    assert online.down()
    assert _look(world) == before
    assert not online.down()


def test_up_when_only_the_machines_part_is_left(world: World, online: Online) -> None:
    online.up()
    shutil.rmtree(ROOT / online.name)
    shell(f"for one in /run/netns/{online.name}.*; do ip netns del $(basename $one); done")
    assert online.up().made
    assert online.drift() == []
    assert answers(path_of(online.name, "default.p1"), SOMEBODY[4])


def test_down_after_somebody_flushed_all_rules_and_removed_the_device(world: World, online: Online) -> None:
    before = _look(world)
    online.up()
    world.shell("machine", f"nft flush ruleset; ip link del {online.device}")
    assert online.down()
    assert _look(world) == before


def test_failed_up_leaves_the_machine_as_it_was(world: World, make_online: Make) -> None:
    before = _look(world)
    cluster = make_online()
    broken = replace(cluster, plan=replace(cluster.plan, objects={**cluster.plan.objects, ("x",): _impossible(cluster)}))
    with pytest.raises(Exception, match="refused nft table inet broken"):
        broken.up()
    assert _look(world) == before
    assert traces(cluster.name) == []


def _impossible(cluster: Online) -> object:
    [table] = [
        item for key, item in cluster.plan.objects.items() if key == ("nft-table", "machine", "inet", f"kemu-{cluster.name}")
    ]
    return replace(table, name="broken", body="nonsense")  # type: ignore[type-var]


# --- drift --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("nft delete table inet kemu-@", ["machine: nft table inet kemu-@ is missing"]),
        ("nft flush chain inet kemu-@ postrouting", [_NO_MASQUERADE]),
        ("sysctl -qw net/ipv4/conf/wan0/forwarding=0", [_LACKS]),
        ("ip link set kemu-@ down", ["machine: veth kemu-@: up is off, should be on"]),
        ("ip link set kemu-@ mtu 1400", ["machine: veth kemu-@: mtu is 1400, should be 1500"]),
        ("ip addr flush dev kemu-@", ["machine: address 198.18.4.1/30 on kemu-@ is missing"]),
        ("ip addr add 198.18.4.9/32 dev kemu-@", ["machine: address 198.18.4.9/32 on kemu-@ should not be there"]),
        ("ip route del 198.18.4.0/30", ["machine: address 198.18.4.1/30 on kemu-@: its connected route 198.18.4.0/30 is missing"]),
        ("sysctl -qw net/ipv6/conf/kemu-@/disable_ipv6=0", [f"machine: {_IPV6_OFF}: value is 0, should be 1"]),
    ],
)  # fmt: skip
def test_damage_on_the_machine_is_named_and_mended(world: World, make_online: Make, damage: str, words: list[str]) -> None:
    cluster = make_online("198.18.4.0/30")
    before = _look(world)
    cluster.up()
    world.shell("machine", damage.replace("@", cluster.name))
    assert set(words) <= {line.replace(cluster.name, "@") for line in cluster.drift()}
    cluster.up()
    assert cluster.drift() == []
    assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[4])
    cluster.down()
    assert _look(world) == before


@pytest.mark.parametrize("damage", ["ip link del {device}", "ip netns del {name}.router"])
def test_link_that_is_gone_is_made_anew(world: World, make_online: Make, damage: str) -> None:
    cluster = make_online(family="dual")
    cluster.up()
    world.shell("machine", damage.format(device=cluster.device, name=cluster.name))
    assert f"machine: veth {cluster.device} is missing" in cluster.drift() or "netns del" in damage
    cluster.up()
    assert cluster.drift() == []
    for version in (4, 6):
        assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[version])


def test_nothing_else_of_the_machine_is_looked_at(world: World, online: Online) -> None:
    online.up()
    world.shell("machine", "ip link add mine type bridge; ip addr add 10.9.9.9/24 dev mine; ip rule add from 10.9.9.0/24 table 7")
    world.shell(
        "machine", "nft add table ip mine; sysctl -qw net.ipv4.conf.wan0.rp_filter=1; ip route add 10.8.0.0/16 via 192.0.2.1"
    )
    before = _look(world)
    assert online.drift() == []
    assert online.up().changes == 0
    assert _look(world) == before


def test_way_out_that_left_the_file_is_taken_away_in_place(world: World, online: Online) -> None:
    before = _look(world)
    online.up()
    without = replace(online, plan=build(online.name))
    assert not without.up().made
    assert without.drift() == []
    assert _look(world) == before


def test_way_out_that_came_into_the_file_is_added_in_place(world: World, online: Online) -> None:
    replace(online, plan=build(online.name)).up()
    assert not online.up().made
    assert online.drift() == []
    assert answers(path_of(online.name, "default.p1"), SOMEBODY[4])


@pytest.mark.parametrize("family", ["ipv4", "dual"])
def test_printed_script_makes_the_way_out_as_planned(world: World, make_online: Make, family: str) -> None:
    cluster = make_online(family=family)
    world.shell("machine", show_script(cluster.plan, cluster.name))
    assert cluster.drift() == []
    assert answers(path_of(cluster.name, "default.p1"), SOMEBODY[4])
    cluster.down()
    assert cluster.device not in world.shell("machine", "ip link; nft list ruleset")


# --- refused, before anything is touched --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obstacle", "words", "hint"),
    [
        ("ip link add kemu-@ type bridge", "the device kemu-@ exists and is not kemu's", "ip link del kemu-@"),
        ("nft add table inet kemu-@", "the nft table inet kemu-@ exists and is not kemu's", "nft delete table inet kemu-@"),
        ("ip route add 198.18.0.0/16 via 192.0.2.1", "this machine has a route to 198.18.0.0/16", "{subnet: 198.19.0.0/30}"),
        ("ip route add 198.18.4.0/29 via 192.0.2.1", "a route to 198.18.4.0/29", "{subnet: 198.18.0.0/30}"),
        ("ip route add 198.18.4.0/24 via 192.0.2.1 table 7", "this machine has a route to 198.18.4.0/24", "{subnet: 198.18.0.0/30}"),
    ],
)  # fmt: skip
def test_no_room_on_the_machine(world: World, make_online: Make, obstacle: str, words: str, hint: str) -> None:
    cluster = make_online("198.18.4.0/30")
    world.shell("machine", obstacle.replace("@", cluster.name))
    before = _look(world)
    with pytest.raises((MachineError, StateError)) as caught:
        cluster.up()
    assert words.replace("@", cluster.name) in caught.value.message
    assert hint.replace("@", cluster.name) in caught.value.hint
    assert _look(world) == before
    assert traces(cluster.name) == []
    cluster.down()
    assert _look(world) == before, "what is somebody else's stays"


def test_halves_of_a_default_route_are_a_way_out_and_no_obstacle(world: World, online: Online) -> None:
    """So do VPNs take all traffic over, without touching the default route."""
    before = _look(world)
    world.shell("machine", "ip route del default; for half in 0.0.0.0/1 128.0.0.0/1; do ip route add $half via 192.0.2.1; done")
    online.up()
    assert answers(path_of(online.name, "default.p1"), SOMEBODY[4])
    world.shell("machine", "ip route add default via 192.0.2.1; for half in 0.0.0.0/1 128.0.0.0/1; do ip route del $half; done")
    online.down()
    assert _look(world) == before


def test_two_clusters_with_one_subnet(make_online: Make) -> None:
    one, other = make_online("198.18.4.0/30"), make_online("198.18.4.0/30")
    one.up()
    with pytest.raises(MachineError, match=r"has a route to 198\.18\.4\.0/30"):
        other.up()


# --- warned of ----------------------------------------------------------------------------------------------------------------------


def test_without_a_default_route_the_cluster_comes_up_and_says_so(world: World, online: Online) -> None:
    world.shell("machine", "ip route del default")
    listener = Listener()
    online.up(reporter=listener)
    assert f"this machine has no IPv4 default route, so nothing leads out of {online.name}" in listener.warnings
    world.shell("machine", "ip route add default via 192.0.2.1")
    assert online.drift() == [_LACKS]
    online.up()
    assert answers(path_of(online.name, "default.p1"), SOMEBODY[4])


def test_firewall_that_drops_is_named_with_the_line_that_lets_the_cluster_pass(world: World, online: Online) -> None:
    world.shell("machine", "nft 'table inet wall { chain blocks { type filter hook forward priority 0; policy drop; }; }'")
    listener = Listener()
    online.up(reporter=listener)
    [line] = [one for one in listener.warnings if "firewall" in one]
    assert "inet wall blocks" in line
    with world.machine():
        assert lifecycle.compare(online.name, online.plan).warnings == (line,)
    world.shell("machine", line.partition("To let it pass: ")[2])
    assert answers(path_of(online.name, "default.p1"), SOMEBODY[4])
    with world.machine():
        assert lifecycle.compare(online.name, online.plan).warnings == ()


def test_down_in_another_namespace_says_where_the_rest_is(world: World, online: Online) -> None:
    online.up()
    listener = Listener()
    with world.machine():
        inode = Path("/proc/thread-self/ns/net").stat().st_ino
    assert lifecycle.down(online.name, reporter=listener)
    assert f"net:[{inode}]" in listener.warnings[0]
    assert online.down()
    assert not world.record().exists()


def test_processes_get_the_machines_name_servers(online: Online, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    servers = tmp_path / "resolv.conf"
    servers.write_text("nameserver 127.0.0.53\nnameserver 192.0.2.53\n")
    monkeypatch.setattr("kemu.kernel.resolvers.FILES", (servers,))
    online.up()
    assert "nameserver 192.0.2.53\n" in (ROOT / online.name / "files" / "resolv.conf").read_text()
    offline = replace(online, plan=build(online.name))
    with online.world.machine():
        lifecycle.up(offline.plan, Record(cluster=online.name, file=""), "")
    assert "192.0.2.53" not in (ROOT / online.name / "files" / "resolv.conf").read_text()
