"""TCP connections for many pairs: as many at once as there is room for files, all in one epoll loop.

A connection of a lost attempt stays open while there is room: on a slow path its answer may come after the next attempt began.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from kemu.base.errors import MachineError
from kemu.probe.answer import read_answer
from kemu.probe.errors import read_errors, reason_of_errno
from kemu.probe.line_servers import serve_tcp
from kemu.probe.loop import READ, READ_AND_WRITE, Loop
from kemu.probe.sockets import entering, handshake_seconds, open_tcp_socket
from kemu.reach.model import DEFAULT_PORT, Probe
from kemu.reach.rounds import WINDOW
from kemu.reach.servers import Place, place_of, serve_receivers
from kemu.reach.task import Task

SPARE_FILES = 64  # for connections that our servers accept, one at a time, and for whoever shares this process
GRACE_SECONDS = 0.05  # for the line of a server that is not ours, and may never write one

_AFTER_THE_HANDSHAKE = frozenset({0, errno.ECONNRESET, errno.EPIPE})


@dataclass(slots=True, eq=False)
class _Connection:
    tcp: socket.socket
    task: Task
    opened: float
    connected: bool = False


class TcpWire:
    """The Wire of TCP. Where kemu serves, its line settles a task; with other servers the connection does."""

    def __init__(self, loop: Loop, *, port: int, ours: frozenset[Place], capacity: int, patience: float) -> None:
        self._loop = loop
        self._port = port
        self._ours = ours
        self._capacity = capacity
        self._patience = patience
        self._open: dict[_Connection, None] = {}  # oldest first

    def send(self, tasks: Sequence[Task]) -> None:
        """Open one connection for each task."""
        self._make_room(len(tasks))
        for netns, group in groupby(tasks, lambda task: task.netns):
            with entering(netns):
                for task in group:
                    self._connect(task)

    def receive(self, seconds: float) -> bool:
        """Serve every socket that has something."""
        return self._loop.turn(seconds)

    def finish(self) -> None:
        """Read the lines that servers have not written yet, for a moment."""
        while any(connection.connected for connection in self._open) and self._loop.turn(GRACE_SECONDS):
            pass

    def _make_room(self, count: int) -> None:
        while self._excess(count) > 0:
            oldest = next(iter(self._open))
            left = oldest.opened + self._patience - time.monotonic()
            if left > 0:
                self._loop.turn(left)
            else:
                self._close(oldest)

    def _excess(self, count: int) -> int:
        return len(self._open) + count - self._capacity

    def _connect(self, task: Task) -> None:
        tcp = open_tcp_socket(task.version)
        code = tcp.connect_ex((task.address, self._port))
        if code not in (0, errno.EINPROGRESS):
            tcp.close()
            task.note_send_error(OSError(code, "connect"))
            return
        connection = _Connection(tcp, task, time.monotonic())
        self._open[connection] = None
        self._loop.add(tcp, partial(self._hear, connection), events=READ_AND_WRITE)

    def _close(self, connection: _Connection) -> None:
        del self._open[connection]
        self._loop.close(connection.tcp)

    def _hear(self, connection: _Connection) -> None:
        if reason := _find_error(connection.tcp):
            connection.task.settle(reason)
            self._close(connection)
            return
        if not connection.connected:
            self._note_connected(connection)
        data = _read(connection.tcp)
        if data is not None:
            self._take(connection, data)

    def _note_connected(self, connection: _Connection) -> None:
        connection.connected = True
        self._loop.change(connection.tcp, READ)
        task = connection.task
        if not task.reason:
            task.rtt_seconds = handshake_seconds(connection.tcp)
        if place_of(task) not in self._ours:
            task.settle("ok")

    def _take(self, connection: _Connection, data: bytes) -> None:
        served = read_answer(data)
        if served:
            connection.task.seen_as = served.seen_as
        connection.task.settle("ok")
        self._close(connection)


def open_tcp(tasks: Sequence[Task], probe: Probe, *, loop: Loop, free_files: int) -> TcpWire:
    """Return a wire, and serve where nobody does; the loop owns all sockets. Raises MachineError without room for a window."""
    port = probe.port or DEFAULT_PORT
    ours = serve_receivers(tasks, port, serve_tcp, loop=loop)
    capacity = free_files - len(ours) - SPARE_FILES
    if capacity < WINDOW:
        wanted = WINDOW + len(ours) + SPARE_FILES
        raise MachineError(f"this needs {wanted} more open files, and {free_files} are allowed", hint="ulimit -Hn 65536")
    return TcpWire(loop, port=port, ours=ours, capacity=capacity, patience=probe.timeout_seconds / probe.tries)


def _find_error(tcp: socket.socket) -> str:
    """Return why no connection came about, an ICMP error before an errno; empty if one did, even if it was reset since."""
    if errors := read_errors(tcp):
        return errors[-1].reason
    code = tcp.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return reason_of_errno(code) if code not in _AFTER_THE_HANDSHAKE else ""


def _read(tcp: socket.socket) -> bytes | None:
    """Return what the server wrote, nothing if it hung up; None if it may still write."""
    try:
        return tcp.recv(512)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""
