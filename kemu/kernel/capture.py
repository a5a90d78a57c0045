"""Packets at the devices of network namespaces: which devices there are, and sockets that hear all that passes one.

A socket keeps the namespace that it was opened in, so one process listens in all of them. Nothing is changed there: veth, bridge
and tunnel devices hand every frame to such a socket without promiscuous mode.
"""

from __future__ import annotations

import ctypes
import errno
import shutil
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kemu.base.errors import MachineError, UsageError
from kemu.kernel import messages, process
from kemu.kernel.enter import inside
from kemu.kernel.netlink import Netlink, attributes

ETHERNET, RAW_IP = 1, 101  # link types of capture files. Source: https://www.tcpdump.org/linktypes.html
#: By the kernel's hardware type; tunnels of IP have no header of their own. Source: include/uapi/linux/if_arp.h
_LINK_TYPES = {1: ETHERNET, 772: ETHERNET, 0xFFFE: RAW_IP, 519: RAW_IP, 768: RAW_IP, 769: RAW_IP, 776: RAW_IP, 778: RAW_IP}
_TCPDUMP_NAMES = {ETHERNET: "EN10MB", RAW_IP: "RAW"}

# Source: include/uapi/linux/if_packet.h, include/uapi/asm-generic/socket.h
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_AUXDATA = 263, 6, 8
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 26, 33, 35
_ETH_P_ALL = 3
_VLAN_VALID, _VLAN_TPID_VALID, _VLAN_TPID = 0x10, 0x40, 0x8100

_INFO = bytes(16)
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_INFO_KIND = 1, 3, 18, 1
_AUXDATA = struct.Struct("=IIIHHHH")
_TIMESPEC = struct.Struct("=qq")
_INSTRUCTION = struct.Struct("=HBBI")
_ANCILLARY_BYTES = 128
_RETURN = 0x06  # BPF_RET | BPF_K
_NOTHING = _INSTRUCTION.pack(_RETURN, 0, 0, 0)
_MACS_BYTES = 12

_FRAME = bytearray((1 << 18) + 4096)  # the largest frame that there is: 256 KB, with BIG TCP
_INTO = (_FRAME,)
_VIEW = memoryview(_FRAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of a namespace as the kernel has it now. `kind` is the kernel's word (veth, bridge, vxlan), empty for lo."""

    name: str
    index: int
    kind: str
    link_type: int | None
    mac: str
    is_up: bool


class Frame(NamedTuple):
    """A frame at a device: when (nanoseconds since 1970), how it came (PACKET_HOST …), its length on the wire, and its bytes."""

    time: int
    kind: int
    length: int
    data: bytes


@dataclass(slots=True)
class Tap:
    """A socket at one device. It is deaf until `listen`, and keeps what it heard when it is deaf again."""

    socket: socket.socket
    program: bytes

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self.socket.fileno()

    def listen(self) -> None:
        """Hear every frame that passes the filter, from now on."""
        _attach(self.socket, self.program)

    def stop(self) -> None:
        """Hear nothing more."""
        _attach(self.socket, _NOTHING)

    def receive(self) -> Frame | None:
        """Return the next frame; None if there is none. A device that goes down is silent until it is up again."""
        try:
            size, ancillary, _, address = self.socket.recvmsg_into(_INTO, _ANCILLARY_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise
            return None
        return _build_frame(size, ancillary, address[2])

    def statistics(self) -> tuple[int, int]:
        """Return how many frames passed the filter since the last question, and how many of these were lost for want of room."""
        seen, lost = struct.unpack("=II", self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return seen, lost

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()


def find_devices(netns: Path) -> list[Device]:
    """Return the devices of the namespace at `netns`, in the order of their indexes."""
    with inside(netns):
        netlink = Netlink()
    try:
        found = [_read_device(data) for data in netlink.dump(messages.RTM_GETLINK, _INFO)]
    finally:
        netlink.close()
    return sorted(found, key=lambda device: device.index)


def _read_device(message: bytes) -> Device:
    hardware, index, flags = struct.unpack_from("=HiI", message, 18)
    found = attributes(message[32:])
    info = attributes(found.get(_IFLA_LINKINFO, b""))
    return Device(
        name=_text(found[_IFLA_IFNAME]),
        index=index,
        kind=_text(info.get(_IFLA_INFO_KIND, b"")),
        link_type=_LINK_TYPES.get(hardware),
        mac=":".join(f"{byte:02x}" for byte in found.get(_IFLA_ADDRESS, b"")),
        is_up=bool(flags & messages.IFF_UP),
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def compile_filter(expression: str, link_type: int, snap_length: int) -> bytes:
    """Return an expression of pcap-filter(7) as a program for the kernel, which cuts frames to `snap_length`.

    libpcap's own compiler does it, by way of tcpdump; the empty expression needs neither. UsageError says what is wrong with it.
    """
    if not expression:
        return _INSTRUCTION.pack(_RETURN, 0, 0, snap_length)
    program = shutil.which("tcpdump")
    if not program:
        raise MachineError("a filter needs tcpdump, which is not installed", hint="apt-get install tcpdump")
    done = process.run([program, "-ddd", "-y", _TCPDUMP_NAMES[link_type], "-s", str(snap_length), "--", expression])
    if done.returncode:
        raise UsageError(f'the filter "{expression}" cannot be used: {_complaint(done.stderr)}', hint="man pcap-filter")
    return read_program(done.stdout)


def read_program(text: str) -> bytes:
    """Return what `tcpdump -ddd` prints, a number of instructions and four numbers for each, as the kernel wants it."""
    _, *lines = text.splitlines()
    return b"".join(_INSTRUCTION.pack(*map(int, line.split())) for line in lines)


def _complaint(text: str) -> str:
    return (text.strip().splitlines() or ["no reason is given"])[-1].removeprefix("tcpdump: ")


def open_tap(device: Device, program: bytes, buffer_bytes: int) -> Tap:
    """Be at a device of the namespace that this thread is in, deaf at first. Raises OSError."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    try:
        _attach(packets, _NOTHING)  # before it is bound, so that nothing ever slips through
        packets.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        packets.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        packets.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
        packets.bind((device.name, _ETH_P_ALL))
    except OSError:
        packets.close()
        raise
    return Tap(packets, program)


def _attach(packets: socket.socket, program: bytes) -> None:
    code = ctypes.create_string_buffer(program, len(program))  # must live until the kernel has copied it
    described = struct.pack("@HP", len(program) // _INSTRUCTION.size, ctypes.addressof(code))
    packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def _build_frame(size: int, ancillary: Sequence[tuple[int, int, bytes]], kind: int) -> Frame:
    """Return the frame in the buffer; a VLAN tag that the kernel took off is put back."""
    time, length, data = 0, size, bytes(_VIEW[:size])
    for level, what, value in ancillary:
        if level == _SOL_PACKET and what == _PACKET_AUXDATA:
            status, length, _, _, _, tag, protocol = _AUXDATA.unpack_from(value)
            if status & _VLAN_VALID:
                data, length = put_tag(data, tag, protocol if status & _VLAN_TPID_VALID else _VLAN_TPID), length + 4
        elif level == socket.SOL_SOCKET and what == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            time = seconds * 1_000_000_000 + nanoseconds
    return Frame(time, kind, length, data)


def put_tag(data: bytes, tag: int, protocol: int) -> bytes:
    """Return an Ethernet frame with a VLAN tag behind its two addresses."""
    return data[:_MACS_BYTES] + struct.pack("!HH", protocol, tag) + data[_MACS_BYTES:]
