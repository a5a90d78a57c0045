"""ICMP echo for many pairs: one raw socket for each sending namespace and IP version, one epoll loop over all of them."""

from __future__ import annotations

import os
import secrets
import select
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import groupby

from kemu.kernel.enter import inside
from kemu.probe.errors import TRANSIENT, reason_of_errno
from kemu.probe.icmp import NONCE_BYTES, Answer, Requests, read_answer_4, read_answer_6
from kemu.probe.sockets import Ancillary, arrival_nanoseconds, hop_limit, open_echo_socket
from kemu.reach.model import Probe
from kemu.reach.task import Task

CAPACITY = 65536  # a task is known by the 16 bits of its sequence number


class _Line:
    """The raw socket of one namespace and version. `waiting` counts requests without a reply, so that no read is in vain."""

    def __init__(self, raw: socket.socket, version: int) -> None:
        self.raw = raw
        self.version = version


class IcmpWire:
    """The Wire of ICMP. The identifier of a request tells the attempt, its sequence number the task."""

    def __init__(self, tasks: Sequence[Task], probe: Probe) -> None:
        self._tasks = tasks
        self._timeout = probe.timeout_seconds
        self._nonce = os.urandom(NONCE_BYTES)
        self._identifier = secrets.randbelow(0x10000)
        self._requests = {version: Requests(version, self._nonce) for version in (4, 6)}
        self._numbers = {task: number for number, task in enumerate(tasks)}
        self._sent: list[list[int]] = []  # by attempt, by task: nanoseconds of the real-time clock
        self._lines: dict[tuple[str, int], _Line] = {}
        self._by_descriptor: dict[int, _Line] = {}
        self._buffer = bytearray(2048)
        self._stack = ExitStack()

    def __enter__(self) -> IcmpWire:
        with ExitStack() as stack:
            self._epoll = stack.enter_context(select.epoll())
            for key in dict.fromkeys(task.key for task in self._tasks):
                self._open(stack, key)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _open(self, stack: ExitStack, key: tuple[str, int]) -> None:
        netns, version = key
        with inside(netns):
            raw = stack.enter_context(open_echo_socket(version))
        line = self._lines[key] = self._by_descriptor[raw.fileno()] = _Line(raw, version)
        self._epoll.register(line.raw, select.EPOLLIN)

    def send(self, tasks: Sequence[Task], attempt: int) -> None:
        """Send one request for each task."""
        while len(self._sent) <= attempt:
            self._sent.append([0] * len(self._tasks))
        for key, group in groupby(tasks, lambda task: task.key):
            self._send_from(self._lines[key], group, attempt)

    def _send_from(self, line: _Line, tasks: groupby[Task], attempt: int) -> None:
        pass

    def receive(self, seconds: float) -> bool:
        """Read every socket that has something."""
        events = self._epoll.poll(seconds)
        for descriptor, _ in events:
            self._drain(self._by_descriptor[descriptor])
        return bool(events)
