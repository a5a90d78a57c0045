"""Why a packet did not get through, in kemu's words: from errno at sending, and from a socket's queue of ICMP errors."""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass

from kemu.probe.icmp import reason_of
from kemu.probe.sockets import IP_RECVERR, IPV6_RECVERR

#: Sending fails for want of room: worth another try, and no word about the path.
TRANSIENT = frozenset({errno.ENOBUFS, errno.EAGAIN, errno.ENOMEM, errno.EINTR})

_REASONS = {
    errno.ENETUNREACH: "no-route",
    errno.EHOSTUNREACH: "no-route",  # a route of type `unreachable`
    errno.EINVAL: "no-route",  # a route of type `blackhole`. Source: net/ipv4/fib_semantics.c, fib_props
    errno.ENETDOWN: "no-route",
    errno.EADDRNOTAVAIL: "no-route",  # no address to send from
    errno.EACCES: "unreachable-admin",  # a route of type `prohibit`
    errno.EPERM: "unreachable-admin",  # netfilter's output hook
    errno.EMSGSIZE: "too-big",
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "refused",
    errno.ETIMEDOUT: "timeout",
}

_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # errno, origin, type, code, pad, info, data. Source: linux/errqueue.h
_ORIGIN_ICMP = {2: 4, 3: 6}


@dataclass(frozen=True, slots=True)
class QueuedError:
    """An error that the kernel queued: why, the address it was sent to, and as much of our payload as the ICMP error quotes."""

    reason: str
    address: str
    payload: bytes


def reason_of_errno(code: int) -> str:
    """Return kemu's word for an errno that sending or connecting gave."""
    return _REASONS.get(code, "error")


def read_errors(sock: socket.socket) -> list[QueuedError]:
    """Empty the error queue of a socket that hears errors."""
    found = []
    while (error := _read_error(sock)) is not None:
        found.append(error)
    return found


def _read_error(sock: socket.socket) -> QueuedError | None:
    try:
        payload, ancillary, _, address = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return None
    for level, kind, data in ancillary:
        if (level, kind) in {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}:
            return QueuedError(_reason(data), address[0] if address else "", payload)
    return QueuedError("error", "", payload)


def _reason(data: bytes) -> str:
    code, origin, kind, icmp_code, *_ = _EXTENDED_ERROR.unpack_from(data)
    version = _ORIGIN_ICMP.get(origin)
    return reason_of_errno(code) if version is None else reason_of(version, kind, icmp_code)
