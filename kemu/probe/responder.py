"""kemu's own servers, in the namespaces where nobody serves a port yet: they tell the client's address as they see it."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from kemu.probe.answer import build_answer
from kemu.probe.loop import Loop
from kemu.probe.sockets import arrival_nanoseconds, entering, open_tcp_server, open_udp_server

_Open = Callable[[str, int], socket.socket]
_Handle = Callable[[socket.socket, str], None]


def serve_tcp(loop: Loop, netns: Path, *, address: str, port: int, name: str) -> bool:
    """Answer each connection with one line, as long as the loop turns; return False where somebody serves the port already."""
    return _serve(loop, netns, open_tcp_server, _accept_all, address=address, port=port, name=name)


def serve_udp(loop: Loop, netns: Path, *, address: str, port: int, name: str) -> bool:
    """Answer each datagram, as long as the loop turns; return False where somebody serves the port already."""
    return _serve(loop, netns, open_udp_server, _reply_all, address=address, port=port, name=name)


def _serve(loop: Loop, netns: Path, opener: _Open, handle: _Handle, *, address: str, port: int, name: str) -> bool:
    with entering(netns):
        server = _find_server(opener, address, port)
    if server is None:
        return False
    loop.add(server, partial(handle, server, name))
    return True


def _find_server(opener: _Open, address: str, port: int) -> socket.socket | None:
    try:
        return opener(address, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None


def _accept_all(server: socket.socket, name: str) -> None:
    with suppress(BlockingIOError):
        while True:
            with suppress(ConnectionError):  # the client is gone already
                connection, peer = server.accept()
                with connection:
                    connection.send(build_answer(name, peer[0]))


def _reply_all(server: socket.socket, name: str) -> None:
    with suppress(BlockingIOError):
        while True:
            request, ancillary, _, peer = server.recvmsg(2048, 256)
            arrived = arrival_nanoseconds(ancillary)
            waited = max(time.time_ns() - arrived, 0) if arrived else 0
            with suppress(OSError):  # no way back: the asker's timeout tells it
                server.sendto(build_answer(name, peer[0], waited_ns=waited, echo=request), peer)
