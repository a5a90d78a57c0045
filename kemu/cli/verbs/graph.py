"""kemu graph: the picture of a topology or a running cluster."""

from __future__ import annotations

from pathlib import Path

import click

from kemu.api import Cluster, Topology
from kemu.api.picturing import FORMATS, Picture, picture_of_cluster, picture_of_topology
from kemu.base.errors import NotFoundError, UsageError
from kemu.cli import options
from kemu.cli.settings import SETTINGS


@click.command()
@options.file
@options.backend
@options.sets
@options.force
@click.option(
    "-w",
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Into this file; its ending says the format.",
)
@options.cluster
@options.output("svg", "dot", "mermaid", "html")
@options.common
def command(file: str | None, backend: str | None, sets: tuple[str, ...], force: bool, write: Path | None) -> None:
    """Draw nodes, pods, devices, tunnels, segments and wires. Prints the picture, or writes it into a file.

    With FILE it draws what up would make, and needs no rights. Without it, it draws the running cluster, and in red what is not as it
    should be.
    """
    text = FORMATS[_format(write)](_picture(file, backend, sets, force=force))
    if write:
        write.write_text(text)
    else:
        click.echo(text, nl=False)


def _format(write: Path | None) -> str:
    """Return the format that -o says, else that of the file to write, else svg."""
    if SETTINGS.output in FORMATS:
        return SETTINGS.output
    suffix = write.suffix.removeprefix(".") if write else "svg"
    known = {"mmd": "mermaid", "htm": "html"}.get(suffix, suffix)
    if known not in FORMATS:
        raise UsageError(f'what ends with "{suffix}" is no format', hint=f"-o names one: {', '.join(FORMATS)}")
    return known


def _picture(file: str | None, backend: str | None, sets: tuple[str, ...], *, force: bool) -> Picture:
    if file is None and not backend and not sets:
        try:
            return picture_of_cluster(Cluster.find(SETTINGS.cluster))
        except NotFoundError:
            if SETTINGS.cluster:
                raise
    return picture_of_topology(Topology.load(file, backend=backend, sets=sets), force=force)
