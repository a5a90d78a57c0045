"""The TCP and UDP sockets of a network namespace, as /proc lists them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kemu.kernel.enter import inside

_TABLES = ("tcp", "tcp6", "udp", "udp6")
#: Source: include/net/tcp_states.h
_STATES = {1: "established", 2: "syn-sent", 3: "syn-received", 6: "time-wait", 7: "unconnected", 8: "close-wait", 10: "listening"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSocket:
    """One socket: its protocol, its two ends as address:port, and its state."""

    protocol: str
    local: str
    remote: str
    state: str


def find_sockets(path: Path) -> list[OpenSocket]:
    """Return the sockets of the namespace at `path`."""
    with inside(path):
        texts = {table: Path("/proc/thread-self/net", table).read_text() for table in _TABLES}
    return [one for table, text in texts.items() for one in _read_table(table, text)]


def _read_table(table: str, text: str) -> Iterator[OpenSocket]:
    for line in text.splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        word = _STATES.get(int(state, 16), "closing")
        yield OpenSocket(protocol=table.removesuffix("6"), local=_end(local), remote=_end(remote), state=word)


def _end(text: str) -> str:
    """Return an end in the usual form; /proc writes each 32 bits of the address in this machine's byte order."""
    digits, port = text.split(":")
    words = (socket.htonl(int(digits[i : i + 8], 16)) for i in range(0, len(digits), 8))
    address = ipaddress.ip_address(b"".join(word.to_bytes(4, "big") for word in words))
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"{host}:{int(port, 16) or '*'}"
