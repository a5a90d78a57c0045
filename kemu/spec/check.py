"""Rules across fields: subnets that must not overlap, addresses that must be free and in the right place, room for everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from kemu.spec.kinds import Entry
from kemu.spec.model import IPAddress, IPNetwork
from kemu.spec.source import Log, Node

BRIDGE_PORTS = 1023  # Source: BR_MAX_PORTS, net/bridge/br_private.h; the first number is no port's

Said = Mapping[int, tuple[Any, Node]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A subnet and who has it; `node` is where the file says so, None for a default."""

    subnet: IPNetwork
    owner: str
    node: Node | None


def choose_families(said: Said | None, versions: Sequence[int], entry: Entry, key: str) -> dict[int, tuple[Any, Node]]:
    """Return what the file says for the versions of the cluster, and note what it says for others."""
    kept = {version: pair for version, pair in (said or {}).items() if version in versions}
    for version, (value, node) in (said or {}).items():
        if version not in versions:
            entry.log.wrong(
                node, f"{_of(entry)}{key}: {value} is IPv{version}, and the cluster has none", _family_hint(version, versions)
            )
    return kept


def _of(entry: Entry) -> str:
    return f"{entry.title}: " if entry.title else ""


def _family_hint(version: int, versions: Sequence[int]) -> str:
    return f"networking.ipFamily: dual, or ipv{version}; it is ipv{versions[0]}"


def check_overlaps(log: Log, claims: Iterable[Claim]) -> bool:
    """Note every two subnets that overlap; return whether none do."""
    clean = True
    by_version: dict[int, list[Claim]] = {}
    for claim in claims:
        by_version.setdefault(claim.subnet.version, []).append(claim)
    for group in by_version.values():
        group.sort(key=lambda claim: (int(claim.subnet.network_address), -claim.subnet.prefixlen))
        for one, other in pairwise(group):
            if one.subnet.overlaps(other.subnet):
                clean = False
                later, earlier = (other, one) if other.node is not None else (one, other)
                log.wrong(
                    later.node,
                    f"{later.owner} {later.subnet} overlaps {earlier.owner} {earlier.subnet}",
                    "give one of them other addresses",
                )
    return clean


@dataclass(slots=True)
class Pins:
    """Addresses that are taken, and by whom; pinned ones are noted first."""

    log: Log
    owners: dict[IPAddress, str] = field(default_factory=dict)

    def take(self, address: IPAddress, owner: str, subnet: IPNetwork, node: Node) -> bool:
        """Note a pinned address; return whether it is one of `subnet`, usable and free. If not, say why."""
        reason, hint = self._why_not(address, subnet)
        if reason:
            self.log.wrong(node, f"{owner}: address {address} {reason}", hint)
            return False
        self.owners[address] = owner
        return True

    def _why_not(self, address: IPAddress, subnet: IPNetwork) -> tuple[str, str]:
        if address not in subnet:
            return f"is not in {subnet}", "leave it out, and kemu finds one"
        if address in self.owners:
            return f"is taken by {self.owners[address]}", "leave it out, and kemu finds one"
        if address == subnet.network_address or (address.version == 4 and address == subnet.broadcast_address):
            return f"is no address of a machine in {subnet}", "neither the first nor the last of a subnet can be used"
        return "", ""
