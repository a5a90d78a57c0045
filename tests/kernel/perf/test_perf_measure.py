"""measure() over a real veth pair. No speed is asserted, only that there is one, and rates that were asked for."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from perf_pair import Diary, Pair, ip

from kemu.perf.run import Direction, Protocol, Request, Side, measure

pytestmark = pytest.mark.kernel


def test_tcp_gives_rate_retransmits_round_trips_and_cpu(pair: Pair) -> None:
    diary = Diary()
    (run,) = measure(pair.side("a"), pair.side("b"), Request(seconds=1), backend="veth", reporter=diary)
    assert (run.source, run.target, run.backend) == ("pod/default/a", "pod/default/b", "veth")
    assert run.bits_per_second > 0
    assert run.seconds == pytest.approx(1, abs=0.5)
    assert run.retransmits is not None
    assert run.loss_ratio is None
    assert run.jitter_seconds is None
    assert run.rtt_seconds.p50 is not None
    assert run.rtt_seconds.p99 is not None
    assert 0 < run.rtt_seconds.p50 <= run.rtt_seconds.p99 < 1
    assert 0 < run.cpu_seconds.sender < 2
    assert 0 < run.cpu_seconds.receiver < 2
    assert diary.steps == ["iperf3 pod/default/a to pod/default/b, tcp forward (1)"]
    assert diary.seconds == 1
    assert json.loads(json.dumps(run.to_dict())) == run.to_dict()


def test_udp_gives_loss_and_jitter_at_the_rate_asked_for_over_all_streams(pair: Pair) -> None:
    request = Request(protocol=Protocol.UDP, seconds=1, streams=4, bits_per_second=20_000_000)
    (run,) = measure(pair.side("a"), pair.side("b"), request, backend="veth")
    assert run.bits_per_second == pytest.approx(20_000_000, rel=0.2)
    assert run.loss_ratio is not None
    assert 0 <= run.loss_ratio < 0.5
    assert run.jitter_seconds is not None
    assert run.retransmits is None
    assert run.rtt_seconds.p50 is None


def test_tcp_keeps_to_the_rate_asked_for(pair: Pair) -> None:
    request = Request(seconds=1, streams=2, bits_per_second=50_000_000)
    (run,) = measure(pair.side("a"), pair.side("b"), request, backend="veth")
    assert run.bits_per_second == pytest.approx(50_000_000, rel=0.2)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_reverse_data_comes_from_the_receiver_of_the_connection(pair: Pair, protocol: Protocol) -> None:
    request = Request(protocol=protocol, seconds=1, direction=Direction.REVERSE)
    (run,) = measure(pair.side("a"), pair.side("b"), request, backend="veth")
    assert (run.source, run.target, run.direction) == ("pod/default/b", "pod/default/a", "reverse")
    assert run.bits_per_second > 0
    assert (run.rtt_seconds.p50 is not None) == (protocol == Protocol.TCP)
    assert (run.retransmits is not None) == (protocol == Protocol.TCP)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_both_gives_a_run_for_each_way(pair: Pair, protocol: Protocol) -> None:
    request = Request(protocol=protocol, seconds=1, direction=Direction.BOTH, bits_per_second=30_000_000)
    there, back = measure(pair.side("a"), pair.side("b"), request, backend="veth")
    assert (there.source, there.target, there.direction) == ("pod/default/a", "pod/default/b", "both")
    assert (back.source, back.target, back.direction) == ("pod/default/b", "pod/default/a", "both")
    assert there.bits_per_second == pytest.approx(30_000_000, rel=0.3)
    assert back.bits_per_second == pytest.approx(30_000_000, rel=0.3)
    assert (there.rtt_seconds.p50 is not None) == (back.rtt_seconds.p50 is not None) == (protocol == Protocol.TCP)


@pytest.mark.parametrize("direction", [Direction.FORWARD, Direction.BOTH])
def test_a_report_larger_than_a_pipe_does_not_stop_the_run(pair: Pair, direction: Direction) -> None:
    request = Request(seconds=1, streams=128, direction=direction, bits_per_second=128_000_000)
    runs = measure(pair.side("a"), pair.side("b"), request, backend="veth")
    assert [run.streams for run in runs] == [128] * len(runs)
    assert all(run.bits_per_second > 0 for run in runs)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_ipv6(pair: Pair, protocol: Protocol) -> None:
    request = Request(protocol=protocol, seconds=1)
    (run,) = measure(pair.side("a", version=6), pair.side("b", version=6), request, backend="veth")
    assert run.bits_per_second > 0


@pytest.mark.parametrize("protocol", list(Protocol))
def test_a_small_mtu_is_no_obstacle(make_pair: Callable[..., Pair], protocol: Protocol) -> None:
    pair = make_pair(mtu=576)
    request = Request(protocol=protocol, seconds=1, bits_per_second=10_000_000)
    (run,) = measure(pair.side("a"), pair.side("b"), request, backend="veth")
    assert run.bits_per_second == pytest.approx(10_000_000, rel=0.3)


def test_block_and_segment_sizes_are_taken(pair: Pair) -> None:
    request = Request(seconds=1, block_bytes=4096, mss_bytes=700, bits_per_second=10_000_000)
    (run,) = measure(pair.side("a"), pair.side("b"), request, backend="veth")
    assert run.bits_per_second > 0


def test_udp_answers_come_from_the_address_that_was_asked(pair: Pair) -> None:
    ip("-n", pair.b, "addr", "add", "10.99.0.77/24", "dev", "eth0")  # the kernel would answer from 10.99.0.2
    receiver = Side(endpoint="node/b", netns=f"/run/netns/{pair.b}", address="10.99.0.77", node="b")
    request = Request(protocol=Protocol.UDP, seconds=1, bits_per_second=10_000_000)
    (run,) = measure(pair.side("a"), receiver, request, backend="veth")
    assert run.bits_per_second > 0


def test_an_address_that_only_the_network_knows_is_served(pair: Pair) -> None:
    """A Service's address is on no device; here a translation in the server's namespace stands for kube-proxy."""
    ip("-n", pair.a, "route", "add", "10.96.0.9/32", "via", "10.99.0.2")
    ip("-n", pair.b, "route", "add", "local", "10.96.0.0/24", "dev", "lo")
    receiver = Side(endpoint="svc/default/db", netns=f"/run/netns/{pair.b}", address="10.96.0.9", node="")
    (run,) = measure(pair.side("a"), receiver, Request(seconds=1), backend="veth")
    assert run.target == "svc/default/db"


def test_one_namespace_measures_against_itself(pair: Pair) -> None:
    (run,) = measure(pair.side("a"), pair.side("a"), Request(seconds=1), backend="veth")
    assert run.bits_per_second > 0
