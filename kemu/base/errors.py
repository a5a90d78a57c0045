"""Every error that kemu raises on purpose, with the exit code that the command line turns it into.

    KemuError
    ├── UsageError        2   the command line asks for something that makes no sense
    │   └── SpecError     2   a file is wrong; carries every Problem found, with its place
    ├── MachineError      3   this machine cannot do it: kernel, rights, limits, missing program
    ├── StateError        4   something exists, does not exist, or is in somebody else's hands
    │   ├── NotFoundError 4
    │   └── LockedError   4
    ├── KernelError       5   the kernel refused an object
    ├── ProbeError        1   a measurement could not be made (an iperf3 worker crashed, hung or was refused)
    └── BugError          70  kemu contradicts itself

A message names the object and, where there is one, its place; `hint` says the way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kemu.base.marks import Mark, Origin


class KemuError(Exception):
    """Root of the tree. `hint` is the way out, in one line, or empty."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def to_dict(self) -> dict[str, Any]:
        """Return the error as the JSON object that `-o json` prints."""
        return {
            "schema": "kemu.error/1",
            "error": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


class UsageError(KemuError):
    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a file. `forcible` problems are only warnings under `--force`, and `harmless` ones always."""

    message: str
    mark: Mark | None = None
    hint: str = ""
    forcible: bool = False
    harmless: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the problem as JSON: file, line and column are null for a problem of the whole input."""
        mark = self.mark
        return {
            "file": mark.file if mark else None,
            "line": mark.line if mark else None,
            "column": mark.column if mark else None,
            "message": self.message,
            "hint": self.hint,
        }


class SpecError(UsageError):
    """A file is wrong. `problems` holds all that is wrong with it, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_place))
        super().__init__("\n".join(problem.message for problem in self.problems))

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "problems": [problem.to_dict() for problem in self.problems]}


def _place(problem: Problem) -> tuple[str, int, int]:
    return (problem.mark.file, problem.mark.line, problem.mark.column) if problem.mark else ("", 0, 0)


class MachineError(KemuError):
    exit_code = 3


class StateError(KemuError):
    exit_code = 4


class NotFoundError(StateError):
    pass


class LockedError(StateError):
    pass


class ProbeError(KemuError):
    exit_code = 1


class KernelError(KemuError):
    """The kernel refused an object: which, in which namespace, with what errno, and the command that a person would type."""

    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        object_title: str = "",
        netns: str = "",
        errno: int = 0,
        command: str = "",
        origin: Origin | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.object_title = object_title
        self.netns = netns
        self.errno = errno
        self.command = command
        self.origin = origin

    def to_dict(self) -> dict[str, Any]:
        return {
            **super().to_dict(),
            "object": self.object_title,
            "netns": self.netns,
            "errno": self.errno,
            "command": self.command,
            "origin": str(self.origin) if self.origin else None,
        }


class BugError(KemuError):
    exit_code = 70
