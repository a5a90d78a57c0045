"""One accepted TCP connection of the responder: a conversation over a socket that never blocks."""

from __future__ import annotations

import socket
from enum import Enum, auto

from kemu.probe.conversation import Conversation
from kemu.probe.loop import READ, WRITE

_CHUNK = 16 * 1024  # so many bytes of requests are answered in one turn at most


class Wait(Enum):
    """What a connection waits for."""

    FIRST_WORDS = auto()
    REQUEST = auto()
    ROOM = auto()  # to send in
    LAST_BYTES = auto()  # of the client: closing before them would reset the connection, and could take the answer along


#: How long. The first segment of a request, if it was lost, comes again after 0.2 s and a round trip. Source: TCP_RTO_MIN, net/tcp.h
SECONDS = {Wait.FIRST_WORDS: 1.0, Wait.REQUEST: 15.0, Wait.ROOM: 15.0, Wait.LAST_BYTES: 2.0}


class Connection:
    """A conversation and its socket. `wait` says what it waits for now, and is None when it is to be closed."""

    def __init__(self, tcp: socket.socket, conversation: Conversation) -> None:
        self.tcp = tcp
        self.conversation = conversation
        self.wait: Wait | None = Wait.FIRST_WORDS
        self._unsent = b""

    @property
    def events(self) -> int:
        """What of the socket to wake up for: while the client takes nothing, nothing is heard."""
        return WRITE if self.wait is Wait.ROOM else READ

    def wake(self) -> bool:
        """Do what can be done now; return whether the connection got any further."""
        try:
            return self._send() if self.wait is Wait.ROOM else self._receive()
        except BlockingIOError:
            return False
        except OSError:  # the client is gone
            self.wait = None
            return True

    def give_up(self) -> None:
        """Stop waiting for what did not come in time."""
        match self.wait:
            case Wait.FIRST_WORDS | Wait.REQUEST:
                self.conversation.give_up()
                self._try_to_send()
            case _:
                self.wait = None

    def _receive(self) -> bool:
        data = self.tcp.recv(_CHUNK)
        if self.wait is Wait.LAST_BYTES:
            self.wait = self.wait if data else None
            return not data
        if data:
            has_moved = self.conversation.hear(data)
        else:
            self.conversation.hear_end()
            has_moved = True
        return self._try_to_send() or has_moved

    def _try_to_send(self) -> bool:
        try:
            return self._send()
        except BlockingIOError:
            self.wait = Wait.ROOM
            return True
        except OSError:
            self.wait = None
            return True

    def _send(self) -> bool:
        before = self.wait
        self._unsent += self.conversation.take()
        while self._unsent:
            self._unsent = self._unsent[self.tcp.send(self._unsent) :]
        if self.conversation.is_over:
            self.tcp.shutdown(socket.SHUT_WR)
        self.wait = self._next_wait()
        return self.wait is not before

    def _next_wait(self) -> Wait:
        if self.conversation.is_over:
            return Wait.LAST_BYTES
        return Wait.FIRST_WORDS if self.conversation.is_undecided else Wait.REQUEST
