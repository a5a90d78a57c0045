"""Code blocks of Markdown pages: finding them, and comparing the output that they show with what really came out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

#: What differs from run to run, and what stands in its place when lines are compared.
_VARIES = (
    (r"\d[\d.,]* (?:ns|µs|ms|s|min)\b", "<time>"),
    (r"\d[\d.,]* [kMGT]?bit/s", "<rate>"),
    (r"\d[\d,]* objects?\b", "<objects>"),
)


@dataclass(frozen=True)
class Step:
    """A command of a console block, and the lines that the page shows below it."""

    command: str
    shown: tuple[str, ...]

    def __str__(self) -> str:
        return self.command


def find_blocks(text: str, language: str, *, between: str = "") -> Iterator[str]:
    """Yield the contents of the blocks of a language, only those between <!-- x --> and <!-- /x --> if `between` is x."""
    if between:
        text = text.partition(f"<!-- {between} -->")[2].partition(f"<!-- /{between} -->")[0]
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield found[1]


def find_steps(block: str) -> Iterator[Step]:
    """Yield the commands of a console block: lines after `$ `, with what follows them."""
    command, shown = "", []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step(command, tuple(shown))
            command, shown = line.removeprefix("$ "), []
        elif line.strip():
            shown.append(line)
    if command:
        yield Step(command, tuple(shown))


def first_missing(shown: Sequence[str], output: str) -> str | None:
    """Return the first of the shown lines that the output does not have after those before it, None if it has all.

    Spaces do not count, nor times, rates and numbers of objects; `…` stands for anything.
    """
    rest = iter(output.splitlines())
    for line in shown:
        pattern = re.compile(".*".join(map(re.escape, _plain(line).split("…"))))
        if not any(pattern.fullmatch(_plain(one)) for one in rest):
            return line
    return None


def _plain(line: str) -> str:
    for pattern, word in _VARIES:
        line = re.sub(pattern, word, line)
    return " ".join(line.split())
