"""kemu logs: what the containers of a pod said."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from kemu.api import Cluster
from kemu.api.containers import PodContainer, find_container
from kemu.base.errors import UsageError
from kemu.cli import complete, options
from kemu.cli.settings import SETTINGS


@click.command()
@click.argument("endpoint", metavar="POD", shell_complete=complete.endpoints)
@click.option("-c", "--container", help="Which container of the pod; without it the first.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what it says, until it has ended for good.")
@click.option("--tail", type=click.IntRange(0), help="Only the last lines.", metavar="N")
@click.option("-p", "--previous", is_flag=True, help="What it said before it was started again.")
@options.namespace
@options.cluster
@options.common
def command(endpoint: str, container: str | None, follow: bool, tail: int | None, previous: bool) -> None:
    """Show what a container of a pod said, on its standard output and standard error."""
    if follow and previous:
        raise UsageError("a run that is over says nothing more", hint="leave out -f, or --previous")
    cluster = Cluster.find(SETTINGS.cluster)
    chosen = find_container(cluster, cluster.endpoint(endpoint, namespace=SETTINGS.namespace), container)
    if chosen.others:
        click.echo(f"container {chosen.container.name}, of {', '.join(chosen.others)}", err=True)
    _write(chosen.follow_log(tail=tail) if follow else _whole(chosen, tail, previous=previous))


def _whole(chosen: PodContainer, tail: int | None, *, previous: bool) -> list[bytes]:
    return [chosen.read_log(tail=tail, previous=previous)]


def _write(parts: Iterable[bytes]) -> None:
    for part in parts:
        sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
