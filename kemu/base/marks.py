"""Marks: where in a user's file a value stands, and which part of kemu asked for an object."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a YAML file; `line` and `column` count from 1, as editors do.

    `width` is the number of characters that the caret underlines, `text` the whole line, for the excerpt.
    """

    file: str
    line: int
    column: int
    width: int = 1
    text: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asked for a kernel object: a part of kemu ("fabric", "pods", "vxlan") and, if any, the line of the YAML."""

    part: str
    mark: Mark | None = None

    def __str__(self) -> str:
        return f"{self.part} ({self.mark.file}:{self.mark.line})" if self.mark else self.part
