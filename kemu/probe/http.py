"""As much of HTTP/1.1 as kemu's responder speaks: requests without their bodies, and whole responses. Pure: opens nothing.

Source: RFC 9110 and RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

HEAD_BYTES = 16 * 1024  # the longest head of a request

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([01])\r?\n")
_END_OF_HEAD = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The head of a request. `headers` by name in lower case; of several lines of one name the last."""

    line: str
    method: str
    target: str
    minor: int
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def wants_json(self) -> bool:
        """Whether the client asks for JSON, by its path or by what it accepts."""
        return self.path == "/json" or "application/json" in self.headers.get("accept", "")

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to ask again on this connection."""
        words = {word.strip().lower() for word in self.headers.get("connection", "").split(",")}
        return "close" not in words if self.minor else "keep-alive" in words

    @property
    def body_bytes(self) -> int | None:
        """The length of its body; None where that is not known beforehand, or is nonsense."""
        if "transfer-encoding" in self.headers:
            return None
        text = self.headers.get("content-length", "0")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def begins_request(data: bytes | bytearray) -> bool:
    """Say whether the data begins with the line of a request."""
    return _REQUEST_LINE.match(data) is not None


def find_head(data: bytes | bytearray) -> int:
    """Return the length of the head that the data begins with, 0 if its end is not there yet."""
    end = _END_OF_HEAD.search(data)
    return end.end() if end else 0


def read_request(head: bytes) -> Request:
    """Return the request of a head that begins with a request's line. Lines that are no headers are passed over."""
    match = _REQUEST_LINE.match(head)
    assert match, "the caller looks first"
    method, target, minor = (part.decode("latin-1") for part in match.groups())
    lines = (line.partition(":") for line in head[match.end() :].decode("latin-1").splitlines())
    headers = {name.strip().lower(): value.strip() for name, colon, value in lines if colon}
    return Request(line=match[0].decode("latin-1").rstrip(), method=method, target=target, minor=int(minor), headers=headers)


def build_response(
    status: HTTPStatus, body: str = "", *, content_type: str = TEXT, keeps_alive: bool = False, only_head: bool = False
) -> bytes:
    """Return a whole response; with `only_head` as to HEAD, where the length is that of the body left out."""
    data = body.encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Server: kemu",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(data)}",
        f"Connection: {'keep-alive' if keeps_alive else 'close'}",
    ]
    head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
    return head if only_head else head + data
