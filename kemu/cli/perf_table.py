"""Tables of measurements."""

from __future__ import annotations

from collections.abc import Callable

import click

from kemu.api.perf import PerfReport, Run, Summary
from kemu.base.units import show_bits_per_second, show_ratio, show_seconds
from kemu.cli.output import print_table

_RUN_HEADINGS = ("FROM", "TO", "PROTOCOL", "STREAMS", "RATE", "RETRANSMITS", "LOST", "JITTER", "RTT P50", "RTT P99")

_SUMMARY_HEADINGS = (
    *("BACKEND", "FROM", "TO", "PROTOCOL", "ROUNDS", "MEDIAN", "SPREAD", "RATIO", "RETRANSMITS", "LOST", "RTT P50"),
    *("CPU SEND", "CPU RECEIVE"),
)


def print_runs(report: PerfReport) -> None:
    """Print the runs, and the medians if there are several of one path."""
    print_table(_RUN_HEADINGS, [_run(run) for run in report.runs])
    if any(row.runs > 1 for row in report.summary):
        click.echo()
        print_summary(report.summary)


def _run(run: Run) -> tuple[object, ...]:
    return (
        run.source,
        run.target,
        run.protocol,
        run.streams,
        show_bits_per_second(run.bits_per_second),
        run.retransmits,
        _show(show_ratio, run.loss_ratio),
        _show(show_seconds, run.jitter_seconds),
        _show(show_seconds, run.rtt_seconds.p50),
        _show(show_seconds, run.rtt_seconds.p99),
    )


def print_summary(rows: tuple[Summary, ...]) -> None:
    """Print medians, how far the rounds lie apart, and the ratio to the first backend."""
    print_table(_SUMMARY_HEADINGS, [_summary(row) for row in rows])


def _summary(row: Summary) -> tuple[object, ...]:
    spread = row.bits_per_second
    return (
        row.backend,
        row.source,
        row.target,
        row.protocol,
        row.runs,
        show_bits_per_second(spread.median),
        _show(lambda ratio: f"±{show_ratio(ratio / 2)}", spread.relative),
        _show(lambda ratio: f"{ratio:.2f}", row.ratio),
        _show(lambda number: f"{number:g}", row.retransmits),
        _show(show_ratio, row.loss_ratio),
        _show(show_seconds, row.rtt_p50_seconds),
        show_seconds(row.cpu_sender_seconds),
        show_seconds(row.cpu_receiver_seconds),
    )


def _show(show: Callable[[float], str], value: float | None) -> str:
    return show(value) if value is not None else ""
