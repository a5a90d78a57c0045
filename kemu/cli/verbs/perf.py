"""kemu perf: iperf3 between two endpoints."""

from __future__ import annotations

import click

from kemu.api import Cluster
from kemu.api.perf import Direction, PerfReport, Protocol, Request
from kemu.base.units import read_rate
from kemu.cli import complete, options
from kemu.cli.output import print_json
from kemu.cli.perf_table import print_runs
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS


@click.command()
@click.argument("source", shell_complete=complete.endpoints)
@click.argument("target", shell_complete=complete.endpoints)
@click.option("--udp", is_flag=True, help="UDP instead of TCP, at 1 Gbit/s unless --rate says otherwise.")
@click.option("-P", "--streams", default=1, show_default=True, help="Parallel streams.")
@click.option("-t", "--seconds", default=5, show_default=True, help="How long, in whole seconds.")
@click.option("-R", "--reverse", is_flag=True, help="TARGET sends, SOURCE receives.")
@click.option("--both", is_flag=True, help="Both send, at once.")
@click.option("--rate", metavar="RATE", help="What all streams together offer: 800mbit.")
@click.option(
    "--rounds", default=1, show_default=True, type=click.IntRange(1), help="Measure so many times; the medians are shown too."
)
@options.namespace
@options.cluster
@options.output("table", "json")
@options.common
def command(  # noqa: PLR0913, PLR0917 (one for each option)
    source: str, target: str, udp: bool, streams: int, seconds: int, reverse: bool, both: bool, rate: str | None, rounds: int
) -> None:
    """Measure with iperf3 from SOURCE to TARGET: pods, nodes or hosts."""
    request = Request(
        protocol=Protocol.UDP if udp else Protocol.TCP,
        streams=streams,
        seconds=seconds,
        direction=direction(reverse=reverse, both=both),
        bits_per_second=_rate(rate),
    )
    cluster = Cluster.find(SETTINGS.cluster)
    with reporting() as progress:
        reports = [cluster.perf(source, target, request, namespace=SETTINGS.namespace, reporter=progress) for _ in range(rounds)]
    report = PerfReport(cluster=cluster.name, runs=tuple(run for one in reports for run in one.runs))
    if SETTINGS.output == "json":
        print_json(report.to_dict())
    else:
        print_runs(report)


def direction(*, reverse: bool, both: bool) -> Direction:
    """Return the direction that two flags say."""
    if reverse and both:
        raise click.UsageError("--reverse and --both exclude each other")
    return Direction.BOTH if both else Direction.REVERSE if reverse else Direction.FORWARD


def _rate(text: str | None) -> int | None:
    try:
        return read_rate(text) if text else None
    except ValueError as error:
        raise click.UsageError(f"--rate: {error}") from None
