"""The kinds of kernel objects: what a plan is made of, and what reading the kernel gives back.

All are frozen, hashable and plain: names and addresses are strings as the tools print them. `netns` is the kernel namespace
without the cluster's prefix. `key` says which thing it is (two objects with one key cannot both be), the other fields what it is
like. `origin` says who asked for it; what was read back has none, and it never counts in a comparison.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace

from kemu.base.marks import Origin

Key = tuple[str | int, ...]

#: The machine's own network namespace, where `internet: true` has a few objects, and kemu looks at nothing else.
MACHINE = "machine"
MAIN = 254  # the main routing table. Source: include/uapi/linux/rtnetlink.h
LOCAL = 255
MULTIPATH = "multipath"
_LO_MTU = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Netns:
    """A network namespace of ours, its `lo` up and as the kernel makes it.

    `lacks` is only ever set by read-back: what a fresh namespace has of itself (default rules, lo's addresses) and this one lost.
    """

    netns: str
    lacks: tuple[str, ...] = ()
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("netns", self.netns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Veth:
    """One end of a veth pair; the other is `peer` in `peer_netns`, a Link of its own."""

    peer_netns: str
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A Linux bridge. `ageing_seconds` is how long an unused forwarding entry lives."""

    ageing_seconds: int = 300
    stp: bool = False
    multicast_snooping: bool = True
    vlan_filtering: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vxlan:
    """A VXLAN tunnel device over `lower`, from address `local`; `port` is the UDP port."""

    vni: int
    local: str
    lower: str
    port: int
    learning: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Loopback:
    """`lo`; only ever read back, and only where it is not as the kernel makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A device or qdisc of a kind that kemu does not plan; only ever read back."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgePort:
    """How a bridge treats the port that a Link is."""

    hairpin: bool = False
    isolated: bool = False
    learning: bool = True
    flood: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network device. `flags` holds what differs from a plain device: noarp, promisc, allmulti, nomulticast."""

    netns: str
    name: str
    index: int
    mac: str
    mtu: int
    detail: Veth | Bridge | Vxlan | Loopback | Foreign
    up: bool = True
    master: str = ""
    port: BridgePort | None = None
    flags: tuple[str, ...] = ()
    queue_length: int = 1000
    alias: str = ""
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("link", self.netns, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addr:
    """An address on a device, with its prefix length. `lacks` are the kernel's own routes to it that are gone, or, planned, to be.

    Only the connected route can be planned away, as "connected <network>".
    """

    netns: str
    dev: str
    address: str
    broadcast: str = ""
    scope: str = "global"
    lacks: tuple[str, ...] = ()
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("addr", self.netns, self.dev, self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route. `dst` is a network (0.0.0.0/0 for the default); `protocol` who installed it, as `ip route` names it.

    `via` is MULTIPATH, only ever read back, for a route with several gateways.
    """

    netns: str
    dst: str
    dev: str = ""
    via: str = ""
    src: str = ""
    table: int = MAIN
    metric: int = 0
    protocol: str = "boot"
    scope: str = "global"
    type: str = "unicast"
    onlink: bool = False
    mtu: int = 0
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("route", self.netns, self.table, self.dst, self.metric)

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.dst else 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A routing policy rule, beside the kernel's own. Empty selectors match everything; `mark` is in the form value/mask."""

    netns: str
    family: int
    priority: int
    table: int = MAIN
    src: str = ""
    dst: str = ""
    iif: str = ""
    oif: str = ""
    mark: str = ""
    action: str = "lookup"
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return (
            "rule",
            self.netns,
            self.family,
            self.priority,
            self.table,
            self.src,
            self.dst,
            self.iif,
            self.oif,
            self.mark,
            self.action,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Neigh:
    """A permanent neighbour entry; `proxy` for an address answered on behalf of somebody else (then `mac` is empty)."""

    netns: str
    dev: str
    address: str
    mac: str
    proxy: bool = False
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("neigh", self.netns, self.dev, self.address, int(self.proxy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fdb:
    """A static forwarding entry: of a tunnel device towards `dst`, or, with `dst` empty, of a bridge towards the port `dev`.

    `own` is only ever read back: an address that the device itself takes beside its MAC.
    """

    netns: str
    dev: str
    mac: str
    dst: str = ""
    own: bool = False
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("fdb", self.netns, self.dev, self.mac, self.dst, int(self.own))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl:
    """A setting below /proc/sys, `name` with slashes (a device name may hold a dot): net/ipv4/ip_forward."""

    netns: str
    name: str
    value: str
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("sysctl", self.netns, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tbf:
    """Lets frames go at a rate, in whole bytes a second. `limit_bytes` may wait, unless a queue of its own hangs below.

    `more` is only ever read back, here and in Netem: what else somebody set.
    """

    rate_bits_per_second: int
    burst_bytes: int
    limit_bytes: int
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Netem:
    """Delays, loses, doubles and reorders packets. Seconds are whole microseconds, ratios have eight digits."""

    limit_packets: int
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss_ratio: float = 0.0
    duplicate_ratio: float = 0.0
    reorder_ratio: float = 0.0
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pfifo:
    """A plain queue, first in, first out."""

    limit_packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Qdisc:
    """A queueing discipline that is not the device's own default. `parent` and `handle` as `tc` prints them (root, 1:)."""

    netns: str
    dev: str
    parent: str
    handle: str
    detail: Tbf | Netem | Pfifo | Foreign
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("qdisc", self.netns, self.dev, self.parent)

    @property
    def kind(self) -> str:
        """What it is, as `tc` calls it."""
        return self.detail.kind if isinstance(self.detail, Foreign) else type(self.detail).__name__.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class NftTable:
    """An nftables table. `body` is what stands between its braces, in nft's language."""

    netns: str
    family: str
    name: str
    body: str
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("nft-table", self.netns, self.family, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """That the machine forwards packets of an IP version between the device `inner` and those of its default routes, whichever they are.

    `lacks` is only ever set by read-back: the settings that are off.
    """

    netns: str
    family: int
    inner: str
    lacks: tuple[str, ...] = ()
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("forwarding", self.netns, self.family)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """Something of a kind that kemu plans nothing of, and that packets meet; only ever read back. `kind` is as `ip` names it."""

    netns: str
    kind: str
    name: str
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("stray", self.netns, self.kind, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that is to run in a namespace: the agent, or a container of `pod`, `<namespace>.<pod>`. `env` is NAME=value each."""

    netns: str
    kind: str
    pod: str
    name: str
    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    restart: str = "Never"
    origin: Origin | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return ("process", self.netns, self.pod, self.name)


Object = Stray | Netns | Link | Addr | Route | Rule | Neigh | Fdb | Sysctl | Qdisc | NftTable | Forwarding | Process


def place(cluster: str, netns: str) -> str:
    """Return what a namespace of a cluster is called outside: the name that `ip netns` knows, or the word for the machine's own."""
    return MACHINE if netns == MACHINE else f"{cluster}.{netns}"


def fresh_lo(lo: Link) -> Link:
    """Return `lo` as a namespace of ours has it; its alias is the mark."""
    return replace(lo, mtu=_LO_MTU, detail=Loopback(), up=True, master="", port=None, flags=("nomulticast",), queue_length=1000)


def address(ip: object, prefix: int) -> str:
    """Return `ip` with its prefix length, as `ip addr` prints it."""
    return f"{ip}/{prefix}"


def broadcast(interface: str) -> str:
    """Return the broadcast address of an interface's address, empty for IPv6 and for networks of one or two addresses."""
    network = ipaddress.ip_interface(interface).network
    return str(network.broadcast_address) if network.version == 4 and network.prefixlen < 31 else ""
