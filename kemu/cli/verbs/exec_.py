"""kemu exec: a command in a pod, node or host."""

from __future__ import annotations

import click

from kemu.api import Cluster
from kemu.api.containers import find_container
from kemu.cli import complete, options
from kemu.cli.enter import Running, attach
from kemu.cli.settings import SETTINGS


@click.command("exec", cls=Running, context_settings={"allow_interspersed_args": False})
@click.option("-i", "--stdin", is_flag=True, help="Accepted for kubectl's sake: standard input is always passed on.")
@click.option("-t", "--tty", is_flag=True, help="Accepted for kubectl's sake: a terminal stays one.")
@click.option("-c", "--container", help="With the environment of this container; all of a pod share the rest.")
@options.namespace
@options.cluster
@options.common
@click.argument("endpoint", shell_complete=complete.endpoints)
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND…", type=click.UNPROCESSED)
def command(endpoint: str, words: tuple[str, ...], stdin: bool, tty: bool, container: str | None) -> int:
    """Run a command in a pod, node or host, and hand back its exit code.

    Options behind ENDPOINT are kemu's, up to -- or the first word of the command. kemu's own failure is 125, wrong usage too;
    a command that cannot be executed is 126, one that is not found 127.
    """
    cluster = Cluster.find(SETTINGS.cluster)
    place = cluster.endpoint(endpoint, namespace=SETTINGS.namespace)
    return attach(place, words, find_container(cluster, place, container).container.env if container else {})
