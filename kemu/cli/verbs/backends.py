"""kemu backends: the data planes there are."""

from __future__ import annotations

import click

from kemu.api.backends import BackendFacts, backend_facts, backend_names
from kemu.cli import complete, options
from kemu.cli.output import print_json, print_table, show_table
from kemu.cli.settings import SETTINGS


@click.command()
@click.argument("name", required=False, shell_complete=complete.backends)
@options.output("table", "json")
@options.common
def command(name: str | None) -> None:
    """Show the backends, or all about one."""
    found = [backend_facts(one) for one in ([name] if name else backend_names())]
    if SETTINGS.output == "json":
        print_json({"schema": "kemu.backends/1", "backends": [facts.to_dict() for facts in found]})
    elif name:
        click.echo(_show(found[0]))
    else:
        headings = ("NAME", "FAMILY", "ADDRESSES", "BYTES A PACKET", "POLICY", "CONTROL PLANE", "FIDELITY")
        rows = [(one.name, one.family, one.addresses, one.overhead, one.policy, one.control_plane, one.fidelity) for one in found]
        print_table(headings, rows)


def _show(facts: BackendFacts) -> str:
    lines = [facts.documentation, "", f"Needs:    {', '.join(facts.needs)}"]
    if facts.options:
        lines += ["", *show_table(("OPTION", "ACCEPTS", "DEFAULT", "WHAT"), facts.options)]
    return "\n".join(lines)
