"""A namespace with a responder in it that a thread drives, as the agent would."""

from __future__ import annotations

import errno
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kemu.kernel.enter import inside
from kemu.probe.answer import Speaker
from kemu.probe.responder import Responder
from kemu.spec.model import Port, Protocol

WEB = Speaker(pod="web", namespace="default", node="n1", hostname="web")
TCP, UDP = Port(number=8080), Port(number=8080, protocol=Protocol.UDP)
LIMIT = 20  # seconds after which a test has failed


@dataclass
class Lab:
    """A namespace called `name` with addresses of both families on lo, and a responder that the test drives or has driven."""

    name: str
    responder: Responder

    @property
    def netns(self) -> Path:
        return Path("/run/netns", self.name)

    def add(self, *ports: Port, speaker: Speaker = WEB, versions: Iterable[int] = (4, 6)) -> tuple[Port, ...]:
        return self.responder.add(speaker, self.netns, ports, versions=tuple(versions))

    def driven(self) -> AbstractContextManager[None]:
        return driven(self.responder)

    def connect(self, address: str = "127.0.0.1", port: int = 8080) -> socket.socket:
        with inside(self.netns):
            return socket.create_connection((address, port), timeout=LIMIT)

    def socket(self, kind: socket.SocketKind = socket.SOCK_STREAM, family: int = socket.AF_INET) -> socket.socket:
        with inside(self.netns):
            sock = socket.socket(family, kind)
        sock.settimeout(LIMIT)
        return sock

    def ask(self, words: bytes, *, address: str = "127.0.0.1", port: int = 8080) -> bytes:
        """Return all that is said to a client who says these words."""
        with self.connect(address, port) as tcp:
            tcp.sendall(words)
            return read_all(tcp)


@contextmanager
def driven(responder: Responder) -> Iterator[None]:
    """Turn a responder from another thread for the block."""
    stop = threading.Event()
    thread = threading.Thread(target=_drive, args=(responder, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _drive(responder: Responder, stop: threading.Event) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(responder, selectors.EVENT_READ)
        while not stop.is_set():
            deadline = responder.deadline
            selector.select(0.05 if deadline is None else min(0.05, max(0, deadline - time.monotonic())))
            responder.turn()


def read_all(tcp: socket.socket) -> bytes:
    """Return what comes until the other side hangs up."""
    return b"".join(iter(lambda: tcp.recv(65536), b""))


def make_namespace(name: str) -> None:
    run("ip", "netns", "add", name)
    for words in (
        ("link", "set", "lo", "up"),
        ("addr", "add", "10.9.9.1/32", "dev", "lo"),
        ("addr", "add", "10.9.9.2/32", "dev", "lo"),
    ):
        run("ip", "-n", name, *words)
    run("ip", "-n", name, "addr", "add", "fd00:9::1/128", "dev", "lo", "nodad")
    _wait_until_local(Path("/run/netns", name), "fd00:9::1")


def _wait_until_local(netns: Path, address: str) -> None:
    """Wait until a new IPv6 address takes packets in, which the kernel sees to a moment later: then nobody listens there."""
    end = time.monotonic() + LIMIT
    while True:
        with inside(netns), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tcp:
            if tcp.connect_ex((address, 9)) == errno.ECONNREFUSED:
                return
        assert time.monotonic() < end
        threading.Event().wait(0.01)


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
