"""Errors as text: the one place where they become what a user reads."""

from __future__ import annotations

from collections.abc import Iterable

from kemu.base.errors import KemuError, KernelError, Problem, SpecError
from kemu.base.marks import Mark


def show_error(error: KemuError) -> str:
    """Return an error as it is printed: a line that says what, then what helps to understand and to mend it."""
    if isinstance(error, SpecError):
        return show_problems(error.problems)
    lines = [f"error: {error.message}"]
    if isinstance(error, KernelError):
        lines += _circumstances(error)
    return "\n".join([*lines, *_hint(error.hint)])


def show_problems(problems: Iterable[Problem]) -> str:
    """Return the problems of a file, each with the line it is in."""
    return "\n".join(_problem(problem) for problem in problems)


def _problem(problem: Problem) -> str:
    place = f"{problem.mark}: " if problem.mark else ""
    lines = [f"{place}error: {problem.message}", *(_excerpt(problem.mark) if problem.mark else ())]
    return "\n".join([*lines, *_hint(problem.hint)])


def _excerpt(mark: Mark) -> list[str]:
    if not mark.text.strip():
        return []
    number = str(mark.line)
    indent = "".join("\t" if letter == "\t" else " " for letter in mark.text[: mark.column - 1])
    return [f"   {number} | {mark.text}", f"   {' ' * len(number)} | {indent}{'^' * mark.width}"]


def _circumstances(error: KernelError) -> list[str]:
    lines = [f"   command: {error.command}"] if error.command else []
    return [*lines, f"   asked for by: {error.origin}"] if error.origin else lines


def _hint(hint: str) -> list[str]:
    return [f"   hint: {hint}"] if hint else []
