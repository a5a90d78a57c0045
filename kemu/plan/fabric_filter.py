"""What the fabric lets through: one nftables table on its bridges, where the file asks for it.

A frame costs a few look-ups in sets, however many machines there are. It sees what crosses a segment, from port to port; the
router's ports stand for every network beyond, and nobody asks what addresses are theirs.

Source: Amazon VPC User Guide, "NAT instances" (source/destination check: each instance must be the source or destination of any
traffic it sends or receives; no broadcast, no multicast); OpenStack Neutron, anti-spoofing rules of port security (ARP, too).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kemu.spec.model import Denial, Fabric, IPAddress

Ports = Mapping[str, tuple[IPAddress, ...]]

NEEDS = frozenset({"nft:bridge"})

_ICMPV6 = 58
#: Without these types, multicast listeners and neighbour discovery, there is no IPv6 on a segment at all; no firewall drops them.
_ICMPV6_KEPT = "130-136, 143"  # Source: RFC 4890, section 4.4
_PORT_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}


def is_wanted(fabric: Fabric) -> bool:
    """Return whether the fabric filters at all."""
    return bool(fabric.deny) or not fabric.allow_foreign_addresses


def body(fabric: Fabric, machines: Ports, routers: Iterable[str]) -> str:
    """Return the table's body. `machines` are the addresses of nodes and hosts by their ports' names, `routers` the router's ports."""
    blocks: list[str] = []
    jumps: list[str] = []
    if not fabric.allow_foreign_addresses:
        blocks += _foreign(machines, routers)
        jumps += ["iifname != @routers jump from-machine", "oifname != @routers jump to-machine"]
    if fabric.deny:
        blocks.append(_chain("denied", _denials(fabric.deny)))
        jumps.append("jump denied")
    return "\n\n".join([*blocks, _chain("forward", ["type filter hook forward priority filter; policy accept;", *jumps])])


def _foreign(machines: Ports, routers: Iterable[str]) -> Iterator[str]:
    """Yield the sets and chains of `allowForeignAddresses: false`."""
    yield _set("routers", "ifname", (f'"{port}"' for port in routers))
    versions = dict.fromkeys(address.version for addresses in machines.values() for address in addresses)
    for version in versions:
        owned = ((port, one) for port, addresses in machines.items() for one in addresses if one.version == version)
        yield _set(f"own-ipv{version}", f"ifname . ipv{version}_addr", (f'"{port}" . {one}' for port, one in owned))
    yield _chain("from-machine", (rule for version in versions for rule in _FROM[version]))
    yield _chain("to-machine", (rule for version in versions for rule in _TO[version]))


_FROM = {
    4: (
        'iifname . ip saddr != @own-ipv4 counter drop comment "from an address that is not the machine\'s"',
        'iifname . arp saddr ip != @own-ipv4 counter drop comment "ARP for an address that is not the machine\'s"',
    ),
    6: (
        "ip6 saddr != { ::, fe80::/10 } iifname . ip6 saddr != @own-ipv6 counter drop "
        'comment "from an address that is not the machine\'s"',
    ),
}
_TO = {
    4: ('oifname . ip daddr != @own-ipv4 counter drop comment "to an address that is not the machine\'s"',),
    6: (
        "ip6 daddr != { fe80::/10, ff00::/8 } oifname . ip6 daddr != @own-ipv6 counter drop "
        'comment "to an address that is not the machine\'s"',
    ),
}


def _set(name: str, kind: str, elements: Iterable[str]) -> str:
    lines = ",\n\t\t\t".join(elements)
    return f"\tset {name} {{\n\t\ttype {kind}\n\t\telements = {{\n\t\t\t{lines}\n\t\t}}\n\t}}"


def _chain(name: str, rules: Iterable[str]) -> str:
    lines = "".join(f"\t\t{rule}\n" for rule in rules)
    return f"\tchain {name} {{\n{lines}\t}}"


def _denials(denials: Iterable[Denial]) -> Iterator[str]:
    """Yield the rules for `fabric.deny`. Protocols are numbers: nft's names for them are the machine's, in /etc/protocols."""
    ordered = sorted(denials, key=lambda one: (one.protocol, one.first))
    if whole := [str(one.protocol) for one in ordered if one.is_whole and one.protocol != _ICMPV6]:
        yield f"meta l4proto {{ {', '.join(whole)} }} counter drop"
    if any(one.protocol == _ICMPV6 for one in ordered):
        yield f"icmpv6 type != {{ {_ICMPV6_KEPT} }} counter drop"
    if ports := [f"{_PORT_PROTOCOLS[one.protocol]} . {_ports(one)}" for one in ordered if not one.is_whole]:
        yield f"meta l4proto . th dport {{ {', '.join(ports)} }} counter drop"


def _ports(denial: Denial) -> str:
    return str(denial.first) if denial.first == denial.last else f"{denial.first}-{denial.last}"
