"""kemu reach: who reaches whom, by real packets."""

from __future__ import annotations

import click

from kemu.api import Cluster
from kemu.cli import complete, options
from kemu.cli.matrix import show_matrix
from kemu.cli.output import print_json
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS

_MORE = {"nodes": "node", "hosts": "host"}


@click.command()
@click.option(
    "--from",
    "senders",
    metavar="ENDPOINT",
    shell_complete=complete.endpoints,
    help="Only from this one, or these labels.",
)
@click.option(
    "--to", "receivers", metavar="ENDPOINT", shell_complete=complete.endpoints, help="Only to this one, or these labels."
)
@click.option("--with", "more", metavar="KINDS", default="", help="Beside the pods also nodes, hosts, or nodes,hosts.")
@click.option("--protocol", default="icmp", show_default=True, metavar="[icmp|tcp|udp]", help="What to send.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="The port of TCP and UDP; kemu answers on it where nobody else does. [default: 8080]",
)
@click.option("--all", "every", is_flag=True, help="Try all pairs, however many.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Try N pairs, chosen by chance.")
@options.namespace
@options.cluster
@options.output("table", "json")
@options.common
def command(
    senders: str | None, receivers: str | None, more: str, protocol: str, port: int | None, every: bool, sample: int | None
) -> int:
    """Show who reaches whom, by real packets: every ordered pair of pods, in each IP family.

    Exits with 1 if a pair is lost.
    """
    with reporting() as progress:
        matrix = Cluster.find(SETTINGS.cluster).reach(
            senders=senders,
            receivers=receivers,
            kinds=("pod", *_kinds(more)),
            namespace=SETTINGS.namespace,
            protocol=protocol,
            port=port,
            every=every,
            sample=sample,
            reporter=progress,
        )
    if SETTINGS.output == "json":
        print_json(matrix.to_dict())
    else:
        click.echo(show_matrix(matrix))
    return 1 if matrix.lost else 0


def _kinds(more: str) -> list[str]:
    words = [word for word in more.split(",") if word]
    for word in words:
        if word not in _MORE:
            later = "not yet" if word == "services" else "nodes and hosts are known"
            raise click.UsageError(f'--with "{word}": {later}')
    return [_MORE[word] for word in words]
