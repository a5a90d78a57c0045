"""Opening sockets inside network namespaces, all from one thread: a socket keeps the namespace that it was opened in.

So one epoll loop serves the sockets of a thousand namespaces. The thread enters a namespace only to open them.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kemu.base.errors import MachineError, ProbeError
from kemu.kernel.enter import inside

Ancillary = Sequence[tuple[int, int, bytes]]

BUFFER_BYTES = 4 << 20  # about 3,000 small packets: more than are ever in flight to one socket

# Names that Python 3.11's socket module lacks. Source: include/uapi/linux/{in,in6,icmp}.h, asm-generic/socket.h
SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 32, 33, 35
IP_RECVERR, IPV6_RECVERR = 11, 25
IP_FREEBIND, IPV6_FREEBIND = 15, 78
SOL_RAW, ICMP_FILTER, ICMP6_FILTER = 255, 1, 1

_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})

_TIMESPEC = struct.Struct("=qq")
_INT = struct.Struct("=i")
_TCPI_RTT = 68  # its offset in struct tcp_info. Source: include/uapi/linux/tcp.h


@contextmanager
def entering(netns: Path) -> Iterator[None]:
    """Be in a namespace for the block, to open sockets. Raises ProbeError or MachineError where that fails."""
    try:
        with inside(netns):
            yield
    except OSError as error:
        if error.errno in _OUT_OF_FILES:
            raise MachineError("no more open files", hint="ulimit -Hn 65536, or LimitNOFILE= of the service") from error
        raise ProbeError(f"no probing in {netns}: {error.strerror}", hint="kemu status") from error


def open_echo_socket(version: int) -> socket.socket:
    """Open a raw ICMP socket here that hears echo replies and errors only, not the requests that others send to us."""
    if version == 4:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
        hidden = 0xFFFFFFFF & ~(1 << 0 | 1 << 3 | 1 << 11 | 1 << 12)
        raw.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", hidden))
    else:
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
        raw.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, _icmp6_filter((1, 2, 3, 4, 129)))
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    _prepare(raw)
    return raw


def open_udp_socket(version: int) -> socket.socket:
    """Open a UDP socket here that learns of ICMP errors and of the time of arrival."""
    udp = socket.socket(_family(version), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    hear_errors(udp, version)
    _prepare(udp)
    return udp


def open_tcp_socket(version: int) -> socket.socket:
    """Open a TCP socket here that learns of ICMP errors, and whose closing resets the connection and leaves nothing behind."""
    tcp = socket.socket(_family(version), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    hear_errors(tcp, version)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return tcp


def open_udp_server(address: str, port: int) -> socket.socket:
    """Open a UDP socket here that is bound to `address`. Raises OSError EADDRINUSE where somebody serves the port already.

    It hears no ICMP errors: those of one client would end the answer to the next.
    """
    udp = socket.socket(_family(version_of(address)), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    _prepare(udp)
    return _bound(udp, address, port)


def open_tcp_server(address: str, port: int) -> socket.socket:
    """Open a listening TCP socket here. Raises OSError EADDRINUSE where somebody serves the port already."""
    tcp = socket.socket(_family(version_of(address)), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server = _bound(tcp, address, port)
    try:
        server.listen(4096)
    except OSError:
        server.close()
        raise
    return server


def version_of(address: str) -> int:
    """Return the IP version of an address."""
    return 6 if ":" in address else 4


def hear_errors(sock: socket.socket, version: int) -> None:
    """Let the kernel queue the ICMP errors that answer what this socket sends."""
    if version == 4:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)


def arrival_nanoseconds(ancillary: Ancillary) -> int:
    """Return when the kernel took the packet in, in nanoseconds of the real-time clock; 0 if it does not say."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return 0


def handshake_seconds(tcp: socket.socket) -> float | None:
    """Return the round trip that the kernel measured while connecting; None where a repeated SYN hides it."""
    microseconds = _INT.unpack_from(tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128), _TCPI_RTT)[0]
    return microseconds / 1e6 if microseconds else None


def hop_limit(ancillary: Ancillary) -> int | None:
    """Return the IPv6 hop limit that the packet arrived with."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_HOPLIMIT:
            return int(_INT.unpack(data)[0])
    return None


def _family(version: int) -> socket.AddressFamily:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _bound(sock: socket.socket, address: str, port: int) -> socket.socket:
    try:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)  # also while duplicate address detection runs
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _prepare(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    _enlarge(sock, SO_RCVBUFFORCE, socket.SO_RCVBUF)
    _enlarge(sock, SO_SNDBUFFORCE, socket.SO_SNDBUF)


def _enlarge(sock: socket.socket, forced: int, plain: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, BUFFER_BYTES)
    except PermissionError:  # in a user namespace: as far as the machine's limit lets us
        sock.setsockopt(socket.SOL_SOCKET, plain, BUFFER_BYTES)


def _icmp6_filter(passed: Sequence[int]) -> bytes:
    blocked = (1 << 256) - 1
    for kind in passed:
        blocked &= ~(1 << kind)
    return b"".join(struct.pack("=I", blocked >> shift & 0xFFFFFFFF) for shift in range(0, 256, 32))
