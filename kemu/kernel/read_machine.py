"""Reading back a cluster's device in the machine's own namespace: its addresses, and of its settings those that kemu makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_interface

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from kemu.kernel import machine, messages, sysctl
from kemu.kernel.netlink import Netlink
from kemu.kernel.netns import Handle
from kemu.kernel.read_entries import build_addr, is_kernels
from kemu.kernel.read_links import Links, decode, dump
from kemu.plan.objects import Addr, Sysctl


def read_own(netlink: Netlink, cluster: str) -> Links:
    """Return the cluster's device as the only one of the machine; none if there is none."""
    data = machine.find_device(netlink, cluster)
    decoded = [decode(ifinfmsg, data)] if data else []
    return Links([data] if data else [], decoded, {one["index"]: one.get_attr("IFLA_IFNAME") for one in decoded})


def read_own_addrs(handle: Handle, links: Links) -> Iterator[Addr | Sysctl]:
    """Yield the addresses of the cluster's device, each with what it lacks of the way to its network, and whether it has IPv6."""
    for message in dump(handle.socket, ifaddrmsg, messages.RTM_GETADDR, bytes(8)):
        if message["index"] in links.names:
            addr = build_addr(handle.name, message, links.names)
            if not is_kernels(addr):
                yield _with_lacks(handle.socket, addr, message["index"])
    for name in links.names.values():
        setting = f"net/ipv6/conf/{name}/disable_ipv6"
        if (value := sysctl.find(setting)) is not None:
            yield Sysctl(netns=handle.name, name=setting, value=value)


def _with_lacks(netlink: Netlink, addr: Addr, index: int) -> Addr:
    """Return an address that says so if packets to its network would not leave through its device."""
    network = ip_interface(addr.address).network
    is_alone = network.num_addresses <= 2
    return (
        addr if is_alone or machine.leads_to(netlink, str(network[2]), index) else replace(addr, lacks=(f"connected {network}",))
    )
