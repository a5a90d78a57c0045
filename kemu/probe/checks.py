"""One check of a pod over TCP or HTTP, by a socket that never blocks.

It is made in the pod's own network namespace, to the pod's address: so it tells what the process does, whatever becomes of the network
between node and pod, and a server that listens on 127.0.0.1 alone fails it, as it does in Kubernetes.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kemu.probe.answer import End
from kemu.probe.loop import READ, WRITE, Loop
from kemu.probe.sockets import entering, version_of
from kemu.spec.model import HttpGet, TcpSocket

_LINE_BYTES = 4096
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a check ended; `said` is why, for people."""

    has_passed: bool
    said: str


class SocketCheck:
    """A check on its way. `done` is called once, unless the check is stopped before."""

    def __init__(self, loop: Loop, check: TcpSocket | HttpGet, address: str, done: Callable[[Outcome], None]) -> None:
        self._loop = loop
        self._check = check
        self._address = address
        self._done = done
        self._step = self._take_connection
        self._heard = b""
        self._tcp: socket.socket | None = None

    def start(self, netns: Path) -> None:
        """Begin to connect. Raises ProbeError or MachineError where no socket can be opened there."""
        family = socket.AF_INET6 if version_of(self._address) == 6 else socket.AF_INET
        with entering(netns):
            tcp = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._tcp = tcp
        code = tcp.connect_ex((self._address, self._check.port))
        self._loop.add(tcp, self._wake, events=WRITE)
        if code not in (0, errno.EINPROGRESS):
            self._end(has_passed=False, said=os.strerror(code).lower())

    def stop(self) -> None:
        """End the check, without a result if there was none yet."""
        if self._tcp:
            self._loop.close(self._tcp)
            self._tcp = None

    def _wake(self) -> None:
        if self._tcp:
            try:
                self._step(self._tcp)
            except BlockingIOError:
                return
            except OSError as error:
                self._end(has_passed=False, said=(error.strerror or "connection lost").lower())

    def _end(self, *, has_passed: bool, said: str) -> None:
        self.stop()
        self._done(Outcome(has_passed=has_passed, said=said))

    def _take_connection(self, tcp: socket.socket) -> None:
        if code := tcp.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        if isinstance(self._check, TcpSocket):
            self._end(has_passed=True, said="connected")
            return
        tcp.send(_build_request(self._check, self._address))  # a new socket has room for all of it
        self._step = self._take_answer
        self._loop.change(tcp, READ)

    def _take_answer(self, tcp: socket.socket) -> None:
        data = tcp.recv(_LINE_BYTES)
        self._heard += data
        match = _STATUS.match(self._heard)
        if match:
            self._end(has_passed=200 <= int(match[1]) < 400, said=f"HTTP status {match[1].decode()}")
        elif not data or len(self._heard) >= _LINE_BYTES:
            self._end(has_passed=False, said="no answer in HTTP")


def _build_request(check: HttpGet, address: str) -> bytes:
    lines = (
        f"GET {check.path} HTTP/1.1",
        f"Host: {End(address, check.port)}",
        "User-Agent: kemu-probe",
        "Accept: */*",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
