"""Becoming a command in an endpoint, as exec and shell do."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click

from kemu.api.endpoint import Endpoint

OWN_FAILURE = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127


def become(place: Endpoint, words: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Replace this process by a command in `place`. Returns an exit code only if the command cannot be run."""
    sys.stdout.flush()
    try:
        place.become(words, environment)
    except FileNotFoundError:
        return _complain(f"{words[0]}: command not found", NOT_FOUND)
    except PermissionError:
        return _complain(f"{words[0]}: cannot be executed", NOT_EXECUTABLE)
    except OSError as error:
        return _complain(f"{words[0]}: {error.strerror}", NOT_EXECUTABLE)
    return OWN_FAILURE


def _complain(message: str, code: int) -> int:
    click.echo(f"error: {message}", err=True)
    return code
