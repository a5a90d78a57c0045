"""Delay, loss and their like, on a kernel that has netem. In one process: starting one takes long in an emulated machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from vm_machine import shell

from kemu import Cluster, Topology
from kemu.api.perf import Protocol, Request
from kemu.api.planning import view

pytestmark = pytest.mark.vm

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
def bring_up() -> Iterator[Callable[[str], Cluster]]:
    """Bring the cluster of these tests up with another text each time."""

    def bring(text: str) -> Cluster:
        return Cluster.up(Topology.parse(f"name: kv-netem\n{text}", file="/nowhere/kv-netem.yaml"), reset=True)

    yield bring
    Cluster("kv-netem").down()


@pytest.fixture
def pair(bring_up: Callable[[str], Cluster]) -> Cluster:
    """Two nodes with a pod each, their links plain; the neighbours have met."""
    cluster = bring_up(_PLAIN)
    _ping(cluster, "-c1")
    return cluster


def _ping(cluster: Cluster, *words: str) -> str:
    done = cluster.pod("p1").run(["ping", "-q", *words, "p2"], timeout=100)
    assert "packets transmitted" in done.stdout, done.stderr
    return str(done.stdout)


def _rtt(summary: str) -> tuple[float, float]:
    """Return the least and the mean of a ping's times, in milliseconds."""
    least, mean = re.search(r"= ([\d.]+)/([\d.]+)/", summary).groups()  # type: ignore[union-attr]
    return float(least), float(mean)


def _lost(summary: str) -> float:
    return float(re.search(r"([\d.]+)% packet loss", summary)[1])  # type: ignore[index]


def _receives(cluster: Cluster, *, bits_per_second: int | None = None, seconds: int = 6) -> float:
    protocol = Protocol.UDP if bits_per_second else Protocol.TCP
    [run] = cluster.perf("p1", "p2", Request(protocol=protocol, seconds=seconds, bits_per_second=bits_per_second)).runs
    return float(run.bits_per_second)


def test_everything_comes_up_as_planned_and_is_mended(bring_up: Callable[[str], Cluster]) -> None:
    cluster = bring_up(_EVERYTHING)
    assert cluster.status().drift == []
    damages = {
        "n2 qdisc change dev eth0 root handle 1: netem delay 5ms corrupt 1%": "more is corrupt, should be none",
        "client qdisc change dev eth0 parent 1:1 handle 2: netem delay 7ms rate 1mbit": "more is rate, should be none",
        "fabric qdisc change dev n1 parent 1:1 handle 2: netem delay 9ms 1ms": "delay_seconds is 0.009, should be 0.001",
        "n1 qdisc del dev eth0 parent 1:1": "qdisc netem on eth0 1:1 is missing",
        "router qdisc replace dev eth0 root handle 9: netem delay 20ms": "handle is 9:, should be 1:",
    }
    shell("\n".join(f"tc -n kv-netem.{damage}" for damage in damages))
    drift = "\n".join(cluster.status().drift)
    assert [said for said in damages.values() if said not in drift] == []
    bring_up(_EVERYTHING)
    assert cluster.status().drift == []


def test_the_printed_script_makes_the_same(bring_up: Callable[[str], Cluster]) -> None:
    Cluster("kv-netem").down()
    shell(view(Topology.parse(f"name: kv-netem\n{_EVERYTHING}")).script())
    result = bring_up(_EVERYTHING).result
    assert result is not None
    assert (result.made, result.changes) == (False, 0)


def test_each_direction_has_its_own_delay_and_is_changed_live(pair: Cluster) -> None:
    pair.link("n1").set(delay="80ms", ways=("out",))
    pair.link("n1").set(delay="40ms", ways=("in",))
    least, mean = _rtt(_ping(pair, "-c20", "-i0.2"))
    assert 119 <= least <= mean <= 122
    pair.link("n1").set(delay="0ms")
    assert _rtt(_ping(pair, "-c5", "-i0.2"))[1] < 20


def test_loss_of_one_direction(pair: Cluster) -> None:
    pair.link("n1").set(loss="30%", ways=("in",))
    assert 20 <= _lost(_ping(pair, "-c500", "-i0.01", "-W1")) <= 40


def test_duplicates_arrive_twice(pair: Cluster) -> None:
    pair.link("n1").set(duplicate="100%", ways=("out",))
    assert re.search(r"\+[45] duplicates", _ping(pair, "-c5", "-i0.2"))


def test_packets_that_skip_the_delay_overtake(pair: Cluster) -> None:
    pair.link("n1").set(delay="50ms", reorder="50%", ways=("out",))
    assert _rtt(_ping(pair, "-c30", "-i0.1"))[0] < 20


def test_a_rate_alone_on_this_kernel(pair: Cluster) -> None:
    pair.link("n1").set(rate="5mbit", ways=("out",))
    assert 4.5e6 <= _receives(pair) <= 5e6


def test_a_rate_holds_beside_a_delay_and_what_waits_adds_to_it(pair: Cluster) -> None:
    pair.link("n1").set(rate="10mbit", delay="20ms", queue="50packets")
    assert 9e6 <= _receives(pair, seconds=8) <= 10e6
    assert 9e6 <= _receives(pair, bits_per_second=20_000_000) <= 10e6
    assert 40 <= _rtt(_ping(pair, "-c10", "-i0.2"))[0] <= 43
    flood = "ping -qf -s1400 -w8 p2 >/dev/null & sleep 3; ping -q -c10 -i0.3 p2; wait"
    _, loaded = _rtt(str(pair.pod("p1").run(["sh", "-c", flood]).stdout))
    assert 40 + 45 <= loaded <= 40 + 75, "fifty frames wait 60 ms"


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


def test_a_lossy_link_slows_tcp_down(example: Callable[[str], Cluster]) -> None:
    cluster = example("slow-lossy-link")
    rates = [cluster.perf(*ends, Request(seconds=8)).runs[0].bits_per_second for ends in (("web", "db"), ("db", "web"))]
    assert rates[0] < 6e6, rates
    assert rates[1] > 8e6, rates
    udp = cluster.perf("web", "db", Request(protocol=Protocol.UDP, seconds=6, bits_per_second=8_000_000)).runs[0]
    assert udp.bits_per_second > 7.4e6


def test_two_sites_are_far_apart(example: Callable[[str], Cluster]) -> None:
    cluster = example("two-sites")
    times = {}
    for name in ("db-east", "db-west"):
        done = cluster.pod("shop").run(["ping", "-qc5", "-i0.2", name])
        times[name] = _rtt(str(done.stdout))[0]
    assert times["db-east"] < 20
    assert 79 <= times["db-west"] <= 83
