"""Captures from Python: real packets, seen at the devices that were asked for, in the file."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from capture_file import CaptureFile, Seen, read_capture

from kemu import Cluster, Topology
from kemu.api.capturing import choose_points
from kemu.base.errors import MachineError, NotFoundError, UsageError
from kemu.capture import run
from kemu.capture.model import Packet, Request
from kemu.capture.sinks import CallSink
from kemu.kernel import capture as kernel_capture
from kemu.kernel.capture import ETHERNET, RAW_IP, compile_filter
from kemu.kernel.enter import inside

pytestmark = pytest.mark.kernel

Lab = Callable[..., Cluster]
PINGS = 3


def _ping(cluster: Cluster, source: str = "a", target: str = "c", *words: str) -> None:
    done = cluster.endpoint(source).run(["ping", f"-c{PINGS}", "-i0.05", "-W5", *words, target])
    assert done.returncode == 0, done.stdout + done.stderr


def _names(cluster: Cluster, *words: str, way: bool = False) -> list[str]:
    return [point.name for point in choose_points(cluster, words, way=way)]


def _requests(found: CaptureFile) -> list[Seen]:
    """Return the echo requests, inside a tunnel or not."""
    return [one for one in found.packets if _is_request(one.data) or _is_request(one.data[50:])]


def _is_request(frame: bytes) -> bool:
    kinds = {b"\x08\x00": (23, 1, 34, 8), b"\x86\xdd": (20, 58, 54, 128)}
    at, protocol, place, kind = kinds.get(frame[12:14], (0, 0, 0, 0))
    return at > 0 and len(frame) > place and (frame[at], frame[place]) == (protocol, kind)


# --- the whole way -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_a_ping_is_seen_at_every_device_of_its_way_in_that_order(lab: Lab, backend: str, tmp_path: Path) -> None:
    cluster = lab(backend)
    file = tmp_path / "walk.pcapng"
    with cluster.capture("a", "c", way=True, to=file) as capture:
        _ping(cluster)
    found = read_capture(file)
    assert found.names == _names(cluster, "a", "c", way=True)
    requests = _requests(found)
    assert len(requests) == PINGS * len(found.names)
    for number in range(PINGS):
        walk = requests[number * len(found.names) : (number + 1) * len(found.names)]
        assert [one.name for one in walk] == found.names
        assert [one.time for one in walk] == sorted(one.time for one in walk)
        assert [one.is_outgoing for one in walk if one.name in ("a%eth0", "n1%eth0", "fabric%n2")] == [True] * 3
        assert [one.is_outgoing for one in walk if one.name in ("fabric%n1", "n2%eth0", "c%eth0")] == [False] * 3
    assert capture.summary["packets"] == len(found.packets)
    assert set(found.lost.values()) == {0}
    assert found.received == {name: len(found.of(name)) for name in found.names}


def test_on_the_wire_the_ping_is_inside_a_tunnel(lab: Lab, tmp_path: Path) -> None:
    cluster = lab("vxlan")
    with cluster.capture("a", "c", way=True, to=tmp_path / "f", expression="icmp or udp port 8472"):
        _ping(cluster)
    found = read_capture(tmp_path / "f")
    wires = ("n1%eth0", "fabric%n1", "fabric%n2", "n2%eth0")
    for name in found.names:
        assert len(found.of(name)) == 2 * PINGS, name
        assert {one.data[23] for one in found.of(name)} == ({17} if name in wires else {1}), name


def test_both_families_are_on_the_way(lab: Lab, tmp_path: Path) -> None:
    cluster = lab("vxlan", "dual")
    with cluster.capture("a", "c", way=True, to=tmp_path / "f"):
        _ping(cluster, "a", "c", "-6")
        _ping(cluster, "a", "c", "-4")
    found = read_capture(tmp_path / "f")
    assert {"n1%flannel.1", "n1%flannel-v6.1"} <= set(found.names)
    requests = _requests(found)  # not what devices say of themselves
    for device, protocol in (("flannel.1", b"\x08\x00"), ("flannel-v6.1", b"\x86\xdd")):
        assert [one.data[12:14] for one in requests if one.name == f"n2%{device}"] == [protocol] * PINGS


# --- what is captured ------------------------------------------------------------------------------------------------------------------


def test_words_name_devices(lab: Lab) -> None:
    cluster = lab("vxlan")
    assert _names(cluster, "a") == ["a%eth0"]
    assert _names(cluster, "app=web") == ["a%eth0", "c%eth0"]
    assert _names(cluster, "n1%flannel.1", "10.244.0.2%eth0", "n1%flannel.1") == ["n1%flannel.1", "a%eth0"]
    assert _names(cluster, "a%lo") == ["a%lo"]
    assert len(_names(cluster, "n1%veth*")) == 2
    assert {"n1%eth0", "n1%cni0", "n1%flannel.1"} < set(_names(cluster, "node/n1"))
    assert _names(cluster, "router") == ["router%eth0"]
    assert {"fabric%br.lan", "fabric%n1", "fabric%client"} < set(_names(cluster, "fabric"))
    assert _names(lab("vxlan", "dual"), "fd00:10:244::2%eth0") == ["a%eth0"]


def test_names_of_devices_can_be_typed_again() -> None:
    pods = "[{name: n1}, {name: d, namespace: shop}, {name: agent, hostNetwork: true}]"
    with Cluster.up(Topology.parse(f"name: kcapn{os.getpid()}\nnodes: 1\npods: {pods}\n")) as cluster:
        found = [_names(cluster, word)[0] for word in ("pod/n1", "shop/d", "agent%cni0", "node/n1%cni0")]
        assert found == ["pod/n1%eth0", "shop/d%eth0", "n1%cni0", "n1%cni0"]
        assert _names(cluster, "pod/n1%eth0", "shop/d%eth0") == found[:2]


@pytest.mark.parametrize(
    ("words", "way", "message"),
    [
        (["nobody"], False, 'no pod, node or host "nobody"'),
        (["n1%flanel.1"], False, 'n1 has no device "flanel.1"'),
        (["n1%"], False, '"n1%" names no device'),
        (["app=none"], False, 'no pod has the labels "app=none"'),
        (["a"], True, "--way is between two endpoints"),
        (["a%eth0", "c"], True, "--way is between two endpoints"),
        (["a", "a"], True, "to itself is loopback"),
    ],
)
def test_wrong_words_are_refused(lab: Lab, words: list[str], way: bool, message: str) -> None:
    with pytest.raises((UsageError, NotFoundError), match=message):
        choose_points(lab("vxlan"), words, way=way)


def test_a_filter_lets_nothing_else_through(lab: Lab, tmp_path: Path) -> None:
    cluster = lab("host-gw")
    with cluster.capture("a", "c", to=tmp_path / "f", expression="icmp[icmptype] = icmp-echoreply"):
        _ping(cluster)
    found = read_capture(tmp_path / "f")
    assert len(found.packets) == 2 * PINGS
    assert _requests(found) == []


def test_only_the_head_of_a_packet_is_kept_and_its_length_known(lab: Lab, tmp_path: Path) -> None:
    cluster = lab("host-gw")
    with cluster.capture("a", to=tmp_path / "f", expression="icmp", snap_length=34):
        _ping(cluster, "a", "c", "-s1000")
    found = read_capture(tmp_path / "f")
    assert {(len(one.data), one.length) for one in found.packets} == {(34, 1042)}


def test_a_vlan_tag_that_the_kernel_took_off_is_in_the_file(lab: Lab, tmp_path: Path) -> None:
    cluster = lab("host-gw")
    frame = bytes.fromhex("ffffffffffff 020000000099 8100 2005 88b5") + bytes(46)
    with cluster.capture("a", "n1%veth*", to=tmp_path / "f", expression="ether src 02:00:00:00:00:99"):
        with inside(cluster.pod("a").netns):
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with sender:
            sender.bind(("eth0", 0))
            sender.send(frame)
    found = read_capture(tmp_path / "f")
    assert len(found.packets) >= 2
    assert {(one.data, one.length) for one in found.packets} == {(frame, len(frame))}


def test_a_device_that_was_down_is_heard_again(lab: Lab, tmp_path: Path) -> None:
    cluster = lab("host-gw")
    with cluster.capture("c%eth0", to=tmp_path / "f", expression="icmp"):
        for state in ("down", "up"):
            cluster.node("n2").run(["ip", "link", "set", "eth0", state])
            cluster.pod("c").run(["ip", "link", "set", "eth0", state])
        Cluster.up(cluster.topology)
        _ping(cluster, "n2", "c")
    assert len(read_capture(tmp_path / "f").packets) == 2 * PINGS


def test_a_capture_changes_nothing_in_the_cluster(lab: Lab) -> None:
    cluster = lab("vxlan")
    with cluster.capture("a", "n1", "fabric", "router") as capture:
        assert cluster.status().drift == []
        _ping(cluster)
    assert cluster.status().drift == []
    assert capture.summary["file"] is None
    assert capture.summary["packets"] >= 2 * PINGS
    assert capture.stop() == capture.summary


def test_packets_come_in_the_order_of_their_times(lab: Lab) -> None:
    cluster = lab("vxlan")
    points = choose_points(cluster, ["a", "c"], way=True)
    seen: list[Packet] = []
    sink = CallSink(lambda packet, point: seen.append(packet))
    with cluster.pod("a").start(["ping", "-f", "-q", "-c2000", "10.244.1.2"], stdout=subprocess.DEVNULL) as ping:
        outcome = run.capture(points, Request(count=500), contextlib.nullcontext(sink), ready=lambda: None)
        ping.terminate()
    assert outcome.ended_by == "count"
    assert len(seen) == sum(tally.packets for tally in outcome.tallies) == 500
    assert [packet.time for packet in seen] == sorted(packet.time for packet in seen)


# --- filters ---------------------------------------------------------------------------------------------------------------------------


def test_a_filter_is_compiled_for_each_kind_of_device() -> None:
    assert compile_filter("icmp", ETHERNET, 100) != compile_filter("icmp", RAW_IP, 100)
    with pytest.raises(UsageError, match=r'"icmpp" cannot be used: .*syntax error'):
        compile_filter("icmpp", ETHERNET, 100)


def test_a_filter_without_tcpdump_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_capture.shutil, "which", lambda _: None)
    with pytest.raises(MachineError, match="needs tcpdump"):
        compile_filter("icmp", ETHERNET, 100)


def test_errors_of_a_capture_are_those_of_the_command_line(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="icmpp"), lab("vxlan").capture("a", to=tmp_path / "f", expression="icmpp"):
        pass
    with pytest.raises(NotFoundError, match="nobody"), lab("vxlan").capture("nobody", to=tmp_path / "f"):
        pass
    assert not (tmp_path / "f").exists()


# --- other programs ----------------------------------------------------------------------------------------------------------------------


def test_tcpdump_reads_the_file(lab: Lab, tmp_path: Path) -> None:
    cluster = lab("vxlan")
    with cluster.capture("a", "c", way=True, to=tmp_path / "f", expression="icmp") as capture:
        _ping(cluster)
    done = subprocess.run(["tcpdump", "-nr", tmp_path / "f"], capture_output=True, text=True, check=True)
    assert done.stdout.count("ICMP echo") == capture.summary["packets"] == 2 * PINGS * 8


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_wireshark_shows_the_devices(lab: Lab, tmp_path: Path) -> None:
    cluster = lab("vxlan")
    with cluster.capture("a", "c", way=True, to=tmp_path / "f", expression="icmp"):
        _ping(cluster)
    fields = ["-e", "frame.interface_name", "-e", "frame.packet_flags_direction"]
    done = subprocess.run(["tshark", "-nr", tmp_path / "f", "-T", "fields", *fields], capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    wires = ("n1%eth0", "fabric%n1", "fabric%n2", "n2%eth0")
    assert [name for name, _ in lines[:8]] == [name for name in _names(cluster, "a", "c", way=True) if name not in wires]
    assert [int(direction, 0) for _, direction in lines[:8]] == [2, 1, 1, 2, 1, 2, 2, 1]
