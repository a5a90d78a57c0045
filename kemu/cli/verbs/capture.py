"""kemu capture: packets at every device on the way, in one file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from kemu.api import Cluster
from kemu.base.errors import UsageError
from kemu.cli import complete, options
from kemu.cli.output import count, print_json, show_table
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS

if TYPE_CHECKING:
    from kemu.api.capturing import Packet, Point, Summary

MANY = 40  # devices: more than a screen


class _Command(click.Command):
    """A command that takes what follows `--` as the words of the filter, as tcpdump takes its last words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Turn `-- icmp or arp` into `--filter "icmp or arp"`."""
        if "--" in args:
            place = args.index("--")
            args = [*args[:place], "--filter", " ".join(args[place + 1 :])]
        return super().parse_args(ctx, args)


@click.command(cls=_Command)
@click.argument("endpoints", nargs=-1, required=True, metavar="ENDPOINT[%DEVICE]…", shell_complete=complete.endpoints)
@click.option("--way", is_flag=True, help="Between two endpoints: every device that packets pass from one to the other and back.")
@click.option("-w", "--write", "to", metavar="FILE", help="Write a pcapng file; - is standard output, for Wireshark and tcpdump.")
@click.option(
    "-f", "--filter", "expression", metavar="EXPR", default="", help="Only these packets, as tcpdump has it; or after --."
)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), metavar="S", help="End after so long.")
@click.option("-c", "--count", "limit", type=click.IntRange(1), help="End after N packets, of all devices together.")
@click.option(
    "-s",
    "--snap-length",
    type=click.IntRange(14, 262_144),
    metavar="BYTES",
    help="Keep only the head of a packet. [default: all]",
)
@options.namespace
@options.cluster
@options.output("table", "json")
@options.common
def command(
    endpoints: tuple[str, ...],
    way: bool,
    to: str | None,
    expression: str,
    seconds: float | None,
    limit: int | None,
    snap_length: int | None,
) -> None:
    """Capture packets at many devices at once: into one file, with an interface for each device, or as a line each.

    ENDPOINT is a pod, node or host, labels (app=web), or fabric or router: all of its devices but lo. With %DEVICE it is one, or some:
    n1%flannel.1, "n1%veth*". Ctrl-C ends it. With -o json the summary is printed, and without -w packets are only counted.
    """
    from kemu.api.capturing import Request, capture, choose_points  # noqa: PLC0415 (sockets, which --help needs none of)

    _check(to)
    request = Request(
        expression=expression, seconds=seconds, count=limit, **({"snap_length": snap_length} if snap_length else {})
    )
    cluster = Cluster.find(SETTINGS.cluster)
    with reporting() as progress:
        points = choose_points(cluster, endpoints, way=way, namespace=SETTINGS.namespace, reporter=progress)
    show = _printer(max(len(point.name) for point in points)) if to is None and SETTINGS.output != "json" else None
    summary = capture(cluster, points, request, to=to, show=show, ready=lambda: _announce(len(points), to))
    if SETTINGS.output == "json":
        print_json(summary.to_dict())
    elif not SETTINGS.quiet:
        click.echo("\n".join(_lines(summary)), err=True)


def _check(to: str | None) -> None:
    if to != "-":
        return
    if SETTINGS.output == "json":
        raise UsageError("-o json and -w - would both be on standard output", hint="-w FILE")
    if sys.stdout.isatty():
        raise UsageError(
            "a terminal cannot show a pcapng file", hint="kemu capture … -w - | tcpdump -r -, or without -w a line a packet"
        )


def _announce(points: int, to: str | None) -> None:
    """Say that every packet is heard from now on; scripts wait for this line."""
    if not SETTINGS.quiet:
        where = f" into {to}" if to not in (None, "-") else ""
        click.echo(f"capturing on {count(points, 'device')}{where}; Ctrl-C ends it", err=True)


def _printer(width: int) -> Callable[[Packet, Point, str], None]:
    """Return what prints a packet's line, in columns for device names of this width."""

    def show(packet: Packet, point: Point, text: str) -> None:
        direction = "out" if packet.is_outgoing else "in "
        click.echo(f"{_clock(packet.time)}  {point.name.ljust(width)}  {direction}  {text}")

    return show


def _clock(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest // 1000:06}"


def _lines(summary: Summary) -> list[str]:
    rows = [(one.point.name, one.packets, one.dropped) for one in summary.tallies]
    table = show_table(("DEVICE", "PACKETS", "LOST"), rows) if summary.file is not None and len(rows) <= MANY else []
    where = f" in {summary.file}" if summary.file not in (None, "-") else ""
    total = f"{count(summary.packets, 'packet')} of {count(len(rows), 'device')}{where}"
    if not summary.dropped:
        return [*table, f"{total}, none lost"]
    return [*table, f"{total}; {summary.dropped:,} more were lost: too many at once. A filter or a shorter --snap-length helps"]
