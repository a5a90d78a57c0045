"""kemu compare: the same topology over several backends."""

from __future__ import annotations

import click

from kemu.api import Topology
from kemu.api.comparing import Verdict, compare
from kemu.api.perf import Protocol, Request
from kemu.base.units import show_seconds
from kemu.cli import options
from kemu.cli.output import print_json, print_table
from kemu.cli.perf_table import print_summary
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS


@click.command()
@options.file
@click.option("--backends", required=True, metavar="A,B,…", help="The backends; the first is what the others are compared with.")
@click.option("--from", "source", metavar="ENDPOINT", help="Who sends [default: the first pod].")
@click.option("--to", "target", metavar="ENDPOINT", help="Who receives [default: the first pod of another node].")
@click.option("--udp", is_flag=True, help="UDP instead of TCP, at 1 Gbit/s.")
@click.option("-P", "--streams", default=1, show_default=True, help="Parallel streams.")
@click.option(
    "-t", "--seconds", default=3, show_default=True, help="How long each round measures each backend, in whole seconds."
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="How many rounds; they are interleaved.")
@options.sets
@options.output("table", "json")
@options.common
def command(  # noqa: PLR0913, PLR0917 (one for each option)
    file: str | None,
    backends: str,
    source: str | None,
    target: str | None,
    udp: bool,
    streams: int,
    seconds: int,
    rounds: int,
    sets: tuple[str, ...],
) -> int:
    """Bring the same topology up once for each backend, say whether it works there and why not, then measure with iperf3 in turns.

    The clusters have names of their own and are gone afterwards. Exits with 1 if no backend works.
    """
    names = [name.strip() for name in backends.split(",") if name.strip()]
    topology = Topology.load(file, sets=sets)
    request = Request(protocol=Protocol.UDP if udp else Protocol.TCP, streams=streams, seconds=seconds)
    with reporting() as progress:
        found = compare(topology, names, request, ends=(source, target), rounds=rounds, reporter=progress)
    if SETTINGS.output == "json":
        print_json(found.to_dict())
        return 0 if found.runs else 1
    print_table(("BACKEND", "WORKS", "PAIRS", "POD MTU", "UP IN"), [_verdict(one) for one in found.verdicts])
    for one in found.verdicts:
        if one.reason:
            click.echo(f"{one.backend}: {one.reason}")
    if found.runs:
        click.echo()
        print_summary(found.summary)
    return 0 if found.runs else 1


def _verdict(one: Verdict) -> tuple[object, ...]:
    pairs = f"{one.reached} of {one.total}" if one.total is not None else ""
    seconds = show_seconds(one.seconds) if one.seconds else ""
    return (one.backend, "yes" if one.works else "no", pairs, one.mtu, seconds)
