"""kemu link: change the links of the running cluster, or take one down."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kemu.api import Cluster
from kemu.api.links import SCHEMA, WAYS, Link
from kemu.base.errors import UsageError
from kemu.cli import complete, options
from kemu.cli.output import count, print_json, print_table
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS


@click.group()
def command() -> None:
    """Change the links of the running cluster, or take one down.

    A link is a node's or host's cable to the fabric, or a segment's way to the router. What is changed stays through kemu up, is
    shown by kemu status, and goes with kemu link reset or kemu up --reset.
    """


@command.command("set", no_args_is_help=True, short_help="Change what is named of a link.")
@click.argument("name", shell_complete=complete.links)
@click.option("--up/--down", "up", default=None, help="Plug the cable in, or pull it out.")
@click.option("--rate", metavar="RATE", help="Bits of whole frames in a second: 10mbit; none: as fast as the machine.")
@click.option("--delay", metavar="TIME", help="How long each packet is on its way: 5ms.")
@click.option("--jitter", metavar="TIME", help="By how much the delay varies: 500us.")
@click.option("--loss", metavar="SHARE", help="The packets that are lost: 0.1%.")
@click.option("--duplicate", metavar="SHARE", help="The packets that arrive twice: 1%.")
@click.option("--reorder", metavar="SHARE", help="The packets that overtake the others: 25%.")
@click.option(
    "--queue", metavar="PACKETS", help="The packets that wait where there is a rate: 100packets; none: kemu's own choice."
)
@click.option("--mtu", metavar="BYTES", help="The largest packet, at both ends.")
@click.option("--out", "outward", is_flag=True, help="Only what the node, host or segment sends.")
@click.option("--in", "inward", is_flag=True, help="Only what it receives.")
@options.cluster
@options.common
def set_(name: str, up: bool | None, mtu: str | None, outward: bool, inward: bool, **values: str | None) -> None:
    """Change what is named of the link NAME, and nothing else: n1, host/client, segment/rack1.

    Without --out and --in both directions change; a delay in both is twice as long in a ping.
    """
    said = {key: value for key, value in values.items() if value is not None}
    ways = [way for way, is_meant in zip(WAYS, (outward, inward), strict=True) if is_meant]
    if not said and not mtu and up is None:
        raise UsageError("nothing is to change", hint="kemu link set n1 --delay 5ms, or --down")
    if ways and not said:
        raise UsageError(
            "--out and --in go with what can differ between them", hint="a link's MTU and its being up hold for both"
        )
    with reporting():
        link = Cluster.find(SETTINGS.cluster).link(name)
        link.set(up=up, mtu=mtu or "", ways=ways or WAYS, **said)
    _show([link])


@command.command("reset", short_help="Let links be again as the file has them.")
@click.argument("name", required=False, shell_complete=complete.links)
@options.cluster
@options.common
def reset(name: str | None) -> None:
    """Let the link NAME be again as the file has it; without NAME every link."""
    cluster = Cluster.find(SETTINGS.cluster)
    with reporting():
        if name is None:
            changed = len(cluster.live.links)
            cluster.reset_links()
            click.echo(f"{count(changed, 'link')} as in the file again")
        else:
            link = cluster.link(name)
            link.reset()
            _show([link])


@command.command("ls", short_help="List every link.")
@options.cluster
@options.output("table", "json")
@options.common
def ls() -> None:
    """List every link: what the file and the live changes make of it together, and what was changed live."""
    cluster = Cluster.find(SETTINGS.cluster)
    if SETTINGS.output == "json":
        print_json({"schema": SCHEMA, "cluster": cluster.name, "links": [link.to_dict() for link in cluster.links()]})
    else:
        _show(cluster.links())


def _show(links: Sequence[Link]) -> None:
    print_table(("LINK", "STATE", "MTU", "OUT", "IN", "LIVE"), [_row(link) for link in links])


def _row(link: Link) -> tuple[object, ...]:
    return link.target, "up" if link.cable.up else "down", link.cable.mtu, *link.ways, link.live
