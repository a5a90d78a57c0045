"""kemu apply: Kubernetes objects into a running cluster (not yet)."""

from __future__ import annotations

import click

from kemu.api import Topology
from kemu.base.errors import SpecError, UsageError
from kemu.cli import options


@click.command()
@click.option("-f", "--filename", "file", required=True, type=click.Path(), help="The file.")
@options.cluster
@options.common
def command(file: str) -> None:
    """Apply Kubernetes objects to the running cluster (not yet)."""
    try:
        Topology.load(file)
    except SpecError as error:
        raise UsageError(
            f"{file} is no topology, and applying Kubernetes objects is not possible yet", hint="kemu up FILE"
        ) from error
    raise UsageError(f"{file} is a topology", hint=f"kemu up {file}")
