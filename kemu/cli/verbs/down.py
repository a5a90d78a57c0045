"""kemu down: remove a cluster; nothing is left."""

from __future__ import annotations

from pathlib import Path

import click

from kemu.api import Cluster
from kemu.base.errors import NotFoundError
from kemu.cli import complete, options
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]…", shell_complete=complete.clusters_or_files)
@click.option("--all", "every", is_flag=True, help="Every cluster of this machine.")
@options.cluster
@options.common
def command(names: tuple[str, ...], every: bool) -> None:
    """Remove a cluster: processes, namespaces, files. NAME is a cluster, or the file that it was made from.

    Without NAME it is the cluster made from a file in this directory, or the only one. A cluster that is gone already is no error.
    """
    for cluster in _chosen(names, every=every):
        with reporting() as progress:
            removed = cluster.down(reporter=progress)
        click.echo(f"{cluster.name} is gone" if removed else f"there is no {cluster.name}: nothing to do")


def _chosen(names: tuple[str, ...], *, every: bool) -> list[Cluster]:
    if every:
        return Cluster.all()
    wanted = names or ((SETTINGS.cluster,) if SETTINGS.cluster else ())
    return [_named(name) for name in wanted] if wanted else [Cluster.find()]


def _named(name: str) -> Cluster:
    """Return the cluster of a name, there or not, or the one that was made from a file."""
    if "/" not in name and not name.endswith((".yaml", ".yml")):
        return Cluster(name)
    path = str(Path(name).resolve())
    for cluster in Cluster.all():
        if cluster.find_file() == path:
            return cluster
    raise NotFoundError(f"no cluster was made from {path}", hint="kemu ls shows the clusters")
