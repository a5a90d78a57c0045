"""kemu validate: check files without touching anything."""

from __future__ import annotations

import click

from kemu.api import Topology
from kemu.base.errors import SpecError
from kemu.base.render import show_problems
from kemu.cli import complete, options
from kemu.cli.output import count, print_json
from kemu.cli.settings import SETTINGS


@click.command()
@click.argument("files", nargs=-1, shell_complete=complete.files, metavar="[FILE]…")
@options.backend
@options.sets
@options.force
@options.output("table", "json")
@options.common
def command(files: tuple[str, ...], backend: str | None, sets: tuple[str, ...], force: bool) -> int:
    """Check topology files, and whether their backend can do what they ask. Needs no rights."""
    results = [_check(file, backend, sets, force=force) for file in files or (None,)]
    if SETTINGS.output == "json":
        print_json({"schema": "kemu.validate/1", "files": results})
    return 2 if any(result["problems"] for result in results) else 0


def _check(file: str | None, backend: str | None, sets: tuple[str, ...], *, force: bool) -> dict[str, object]:
    """Check a file, and say so unless JSON is wanted."""
    is_text = SETTINGS.output != "json"
    try:
        topology = Topology.load(file, backend=backend, sets=sets)
        plan = topology.plan(force=force)
    except SpecError as error:
        if is_text:
            click.echo(show_problems(error.problems), err=True)
        return {"file": file, "cluster": None, "problems": [problem.to_dict() for problem in error.problems]}
    if is_text:
        model = topology.model
        parts = [count(len(model.nodes), "node"), count(len(model.pods), "pod"), count(len(model.hosts), "host")]
        click.echo(f"{topology.name} is fine: {', '.join(parts)}, {topology.backend}, {count(len(plan), 'object')}")
        for warning in plan.warnings:
            click.echo(f"warning: {warning}", err=True)
    return {"file": file, "cluster": topology.name, "problems": []}
