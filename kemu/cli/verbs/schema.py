"""kemu schema: the JSON Schema of topology files."""

from __future__ import annotations

import click

from kemu.api.topology import schema
from kemu.cli import options
from kemu.cli.output import print_json


@click.command()
@options.common
def command() -> None:
    """Print the JSON Schema of topology files, for editors.

    In VS Code and others with the YAML language server: kemu schema > kemu.schema.json, and the first line of the file
    # yaml-language-server: $schema=kemu.schema.json
    """
    print_json(schema())
