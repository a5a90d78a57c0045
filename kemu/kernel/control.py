"""A word asked and answered over a local socket, a line each: how a command talks to a process of its cluster."""

from __future__ import annotations

import socket
from pathlib import Path

_LINE_BYTES = 1 << 20


def listen(path: Path) -> socket.socket:
    """Return a listening socket at `path`, which only this user may connect to; one that stood there is replaced."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    path.chmod(0o600)
    server.listen(16)
    server.setblocking(False)
    return server


def ask(path: Path, word: str, *, patience_seconds: float) -> str:
    """Return the line that is answered to a word; empty if nobody answers in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(patience_seconds)
        try:
            client.connect(str(path))
            client.sendall(f"{word}\n".encode())
            with client.makefile() as answers:
                return answers.readline(_LINE_BYTES)
        except OSError:
            return ""
