"""A raw rtnetlink socket: batches of messages with one answer, and dumps.

Only the last message of a batch asks for an acknowledgement: the kernel works through a batch in order, answers at once for each
message that fails, and the last answer says that all have been seen. Sequence numbers map an error back to its message.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kemu.kernel.messages import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Message

_HEADER = struct.Struct("IHHII")
_BATCH = 200  # messages; so many errors still fit into a default receive buffer
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_DUMP_INTR, _NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x10, 0x100, 0x200
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_STRICT = 270, 1, 10, 11, 12
_TRIES = 10
_SELECT_LIMIT = 1024  # FD_SETSIZE


@dataclass(frozen=True, slots=True)
class Refusal:
    """The kernel's no to the message at `position` of a batch; `text` is its own explanation, often empty."""

    position: int
    errno: int
    text: str = ""


def out_of_the_way(descriptor: int) -> int:
    """Return a duplicate of a descriptor with a number beyond 1023, in its place. Where the limit does not allow that, the same.

    libnftables waits with select(), which ends the process for descriptors from 1024 on; so thousands of ours stay up here.
    """
    try:
        duplicate = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _SELECT_LIMIT)
    except OSError:
        return descriptor
    os.close(descriptor)
    return duplicate


class Netlink:
    """One socket, in the namespace in which it was opened. `protocol` 0 is rtnetlink, 12 netfilter."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        plain = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket = socket.socket(fileno=out_of_the_way(plain.detach()))
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        if protocol == socket.NETLINK_ROUTE:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_STRICT, 1)
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def send(self, messages: Sequence[Message]) -> list[Refusal]:
        """Carry out `messages` in their order and return those that the kernel refused. A refusal does not stop the others."""
        refusals: list[Refusal] = []
        for start in range(0, len(messages), _BATCH):
            refusals += self._send_batch(messages[start : start + _BATCH], start)
        return refusals

    def _send_batch(self, messages: Sequence[Message], start: int) -> list[Refusal]:
        first, last = self._sequence + 1, self._sequence + len(messages)
        parts: list[bytes] = []
        for sequence, (kind, flags, body) in enumerate(messages, first):
            acknowledge = NLM_F_ACK if sequence == last else 0
            parts += (_HEADER.pack(len(body) + 16, kind, flags | acknowledge, sequence, 0), body)
        self._sequence = last
        self._socket.send(b"".join(parts))
        return [Refusal(start + sequence - first, code, text) for sequence, code, text in self._answers(first, last) if code]

    def _answers(self, first: int, last: int) -> Iterator[tuple[int, int, str]]:
        """Yield (sequence, errno, text) for each answer up to that for `last`; answers to earlier, aborted batches are passed over."""
        while True:
            for kind, flags, sequence, body in split(self._socket.recv(1 << 16)):
                if kind == _NLMSG_ERROR and first <= sequence <= last:
                    yield sequence, -struct.unpack_from("i", body)[0], _explanation(flags, body)
                    if sequence == last:
                        return

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return the messages of a dump, headers included. One that other changes interrupted is asked for again."""
        for _ in range(_TRIES):
            messages = self._dump(kind, body)
            if messages is not None:
                return messages
        raise OSError(errno.EAGAIN, "the kernel's tables kept changing while they were read")

    def _dump(self, kind: int, body: bytes) -> list[bytes] | None:
        self._sequence += 1
        self._socket.send(_HEADER.pack(len(body) + 16, kind, NLM_F_REQUEST | NLM_F_DUMP, self._sequence, 0) + body)
        messages: list[bytes] = []
        interrupted = False
        while True:
            data = self._socket.recv(1 << 16)
            for offset, kind_, flags, sequence, length in _headers(data):
                if sequence != self._sequence:
                    continue
                interrupted |= bool(flags & _NLM_F_DUMP_INTR)
                if kind_ == _NLMSG_DONE:
                    return None if interrupted else messages
                if kind_ == _NLMSG_ERROR:
                    code = -struct.unpack_from("i", data, offset + 16)[0]
                    raise OSError(code, "dump refused")
                messages.append(data[offset : offset + length])

    def ask(self, kind: int, bodies: Sequence[bytes]) -> list[bytes | None]:
        """Return the answer to each request, without its header; None where the kernel refused it."""
        answers: list[bytes | None] = []
        for start in range(0, len(bodies), _BATCH):
            answers += self._ask(kind, bodies[start : start + _BATCH])
        return answers

    def subscribe(self, group: int) -> None:
        """Hear of everything that happens in a group of rtnetlink, from now on. Such a socket is for hearing and dumps alone."""
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)

    def events(self) -> Iterator[tuple[int, bytes]]:
        """Yield (type, body) of each message that waits to be read; OSError ENOBUFS if some were lost."""
        while True:
            try:
                data = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            yield from ((kind, body) for kind, _, _, body in split(data))

    def fileno(self) -> int:
        """Return the socket's descriptor, for selectors."""
        return self._socket.fileno()

    def _ask(self, kind: int, bodies: Sequence[bytes]) -> list[bytes | None]:
        first = self._sequence + 1
        self._sequence += len(bodies)
        parts = [_HEADER.pack(len(body) + 16, kind, NLM_F_REQUEST, first + i, 0) + body for i, body in enumerate(bodies)]
        self._socket.send(b"".join(parts))
        answers: dict[int, bytes | None] = {}
        while len(answers) < len(bodies):
            for kind_, _flags, sequence, body in split(self._socket.recv(1 << 16)):
                if sequence >= first:
                    answers[sequence] = None if kind_ == _NLMSG_ERROR else body
        return [answers[first + i] for i in range(len(bodies))]


def _headers(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (offset, type, flags, sequence, length) of each message in a datagram."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind, flags, sequence, _port = _HEADER.unpack_from(data, offset)
        yield offset, kind, flags, sequence, length
        offset += (length + 3) & ~3


def split(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield (type, flags, sequence, body) of each message in a datagram."""
    for offset, kind, flags, sequence, length in _headers(data):
        yield kind, flags, sequence, data[offset + 16 : offset + length]


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the netlink attributes in `data` by their type; of a repeated one the last."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("HH", data, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def _explanation(flags: int, body: bytes) -> str:
    """Return what the kernel says beside the errno. Source: NLMSGERR_ATTR_MSG, include/uapi/linux/netlink.h."""
    if not flags & _NLM_F_ACK_TLVS:
        return ""
    return attributes(body[20:]).get(1, b"").rstrip(b"\0").decode(errors="replace")
