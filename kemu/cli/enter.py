"""Running a command in an endpoint on this terminal, as exec and shell do."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from kemu.api.endpoint import Endpoint
from kemu.cli.settings import SETTINGS

OWN_FAILURE = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127


class Entering(click.Command):
    """A verb that hands back another program's exit code: whatever goes wrong in kemu itself, the command line too, is 125."""

    def make_context(self, *words: Any, **settings: Any) -> click.Context:
        """Parse the command line."""
        SETTINGS.own_failure = OWN_FAILURE
        return super().make_context(*words, **settings)


class Running(Entering):
    """A verb that ends with a command: kemu's own options stand before and behind the endpoint, up to `--` or the command's first word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Bring the options behind the endpoint before it, where click looks for them."""
        before, rest = self._split(ctx, args)
        behind, words = self._split(ctx, rest[1:])
        return super().parse_args(ctx, [*before, *behind, "--", *rest[:1], *words])

    def _split(self, ctx: click.Context, words: Sequence[str]) -> tuple[Sequence[str], list[str]]:
        """Return the options that words begin with, and what follows them; a `--` between the two is in neither."""
        options = click.Command(self.name, params=[one for one in self.get_params(ctx) if isinstance(one, click.Option)])
        _, rest, _ = options.make_parser(ctx).parse_args(list(words))
        head = words[: len(words) - len(rest)]
        return head[:-1] if head[-1:] == ["--"] else head, rest


def attach(place: Endpoint, words: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run a command in `place`, and return its exit code, or the one that says why it cannot be run."""
    sys.stdout.flush()
    try:
        return place.attach(words, environment)
    except FileNotFoundError:
        return _complain(f"{words[0]}: command not found", NOT_FOUND)
    except PermissionError:
        return _complain(f"{words[0]}: cannot be executed", NOT_EXECUTABLE)
    except OSError as error:
        return _complain(f"{words[0]}: {error.strerror}", NOT_EXECUTABLE)


def _complain(message: str, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    return code
