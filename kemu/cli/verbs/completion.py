"""kemu completion: what the shell needs to complete kemu's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from kemu.cli import options


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.common
def command(shell: str) -> None:
    """Print the completion script of a shell, with names of clusters, endpoints, backends and examples.

    bash: kemu completion bash > /etc/bash_completion.d/kemu
    """
    from kemu.cli.main import command as kemu  # noqa: PLC0415 (the group imports its verbs, this among them)

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(kemu, {}, "kemu", "_KEMU_COMPLETE").source())
