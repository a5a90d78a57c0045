"""ICMP echo for many pairs: one raw socket for each sending namespace and IP version, one epoll loop over all of them."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from kemu.probe.icmp import NONCE_BYTES, Answer, Requests, read_answer_4, read_answer_6
from kemu.probe.loop import Loop
from kemu.probe.sockets import Ancillary, arrival_nanoseconds, entering, hop_limit, open_echo_socket
from kemu.reach.model import Probe
from kemu.reach.task import Task


@dataclass(slots=True)
class _Line:
    """The raw socket of one namespace and version, and its tasks by number."""

    raw: socket.socket
    version: int
    tasks: list[Task] = field(default_factory=list)


class IcmpWire:
    """The Wire of ICMP. The identifier of a request tells the attempt, its sequence number the task among its socket's."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._nonce = os.urandom(NONCE_BYTES)
        self._identifier = secrets.randbelow(0x10000)
        self._requests = {version: Requests(version, self._nonce) for version in (4, 6)}
        self._lines: dict[tuple[object, int], _Line] = {}
        self._buffer = memoryview(bytearray(2048))

    def open(self, tasks: Sequence[Task]) -> None:
        """Open a socket for each sending namespace and IP version."""
        for task in tasks:
            if task.key not in self._lines:
                self._lines[task.key] = self._open_line(task)
            self._lines[task.key].tasks.append(task)

    def _open_line(self, task: Task) -> _Line:
        with entering(task.netns):
            line = _Line(open_echo_socket(task.version), task.version)
        self._loop.add(line.raw, partial(self._hear, line))
        return line

    def send(self, tasks: Sequence[Task]) -> None:
        """Send one request for each task."""
        for task in tasks:
            self._send(self._lines[task.key].raw, task)

    def _send(self, raw: socket.socket, task: Task) -> None:
        identifier = (self._identifier + len(task.sent_ns)) & 0xFFFF
        request = self._requests[task.version].build(identifier, task.number)
        task.sent_ns.append(time.time_ns())
        try:
            raw.sendto(request, (task.address, 0))
        except OSError as error:
            task.note_send_error(error)

    def receive(self, seconds: float) -> bool:
        """Read every socket that has something."""
        return self._loop.turn(seconds)

    def finish(self) -> None:
        """Nothing: an answer settles its task."""

    def _hear(self, line: _Line) -> None:
        while True:
            try:
                length, ancillary, *_ = line.raw.recvmsg_into([self._buffer], 256)
            except BlockingIOError:
                return
            answer = self._find_answer(line.version, self._buffer[:length], ancillary)
            if answer:
                self._take(line, answer, arrival_nanoseconds(ancillary) or time.time_ns())

    def _find_answer(self, version: int, packet: memoryview, ancillary: Ancillary) -> Answer | None:
        if version == 4:
            return read_answer_4(packet, self._nonce)
        return read_answer_6(packet, self._nonce, hop_limit(ancillary))

    def _take(self, line: _Line, answer: Answer, arrived_ns: int) -> None:
        attempt = (answer.identifier - self._identifier) & 0xFFFF
        if answer.sequence >= len(line.tasks) or attempt >= len(line.tasks[answer.sequence].sent_ns):
            return  # another program's, whose error quotes too little to show its nonce
        task = line.tasks[answer.sequence]
        if task.settle(answer.reason) and answer.reason == "ok":
            task.take_time(attempt, arrived_ns)
            task.ttl = answer.ttl


def open_icmp(tasks: Sequence[Task], probe: Probe, *, loop: Loop, free_files: int) -> IcmpWire:
    """Return a wire whose sockets the loop owns."""
    wire = IcmpWire(loop)
    wire.open(tasks)
    return wire
