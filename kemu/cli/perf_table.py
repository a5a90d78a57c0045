"""Tables of measurements: one for each path, with the columns that have anything to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

import click

from kemu.api.perf import PerfReport, Run, Summary
from kemu.base.units import show_bits_per_second, show_ratio, show_seconds
from kemu.cli.output import count, print_table

Row = Mapping[str, str]


def print_runs(report: PerfReport) -> None:
    """Print the runs, and the medians if there are several of one path."""
    for i, (path, runs) in enumerate(groupby(report.runs, lambda run: (run.source, run.target, str(run.protocol), run.streams))):
        source, target, protocol, streams = path
        click.echo(f"{'' if i == 0 else chr(10)}{source} -> {target}, {protocol}, {count(streams, 'stream')}")
        _print([_run(run) for run in runs])
    if any(row.runs > 1 for row in report.summary):
        click.echo()
        print_summary(report.summary)


def _run(run: Run) -> Row:
    return {
        "RATE": show_bits_per_second(run.bits_per_second),
        "RETRANSMITS": _show(str, run.retransmits),
        "LOST": _show(show_ratio, run.loss_ratio),
        "JITTER": _show(show_seconds, run.jitter_seconds),
        "RTT P50": _show(show_seconds, run.rtt_seconds.p50),
        "RTT P99": _show(show_seconds, run.rtt_seconds.p99),
        "CPU SENDING": show_seconds(run.cpu_seconds.sender),
        "RECEIVING": show_seconds(run.cpu_seconds.receiver),
    }


def print_summary(rows: Iterable[Summary]) -> None:
    """Print medians, how far the rounds lie apart, and the ratio to the first backend."""
    paths: dict[tuple[str, str, str], list[Summary]] = {}
    for row in rows:
        paths.setdefault((row.source, row.target, str(row.protocol)), []).append(row)
    for i, ((source, target, protocol), group) in enumerate(paths.items()):
        head = f"{source} -> {target}, {protocol}, medians of {count(group[0].runs, 'round')}"
        click.echo(f"{'' if i == 0 else chr(10)}{head}")
        _print([_summary(row) for row in group])


def _summary(row: Summary) -> Row:
    return {
        "BACKEND": row.backend,
        "RATE": show_bits_per_second(row.bits_per_second.median),
        "SPREAD": _show(_spread, row.bits_per_second.relative if row.runs > 1 else None),
        "RATIO": _show(lambda ratio: f"{ratio:.2f}", row.ratio),
        "RETRANSMITS": _show(lambda number: f"{number:g}", row.retransmits),
        "LOST": _show(show_ratio, row.loss_ratio),
        "RTT P50": _show(show_seconds, row.rtt_p50_seconds),
        "CPU SENDING": show_seconds(row.cpu_sender_seconds),
        "RECEIVING": show_seconds(row.cpu_receiver_seconds),
    }


def _spread(relative: float) -> str:
    """Return how far the rounds lie from their middle, in percent of the median."""
    return f"±{relative * 50:.0f}%"


def _print(rows: Sequence[Row]) -> None:
    headings = [heading for heading in rows[0] if any(row[heading] for row in rows)]
    print_table(headings, [[row[heading] for heading in headings] for row in rows])


def _show(show: Callable[[float], str], value: float | None) -> str:
    return show(value) if value is not None else ""
