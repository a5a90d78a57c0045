"""kemu up: make a topology real; again: repair or change it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from kemu.api import Cluster, Topology
from kemu.api.admission import show_moves
from kemu.api.containers import wait_ready
from kemu.api.status import Renumbered
from kemu.base.errors import UsageError
from kemu.cli import complete, options
from kemu.cli.output import count, print_json, show_table
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS

FEW = 30  # pods: as many as a screen shows


@click.command()
@click.argument("files", nargs=-1, shell_complete=complete.files, metavar="[FILE]")
@options.backend
@options.sets
@options.force
@click.option("--replace", is_flag=True, help="Take over a running cluster of this name that was made from another file.")
@click.option("--reset", is_flag=True, help="Drop what was changed live, such as by kemu link set.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before endpoints get other addresses.")
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Wait until all containers are ready; exit with 1 if not.",
)
@click.option("--verify", is_flag=True, help="Read a new cluster back, instead of trusting the kernel's answers.")
@options.output("table", "json")
@options.common
def command(  # noqa: PLR0913 (one for each option)
    files: tuple[str, ...],
    *,
    backend: str | None,
    sets: tuple[str, ...],
    force: bool,
    replace: bool,
    reset: bool,
    yes: bool,
    verify: bool,
    wait_seconds: float | None,
) -> int:
    """Make a topology real. Again: repair it, and apply what changed in the file.

    FILE is a path, - for standard input, or an example (see kemu topologies); without it kemu.yaml, or the only *.kemu.yaml here.
    """
    if len(files) > 1:
        raise UsageError("several files: not yet", hint="name one")
    with reporting() as progress:
        topology = Topology.load(files[0] if files else None, backend=backend, sets=sets)
        confirm = _agree if yes else _ask
        cluster = Cluster.up(
            topology, force=force, replace=replace, reset=reset, verify=verify, confirm=confirm, reporter=progress
        )
    if SETTINGS.output == "json":
        print_json(_facts(cluster))
    else:
        click.echo(_show(cluster))
    return _wait(cluster, wait_seconds) if wait_seconds is not None else 0


def _wait(cluster: Cluster, seconds: float) -> int:
    """Wait until all processes are ready, and return 1, with what is not, if they are not in time."""
    unready = wait_ready(cluster, seconds)
    for one in unready:
        click.echo(f"{one.title}: {one.reason}", err=True)
    return 1 if unready else 0


def _agree(moves: Sequence[Renumbered]) -> bool:
    return True


def _ask(moves: Sequence[Renumbered]) -> bool:
    """Ask, if somebody is there to answer."""
    if not sys.stdin.isatty():
        return False
    click.echo(f"{count(len(moves), 'endpoint')} would get other addresses: {show_moves(moves)}", err=True)
    return click.confirm("Go on?", err=True)


def _facts(cluster: Cluster) -> dict[str, object]:
    result = cluster.result
    assert result is not None
    return {
        "schema": "kemu.up/1",
        "cluster": cluster.name,
        "made": result.made,
        "changes": result.changes,
        "objects": result.objects,
        "seconds": result.seconds,
    }


def _show(cluster: Cluster) -> str:
    result, model = cluster.result, cluster.model
    assert result is not None
    if not result.made:
        return f"{cluster.name}: {_repaired(result.changes)}"
    parts = [count(len(model.nodes), "node"), count(len(model.pods), "pod")]
    parts += [count(len(model.hosts), "host")] if model.hosts else []
    parts += [f"{cluster.topology.backend} ({model.networking.ip_family})", count(result.objects, "object")]
    return "\n".join([f"{cluster.name} is up: {', '.join(parts)} in {result.seconds:.2f} s", *_pods(cluster), *_next(cluster)])


def _repaired(changes: int) -> str:
    return f"{count(changes, 'difference')} mended" if changes else "already as it should be"


def _pods(cluster: Cluster) -> list[str]:
    pods = cluster.model.pods
    if not 0 < len(pods) <= FEW:
        return []
    rows = [(pod.name if pod.namespace == "default" else f"{pod.namespace}/{pod.name}", pod.node, pod.addresses) for pod in pods]
    return ["", *show_table(("POD", "NODE", "ADDRESS"), rows)]


def _next(cluster: Cluster) -> list[str]:
    model = cluster.model
    someone = model.pods[0].name if model.pods else model.nodes[0].name
    return ["", f"Next: kemu reach · kemu shell {someone} · kemu status · kemu down"]
