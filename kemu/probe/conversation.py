"""What the responder says on one TCP connection: bytes in, bytes out. Pure: opens nothing, and knows no clock.

Whoever begins with an HTTP request is answered in HTTP, as often as they ask. Everybody else gets one line: at once for a line of
theirs or when they have nothing more to say, and after a while of silence, for `nc pod 8080` says nothing.
"""

from __future__ import annotations

from http import HTTPStatus

from kemu.probe.answer import End, Speaker, build_json, build_line, build_text
from kemu.probe.http import HEAD_BYTES, JSON, TEXT, Request, begins_request, build_response, find_head, read_request

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Conversation:
    """One connection. `is_undecided` until it is known whether the client speaks HTTP, `is_over` when nothing more will be said."""

    def __init__(self, speaker: Speaker, client: End, server: End) -> None:
        self._speaker = speaker
        self._ends = (client, server)
        self._heard = bytearray()
        self._said = bytearray()
        self._body_left = 0
        self.is_undecided = True
        self.is_over = False

    def take(self) -> bytes:
        """Return what is to be sent, once."""
        said = bytes(self._said)
        self._said.clear()
        return said

    def hear(self, data: bytes) -> bool:
        """Take in what the client sent; return whether that got the conversation any further."""
        self._heard += data
        has_moved = False
        while not self.is_over and self._go_on():
            has_moved = True
        return has_moved or self.is_over

    def hear_end(self) -> None:
        """Take in that the client will send no more."""
        if self.is_undecided and not self.is_over:
            self._say_line()
        self.is_over = True

    def give_up(self) -> None:
        """Stop waiting: who has been silent hears the line, and a request that does not come to its end an error."""
        if self.is_undecided:
            self._say_line()
        elif self._heard:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        self.is_over = True

    def _go_on(self) -> bool:
        """Take the next step; return whether there was one."""
        if self._body_left:
            return self._skip_body()
        if not self.is_undecided and self._skip_empty_line():
            return True
        if begins_request(self._heard):
            self.is_undecided = False
            return self._take_head()
        return self._take_line()

    def _skip_body(self) -> bool:
        count = min(self._body_left, len(self._heard))
        self._body_left -= count
        del self._heard[:count]
        return count > 0

    def _skip_empty_line(self) -> bool:
        """Skip an empty line between requests, which some clients send."""
        for ending in (b"\r\n", b"\n"):
            if self._heard.startswith(ending):
                del self._heard[: len(ending)]
                return True
        return False

    def _take_head(self) -> bool:
        length = find_head(self._heard)
        if max(length, len(self._heard) if not length else 0) > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif length:
            request = read_request(bytes(self._heard[:length]))
            del self._heard[:length]
            self._answer(request)
        return length > 0

    def _take_line(self) -> bool:
        """Answer what is no request: a whole line, or what is too long for one."""
        if b"\n" not in self._heard and len(self._heard) <= HEAD_BYTES:
            return False
        if self.is_undecided:
            self._say_line()
        else:
            self._refuse(HTTPStatus.BAD_REQUEST)
        return True

    def _answer(self, request: Request) -> None:
        length = request.body_bytes
        keeps_alive = request.keeps_alive and length is not None
        if request.headers.get("expect", "").lower() == "100-continue":
            self._said += _CONTINUE
        content_type, body = self._content(request)
        self._said += build_response(
            HTTPStatus.OK, body, content_type=content_type, keeps_alive=keeps_alive, only_head=request.method == "HEAD"
        )
        self._body_left = length or 0
        self.is_over = not keeps_alive

    def _content(self, request: Request) -> tuple[str, str]:
        """Return what a request is answered with; two paths are as agnhost has them, without an end of line.

        Source: Kubernetes, test/images/agnhost/netexec/netexec.go.
        """
        match request.path:
            case "/hostname" | "/hostName":
                return TEXT, self._speaker.hostname
            case "/clientip":
                return TEXT, str(self._ends[0])
        if request.wants_json:
            return JSON, build_json(self._speaker, *self._ends, request.line)
        return TEXT, build_text(self._speaker, *self._ends, request.line)

    def _refuse(self, status: HTTPStatus) -> None:
        self._said += build_response(status, f"{status.phrase}\n")
        self.is_over = True

    def _say_line(self) -> None:
        self._said += build_line(self._speaker.full, self._speaker.node, *self._ends)
        self.is_undecided = False
        self.is_over = True
