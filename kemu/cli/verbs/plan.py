"""kemu plan: what up would make, as a tree or as ip commands."""

from __future__ import annotations

from itertools import groupby

import click

from kemu.api import Topology
from kemu.api.planning import PlanView, changes, differences, view, with_backend
from kemu.cli import complete, options
from kemu.cli.output import print_json, print_table
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS


@click.command()
@options.file
@options.backend
@options.sets
@options.force
@click.option("--for", "endpoint", metavar="ENDPOINT", help="Only what serves this pod, node or host.")
@click.option("--against", metavar="BACKEND", shell_complete=complete.backends, help="What another backend would make instead.")
@click.option(
    "--diff",
    "compare",
    is_flag=True,
    help="What up would change in the running cluster (needs root), or make where there is none.",
)
@options.namespace
@options.output("tree", "ip", "json", "count")
@options.common
def command(
    file: str | None,
    backend: str | None,
    sets: tuple[str, ...],
    force: bool,
    endpoint: str | None,
    against: str | None,
    compare: bool,
) -> int:
    """Show what up would make: as a tree, as the ip, bridge and nft commands that a person would type, or in numbers. Needs no rights.

    With --diff it exits with 1 if up would change anything.
    """
    topology = Topology.load(file, backend=backend, sets=sets)
    if compare:
        return _show_changes(topology, force=force)
    chosen = view(topology, force=force, endpoint=endpoint, namespace=SETTINGS.namespace)
    for warning in chosen.warnings:
        click.echo(f"warning: {warning}", err=True)
    if against:
        other = view(with_backend(topology, against), force=force, endpoint=endpoint, namespace=SETTINGS.namespace)
        _show_differences(chosen, other)
    else:
        _show(chosen)
    return 0


def _show(plan: PlanView) -> None:
    match SETTINGS.output:
        case "ip":
            click.echo(plan.script(), nl=False)
        case "json":
            print_json(plan.to_dict())
        case "count":
            counts = plan.counts()
            print_table(("KIND", "OBJECTS"), [*counts.items(), ("total", sum(counts.values()))])
        case _:
            click.echo(plan.tree())


def _show_differences(here: PlanView, there: PlanView) -> None:
    found = differences(here, there)
    if SETTINGS.output == "json":
        rows = [{"sign": one.sign, "netns": here.place(one.netns), "command": one.command} for one in found]
        print_json({"schema": "kemu.plan-against/1", "cluster": here.cluster, "differences": rows})
        return
    for netns, group in groupby(found, lambda difference: difference.netns):
        click.echo(f"# {netns}")
        click.echo("\n".join(f"{one.sign} {line}" for one in group for line in one.command.splitlines()))


def _show_changes(topology: Topology, *, force: bool) -> int:
    with reporting() as progress:
        status = changes(topology, force=force, reporter=progress)
    if SETTINGS.output == "json":
        print_json(status.to_dict())
    else:
        click.echo("\n".join(status.drift) or "nothing would change")
    return 1 if status.changes else 0
