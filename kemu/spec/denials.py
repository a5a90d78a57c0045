"""Reading `fabric.deny`: protocols by name or number, and ports of those that have some."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kemu.spec.kinds import BAD, ListOf
from kemu.spec.model import Denial
from kemu.spec.source import Log, Node, ScalarNode, SequenceNode, find_close, kind_of, shorten

#: What can be denied by name. Source: IANA, Protocol Numbers; ipip is what Linux calls 4 (IPPROTO_IPIP), not IANA's 94.
PROTOCOLS: Final[Mapping[str, int]] = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "ospf": 89,
    "sctp": 132,
}
_WITH_PORTS = ("tcp", "udp", "sctp")
#: What is no protocol of its own, but a port. Source: IANA, Service Names; 8472 is what Linux and flannel take for VXLAN.
_PORTS: Final[Mapping[str, str]] = {
    "vxlan": "udp/8472",
    "geneve": "udp/6081",
    "wireguard": "udp/51820",
    "bgp": "tcp/179",
    "dns": "udp/53",
    "http": "tcp/80",
    "https": "tcp/443",
    "ssh": "tcp/22",
}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")
_RANGE = re.compile(r"([1-9][0-9]{0,5})(?:-([1-9][0-9]{0,5}))?")
_MOST = 65535
_WORD = "protocol[/port[-port]]"
_EXAMPLES = "such as udp/8472, tcp/30000-32767, icmp, or a protocol's number"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One thing to deny."""

    word: str = _WORD

    def read(self, node: Node, log: Log, about: str) -> Any:
        if not isinstance(node, ScalarNode) or not node.value:
            log.wrong(node, f"{about}: expected a protocol, not {kind_of(node)}", _EXAMPLES)
            return BAD
        found, message, hint = _parse(node.value)
        if message:
            log.wrong(node, f"{about}: {message}", hint)
        return found or BAD

    def schema(self) -> dict[str, Any]:
        pattern = f"^(({'|'.join(PROTOCOLS)}|[0-9]+)|({'|'.join(_WITH_PORTS)})/[0-9]+(-[0-9]+)?)$"
        return {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 0, "maximum": 255}]}


@dataclass(frozen=True, slots=True)
class Denials:
    """A list of things to deny, each once."""

    word: str = f"list of {_WORD}"

    def read(self, node: Node, log: Log, about: str) -> Any:
        found = ListOf(_Entry()).read(node, log, about)
        if found is BAD or not isinstance(node, SequenceNode):
            return BAD
        pairs = [(one, at) for one, at in zip(found, node.value, strict=True) if one is not BAD]
        for place, (one, at) in enumerate(pairs):
            first = next((before for other, before in pairs[:place] if one.overlaps(other)), None)
            if first is not None:
                line = log.mark(first).line
                log.wrong(at, f"{about}: {at.value} is denied already, by {first.value} in line {line}", "leave out one of them")
        return [one for one, _ in pairs]

    def schema(self) -> dict[str, Any]:
        return ListOf(_Entry()).schema()


def _parse(text: str) -> tuple[Denial | None, str, str]:
    """Return what a text means, or else what is wrong with it and a hint."""
    name, slash, ports = text.partition("/")
    if not slash:
        return _whole(name)
    if name not in _WITH_PORTS:
        message = f"{name} has no ports" if name in PROTOCOLS else f'"{shorten(name)}" is no name of a protocol with ports'
        return None, message, f"those are {', '.join(_WITH_PORTS)}, as in udp/8472"
    found = _RANGE.fullmatch(ports)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= _MOST:
        return None, f'"{shorten(ports)}" is no port and no range of ports', f"1 … {_MOST}, the lower first: tcp/30000-32767"
    return Denial(protocol=PROTOCOLS[name], first=first, last=last), "", ""


def _whole(name: str) -> tuple[Denial | None, str, str]:
    number = int(name) if _NUMBER.fullmatch(name) else PROTOCOLS.get(name)
    if number is not None and number <= 255:
        return Denial(protocol=number), "", ""
    if name in _PORTS:
        return None, f"{name} is no protocol of IP, but a port", f"write {_PORTS[name]}"
    if number is not None:
        return None, f"{name} is no number of a protocol", f"0 … 255; a port has its protocol before it: udp/{number}"
    return None, f'"{shorten(name)}" is no protocol', find_close(name, PROTOCOLS, "protocols")


def show_denial(denial: Denial) -> str:
    """Return a denial as the file says it: udp/8472, icmp, or the number of a protocol without a name."""
    name = next((name for name, number in PROTOCOLS.items() if number == denial.protocol), str(denial.protocol))
    if denial.is_whole:
        return name
    return f"{name}/{denial.first}" if denial.first == denial.last else f"{name}/{denial.first}-{denial.last}"
