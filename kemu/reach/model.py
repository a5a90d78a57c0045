"""What reach is asked and what it answers: targets, the probe, results, the matrix. Frozen data; Matrix.to_dict is the JSON contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import permutations
from pathlib import Path
from typing import Any

from kemu.base.errors import UsageError
from kemu.probe.sockets import version_of

DEFAULT_PORT = 8080

FAMILIES = {4: "ipv4", 6: "ipv6"}


class Protocol(StrEnum):
    """What a probe sends."""

    ICMP = "icmp"
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One end: its endpoint in full ("pod/default/web-1"), its namespace's path, and an address for each IP family that it has.

    `node` is the machine it is on, for people's eyes: losses are told node by node. A Service has no namespace: it only receives.
    """

    endpoint: str
    netns: Path | None
    addresses: tuple[str, ...]
    node: str = ""

    def address(self, version: int) -> str | None:
        """Return its address of this IP version."""
        return next((address for address in self.addresses if version_of(address) == version), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What to send. Each pair gets `timeout_seconds` in all, and within them `tries` packets or connections.

    A question for a neighbour that got no answer is asked again after a second (retrans_time_ms): the timeout outlasts that.
    `port` is None for ICMP; for TCP and UDP it is the default port unless given.
    """

    protocol: Protocol = Protocol.ICMP
    port: int | None = None
    timeout_seconds: float = 2.0
    tries: int = 4

    def __post_init__(self) -> None:
        if self.timeout_seconds <= 0 or self.tries < 1:
            raise UsageError("a probe needs a timeout above 0 and at least one try")
        if self.protocol is not Protocol.ICMP and self.port is None:
            object.__setattr__(self, "port", DEFAULT_PORT)
        if self.port is not None and not 0 < self.port < 65536:
            raise UsageError(f"port {self.port} is none: ports are 1 to 65535")
        if self.protocol is Protocol.ICMP and self.port is not None:
            raise UsageError("icmp has no ports", hint="--protocol tcp --port …")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one ordered pair in one IP family.

    `reason` is "ok" exactly if `ok`; else timeout, refused, unreachable-net|host|port|protocol|admin|scope|ttl (an ICMP error came
    back), no-route (the sender itself had none), too-big, error. `ttl` is the hop limit that an ICMP reply arrived with, `seen_as`
    the address that the receiver saw, where the receiver was kemu's own.
    """

    sender: str
    receiver: str
    address: str
    family: str
    ok: bool
    reason: str
    expected: str | None = None
    rtt_seconds: float | None = None
    ttl: int | None = None
    seen_as: str | None = None

    @property
    def is_lost(self) -> bool:
        """Whether a packet is missing that nobody wanted denied."""
        return not self.ok and self.expected != "deny"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as in the contract of `kemu.reach/1`."""
        return {
            "from": self.sender,
            "to": self.receiver,
            "address": self.address,
            "family": self.family,
            "ok": self.ok,
            "expected": self.expected,
            "reason": self.reason,
            "rtt_seconds": self.rtt_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All results of one run. `nodes` says for endpoints in full which node they are on."""

    cluster: str
    probe: Probe
    results: tuple[Result, ...]
    nodes: Mapping[str, str] = field(default_factory=dict)

    @property
    def reached(self) -> int:
        """How many results are ok."""
        return sum(result.ok for result in self.results)

    @property
    def lost(self) -> int:
        """How many results are lost: neither ok nor denied as intended."""
        return sum(result.is_lost for result in self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return the matrix as `kemu.reach/1`."""
        return {
            "schema": "kemu.reach/1",
            "cluster": self.cluster,
            "probe": {"protocol": self.probe.protocol.value, "port": self.probe.port},
            "results": [result.to_dict() for result in self.results],
            "reached": self.reached,
            "total": len(self.results),
        }


def read_protocol(name: str) -> Protocol:
    """Return the protocol called `name`; UsageError if kemu cannot probe with it."""
    if name == "sctp":
        raise UsageError("reach does not speak sctp, not yet", hint="--protocol icmp, tcp or udp")
    try:
        return Protocol(name)
    except ValueError:
        raise UsageError(f'"{name}" is no protocol that reach speaks', hint="--protocol icmp, tcp or udp") from None


def all_pairs(targets: Iterable[Target]) -> tuple[tuple[Target, Target], ...]:
    """Return all ordered pairs without the diagonal, sender by sender."""
    return tuple(permutations(targets, 2))
