"""Printing results: tables as kubectl prints them, and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click


def print_json(data: Any) -> None:
    """Print data as JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below headings, in columns."""
    click.echo("\n".join(show_table(headings, rows)))


def show_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table; an empty cell is a hyphen, as in kubectl's `<none>`, but shorter."""
    cells = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cell(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value)) or "-"
    return str(value) if value not in ("", None) else "-"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: 1 pod, 2 pods."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
