"""Kinds of values that are subnets, addresses and prefix lengths: one, or one for each IP family."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kemu.spec.kinds import BAD, Integer, refuse
from kemu.spec.model import IPAddress, IPNetwork
from kemu.spec.source import Log, Node, ScalarNode, SequenceNode, shorten

_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]?[0-9]?")


@dataclass(frozen=True, slots=True)
class Subnets:
    """A subnet, or a list with one for each IP family."""

    word: str = "subnet, or a list of two"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _families(node, log, about, "subnet", _read_subnet)

    def schema(self) -> dict[str, Any]:
        return _one_or_two()


@dataclass(frozen=True, slots=True)
class Addresses:
    """An IP address, or a list with one for each IP family."""

    word: str = "address, or a list of two"

    def read(self, node: Node, log: Log, about: str) -> Any:
        return _families(node, log, about, "address", _read_address)

    def schema(self) -> dict[str, Any]:
        return _one_or_two()


@dataclass(frozen=True, slots=True)
class Prefixes:
    """A prefix length, or a list with one for IPv4 and one for IPv6."""

    word: str = "number, or a list of two"

    def read(self, node: Node, log: Log, about: str) -> Any:
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        numbers = [Integer(1, 128).read(one, log, about) for one in nodes]
        if len(numbers) > 2 or not numbers:
            log.wrong(node, f"{about}: expected one prefix length, or two, not {len(numbers)}", "IPv4's, then IPv6's: [24, 64]")
            return BAD
        return BAD if BAD in numbers else tuple(numbers)

    def schema(self) -> dict[str, Any]:
        number = Integer(1, 128).schema()
        return {"anyOf": [number, {"type": "array", "items": number, "minItems": 1, "maxItems": 2}]}


def _one_or_two() -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}]}


def _families(node: Node, log: Log, about: str, what: str, read: Callable[[str], Any]) -> Any:
    """Return what a node says for each IP version that it names: {4: value, 6: value}, each with its node."""
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    if not nodes:
        return refuse(node, log, about, f"{_a(what)}, or a list of two")
    found: dict[int, tuple[Any, Node]] = {}
    for one in nodes:
        value = _read_scalar(one, log, about, what, read)
        if value is BAD:
            return BAD
        if value.version in found:
            log.wrong(one, f"{about}: this is another IPv{value.version} {what}", "one for IPv4 and one for IPv6")
            return BAD
        found[value.version] = (value, one)
    return found


def _read_scalar(node: Node, log: Log, about: str, what: str, read: Callable[[str], Any]) -> Any:
    if not isinstance(node, ScalarNode) or not node.value:
        return refuse(node, log, about, f"{_a(what)}, or a list of two")
    try:
        return read(node.value)
    except _NoAddressError as error:
        log.wrong(node, f'{about}: "{shorten(node.value)}" {error.message}', error.hint)
        return BAD


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


class _NoAddressError(Exception):
    """A text is no subnet or address. `message` is the rest of a sentence that begins with the text."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def _read_subnet(text: str) -> IPNetwork:
    head, slash, length = text.partition("/")
    address = _parse_address(head, "is no subnet", "an address and a prefix length, as in 10.244.0.0/16")
    if not slash:
        raise _NoAddressError("has no prefix length", "as in 10.244.0.0/16")
    if not _PREFIX_LENGTH.fullmatch(length) or int(length) > address.max_prefixlen:
        raise _NoAddressError(f"has a prefix length that is no number from 0 to {address.max_prefixlen}", "as in 10.244.0.0/16")
    network: IPNetwork = ipaddress.ip_network((address, int(length)), strict=False)
    if network.network_address != address:
        raise _NoAddressError(f"is an address in {network}, not a subnet", f"write {network}")
    if _is_special(network.network_address):
        raise _NoAddressError("has a meaning of its own, and no machine can be in it", "private ones are 10.0.0.0/8 and fd00::/8")
    return network


def _is_special(address: IPAddress) -> bool:
    """Say whether the kernel takes an address for something other than a machine's: 0/8, loopback, link-local, multicast."""
    zero = int(address) >> (address.max_prefixlen - 8) == 0
    return zero or address.is_multicast or address.is_loopback or address.is_link_local or address == _BROADCAST


_BROADCAST = ipaddress.ip_address("255.255.255.255")


def _read_address(text: str) -> IPAddress:
    if "/" in text:
        raise _NoAddressError(
            "has a prefix length, and an address has none", f"write {text.partition('/')[0]}; the subnet says the rest"
        )
    return _parse_address(text, "is no IP address", "four numbers from 0 to 255 without leading zeros, or IPv6, as fd00::7")


def _parse_address(text: str, wrong: str, hint: str) -> IPAddress:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise _NoAddressError(wrong, hint) from None
    if getattr(address, "scope_id", None):
        raise _NoAddressError("names a device, and an address here names none", f"write {text.partition('%')[0]}")
    return address
