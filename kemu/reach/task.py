"""The work in hand: one Task for each pair and IP family, and the Ledger that counts what is not settled yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import islice

from kemu.reach.model import FAMILIES, Result, Target


@dataclass(slots=True)
class Ledger:
    """How many tasks are settled, in all rounds."""

    settled: int = 0


@dataclass(slots=True, eq=False)
class Task:
    """One pair in one family, on its way to a Result. `key` is what shares a socket: the sender's namespace and the IP version."""

    sender: Target
    receiver: Target
    version: int
    address: str
    ledger: Ledger = field(repr=False)
    reason: str = ""
    last_error: str = ""
    rtt_seconds: float | None = None
    ttl: int | None = None
    seen_as: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What tasks that share a sending socket have in common."""
        return (str(self.sender.netns), self.version)

    def settle(self, reason: str) -> bool:
        """Note the outcome, once; return whether it is news."""
        if self.reason:
            return False
        self.reason = reason
        self.ledger.settled += 1
        return True

    def to_result(self) -> Result:
        """Return the outcome; a task that nothing settled has timed out, or never got out of its namespace."""
        reason = self.reason or self.last_error or "timeout"
        return Result(
            sender=self.sender.endpoint,
            receiver=self.receiver.endpoint,
            address=self.address,
            family=FAMILIES[self.version],
            ok=reason == "ok",
            reason=reason,
            rtt_seconds=self.rtt_seconds,
            ttl=self.ttl,
            seen_as=self.seen_as,
        )


def build_tasks(pairs: Iterable[tuple[Target, Target]], ledger: Ledger) -> list[Task]:
    """Return a task for each pair and family that both ends have, IPv4 first."""
    addresses: dict[str, dict[int, str]] = {}

    def of(target: Target) -> dict[int, str]:
        if target.endpoint not in addresses:
            addresses[target.endpoint] = {(ip := ip_address(text)).version: str(ip) for text in target.addresses}
        return addresses[target.endpoint]

    return [
        Task(sender, receiver, version, of(receiver)[version], ledger)
        for sender, receiver in pairs
        for version in (4, 6)
        if version in of(sender) and version in of(receiver)
    ]


def chunks(tasks: Sequence[Task], size: int) -> Iterator[list[Task]]:
    """Yield the tasks in lists of at most `size`."""
    rest = iter(tasks)
    while chunk := list(islice(rest, size)):
        yield chunk
