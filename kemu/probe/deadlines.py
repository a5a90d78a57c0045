"""Who waits until when. Pure: time is handed in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Deadlines of many, set as spans of a few lengths: those of one length end in the order in which they were set."""

    def __init__(self) -> None:
        self._by_length: dict[float, dict[T, float]] = {}
        self._lengths: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self._lengths)

    def set(self, one: T, now: float, seconds: float) -> None:
        """Give one a deadline `seconds` from now, instead of any other."""
        self.drop(one)
        self._lengths[one] = seconds
        self._by_length.setdefault(seconds, {})[one] = now + seconds

    def drop(self, one: T) -> None:
        """Take one's deadline away, if it has one."""
        seconds = self._lengths.pop(one, None)
        if seconds is not None:
            group = self._by_length[seconds]
            del group[one]
            if not group:
                del self._by_length[seconds]

    def find_first(self) -> T | None:
        """Return the one whose deadline comes first."""
        heads = [next(iter(group.items())) for group in self._by_length.values()]
        return min(heads, key=lambda head: head[1])[0] if heads else None

    @property
    def next(self) -> float | None:
        """The first deadline."""
        first = self.find_first()
        return None if first is None else self._by_length[self._lengths[first]][first]

    def take_expired(self, now: float) -> Iterator[T]:
        """Yield those whose deadline has come, and forget their deadlines."""
        while (deadline := self.next) is not None and deadline <= now:
            first = self.find_first()
            assert first is not None
            self.drop(first)
            yield first
