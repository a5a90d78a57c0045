"""One epoll loop over the sockets of many namespaces."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
READ_AND_WRITE = select.EPOLLIN | select.EPOLLOUT


class Loop:
    """Calls a handler for each socket that has something. A context manager: leaving it closes every socket that it knows.

    Handlers may close sockets. One that adds some must bear that a new socket's handler is called without anything to tell: its number
    may be that of a socket that was closed in the same turn.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[socket.socket, Callable[[], None]]] = {}

    def __enter__(self) -> Loop:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close_all()

    def close_all(self) -> None:
        """Close every socket, and the loop."""
        for sock, _ in self._watched.values():
            sock.close()
        self._watched.clear()
        self._epoll.close()

    def fileno(self) -> int:
        """Return a descriptor that is readable when a turn has something to do, so that another loop can drive this one."""
        return self._epoll.fileno()

    def add(self, sock: socket.socket, handler: Callable[[], None], *, events: int = READ) -> None:
        """Own the socket, and call `handler` whenever it has something to tell, errors included."""
        self._watched[sock.fileno()] = (sock, handler)
        self._epoll.register(sock, events)

    def change(self, sock: socket.socket, events: int) -> None:
        """Wake up for these events of the socket alone."""
        self._epoll.modify(sock, events)

    def close(self, sock: socket.socket) -> None:
        """Close a socket of the loop; one that is closed already stays so."""
        if self._watched.pop(sock.fileno(), None):
            sock.close()

    def turn(self, seconds: float) -> bool:
        """Wait at most `seconds` for the first event, handle all that there are, and return whether there was any."""
        events = self._epoll.poll(max(seconds, 0))
        for descriptor, _ in events:
            if watched := self._watched.get(descriptor):
                watched[1]()
        return bool(events)
