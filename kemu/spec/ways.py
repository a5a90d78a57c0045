"""Ways of expectations, `app=web -> db:5432/tcp`: reading one, and finding the pairs of endpoints that it means."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from kemu.base.errors import UsageError
from kemu.base.marks import Mark
from kemu.spec.endpoints import Endpoint, all_endpoints, find_endpoints, read_port
from kemu.spec.kinds import BAD, refuse
from kemu.spec.model import ReachExpectation, Topology, Way
from kemu.spec.source import Log, Node, ScalarNode, SequenceNode, shorten

ANY = "any"
ARROW = "->"
PROTOCOLS = ("icmp", "tcp", "udp")
Pair = tuple[Endpoint, Endpoint]

_FORM_HINT = "FROM -> TO, or FROM -> TO:port[/protocol], as in app=web -> db:5432"
_PORT = re.compile(r"(?P<who>.+):(?P<port>[^:/\]]*)(?:/(?P<protocol>[^/]*))?")
_BRACKETS = re.compile(r"\[([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class WayKind:
    """One way: FROM -> TO[:port[/protocol]]."""

    word: str = "FROM -> TO"

    def read(self, node: Node, log: Log, about: str) -> Any:
        """Return the Way, or BAD after noting why there is none."""
        if not isinstance(node, ScalarNode) or not node.value:
            return refuse(node, log, about, "a way", _FORM_HINT)
        try:
            return replace(read_way(node.value), mark=log.mark(node))
        except UsageError as error:
            log.wrong(node, f"{about}: {error.message}", error.hint)
            return BAD

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a way."""
        return {"type": "string", "pattern": ARROW}


@dataclass(frozen=True, slots=True)
class Ways:
    """A list of ways, or one."""

    word: str = "list of FROM -> TO[:port[/protocol]], or one"

    def read(self, node: Node, log: Log, about: str) -> Any:
        """Return a tuple of Ways, or BAD after noting what is wrong with them."""
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        if not nodes:
            return refuse(node, log, about, "ways", _FORM_HINT)
        ways = [WayKind().read(one, log, about) for one in nodes]
        return BAD if BAD in ways else tuple(ways)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a way or a list of them."""
        one = WayKind().schema()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def read_way(text: str) -> Way:
    """Return the way that a text describes. UsageError says what is wrong with it; whether its ends exist is not looked at."""
    parts = [part.strip() for part in text.split(ARROW)]
    if len(parts) != 2 or not all(parts):
        raise UsageError(f'"{shorten(text)}" {_why_no_way(parts)}', hint=_FORM_HINT)
    sender, port, _ = _split(parts[0])
    if port is not None:
        raise UsageError(f'"{shorten(parts[0])}" sends, and a port is what somebody receives on', hint=f"leave out :{port}")
    receiver, port, protocol = _split(parts[1])
    if port is None:
        return Way(senders=sender, receivers=receiver)
    return Way(senders=sender, receivers=receiver, protocol=_protocol(protocol), port=read_port(port))


def _why_no_way(parts: list[str]) -> str:
    if len(parts) == 1:
        return f"has no arrow {ARROW}"
    return f"has several arrows {ARROW}" if len(parts) > 2 else f"has nobody on one side of the arrow {ARROW}"


def _split(text: str) -> tuple[str, str | None, str | None]:
    """Return who is meant, the port and the protocol, as far as they are said. An IPv6 address with a port stands in brackets."""
    if _is_address(text):
        return text, None, None
    match = _PORT.fullmatch(text)
    who, port, protocol = (match["who"], match["port"], match["protocol"]) if match else (text, None, None)
    return _BRACKETS.sub(r"\1", who), port, protocol


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _protocol(text: str | None) -> str:
    protocol = "tcp" if text is None else text.lower()
    if protocol == "icmp":
        raise UsageError("icmp has no ports", hint="without a port it is icmp")
    if protocol == "sctp":
        raise UsageError("not yet: sctp", hint="tcp or udp")
    if protocol not in PROTOCOLS:
        raise UsageError(f'"{shorten(protocol)}" is no protocol', hint="tcp or udp; without a port it is icmp")
    return protocol


def find_pairs(topology: Topology, way: Way) -> list[Pair]:
    """Return the pairs that a way means, without anybody to itself. KemuError says which end does not exist."""
    senders, receivers = find_end(topology, way.senders), find_end(topology, way.receivers)
    return [(one, other) for one, other in product(senders, receivers) if one.full != other.full]


def count_pairs(topology: Topology, way: Way) -> int:
    """Return how many pairs a way means, without making them: files are read by every command."""
    senders, receivers = ({one.full for one in find_end(topology, side)} for side in (way.senders, way.receivers))
    return len(senders) * len(receivers) - len(senders & receivers)


def find_end(topology: Topology, text: str) -> list[Endpoint]:
    """Return who is meant by one side of a way: at least one. Of an endpoint named by an address, only that address is meant."""
    found = all_endpoints(topology, ["pod"]) if text == ANY else find_endpoints(topology, text)
    if not found:
        raise UsageError(_nobody(topology, text), hint=_labels(topology))
    if _is_address(text):
        return [replace(found[0], addresses=(ipaddress.ip_address(text),))]
    return found


def _nobody(topology: Topology, text: str) -> str:
    """Return why nobody is meant."""
    return f"there are no pods in {topology.name}" if text == ANY else f'no pod has the labels "{text}"'


def _labels(topology: Topology) -> str:
    known = sorted({f"{key}={value}" for pod in topology.pods for key, value in pod.labels.items()})
    return f"labels are {', '.join(known[:8])}{' …' if len(known) > 8 else ''}" if known else ""


def find_place(way: Way, text: str) -> Mark | None:
    """Return where one side of a way stands, or the whole way where its line does not show it."""
    mark = way.mark
    start = mark.text.find(text, mark.column - 1, mark.column - 1 + mark.width) if mark else -1
    return replace(mark, column=start + 1, width=len(text)) if mark and start >= 0 else mark


@dataclass(frozen=True, slots=True)
class Attempt:
    """One pair of a way that is to be tried; `expected` is allow or deny."""

    way: Way
    sender: Endpoint
    receiver: Endpoint
    expected: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells attempts apart: sender, receiver with its addresses, protocol and port."""
        addresses = ",".join(map(str, self.receiver.addresses))
        return (self.sender.full, self.receiver.full, addresses, f"{self.way.protocol} {self.way.port or ''}")


def attempts_of(topology: Topology, ways: Iterable[Way], expected: str) -> list[Attempt]:
    """Return what ways mean, each attempt once."""
    found = (Attempt(way, *pair, expected) for way in ways for pair in find_pairs(topology, way))
    return list({attempt.key: attempt for attempt in found}.values())


def all_attempts(topology: Topology, expectation: ReachExpectation) -> list[Attempt]:
    """Return what is to be tried: what is allowed, and of what is denied that which is not allowed."""
    allowed = attempts_of(topology, expectation.allow, "allow")
    keys = {attempt.key for attempt in allowed}
    return allowed + [attempt for attempt in attempts_of(topology, expectation.deny, "deny") if attempt.key not in keys]
