"""Reports of libiperf, cut down to what counts, made into runs; and what a request refuses."""

from __future__ import annotations

from typing import Any

import pytest

from kemu.base.errors import ProbeError, UsageError
from kemu.perf.model import UDP_BITS_PER_SECOND, Direction, Protocol, Request, Run, Side
from kemu.perf.read import Outcome, build_runs

A = Side(endpoint="pod/default/a", netns="/run/netns/x.a", address="10.0.0.1", node="n1")
B = Side(endpoint="pod/default/b", netns="/run/netns/x.b", address="10.0.0.2", node="n2")


def build_sum(bits_per_second: float, **more: float) -> dict[str, float]:
    return {"seconds": 1.5, "bits_per_second": bits_per_second, **more}


def build_interval(*rtts: int | None, moved: int = 1) -> dict[str, Any]:
    """Return an interval with a stream for each RTT in microseconds; None is a receiving stream's."""
    return {"streams": [build_stream(socket, rtt, moved) for socket, rtt in enumerate(rtts, start=5)]}


def build_stream(socket: int, rtt: int | None, moved: int) -> dict[str, Any]:
    sending = {} if rtt is None else {"rtt": rtt, "rttvar": rtt // 2}
    return {"socket": socket, "bytes": moved, "sender": rtt is not None, **sending}


def read(client: dict[str, Any], server: dict[str, Any], request: Request) -> tuple[Run, ...]:
    return build_runs(
        Outcome(side=A, report=client, cpu_seconds=0.5),
        Outcome(side=B, report=server, cpu_seconds=0.25),
        request,
        backend="vxlan",
    )


def test_each_side_is_believed_only_for_what_it_saw() -> None:
    client = {
        "intervals": [build_interval(100, 0), build_interval(300, 200)],
        "end": {"sum_sent": build_sum(111.0, retransmits=7), "sum_received": build_sum(-1.0)},
    }
    server = {"intervals": [], "end": {"sum_sent": build_sum(-1.0), "sum_received": build_sum(100.0)}}
    (run,) = read(client, server, Request())
    assert run.to_dict() == {
        "from": "pod/default/a",
        "to": "pod/default/b",
        "backend": "vxlan",
        "protocol": "tcp",
        "streams": 1,
        "direction": "forward",
        "seconds": 1.5,
        "bits_per_second": 100.0,
        "retransmits": 7,
        "loss_ratio": None,
        "jitter_seconds": None,
        "rtt_seconds": {"p50": pytest.approx(200e-6), "p99": pytest.approx(300e-6)},
        "cpu_seconds": {"sender": 0.5, "receiver": 0.25},
    }


def test_a_round_trip_time_counts_once_while_its_stream_stands_still() -> None:
    standing = [build_interval(8, 8, moved=0)] * 9
    client = {
        "intervals": [
            *standing,
            build_interval(8, 270_000, moved=0),
            build_interval(8, 271_000, moved=0),
            build_interval(8, 271_000),
        ],
        "end": {"sum_sent": build_sum(1.0)},
    }
    (run,) = read(client, {"end": {"sum_received": build_sum(1.0)}}, Request())
    assert run.rtt_seconds.p50 == pytest.approx(8e-6)  # 8, 8, 8 (moved), 270, 271, 271 (moved)
    assert run.rtt_seconds.p99 == pytest.approx(0.271)


def test_reverse_swaps_the_sides() -> None:
    client = {"end": {"sum_sent": build_sum(-1.0), "sum_received": build_sum(100.0)}}
    server = {
        "intervals": [build_interval(50)],
        "end": {"sum_sent": build_sum(110.0, retransmits=2), "sum_received": build_sum(0.0)},
    }
    (run,) = read(client, server, Request(direction=Direction.REVERSE))
    assert (run.source, run.target, run.bits_per_second, run.retransmits) == ("pod/default/b", "pod/default/a", 100.0, 2)
    assert run.rtt_seconds.p50 == pytest.approx(50e-6)
    assert (run.cpu_seconds.sender, run.cpu_seconds.receiver) == (0.25, 0.5)


def test_both_reads_the_second_sums_and_only_the_sending_streams() -> None:
    client = {
        "intervals": [build_interval(100, None)],
        "end": {"sum_sent": build_sum(1.0, retransmits=1), "sum_received_bidir_reverse": build_sum(20.0)},
    }
    server = {
        "intervals": [build_interval(None, 400)],
        "end": {"sum_received": build_sum(10.0), "sum_sent_bidir_reverse": build_sum(2.0, retransmits=2)},
    }
    there, back = read(client, server, Request(direction=Direction.BOTH))
    assert [(run.source, run.bits_per_second, run.retransmits) for run in (there, back)] == [
        ("pod/default/a", 10.0, 1),
        ("pod/default/b", 20.0, 2),
    ]
    assert there.rtt_seconds.p99 == pytest.approx(100e-6)
    assert back.rtt_seconds.p99 == pytest.approx(400e-6)


@pytest.mark.parametrize(
    ("sent", "arrived", "lost", "ratio"), [(1000, 1000, 10, 0.01), (1000, 900, 0, 0.0), (1000, 0, 0, 1.0), (0, 0, 0, None)]
)
def test_loss_is_what_the_receiver_missed(sent: int, arrived: int, lost: int, ratio: float | None) -> None:
    client = {"end": {"sum_sent": build_sum(1.0, packets=sent)}}
    server = {"end": {"sum_received": build_sum(1.0, packets=arrived, lost_packets=lost, jitter_ms=0.5)}}
    (run,) = read(client, server, Request(protocol=Protocol.UDP))
    assert run.loss_ratio == ratio
    assert run.jitter_seconds == 0.0005
    assert run.retransmits is None
    assert run.to_dict()["rtt_seconds"] == {"p50": None, "p99": None}


def test_a_report_without_the_figure_is_a_probe_error_with_the_version() -> None:
    with pytest.raises(ProbeError, match=r'iperf3 in pod/default/b on n2 has no "end.sum_received" \(iperf 3.0\)') as caught:
        read({"end": {"sum_sent": build_sum(1.0)}}, {"start": {"version": "iperf 3.0"}, "end": {}}, Request())
    assert "3.12" in caught.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"streams": 0},
        {"streams": 129},
        {"seconds": 0},
        {"seconds": 0.5},
        {"seconds": 86401},
        {"port": 0},
        {"port": 65536},
        {"bits_per_second": -1},
        {"mss_bytes": 100_000},
        {"block_bytes": 65508, "protocol": Protocol.UDP},
        {"protocol": "sctp"},
        {"direction": "sideways"},
    ],
)
def test_what_libiperf_cannot_do_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"perf: .*expected"):
        Request(**wrong)


def test_udp_has_a_rate_by_default_and_tcp_none() -> None:
    assert Request(protocol=Protocol.UDP).offered_bits_per_second == UDP_BITS_PER_SECOND
    assert Request().offered_bits_per_second == 0
    assert Request(protocol=Protocol.UDP, bits_per_second=0).offered_bits_per_second == 0


@pytest.mark.parametrize(("streams", "seconds", "interval"), [(1, 1, 0.1), (1, 500, 0.5), (128, 60, 1.0)])
def test_samples_are_as_dense_as_the_report_allows(streams: int, seconds: int, interval: float) -> None:
    assert Request(streams=streams, seconds=seconds).interval_seconds == interval
