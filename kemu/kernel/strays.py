"""What kemu never plans and packets meet all the same: IPsec's policies and states, and next hops of their own. Read back and removed.

All functions act on the namespace that the thread is in.
Source: include/uapi/linux/xfrm.h, include/uapi/linux/nexthop.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

from kemu.kernel.messages import SET
from kemu.kernel.netlink import Netlink, attributes
from kemu.plan.objects import Stray

POLICY, STATE, NEXTHOP = "xfrm policy", "xfrm state", "nexthop"

_NETLINK_XFRM = 6
_GET_SA, _GET_POLICY, _FLUSH_SA, _FLUSH_POLICY = 0x12, 0x15, 0x1C, 0x1D
_RTM_DELNEXTHOP, _RTM_GETNEXTHOP = 105, 106
_NHA_ID = 1
_DIRECTIONS = ("in", "out", "fwd")
_SELECTOR = struct.Struct("16s16sHHHHHBBB3xiI")
_ID = struct.Struct(">16sIB3x")
_LIFETIMES = 64 + 32  # struct xfrm_lifetime_cfg and xfrm_lifetime_cur
_HEADER = 16


def read_strays(netns: str) -> Iterator[Stray]:
    """Yield what is there of it; `netns` is what the namespace is called."""
    with Netlink() as netlink:
        for data in netlink.dump(_RTM_GETNEXTHOP, bytes(8)):
            yield Stray(netns=netns, kind=NEXTHOP, name=str(struct.unpack("I", attributes(data[24:])[_NHA_ID])[0]))
    try:
        xfrm = Netlink(_NETLINK_XFRM)
    except OSError as error:
        if error.errno != errno.EPROTONOSUPPORT:  # a kernel without IPsec has none of it
            raise
        return
    with xfrm:
        yield from (Stray(netns=netns, kind=POLICY, name=_policy(data[_HEADER:])) for data in xfrm.dump(_GET_POLICY, b""))
        yield from (Stray(netns=netns, kind=STATE, name=_state(data[_HEADER:])) for data in xfrm.dump(_GET_SA, b""))


def remove_stray(stray: Stray) -> None:
    """Remove one; of IPsec all at once, since none of it is wanted. OSError if the kernel refuses."""
    match stray.kind:
        case "nexthop":
            body = bytes(8) + struct.pack("HHI", 8, _NHA_ID, int(stray.name))
            _send(socket.NETLINK_ROUTE, _RTM_DELNEXTHOP, body, gone=errno.ENOENT)
        case "xfrm policy":
            _send(_NETLINK_XFRM, _FLUSH_POLICY, b"", gone=errno.ESRCH)
        case "xfrm state":
            _send(_NETLINK_XFRM, _FLUSH_SA, bytes(4), gone=errno.ESRCH)


def _send(protocol: int, kind: int, body: bytes, *, gone: int) -> None:
    with Netlink(protocol) as netlink:
        for refusal in netlink.send([(kind, SET, body)]):
            if refusal.errno != gone:
                raise OSError(refusal.errno, refusal.text)


def _policy(body: bytes) -> str:
    """Return a policy as `ip xfrm policy` begins to describe it: its direction and its selector."""
    direction = body[_SELECTOR.size + _LIFETIMES + 8]
    return f"{_DIRECTIONS[direction] if direction < len(_DIRECTIONS) else 'socket'} {_selector(body)}"


def _selector(body: bytes) -> str:
    destination, source, *_, family, destination_bits, source_bits, _protocol, _index, _user = _SELECTOR.unpack_from(body)
    return f"src {_address(family, source)}/{source_bits} dst {_address(family, destination)}/{destination_bits}"


def _state(body: bytes) -> str:
    destination, number, _protocol = _ID.unpack_from(body, _SELECTOR.size)
    family_place = _SELECTOR.size + _ID.size + 16 + _LIFETIMES + 12 + 4 + 4
    family = struct.unpack_from("H", body, family_place)[0]
    source = body[_SELECTOR.size + _ID.size :][:16]
    return f"src {_address(family, source)} dst {_address(family, destination)} spi {number:#x}"


def _address(family: int, data: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6, data) if family == socket.AF_INET6 else socket.inet_ntop(socket.AF_INET, data[:4])
