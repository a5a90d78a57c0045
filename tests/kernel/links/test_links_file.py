"""Links in the file, on the kernel at hand: rates and MTUs are real; what takes netem is refused where there is none."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from cli_kemu import Kemu

from kemu.kernel.capability import find_capabilities

pytestmark = pytest.mark.kernel

_RATES = """\
networking: {backend: host-gw}
nodes:
- {name: n1, link: {out: {rate: 5mbit}, in: {rate: 20mbit, queue: 40packets}}}
- {name: n2, link: {mtu: 1400}}
pods: {perNode: 1}
"""
_DELAY = "nodes: [{name: n1, link: {delay: 5ms}}]\npods: {perNode: 1}\n"
_SEGMENTS = """\
fabric:
  link: {rate: 1gbit, mtu: 1450}
  segments:
  - {name: a, uplink: {rate: 10mbit, mtu: 1300}}
  - {name: b, uplink: {out: {rate: 30mbit, queue: 7packets}}}
nodes: [{name: n1, segment: a}, {name: n2, segment: b}]
pods: {perNode: 1}
hosts: [{name: client, segment: b, link: {rate: none, mtu: 9000}}]
"""


def _shell(kemu: Kemu, script: str) -> str:
    text = script.replace("@", f"{kemu.name}.")
    return subprocess.run(["bash", "-euc", text], check=True, capture_output=True, text=True).stdout


def _check_rate(kemu: Kemu, wanted: float, *words: str) -> None:
    """Measure what the receiver sees, in Mbit/s of payload: never more, and not much less, if the machine has time to send it."""
    seen: list[float] = []
    while not seen or (seen[-1] < 0.9 * wanted and len(seen) < 5):
        [run] = kemu.json("perf", *words, "-t", "4")["runs"]
        seen.append(run["bits_per_second"] / 1e6)
        assert seen[-1] <= wanted
    assert seen[-1] >= 0.9 * wanted, seen


def test_rates_and_mtus_come_up_as_planned_and_are_mended(kemu: Kemu) -> None:
    kemu.up(_SEGMENTS, "--verify")
    assert "as it should be" in kemu.ok("status")
    script = "tc -n @router qdisc del dev eth0 root; tc -n @fabric qdisc change dev n1 root handle 1: tbf rate 2gbit burst 1mb limit 9mb"
    _shell(kemu, f"{script}; tc -n @n1 qdisc replace dev eth0 root handle 8: pfifo limit 9; ip -n @fabric link set n2 mtu 1000")
    drift = kemu.call("status").stdout
    for line in (
        "router: qdisc tbf on eth0 root is missing",
        "fabric: qdisc tbf on n1 root: rate_bits_per_second is 2000000000, should be 1000000000",
        "n1: qdisc tbf on eth0 root: ",
        "fabric: veth n2: mtu is 1000, should be 1450",
        "fabric: bridge br.b: mtu is 1000, should be 1450",
    ):
        assert line in drift
    assert "differences mended" in kemu.ok("up", kemu.write(_SEGMENTS))
    assert "as it should be" in kemu.ok("status")


def test_a_queue_that_was_replaced_comes_back_whole(kemu: Kemu) -> None:
    kemu.up(_RATES)
    for damage in (
        "tc -n @fabric qdisc del dev n1 parent 1:1",
        "tc -n @fabric qdisc replace dev n1 parent 1:1 handle 9: bfifo limit 9000",
        "tc -n @fabric qdisc replace dev n1 root handle 7: bfifo limit 9000",
        "tc -n @n1 qdisc add dev eth0 parent 1:1 handle 5: pfifo limit 3",
        "tc -n @n2 qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 5k limit 9k",
        "tc -n @n1 qdisc add dev eth0 clsact",
    ):
        _shell(kemu, damage)
        assert kemu.call("status").returncode == 1, damage
        kemu.ok("up", kemu.write(_RATES))
        assert "as it should be" in kemu.ok("status"), damage
        assert "2 of 2 pairs reached" in kemu.ok("reach"), damage


def test_the_printed_script_makes_the_same(kemu: Kemu) -> None:
    file = kemu.write(_SEGMENTS)
    subprocess.run(["bash", "-c", kemu.ok("plan", file, "-o", "ip")], check=True, capture_output=True)
    assert "already as it should be" in kemu.ok("up", file)


def test_a_changed_file_changes_what_differs(kemu: Kemu) -> None:
    kemu.up(_RATES)
    for text in (
        _RATES.replace("5mbit", "50mbit"),
        _RATES.replace("queue: 40packets", "queue: none"),
        "nodes: 2\npods: {perNode: 1}",
    ):
        kemu.up(text.replace("nodes: 2", "networking: {backend: host-gw}\nnodes: 2"))
        assert "as it should be" in kemu.ok("status")
    assert "qdisc" not in kemu.ok("plan", kemu.directory / "topo.yaml")


def test_a_rate_holds_within_ten_percent_in_each_direction_and_transport(kemu: Kemu) -> None:
    kemu.up(_RATES)
    for rate, path in ((5, ("p1", "p2")), (20, ("p2", "p1"))):
        _check_rate(kemu, rate, *path)
        _check_rate(kemu, rate, *path, "--udp", "--rate", f"{2 * rate}mbit")


def test_big_packets_pass_up_to_the_smaller_links_mtu(kemu: Kemu) -> None:
    kemu.up(_RATES)
    assert "mtu 1400" in _shell(kemu, "ip -n @default.p2 link show eth0; ip -n @n2 link show cni0")
    ping = ["exec", "p2", "--", "ping", "-c1", "-W2", "-Mdo", "p1", "-s"]
    assert kemu.call(*ping, str(1400 - 28)).returncode == 0
    assert "message too long, mtu=1400" in kemu.call(*ping, str(1401 - 28)).stderr


def _has_netem() -> bool:
    [netem] = find_capabilities(["qdisc:netem"])
    return netem.available


def test_what_takes_netem_is_refused_before_anything_is_touched(kemu: Kemu) -> None:
    if _has_netem():
        assert "is up" in kemu.up(_DELAY)
        return
    done = kemu.call("up", kemu.write(_DELAY))
    assert done.returncode == 3
    assert re.search(r"this machine lacks delay and loss on links \(qdisc:netem\)\. The kernel says .*", done.stderr)
    assert "hint: Run a kernel with the module sch_netem" in done.stderr
    assert not Path("/run/kemu", kemu.name).exists()
    assert not list(Path("/run/netns").glob(f"{kemu.name}.*"))


def test_a_running_cluster_stays_as_it_is_when_its_file_asks_for_too_much(kemu: Kemu) -> None:
    kemu.up("nodes: [{name: n1}]\npods: {perNode: 1}\n")
    assert kemu.call("up", kemu.write(_DELAY)).returncode == (0 if _has_netem() else 3)
    assert "as it should be" in kemu.ok("status")
