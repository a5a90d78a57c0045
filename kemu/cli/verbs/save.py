"""kemu save: the running cluster as one file."""

from __future__ import annotations

from pathlib import Path

import click

from kemu.api import Cluster
from kemu.base.errors import StateError, UsageError
from kemu.cli import options
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS


@click.command()
@click.option("-o", "--output", "file", metavar="FILE", help="Write it there, instead of to standard output.")
@click.option("--force", is_flag=True, help="Replace a FILE that is there, with its comments.")
@options.cluster
@options.common
def command(file: str | None, force: bool) -> None:
    """Print the running cluster as one file: the one it was brought up with, `--backend` and `--set`, and what was changed since.

    `kemu up` makes the same cluster of it, down to every address. It says no more than is needed for that; comments are not kept.
    """
    with reporting() as progress:
        text = Cluster.find(SETTINGS.cluster).save(reporter=progress)
    if file is None:
        click.echo(text, nl=False)
        return
    _write(Path(file), text, force=force)
    click.echo(f"wrote {file}", err=True)


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x") as stream:
            stream.write(text)
    except FileExistsError:
        raise StateError(f"{path} is there already", hint="--force replaces it, and its comments are lost") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
