"""The work in hand: one Task for each pair and IP family, and the Ledger that counts what is settled."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

from kemu.base.errors import UsageError
from kemu.probe.errors import TRANSIENT, reason_of_errno
from kemu.reach.model import FAMILIES, Result, Target


@dataclass(slots=True)
class Ledger:
    """How many tasks are settled, in all rounds."""

    settled: int = 0


@dataclass(slots=True, eq=False)
class Task:
    """One pair in one family, on its way to a Result. `number` counts the tasks that share a sender and a version from 0.

    `sent_ns` holds a time of the real-time clock for each attempt.
    """

    sender: Target
    receiver: Target
    version: int
    address: str
    netns: Path
    number: int
    ledger: Ledger = field(repr=False)
    sent_ns: list[int] = field(default_factory=list)
    reason: str = ""
    last_error: str = ""
    rtt_seconds: float | None = None
    ttl: int | None = None
    seen_as: str | None = None

    @property
    def key(self) -> tuple[Path, int]:
        """What tasks that share a sending socket have in common: the sender's namespace and the IP version."""
        return (self.netns, self.version)

    def settle(self, reason: str) -> bool:
        """Note the outcome, once; return whether it is news."""
        if self.reason:
            return False
        self.reason = reason
        self.ledger.settled += 1
        return True

    def note_send_error(self, error: OSError) -> None:
        """Settle with an error of sending; where there was perhaps only no room, the task may be sent again."""
        if error.errno in TRANSIENT:
            self.last_error = "error"
        elif error.errno == errno.EINVAL:  # a blackhole, or in IPv6 a full neighbour table
            self.last_error = reason_of_errno(error.errno)
        else:
            self.settle(reason_of_errno(error.errno or 0))

    def take_time(self, attempt: int, arrived_ns: int) -> None:
        """Note the round trip of an attempt whose answer arrived at this time of the real-time clock."""
        if attempt < len(self.sent_ns):
            self.rtt_seconds = max(arrived_ns - self.sent_ns[attempt], 0) / 1e9

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
    """Return a task for each pair and family that both ends have, IPv4 first. Raises UsageError for a sender that cannot send."""
    known: dict[tuple[str, ...], dict[int, str]] = {}
    numbers: Counter[tuple[Path, int]] = Counter()
    tasks = []
    for sender, receiver in pairs:
        there = _by_version(known, receiver)
        for version in sorted(_by_version(known, sender).keys() & there.keys()):
            netns = _sending_namespace(sender)
            number = numbers[netns, version]
            numbers[netns, version] += 1
            tasks.append(Task(sender, receiver, version, there[version], netns, number, ledger))
    return tasks


def _by_version(known: dict[tuple[str, ...], dict[int, str]], target: Target) -> dict[int, str]:
    if target.addresses not in known:
        known[target.addresses] = {(ip := ip_address(text)).version: str(ip) for text in reversed(target.addresses)}
    return known[target.addresses]


def _sending_namespace(sender: Target) -> Path:
    if sender.netns is None:
        raise UsageError(f"{sender.endpoint} cannot send: it has no network namespace")
    return sender.netns


def chunks(tasks: Sequence[Task], size: int) -> Iterator[list[Task]]:
    """Yield the tasks in lists of at most `size`."""
    rest = iter(tasks)
    while chunk := list(islice(rest, size)):
        yield chunk
