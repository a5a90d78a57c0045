"""kemu ls: the clusters of this machine."""

from __future__ import annotations

import click

from kemu.api import Cluster
from kemu.cli import options
from kemu.cli.output import print_json, print_table
from kemu.cli.settings import SETTINGS

_HEADINGS = ("NAME", "STATE", "BACKEND", "NODES", "PODS", "HOSTS", "FILE")


@click.command()
@options.output("table", "json", "name")
@options.common
def command() -> None:
    """List the clusters of this machine."""
    found = [cluster.facts() for cluster in Cluster.all()]
    match SETTINGS.output:
        case "json":
            print_json({"schema": "kemu.ls/1", "clusters": found})
        case "name":
            click.echo("".join(f"{facts['name']}\n" for facts in found), nl=False)
        case _:
            if not found:
                click.echo("there is no cluster: kemu up two-nodes makes one", err=True)
            print_table(_HEADINGS, [[facts[heading.lower()] for heading in _HEADINGS] for facts in found])
