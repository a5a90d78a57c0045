"""What the agent waits for: descriptors, each with what to do when it has something to tell."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import Protocol


class HasDescriptor(Protocol):
    """A socket, or another loop."""

    def fileno(self) -> int:
        """Return its descriptor."""


class Watch:
    """Calls a handler for each descriptor that is readable."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add(self, what: HasDescriptor | int, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `what` is readable."""
        self._selector.register(what, selectors.EVENT_READ, handler)

    def drop(self, what: HasDescriptor | int) -> None:
        """Watch it no more."""
        self._selector.unregister(what)

    def turn(self, deadline: float | None) -> None:
        """Wait for the first event, at most until `deadline` on the monotonic clock, and handle all that there are."""
        seconds = None if deadline is None else max(deadline - time.monotonic(), 0)
        for key, _ in self._selector.select(seconds):
            if self._selector.get_map().get(key.fd) is key:  # a handler before it may have dropped it
                key.data()
