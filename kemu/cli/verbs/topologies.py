"""kemu topologies: the examples that come with kemu."""

from __future__ import annotations

import click

from kemu.api.topology import examples
from kemu.base.errors import UsageError
from kemu.cli import complete, options
from kemu.cli.output import print_json, print_table
from kemu.cli.settings import SETTINGS


@click.command()
@click.argument("name", required=False, shell_complete=complete.files)
@options.output("table", "json")
@options.common
def command(name: str | None) -> None:
    """Show the examples, or print one: kemu topologies two-racks > mine.kemu.yaml."""
    found = {example.name: example for example in examples()}
    if name:
        if name not in found:
            raise UsageError(f'there is no example "{name}"', hint=f"there are {', '.join(found)}")
        click.echo(found[name].path.read_text(), nl=False)
    elif SETTINGS.output == "json":
        print_json({"schema": "kemu.topologies/1", "topologies": [example.to_dict() for example in found.values()]})
    else:
        print_table(
            ("NAME", "LESSON"), [(example.name, example.lesson[0] if example.lesson else "") for example in found.values()]
        )
