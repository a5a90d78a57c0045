"""kemu capabilities: what this machine can do."""

from __future__ import annotations

from dataclasses import asdict

import click

from kemu.api.backends import find_capabilities
from kemu.cli import options
from kemu.cli.output import print_json, show_table
from kemu.cli.settings import SETTINGS


@click.command()
@options.output("table", "json")
@options.common
def command() -> None:
    """Show what this kernel and this user can do, why not, and the fix. Each is tried, in a namespace of its own."""
    found = find_capabilities()
    if SETTINGS.output == "json":
        print_json({"schema": "kemu.capabilities/1", "capabilities": [asdict(one) for one in found]})
        return
    rows = [(one.name, "yes" if one.available else "no", one.what, one.reason, one.fix) for one in found]
    click.echo("\n".join(show_table(("NAME", "HERE", "WHAT", "WHY NOT", "FIX"), rows)))
