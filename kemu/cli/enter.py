"""Running a command in an endpoint on this terminal, as exec and shell do."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click

from kemu.api.endpoint import Endpoint

OWN_FAILURE = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127


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
