"""The line with which kemu's servers answer: who answers, whom they saw, and how long the request lay before it was read.

    kemu pod/default/web-1 saw 10.244.2.7 after 51200 ns

A UDP answer repeats the request behind the line. The nanoseconds let the asker take the server's own delay off the round trip.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(rb"kemu (\S+) saw (\S+) after (\d+) ns\n")


@dataclass(frozen=True, slots=True)
class Served:
    """What a server of kemu's said."""

    name: str
    seen_as: str
    waited_ns: int
    echo: bytes


def build_answer(name: str, seen_as: str, *, waited_ns: int = 0, echo: bytes = b"") -> bytes:
    """Return the answer of the endpoint called `name` to a client that it saw under the address `seen_as`."""
    return f"kemu {name} saw {seen_as} after {waited_ns} ns\n".encode() + echo


def read_answer(data: bytes) -> Served | None:
    """Return what the answer says; None if somebody else than kemu wrote it."""
    match = _LINE.match(data)
    if match is None:
        return None
    name, seen_as, waited = match.groups()
    return Served(name.decode(), seen_as.decode(), int(waited), data[match.end() :])
