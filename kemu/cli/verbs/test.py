"""kemu test: does the network do what its file expects?"""

from __future__ import annotations

import click

from kemu.api.expectations import Report, try_copy, try_file
from kemu.base.errors import SpecError, UsageError
from kemu.cli import complete, options
from kemu.cli.output import print_json
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS
from kemu.cli.verdicts import next_command, show_annotations, show_junit, show_problem, show_report


@click.command()
@click.argument("file", required=False, shell_complete=complete.files)
@click.option("--up", "alive", is_flag=True, help="On a cluster of its own, made from FILE and gone afterwards.")
@options.backend
@options.sets
@options.cluster
@options.output("table", "json", "junit", "github")
@options.common
def command(file: str | None, alive: bool, backend: str | None, sets: tuple[str, ...]) -> int:
    """Try what a file says under `expect:`, by real packets, and say what does not hold.

    Without FILE it is what the running cluster was brought up with. A FILE of nothing but `expect:` is tried on the running cluster, a
    topology on the cluster that was made from it, or with --up on one that lives as long as the test.

    Exits with 1 if anything does not hold.
    """
    if not alive and (backend or sets):
        raise UsageError(
            "--backend and --set are for a cluster that is made: not without --up", hint=f"kemu test --up {file or ''}"
        )
    try:
        report = _try(file, backend, sets, alive=alive)
    except SpecError as error:
        if SETTINGS.output == "github":
            click.echo("\n".join(map(show_problem, error.problems)))
        raise
    _print(report)
    if not report.holds and SETTINGS.output == "table" and not alive:
        option = f" -C {SETTINGS.cluster}" if SETTINGS.cluster else ""
        click.echo(f"\nNext: {next_command(report, option)} · kemu status{option}")
    return 0 if report.holds else 1


def _try(file: str | None, backend: str | None, sets: tuple[str, ...], *, alive: bool) -> Report:
    with reporting() as progress:
        if alive:
            return try_copy(file, backend=backend, sets=sets, reporter=progress)
        return try_file(file, cluster=SETTINGS.cluster, reporter=progress)


def _print(report: Report) -> None:
    match SETTINGS.output:
        case "json":
            print_json(report.to_dict())
        case "junit":
            click.echo(show_junit(report))
        case "github":
            click.echo(show_annotations(report))
        case _:
            click.echo(show_report(report))
