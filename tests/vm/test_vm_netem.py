"""Delay, loss and their like, on a kernel that has netem. In one process: starting one takes long in an emulated machine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from vm_machine import shell

from kemu import Cluster, Topology
from kemu.api.perf import Request
from kemu.api.planning import view
from kemu.cluster import lifecycle
from kemu.plan.drift import show_change

pytestmark = [
    pytest.mark.vm("qdisc:netem", "qdisc:tbf"),
    pytest.mark.flaky(reruns=1),  # they measure times on an emulated processor, which somebody else may slow down
]

_FLOOD_SECONDS = 6

_EVERYTHING = """\
networking: {backend: host-gw}
fabric:
  link: {delay: 1ms, jitter: 100us}
  segments:
  - {name: a, uplink: {delay: 20ms, rate: 100mbit, out: {loss: 0.1%}}}
  - {name: b, uplink: {duplicate: 1.5%}}
nodes:
- {name: n1, segment: a, link: {rate: 50mbit, queue: 40packets, out: {reorder: 25%, duplicate: 0.000001%}, in: {loss: 33.3%}}}
- {name: n2, segment: a, link: {delay: 123456ns, jitter: 0s}}
hosts: [{name: client, segment: b, link: {rate: 1gbit, delay: 7ms}}]
"""
_PLAIN = "networking: {backend: host-gw}\nnodes: 2\npods: {perNode: 1}\n"


@pytest.fixture(scope="module")
def every() -> Iterator[Topology]:
    """A topology with every key of a link; what was brought up of it goes in the end."""
    yield Topology.parse(f"name: kv-every\n{_EVERYTHING}", file="/nowhere/kv-every.yaml")
    Cluster("kv-every").down()


@pytest.fixture(scope="module")
def shared_pair() -> Iterator[Cluster]:
    """Two nodes with a pod each; the neighbours have met."""
    with Cluster.up(Topology.parse(f"name: kv-pair\n{_PLAIN}", file="/nowhere/kv-pair.yaml")) as cluster:
        _ping(cluster, "-c1")
        yield cluster


@pytest.fixture
def pair(shared_pair: Cluster) -> Iterator[Cluster]:
    """The same, with plain links before each test."""
    yield shared_pair
    shared_pair.reset_links()


def _ping(cluster: Cluster, *words: str, ends: tuple[str, str] = ("p1", "p2")) -> str:
    done = cluster.pod(ends[0]).run(["ping", *words, ends[1]], timeout=100)
    assert "packets transmitted" in done.stdout, done.stderr
    return str(done.stdout)


def _rtts(output: str) -> list[float]:
    """Return the times of a ping in milliseconds, the shortest first: an emulated machine is late now and then."""
    return sorted(float(text) for text in re.findall(r"time=([\d.]+) ms", output))


def _lost(summary: str) -> float:
    return float(re.search(r"([\d.]+)% packet loss", summary)[1])  # type: ignore[index]


def _check_rate(cluster: Cluster, wanted: float) -> None:
    """Flood n1's way out, and count what its device sends: the rate, if the machine has time to send it, and never more."""
    seen: list[float] = []
    while not seen or (seen[-1] < 0.9 * wanted and len(seen) < 4):
        before = _sent(cluster)
        _ping(cluster, "-qf", "-l200", "-s1400", f"-w{_FLOOD_SECONDS}")
        seen.append((_sent(cluster) - before) * 8 / _FLOOD_SECONDS)
        assert seen[-1] <= 1.03 * wanted, "what waited in the end is sent afterwards"
    assert seen[-1] >= 0.9 * wanted, seen


def _sent(cluster: Cluster) -> int:
    """Return how many bytes the root qdisc of n1's eth0 has sent."""
    [root] = [one for one in json.loads(shell(f"tc -j -s -n {cluster.name}.n1 qdisc show dev eth0")) if one.get("root")]
    return int(root["bytes"])


def test_everything_comes_up_as_planned_and_is_mended(every: Topology) -> None:
    cluster = Cluster.up(every)
    assert cluster.status().drift == []
    damages = {
        "n2 qdisc change dev eth0 root handle 1: netem delay 5ms corrupt 1%": "more is corrupt, should be none",
        "client qdisc change dev eth0 parent 1:1 handle 2: netem delay 7ms rate 1mbit": "more is rate, should be none",
        "fabric qdisc change dev n1 parent 1:1 handle 2: netem delay 9ms 1ms": "delay_seconds is 0.009, should be 0.001",
        "n1 qdisc del dev eth0 parent 1:1": "qdisc netem on eth0 1:1 is missing",
        "router qdisc replace dev eth0 root handle 9: netem delay 20ms": "handle is 9:, should be 1:",
    }
    shell("\n".join(f"tc -n kv-every.{damage}" for damage in damages))
    drift = "\n".join(cluster.status().drift)
    assert [said for said in damages.values() if said not in drift] == []
    Cluster.up(every)
    assert cluster.status().drift == []


def test_the_printed_script_makes_the_same(every: Topology) -> None:
    Cluster(every.name).down()
    shell("modprobe -a br_netfilter")
    shell(view(every).script())
    changes = lifecycle.compare(every.name, every.plan()).changes
    assert [show_change(change, every.name) for change in changes] == []


def test_each_direction_has_its_own_delay_and_is_changed_live(pair: Cluster) -> None:
    pair.link("n1").set(delay="80ms", ways=("out",))
    pair.link("n1").set(delay="40ms", ways=("in",))
    times = _rtts(_ping(pair, "-c21", "-i0.2"))
    assert 119 <= times[0] <= times[10] <= 122
    pair.link("n1").set(delay="0ms")
    assert _rtts(_ping(pair, "-c5", "-i0.2"))[0] < 20


def test_loss_of_one_direction(pair: Cluster) -> None:
    pair.link("n1").set(loss="30%", ways=("in",))
    assert 20 <= _lost(_ping(pair, "-q", "-c500", "-i0.01", "-W1")) <= 40


def test_duplicates_arrive_twice(pair: Cluster) -> None:
    pair.link("n1").set(duplicate="100%", ways=("out",))
    assert re.search(r"\+[45] duplicates", _ping(pair, "-q", "-c5", "-i0.2"))


def test_packets_that_skip_the_delay_overtake(pair: Cluster) -> None:
    pair.link("n1").set(delay="50ms", reorder="50%", ways=("out",))
    times = _rtts(_ping(pair, "-c30", "-i0.1"))
    assert times[0] < 20
    assert times[-1] >= 50


def test_a_rate_alone_on_this_kernel(pair: Cluster) -> None:
    pair.link("n1").set(rate="5mbit", ways=("out",))
    _check_rate(pair, 5e6)


def test_a_rate_holds_beside_a_delay(pair: Cluster) -> None:
    pair.link("n1").set(rate="10mbit", delay="20ms", queue="50packets")
    _check_rate(pair, 10e6)
    assert 40 <= _rtts(_ping(pair, "-c10", "-i0.2"))[0] <= 43


@pytest.fixture
def example() -> Iterator[Callable[[str], Cluster]]:
    """Bring a bundled topology up, and take it down again."""
    clusters: list[Cluster] = []

    def bring(name: str) -> Cluster:
        clusters.append(Cluster.up(Topology.load(name).renamed(f"kv-{name}")))
        return clusters[-1]

    yield bring
    for cluster in clusters:
        cluster.down()


def test_a_lossy_link_slows_tcp_down(example: Callable[[str], Cluster], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kemu.perf.run.START_SECONDS", 60)
    cluster = example("slow-lossy-link")
    request = Request(seconds=8, grace_seconds=60)
    lossy, answers = (cluster.perf(*ends, request).runs[0].bits_per_second for ends in (("web", "db"), ("db", "web")))
    assert lossy < 5e6
    assert lossy < answers < 10e6


def test_two_sites_are_far_apart(example: Callable[[str], Cluster]) -> None:
    cluster = example("two-sites")
    assert _rtts(_ping(cluster, "-c5", "-i0.2", ends=("shop", "db-east")))[0] < 20
    assert 79 <= _rtts(_ping(cluster, "-c5", "-i0.2", ends=("shop", "db-west")))[0] <= 83
