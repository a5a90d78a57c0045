"""The responder: serves the declared ports of pods, in their namespaces, from one thread that somebody else drives.

    responder = Responder()
    responder.add(speaker_of(pod), netns, pod.ports, versions=(4, 6))
    selector.register(responder, EVENT_READ)
    while …: selector.select(until(responder.deadline)); responder.turn()

It never blocks. Each turn and each connection is bounded in time and bytes, and when there are too many connections, the one that has
waited longest makes room.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kemu.kernel.sockets import find_sockets
from kemu.probe.answer import End, Speaker, build_datagram
from kemu.probe.connection import SECONDS, Connection
from kemu.probe.conversation import Conversation
from kemu.probe.deadlines import Deadlines
from kemu.probe.loop import READ, Loop
from kemu.probe.sockets import arrival_nanoseconds, entering, open_tcp_server, open_udp_server
from kemu.spec.model import Pod, Port, Protocol

CAPACITY = 4096  # connections at a time
BURST = 64  # connections or datagrams of one socket in one turn, so that a busy one does not starve the others
PAUSE_SECONDS = 1.0  # without accepting, where the process may open no more files

_Key = tuple[Protocol, int, int]  # of a listener: protocol, port and IP version

_ANY = {4: "0.0.0.0", 6: "::"}
_OPENERS = {Protocol.TCP: open_tcp_server, Protocol.UDP: open_udp_server}
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_DATAGRAM = 65535
_LARGEST = 65000  # of a datagram, with some room for headers

_PKTINFO_4 = struct.Struct("=i4s4s")  # interface, local address, destination. Source: struct in_pktinfo, linux/in.h
_PKTINFO_6 = struct.Struct("=16si")  # address, interface. Source: struct in6_pktinfo, linux/ipv6.h
_IP_PKTINFO = 8  # Source: linux/in.h; Python 3.11's socket module lacks it


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    """A socket that is served, for whom, and who is connected."""

    speaker: Speaker
    port: Port
    sock: socket.socket
    connections: set[Connection] = field(default_factory=set)


class Responder:
    """Serves ports of many pods. `deadline`, on the clock, is when `turn` must be called although nothing came."""

    def __init__(self, *, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = Loop()
        self._capacity = capacity
        self._clock = clock
        self._listeners: dict[Path, dict[_Key, _Listener]] = {}
        self._inodes: dict[Path, int] = {}
        self._connections: dict[Connection, _Listener] = {}
        self._deadlines: Deadlines[Connection | _Listener] = Deadlines()
        self._buffer = bytearray(_DATAGRAM)

    def __enter__(self) -> Responder:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket."""
        self._loop.close_all()

    def fileno(self) -> int:
        """Return a descriptor that is readable when `turn` has something to do."""
        return self._loop.fileno()

    @property
    def deadline(self) -> float | None:
        """When to call `turn` at the latest; None if there is nobody to wait for."""
        return self._deadlines.next

    # --- who is served -----------------------------------------------------------------------------------------------------------

    def add(self, speaker: Speaker, netns: Path, ports: Iterable[Port], *, versions: Sequence[int]) -> tuple[Port, ...]:
        """Serve TCP and UDP ports of a pod; return those that somebody else serves already, at least in one IP version.

        A port that is served here already stays as it is, unless the namespace was made anew; SCTP is passed over. Raises ProbeError
        where the namespace is not there, MachineError where no more files can be opened.
        """
        wanted = [port for port in ports if port.protocol in _OPENERS]
        with entering(netns):
            self._note_namespace(netns)
            taken = [port for port in wanted for version in versions if not self._serve(speaker, netns, port, version)]
        return tuple(dict.fromkeys(taken))

    def remove(self, netns: Path, ports: Iterable[Port] | None = None) -> None:
        """Serve these ports of a namespace no more, by default no port; their connections are closed. Others are passed over."""
        listeners = self._listeners.get(netns, {})
        chosen = None if ports is None else {(port.protocol, port.number) for port in ports}
        for key in [key for key in listeners if chosen is None or key[:2] in chosen]:
            self._drop_listener(listeners.pop(key))
        if not listeners:
            self._listeners.pop(netns, None)
            self._inodes.pop(netns, None)

    def served(self, netns: Path) -> frozenset[tuple[Protocol, int]]:
        """Return the ports of a namespace that others than this responder serve: where TCP listens or a UDP socket is bound."""
        own = self._listeners.get(netns, {})
        return frozenset(one[:2] for one in _find_served(netns) if one not in own)

    def _note_namespace(self, netns: Path) -> None:
        """Let go of a namespace that is gone: its sockets would keep it alive, unseen."""
        inode = os.stat(netns).st_ino
        if self._inodes.get(netns, inode) != inode:
            self.remove(netns)
        self._inodes[netns] = inode

    def _serve(self, speaker: Speaker, netns: Path, port: Port, version: int) -> bool:
        listeners = self._listeners.setdefault(netns, {})
        key = (port.protocol, port.number, version)
        if key in listeners:
            return True
        sock = _find_server(port, version)
        if sock is None:
            return False
        listener = _Listener(speaker, port, sock)
        listeners[key] = listener
        self._loop.add(sock, partial(self._accept if port.protocol is Protocol.TCP else self._reply, listener))
        return True

    def _drop_listener(self, listener: _Listener) -> None:
        self._deadlines.drop(listener)
        self._loop.close(listener.sock)
        for connection in list(listener.connections):
            self._close(connection)

    # --- driving it --------------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Do all that can be done without waiting."""
        self._loop.turn(0)
        for one in self._deadlines.take_expired(self._clock()):
            if isinstance(one, Connection):
                one.give_up()
                self._note(one, has_moved=True)
            else:
                self._loop.change(one.sock, READ)

    def _accept(self, listener: _Listener) -> None:
        for accepted in range(BURST):
            try:
                tcp, client = listener.sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:  # of a client that is gone already. Source: accept(2), "Error handling"
                    continue
                if not accepted:  # later ones say so although nobody may be waiting
                    self._make_room_for_files(listener)
                return
            self._open(listener, tcp, End(*client[:2]))

    def _make_room_for_files(self, listener: _Listener) -> None:
        """Close what has waited longest; where that helps nobody, leave the clients of this port waiting for a moment."""
        if self._connections:
            self._close_oldest()
            return
        self._loop.change(listener.sock, 0)
        self._deadlines.set(listener, self._clock(), PAUSE_SECONDS)

    def _open(self, listener: _Listener, tcp: socket.socket, client: End) -> None:
        tcp.setblocking(False)
        if len(self._connections) >= self._capacity:
            self._close_oldest()
        conversation = Conversation(listener.speaker, client, End(*tcp.getsockname()[:2]))
        connection = Connection(tcp, conversation)
        self._connections[connection] = listener
        listener.connections.add(connection)
        self._loop.add(tcp, partial(self._wake, connection))
        self._note(connection, has_moved=True)

    def _close_oldest(self) -> None:
        self._close(next(iter(self._connections)))

    def _wake(self, connection: Connection) -> None:
        self._note(connection, has_moved=connection.wake())

    def _note(self, connection: Connection, *, has_moved: bool) -> None:
        """Watch a connection as it is now; one that got further has time again, and goes to the end of the row."""
        if connection.wait is None:
            self._close(connection)
        elif has_moved:
            self._loop.change(connection.tcp, connection.events)
            self._deadlines.set(connection, self._clock(), SECONDS[connection.wait])
            self._connections[connection] = self._connections.pop(connection)

    def _close(self, connection: Connection) -> None:
        self._connections.pop(connection).connections.discard(connection)
        self._deadlines.drop(connection)
        self._loop.close(connection.tcp)

    def _reply(self, listener: _Listener) -> None:
        for _ in range(BURST):
            try:
                length, ancillary, _, client = listener.sock.recvmsg_into([self._buffer], 256)
            except BlockingIOError:
                return
            arrived = arrival_nanoseconds(ancillary)
            waited = max(time.time_ns() - arrived, 0) if arrived else 0
            ends = End(*client[:2]), End(_find_local(ancillary), listener.port.number)
            answer = build_datagram(listener.speaker, *ends, bytes(self._buffer[:length]), waited_ns=waited)
            if answer:
                _send(listener.sock, answer[:_LARGEST], ends[1].address, client)


def speaker_of(pod: Pod) -> Speaker:
    """Return a pod as one that the responder speaks for."""
    return Speaker(pod=pod.name, namespace=pod.namespace, node=pod.node, hostname=pod.hostname)


def _find_server(port: Port, version: int) -> socket.socket | None:
    """Open the socket of a port here, in one IP version; None where somebody serves it already."""
    try:
        sock = _OPENERS[port.protocol](_ANY[version], port.number)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    if port.protocol is Protocol.UDP and version == 4:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    elif port.protocol is Protocol.UDP:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    return sock


def _find_served(netns: Path) -> Iterable[_Key]:
    for one in find_sockets(netns):
        address, _, number = one.local.rpartition(":")
        protocol = Protocol(one.protocol.upper())
        if one.state == ("listening" if protocol is Protocol.TCP else "unconnected") and number != "*":
            yield protocol, int(number), 6 if address.startswith("[") else 4


def _find_local(ancillary: Iterable[tuple[int, int, bytes]]) -> str:
    """Return the local address that a datagram came to; empty if the kernel does not say."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            return socket.inet_ntop(socket.AF_INET, _PKTINFO_4.unpack(data)[1])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return socket.inet_ntop(socket.AF_INET6, _PKTINFO_6.unpack(data)[0])
    return ""


def _send(sock: socket.socket, answer: bytes, local: str, client: tuple[str, int]) -> None:
    """Answer from the address that was asked, which the route back might not choose; where no way leads back, the asker's limit tells."""
    try:
        sock.sendmsg([answer], _sender(local), 0, client)
    except OSError:
        return


def _sender(local: str) -> list[tuple[int, int, bytes]]:
    if not local or local.startswith("ff"):  # multicast cannot be answered from
        return []
    if ":" in local:
        packed = _PKTINFO_6.pack(socket.inet_pton(socket.AF_INET6, local), 0)
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed)]
    return [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO_4.pack(0, socket.inet_pton(socket.AF_INET, local), bytes(4)))]
