"""Progress on standard error: one line that changes on a terminal, plain lines with -v, warnings always but with -q."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from kemu.base.reporter import SILENT, Reporter
from kemu.cli.settings import SETTINGS

_PATIENCE_SECONDS = 0.4  # what is over sooner needs no progress
_FRAME_SECONDS = 0.1


@contextmanager
def reporting() -> Iterator[Reporter]:
    """Report, as the common options ask for, for the block; its progress line is gone afterwards."""
    if SETTINGS.quiet:
        yield SILENT
        return
    progress = Progress(live=sys.stderr.isatty() and not SETTINGS.verbose, verbose=SETTINGS.verbose)
    try:
        yield progress
    finally:
        progress.clear()


class Progress:
    """A Reporter that prints."""

    def __init__(self, *, live: bool, verbose: bool) -> None:
        self._live = live
        self._verbose = verbose
        self._start = time.monotonic()
        self._drawn = 0.0
        self._what, self._done, self._total = "", 0, 0
        self._line = ""

    def step(self, what: str, *, total: int = 0) -> None:
        """Begin a step."""
        self._what, self._done, self._total = what, 0, total
        if self._verbose:
            click.echo(f"{time.monotonic() - self._start:7.3f} s  {self._text()}", err=True)
        self._draw()

    def advance(self, count: int = 1) -> None:
        """Count."""
        self._done += count
        self._draw()

    def warn(self, message: str) -> None:
        """Print a warning."""
        self.clear()
        click.echo(f"warning: {message}", err=True)

    def note(self, message: str) -> None:
        """Print a detail, with -v."""
        if self._verbose:
            click.echo(f"           {message}", err=True)

    def clear(self) -> None:
        """Take the progress line away."""
        if self._line:
            sys.stderr.write("\r" + " " * len(self._line) + "\r")
            sys.stderr.flush()
            self._line = ""

    def _text(self) -> str:
        return f"{self._what} ({self._total:,})" if self._total and not self._done else self._what

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._live or now - self._start < _PATIENCE_SECONDS or now - self._drawn < _FRAME_SECONDS:
            return
        self._drawn = now
        share = f" {min(self._done, self._total):,}/{self._total:,}" if self._total else ""
        line = f"{self._what}{share} …"
        sys.stderr.write("\r" + line.ljust(len(self._line)))
        sys.stderr.flush()
        self._line = line
