"""Reading devices back: pyroute2 decodes the kernel's messages."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from kemu.kernel import messages
from kemu.kernel.messages import FLAG_WORDS
from kemu.kernel.netlink import Netlink, attributes
from kemu.plan.objects import (
    Bridge,
    BridgePort,
    Foreign,
    Link,
    Loopback,
    Veth,
    Vxlan,
)

_INFO = bytes(16)
#: Devices that modules for tunnels put into every namespace, in which nobody can remove them: net.core.fb_tunnels_only_for_init_net.
_FALLBACK_TUNNELS = frozenset(
    {"erspan0", "gre0", "gretap0", "ip6_vti0", "ip6gre0", "ip6tnl0", "ip_vti0", "sit0", "tunl0"},
)
_BRIDGE_INFO = struct.pack("BxHiII", messages.AF_BRIDGE, 0, 0, 0, 0)
_IFLA_IFNAME, _IFLA_PROTINFO = 3, 12
_PORT_ATTRIBUTES = {"hairpin": 4, "learning": 8, "flood": 9, "isolated": 33}
_IFF_LOOPBACK = 0x8


@dataclass(slots=True)
class Links:
    """The devices of one namespace as the kernel describes them, but its own, and the names of all by index."""

    raw: list[bytes]
    decoded: list[Any]
    names: dict[int, str]


def read_links(netlink: Netlink) -> Links:
    """Return the devices of a namespace."""
    raw = netlink.dump(messages.RTM_GETLINK, _INFO)
    found = [decode(ifinfmsg, data) for data in raw]
    names = {message["index"]: message.get_attr("IFLA_IFNAME") for message in found}
    ours = [(data, message) for data, message in zip(raw, found, strict=True) if names[message["index"]] not in _FALLBACK_TUNNELS]
    return Links([data for data, _ in ours], [message for _, message in ours], names)


def read_names(netlink: Netlink) -> dict[int, str]:
    """Return the names of the devices of a namespace by index."""
    return {struct.unpack_from("i", data, 20)[0]: _name(data) for data in netlink.dump(messages.RTM_GETLINK, _INFO)}


def _name(data: bytes) -> str:
    return attributes(data[32:])[_IFLA_IFNAME].rstrip(b"\0").decode()


def decode(kind: type[Any], data: bytes) -> Any:
    """Return a message as an object of pyroute2's."""
    message = kind(data)
    message.decode()
    return message


def dump(netlink: Netlink, kind: type[Any], request: int, body: bytes) -> list[Any]:
    """Return the messages of a dump as objects of pyroute2's."""
    return [decode(kind, data) for data in netlink.dump(request, body)]


def kind_of_link(message: Any) -> str:
    """Return the kernel's name of a device's kind, empty for a physical one and for lo."""
    info = message.get_attr("IFLA_LINKINFO")
    return (info.get_attr("IFLA_INFO_KIND") or "") if info else ""


def build_link(netns: str, message: Any, names: Mapping[int, str], ports: Mapping[int, BridgePort], peer: Veth) -> Link:
    """Return a device as an object; `peer` is what it is if it is a veth, `names` those of its namespace's devices by index."""
    master = message.get_attr("IFLA_MASTER")
    return Link(
        netns=netns,
        name=message.get_attr("IFLA_IFNAME"),
        index=message["index"],
        mac=message.get_attr("IFLA_ADDRESS") or "",
        mtu=message.get_attr("IFLA_MTU"),
        detail=_detail(message, names, peer),
        up=bool(message["flags"] & messages.IFF_UP),
        master=names.get(master, str(master)) if master else "",
        port=ports.get(message["index"]) if master else None,
        flags=tuple(word for word, (flag, is_set) in FLAG_WORDS.items() if bool(message["flags"] & flag) == is_set),
        queue_length=message.get_attr("IFLA_TXQLEN"),
        alias=message.get_attr("IFLA_IFALIAS") or "",
    )


def _detail(message: Any, names: Mapping[int, str], peer: Veth) -> Veth | Bridge | Vxlan | Loopback | Foreign:
    kind = kind_of_link(message)
    if not kind:
        return Loopback() if message["flags"] & _IFF_LOOPBACK else Foreign(kind="ether")
    data = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    match kind:
        case "veth":
            return peer
        case "bridge":
            return Bridge(
                ageing_seconds=data.get_attr("IFLA_BR_AGEING_TIME") // 100,
                stp=bool(data.get_attr("IFLA_BR_STP_STATE")),
                multicast_snooping=bool(data.get_attr("IFLA_BR_MCAST_SNOOPING")),
                vlan_filtering=bool(data.get_attr("IFLA_BR_VLAN_FILTERING")),
            )
        case "vxlan":
            return Vxlan(
                vni=data.get_attr("IFLA_VXLAN_ID"),
                local=data.get_attr("IFLA_VXLAN_LOCAL") or data.get_attr("IFLA_VXLAN_LOCAL6") or "",
                lower=names.get(data.get_attr("IFLA_VXLAN_LINK"), ""),
                port=data.get_attr("IFLA_VXLAN_PORT"),
                learning=bool(data.get_attr("IFLA_VXLAN_LEARNING")),
            )
    return Foreign(kind=kind)


def read_ports(netlink: Netlink) -> dict[int, BridgePort]:
    """Return the bridge ports of a namespace by device index."""
    ports = {}
    for data in netlink.dump(messages.RTM_GETLINK, _BRIDGE_INFO):
        info = attributes(attributes(data[32:]).get(_IFLA_PROTINFO, b""))
        if info:
            values = {word: bool(info[kind][0]) for word, kind in _PORT_ATTRIBUTES.items() if kind in info}
            ports[struct.unpack_from("i", data, 20)[0]] = BridgePort(**values)
    return ports
