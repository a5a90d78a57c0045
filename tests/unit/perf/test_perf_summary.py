"""Summaries: medians, their spread, and the ratio to the first backend."""

from __future__ import annotations

import pytest

from kemu.perf.model import Cpu, Direction, Protocol, Rtt, Run
from kemu.perf.summary import build_spread, build_summaries


def build_run(
    bits_per_second: float,
    *,
    backend: str = "vxlan",
    target: str = "pod/default/b",
    protocol: Protocol = Protocol.TCP,
    direction: Direction = Direction.FORWARD,
    retransmits: int | None = 3,
    loss_ratio: float | None = None,
    p50: float | None = 0.001,
) -> Run:
    return Run(
        source="pod/default/a",
        target=target,
        backend=backend,
        protocol=protocol,
        streams=1,
        direction=direction,
        seconds=1.0,
        bits_per_second=bits_per_second,
        retransmits=retransmits,
        loss_ratio=loss_ratio,
        rtt_seconds=Rtt(p50=p50, p99=p50),
        cpu_seconds=Cpu(sender=0.5, receiver=0.25),
    )


def test_spread_is_median_range_and_range_over_median() -> None:
    spread = build_spread([100.0, 80.0, 120.0])
    assert (spread.median, spread.minimum, spread.maximum) == (100.0, 80.0, 120.0)
    assert spread.relative == pytest.approx(0.4)
    assert spread.to_dict() == {"median": 100.0, "min": 80.0, "max": 120.0, "relative_ratio": pytest.approx(0.4)}


def test_spread_of_zeros_has_no_relative_width() -> None:
    assert build_spread([0.0, 0.0]).relative is None


def test_nothing_summarizes_to_nothing() -> None:
    assert build_summaries([]) == ()


def test_runs_of_one_path_become_one_row_with_medians() -> None:
    (row,) = build_summaries([build_run(90.0, retransmits=1), build_run(100.0, retransmits=9), build_run(130.0, retransmits=2)])
    assert row.runs == 3
    assert row.bits_per_second.median == 100.0
    assert row.retransmits == 2
    assert row.ratio == 1.0
    assert row.loss_ratio is None


def test_ratio_is_to_the_first_backend_on_the_same_path() -> None:
    rows = build_summaries(
        [
            build_run(200.0, backend="host-gw"),
            build_run(100.0, backend="vxlan"),
            build_run(400.0, backend="host-gw", protocol=Protocol.UDP),
            build_run(100.0, backend="vxlan", protocol=Protocol.UDP),
        ]
    )
    assert [(row.backend, row.protocol, row.ratio) for row in rows] == [
        ("host-gw", "tcp", 1.0),
        ("vxlan", "tcp", 0.5),
        ("host-gw", "udp", 1.0),
        ("vxlan", "udp", 0.25),
    ]


@pytest.mark.parametrize("first", [[], [build_run(0.0, backend="host-gw")]])
def test_ratio_is_unknown_without_a_rate_to_compare_with(first: list[Run]) -> None:
    other = build_run(100.0, backend="host-gw", target="pod/default/c")
    *_, row = build_summaries([other, *first, build_run(100.0, backend="vxlan")])
    assert (row.backend, row.ratio) == ("vxlan", None)


def test_directions_and_targets_are_rows_of_their_own() -> None:
    rows = build_summaries(
        [
            build_run(1.0),
            build_run(2.0, direction=Direction.REVERSE),
            build_run(3.0, direction=Direction.BOTH),
            build_run(4.0, target="x"),
        ]
    )
    assert [row.bits_per_second.median for row in rows] == [1.0, 2.0, 3.0, 4.0]


def test_missing_values_do_not_count() -> None:
    (row,) = build_summaries([build_run(1.0, p50=None), build_run(1.0, p50=0.002), build_run(1.0, p50=0.004)])
    assert row.rtt_p50_seconds == pytest.approx(0.003)


def test_a_row_is_json_with_the_names_of_the_contract() -> None:
    (row,) = build_summaries([build_run(100.0)])
    assert row.to_dict() == {
        "backend": "vxlan",
        "from": "pod/default/a",
        "to": "pod/default/b",
        "protocol": "tcp",
        "direction": "forward",
        "runs": 1,
        "bits_per_second": {"median": 100.0, "min": 100.0, "max": 100.0, "relative_ratio": 0.0},
        "ratio": 1.0,
        "retransmits": 3,
        "loss_ratio": None,
        "jitter_seconds": None,
        "rtt_seconds": {"p50": 0.001, "p99": 0.001},
        "cpu_seconds": {"sender": 0.5, "receiver": 0.25},
    }
