"""UDP datagrams for many pairs: one socket for each sending namespace and IP version, which tells answers apart by their source."""

from __future__ import annotations

import os
import socket
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from kemu.probe.answer import Served, read_answer
from kemu.probe.errors import read_errors
from kemu.probe.line_servers import serve_udp
from kemu.probe.loop import Loop
from kemu.probe.sockets import arrival_nanoseconds, entering, open_udp_socket
from kemu.reach.model import DEFAULT_PORT, Probe
from kemu.reach.servers import serve_receivers
from kemu.reach.task import Task

_NONCE_BYTES = 8


@dataclass(slots=True)
class _Line:
    """The socket of one namespace and version, and its tasks by address: several where receivers share one."""

    udp: socket.socket
    tasks: defaultdict[str, list[Task]] = field(default_factory=lambda: defaultdict(list))


class UdpWire:
    """The Wire of UDP. A request is a nonce and the number of the attempt; kemu's server repeats it."""

    def __init__(self, loop: Loop, port: int) -> None:
        self._loop = loop
        self._port = port
        self._nonce = os.urandom(_NONCE_BYTES)
        self._lines: dict[tuple[object, int], _Line] = {}

    def open(self, tasks: Sequence[Task]) -> None:
        """Open a socket for each sending namespace and IP version."""
        for task in tasks:
            if task.key not in self._lines:
                self._lines[task.key] = self._open_line(task)
            self._lines[task.key].tasks[task.address].append(task)

    def _open_line(self, task: Task) -> _Line:
        with entering(task.netns):
            line = _Line(open_udp_socket(task.version))
        self._loop.add(line.udp, partial(self._hear, line))
        return line

    def send(self, tasks: Sequence[Task]) -> None:
        """Send one datagram for each task."""
        for task in tasks:
            self._send(self._lines[task.key], task)

    def _send(self, line: _Line, task: Task) -> None:
        _hear_errors(line)  # else the kernel gives an error of an earlier datagram as this one's
        request = self._nonce + bytes([len(task.sent_ns)])
        task.sent_ns.append(time.time_ns())
        try:
            line.udp.sendto(request, (task.address, self._port))
        except OSError as error:
            task.note_send_error(error)
            line.udp.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def receive(self, seconds: float) -> bool:
        """Read every socket that has something."""
        return self._loop.turn(seconds)

    def finish(self) -> None:
        """Nothing: an answer settles its task."""

    def _hear(self, line: _Line) -> None:
        _hear_errors(line)
        while True:
            try:
                data, ancillary, _, (address, port, *_) = line.udp.recvmsg(2048, 256)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error that came just now
                _hear_errors(line)
                continue
            if port == self._port:
                self._take(line.tasks.get(address, ()), data, arrival_nanoseconds(ancillary) or time.time_ns())

    def _take(self, tasks: Sequence[Task], data: bytes, arrived_ns: int) -> None:
        served = read_answer(data)
        for task in tasks:
            if task.settle("ok"):
                self._take_details(task, served, arrived_ns)

    def _take_details(self, task: Task, served: Served | None, arrived_ns: int) -> None:
        if served is None:
            task.take_time(len(task.sent_ns) - 1, arrived_ns)
            return
        task.seen_as = served.seen_as
        if served.echo[:_NONCE_BYTES] == self._nonce and len(served.echo) > _NONCE_BYTES:
            task.take_time(served.echo[_NONCE_BYTES], arrived_ns - served.waited_ns)


def open_udp(tasks: Sequence[Task], probe: Probe, *, loop: Loop, free_files: int) -> UdpWire:
    """Return a wire, and serve where nobody does; the loop owns all sockets."""
    port = probe.port or DEFAULT_PORT
    serve_receivers(tasks, port, serve_udp, loop=loop)
    wire = UdpWire(loop, port)
    wire.open(tasks)
    return wire


def _hear_errors(line: _Line) -> None:
    for error in read_errors(line.udp):
        for task in line.tasks.get(error.address, ()):
            task.settle(error.reason)
