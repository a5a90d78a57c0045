"""kemu validate: check files without touching anything."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kemu.api import Topology
from kemu.api.expectations import Source, count_alone
from kemu.api.topology import load_source
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
    try:
        cluster, said, warnings = _read(load_source(file), backend, sets, force=force)
    except SpecError as error:
        if SETTINGS.output != "json":
            click.echo(show_problems(error.problems), err=True)
        return {"file": file, "cluster": None, "problems": [problem.to_dict() for problem in error.problems]}
    if SETTINGS.output != "json":
        click.echo(said)
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
    return {"file": file, "cluster": cluster, "problems": []}


def _read(source: Source, backend: str | None, sets: tuple[str, ...], *, force: bool) -> tuple[str | None, str, Sequence[str]]:
    """Return the name of a file's cluster, a sentence that says what it holds, and warnings. A file of expectations has no cluster."""
    alone = count_alone(source)
    if alone is not None:
        return None, f"{source.name} is fine: {count(alone, 'expectation')}, and no topology to look for their endpoints in", ()
    topology = Topology.read(source, backend=backend, sets=sets)
    plan, model = topology.plan(force=force), topology.model
    parts = [count(len(model.nodes), "node"), count(len(model.pods), "pod"), count(len(model.hosts), "host")]
    parts += [topology.backend, count(len(plan), "object")]
    parts += [count(len(model.expect), "expectation")] if model.expect else []
    return topology.name, f"{topology.name} is fine: {', '.join(parts)}", plan.warnings
