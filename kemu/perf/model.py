"""What is asked of a measurement (`Side`, `Request`) and what comes out of it (`Run`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kemu.base.errors import UsageError

PORT = 5201  # Source: iperf3(1), --port
MAX_STREAMS = 128  # Source: iperf.h, MAX_STREAMS
MAX_SECONDS = 86400  # Source: iperf.h, MAX_TIME

#: What a UDP run offers when nobody says a rate: what one sender process of a small machine can still keep up with.
#: An unlimited one measures little more than the loss that it makes itself.
UDP_BITS_PER_SECOND = 1_000_000_000

_SAMPLES = 1000  # about as many RTT samples a run are enough for a 99th percentile


class Protocol(StrEnum):
    """What carries the data; the control connection of iperf3 is always TCP, on the same port."""

    TCP = "tcp"
    UDP = "udp"


class Direction(StrEnum):
    """Which way data goes, seen from the side that opens the connection: away from it, towards it, or both ways at once."""

    FORWARD = "forward"
    REVERSE = "reverse"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One end of a measurement: its name for people, its namespace, the address others reach it by, and the node it is on.

    `netns` is a path (`/run/netns/<name>`). The `address` need not be configured there: a Service's address works,
    as long as something on the way translates it.
    """

    endpoint: str
    netns: str
    address: str
    node: str

    def __str__(self) -> str:
        return f"{self.endpoint} on {self.node}" if self.node and self.node not in self.endpoint else self.endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One measurement. Wrong values are a UsageError.

    `bits_per_second` is the offered rate of all streams together, in each direction: 0 is unlimited, None is unlimited
    for TCP and UDP_BITS_PER_SECOND for UDP. `block_bytes` and `mss_bytes` of 0 leave the choice to libiperf, which fits
    UDP datagrams to the path's MTU. `grace_seconds` is added to `seconds` for connecting and for exchanging results;
    whoever is not ready then is killed.
    """

    protocol: Protocol = Protocol.TCP
    streams: int = 1
    seconds: int = 10
    direction: Direction = Direction.FORWARD
    bits_per_second: int | None = None
    port: int = PORT
    block_bytes: int = 0
    mss_bytes: int = 0
    grace_seconds: float = 15.0

    def __post_init__(self) -> None:
        """Refuse what libiperf would refuse, or silently change."""
        if self.protocol not in list(Protocol) or self.direction not in list(Direction):
            raise UsageError(f"perf: expected tcp or udp, forward, reverse or both; not {self.protocol} {self.direction}")
        for name, value, low, high in (
            ("streams", self.streams, 1, MAX_STREAMS),
            ("seconds", self.seconds, 1, MAX_SECONDS),
            ("port", self.port, 1, 65535),
            ("bits_per_second", self.bits_per_second or 0, 0, 10**15),
            ("block_bytes", self.block_bytes, 0, 65507 if self.protocol == Protocol.UDP else 1 << 20),
            ("mss_bytes", self.mss_bytes, 0, 9 * 1024),
        ):
            if not (value == int(value) and low <= value <= high):
                raise UsageError(f"perf: {name} is {value}: expected a whole number from {low} to {high}")

    @property
    def offered_bits_per_second(self) -> int:
        """The rate of all streams together that a sender aims at; 0 is unlimited."""
        if self.bits_per_second is not None:
            return self.bits_per_second
        return UDP_BITS_PER_SECOND if self.protocol == Protocol.UDP else 0

    @property
    def interval_seconds(self) -> float:
        """How often libiperf samples: as often as it can (0.1 s) while the report stays small."""
        return min(1.0, max(0.1, self.streams * self.seconds / _SAMPLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rtt:
    """Round trip times that the sending kernel saw under the run's own load; None where it keeps none (UDP)."""

    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """User and system CPU seconds of each side's iperf3 process during the run; in a `both` run, of both ways together."""

    sender: float
    receiver: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one direction of one measurement gave.

    `source` sent the data and `target` received it, whoever opened the connection; `direction` tells that: `forward` is
    the source, `reverse` the target, `both` is one half of a run with data both ways at once. `bits_per_second`,
    `seconds`, loss and jitter are the receiver's figures. None is what the protocol does not have.
    """

    source: str
    target: str
    backend: str
    protocol: Protocol
    streams: int
    direction: Direction
    seconds: float
    bits_per_second: float
    retransmits: int | None = None
    loss_ratio: float | None = None
    jitter_seconds: float | None = None
    rtt_seconds: Rtt = field(default_factory=Rtt)
    cpu_seconds: Cpu

    def to_dict(self) -> dict[str, Any]:
        """Return the run as `kemu perf -o json` prints it."""
        return {
            "from": self.source,
            "to": self.target,
            "backend": self.backend,
            "protocol": str(self.protocol),
            "streams": self.streams,
            "direction": str(self.direction),
            "seconds": self.seconds,
            "bits_per_second": self.bits_per_second,
            "retransmits": self.retransmits,
            "loss_ratio": self.loss_ratio,
            "jitter_seconds": self.jitter_seconds,
            "rtt_seconds": {"p50": self.rtt_seconds.p50, "p99": self.rtt_seconds.p99},
            "cpu_seconds": {"sender": self.cpu_seconds.sender, "receiver": self.cpu_seconds.receiver},
        }
