"""How the library tells what it is doing, without printing: the command line passes a Reporter that does."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Observes; never decides. Every method returns at once."""

    def step(self, what: str, *, total: int = 0) -> None:
        """A named step begins; `total` counts its units of work, 0 where nobody knows."""

    def advance(self, count: int = 1) -> None:
        """`count` more units of the current step are done."""

    def warn(self, message: str) -> None:
        """Something the user should read, once; the work goes on."""

    def note(self, message: str) -> None:
        """A fact worth a line when the user asked for details."""


class Silent:
    """The Reporter of a caller that does not want to know."""

    def step(self, what: str, *, total: int = 0) -> None:
        """Nothing."""

    def advance(self, count: int = 1) -> None:
        """Nothing."""

    def warn(self, message: str) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""


SILENT: Reporter = Silent()
