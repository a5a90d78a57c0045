"""kemu apply: Kubernetes objects into a running cluster (not yet)."""

from __future__ import annotations

import click

from kemu.api import Topology
from kemu.base.errors import UsageError
from kemu.cli import options


@click.command()
@click.option("-f", "--filename", "file", required=True, type=click.Path(), help="The file.")
@options.cluster
@options.common
def command(file: str) -> None:
    """Apply Kubernetes objects to the running cluster (not yet)."""
    Topology.load(file)
    raise UsageError(f"{file} is a topology", hint=f"kemu up {file}")
