"""Rules across fields: subnets that must not overlap, values of IP versions that the cluster lacks, names that two things have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kemu.base.names import RESERVED
from kemu.spec.expand import Draft
from kemu.spec.model import IPNetwork
from kemu.spec.source import Log, Node
from kemu.spec.tables import Entry

LONGEST_NAME = 63  # of a DNS label. Source: RFC 1123


@dataclass(frozen=True, slots=True)
class Claim:
    """A subnet and who has it; `node` is where the file says so, None for a default."""

    subnet: IPNetwork
    owner: str
    node: Node | None

    @property
    def place(self) -> tuple[int, int]:
        """Line and column, those of a default before all others."""
        return (self.node.start_mark.line, self.node.start_mark.column) if self.node is not None else (-1, -1)

    def __str__(self) -> str:
        return f"{self.owner} {self.subnet}{'' if self.node is not None else ' (the default)'}"


def check_overlaps(log: Log, claims: Iterable[Claim]) -> None:
    """Note every subnet that overlaps one before it, at the later of the two in the file."""
    widest: dict[int, Claim] = {}
    for claim in sorted(claims, key=_by_start):
        before = widest.get(claim.subnet.version)
        if before and before.subnet.overlaps(claim.subnet):
            first, second = sorted((before, claim), key=lambda one: one.place)
            log.wrong(second.node, f"{second} overlaps {first}", "give one of them other addresses")
        if not before or before.subnet.broadcast_address < claim.subnet.broadcast_address:  # type: ignore[operator]
            widest[claim.subnet.version] = claim


def _by_start(claim: Claim) -> tuple[int, int]:
    return int(claim.subnet.network_address), claim.subnet.prefixlen


def choose_families(said: Mapping[int, tuple[Any, Node]], versions: Iterable[int]) -> dict[int, Any]:
    """Return the values of the versions that the cluster has."""
    return {version: said[version][0] for version in versions if version in said}


def check_families(entries: Iterable[Entry], keys: Sequence[str], versions: Sequence[int]) -> None:
    """Note values for an IP version that the cluster lacks."""
    for entry in entries:
        for key in keys:
            for version, (value, node) in entry.get(key, {}).items():
                if version not in versions:
                    message = f"{entry.title}: {key}: {value} is IPv{version}, and the cluster has IPv{versions[0]} alone"
                    entry.log.wrong(node, message, "networking: {ipFamily: dual} has both")


def check_names(log: Log, drafts: Iterable[Draft]) -> None:
    """Note every name that two things have, that is too long with its number, or that kemu keeps for itself; one an entry."""
    seen: dict[tuple[str, str], Draft] = {}
    noted: set[int] = set()
    for draft in drafts:
        first = seen.setdefault((draft.namespace, draft.name), draft)
        message, hint = _wrong_name(log, draft, first)
        if message and id(draft.entry) not in noted:
            noted.add(id(draft.entry))
            draft.entry.wrong("name", message, hint)


def _wrong_name(log: Log, draft: Draft, first: Draft) -> tuple[str, str]:
    if first is not draft:
        where = f" in namespace {draft.namespace}" if draft.namespace else ""
        line = log.mark(first.entry.nodes.get("name", first.entry.node)).line
        return f'the name "{draft.name}" is taken{where}', f"by {first.said} in line {line}"
    if not draft.namespace and draft.name in RESERVED:
        return f'"{draft.name}" is a name that kemu keeps for itself', "choose another name"
    if len(draft.name) > LONGEST_NAME:
        return f'with its number, "{draft.name}" is longer than {LONGEST_NAME} characters', "choose a shorter name"
    return "", ""


def check_unique(entries: Iterable[Entry], key: str, what: str) -> None:
    """Note every entry whose value of `key` an earlier one has; `what` says of what there is another."""
    first: dict[Any, Entry] = {}
    for entry in entries:
        value = entry.get(key)
        if value is not None and first.setdefault(value, entry) is not entry:
            line = entry.log.mark(first[value].nodes[key]).line
            entry.wrong(key, f"there is another {what} of this name", f"the first is in line {line}")
