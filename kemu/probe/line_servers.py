"""Servers for the time of a measurement, where nobody serves a port yet: one line tells the client's address as they see it."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from kemu.probe.answer import End, build_line, read_answer
from kemu.probe.loop import Loop
from kemu.probe.sockets import arrival_nanoseconds, entering, open_tcp_server, open_udp_server

_Open = Callable[[str, int], socket.socket]
_Handle = Callable[[socket.socket, str, str], None]


def serve_tcp(loop: Loop, netns: Path, *, address: str, port: int, name: str, node: str) -> bool:
    """Answer each connection with one line, as long as the loop turns; return False where somebody serves the port already."""
    return _serve(loop, netns, open_tcp_server, _accept_all, address=address, port=port, name=name, node=node)


def serve_udp(loop: Loop, netns: Path, *, address: str, port: int, name: str, node: str) -> bool:
    """Answer each datagram, as long as the loop turns; return False where somebody serves the port already."""
    return _serve(loop, netns, open_udp_server, _reply_all, address=address, port=port, name=name, node=node)


def _serve(loop: Loop, netns: Path, opener: _Open, handle: _Handle, *, address: str, port: int, name: str, node: str) -> bool:
    with entering(netns):
        server = _find_server(opener, address, port)
    if server is None:
        return False
    loop.add(server, partial(handle, server, name, node))
    return True


def _find_server(opener: _Open, address: str, port: int) -> socket.socket | None:
    try:
        return opener(address, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None


def _accept_all(server: socket.socket, name: str, node: str) -> None:
    with suppress(BlockingIOError):
        while True:
            with suppress(ConnectionError):  # the client is gone already
                connection, peer = server.accept()
                with connection:
                    connection.send(build_line(name, node, End(*peer[:2]), End(*connection.getsockname()[:2])))


def _reply_all(server: socket.socket, name: str, node: str) -> None:
    own = End(*server.getsockname()[:2])
    with suppress(BlockingIOError):
        while True:
            request, ancillary, _, peer = server.recvmsg(2048, 256)
            if read_answer(request):  # another server's: the two would never come to an end
                continue
            arrived = arrival_nanoseconds(ancillary)
            waited = max(time.time_ns() - arrived, 0) if arrived else 0
            line = build_line(name, node, End(*peer[:2]), own, waited_ns=waited)
            with suppress(OSError):  # no way back: the asker's timeout tells it
                server.sendto(line + request, peer)
