"""Checks of a pod over TCP and HTTP, in a namespace."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from responder_lab import LIMIT, TCP, Lab

from kemu.kernel.enter import inside
from kemu.probe.prober import Change, Prober
from kemu.spec.model import HttpGet, Probe, TcpSocket

pytestmark = pytest.mark.kernel

ADDRESSES = ("10.9.9.1", "fd00:9::1")


def check(lab: Lab, what: TcpSocket | HttpGet, address: str = "10.9.9.1", *, timeout_seconds: int = LIMIT) -> tuple[bool, str]:
    """Return whether the first check passed, and what it said."""
    changes: list[Change] = []
    with Prober(_start_nothing, changes.append) as prober:
        prober.watch("web", Probe(check=what, timeout_seconds=timeout_seconds, period_seconds=1000), lab.netns, address)
        while prober.said("web") == "not checked yet":
            deadline = prober.deadline
            assert deadline
            select.select([prober], [], [], max(0, deadline - time.monotonic()))
            prober.turn()
        assert prober.is_ready("web") == bool(changes)
        return prober.is_ready("web"), prober.said("web")


def _start_nothing(*_: object) -> None:
    raise AssertionError


@contextmanager
def answering(lab: Lab, answer: bytes | None, address: str = "10.9.9.1", port: int = 80) -> Iterator[list[bytes]]:
    """Serve one connection with `answer`, or with silence until the client hangs up; gives back what was asked."""
    with inside(lab.netns):
        server = socket.create_server((address, port))
    server.settimeout(LIMIT)
    asked: list[bytes] = []
    thread = threading.Thread(target=_answer, args=(server, answer, asked))
    thread.start()
    try:
        yield asked
    finally:
        thread.join()
        server.close()


def _answer(server: socket.socket, answer: bytes | None, asked: list[bytes]) -> None:
    connection, _ = server.accept()
    with connection:
        connection.settimeout(LIMIT)
        asked.append(connection.recv(1000))
        if answer is None:
            connection.recv(1000)
        else:
            connection.sendall(answer)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("what", [TcpSocket(port=8080), HttpGet(port=8080)])
def test_served_port_passes(lab: Lab, address: str, what: TcpSocket | HttpGet) -> None:
    lab.add(TCP)
    with lab.driven():
        said = "connected" if isinstance(what, TcpSocket) else "HTTP status 200"
        assert check(lab, what, address) == (True, said)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("what", [TcpSocket(port=8080), HttpGet(port=8080)])
def test_closed_port_fails(lab: Lab, address: str, what: TcpSocket | HttpGet) -> None:
    assert check(lab, what, address) == (False, "connection refused")


def test_address_without_a_route_fails(lab: Lab) -> None:
    assert check(lab, TcpSocket(port=80), "10.77.77.77") == (False, "network is unreachable")


def test_server_on_loopback_alone_fails_as_in_kubernetes(lab: Lab) -> None:
    with lab.socket() as server:
        server.bind(("127.0.0.1", 8080))
        server.listen()
        assert check(lab, TcpSocket(port=8080)) == (False, "connection refused")


@pytest.mark.parametrize(
    ("status", "passes"), [(200, True), (204, True), (302, True), (399, True), (199, False), (404, False), (503, False)]
)
def test_status_decides(lab: Lab, status: int, passes: bool) -> None:
    with answering(lab, f"HTTP/1.1 {status} Whatever\r\n\r\n".encode()) as asked:
        assert check(lab, HttpGet(port=80, path="/ready?a=b")) == (passes, f"HTTP status {status}")
    assert asked[0].startswith(b"GET /ready?a=b HTTP/1.1\r\nHost: 10.9.9.1:80\r\n")


@pytest.mark.parametrize("answer", [b"", b"hello\r\n" * 600, b"HTTP/2 200 OK\r\n"])
def test_other_answers_fail(lab: Lab, answer: bytes) -> None:
    with answering(lab, answer):
        assert check(lab, HttpGet(port=80)) == (False, "no answer in HTTP")


def test_silent_server_passes_for_tcp_and_fails_for_http(lab: Lab) -> None:
    with answering(lab, None):
        assert check(lab, TcpSocket(port=80)) == (True, "connected")
    with answering(lab, None):
        assert check(lab, HttpGet(port=80), timeout_seconds=1) == (False, "nothing within 1 s")
