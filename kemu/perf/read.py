"""The JSON reports of the two iperf3 processes, made into one Run for each direction. Pure.

Each side is asked only for what it saw itself: the sender for retransmits and round trip times, the receiver for bytes,
loss and jitter. What iperf3 copies from the other side differs between its versions; `end.sum` of a UDP run shows the
sender's bytes as if they had arrived. Source: esnet/iperf pull request 1174.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kemu.base.errors import ProbeError
from kemu.perf.model import Cpu, Direction, Protocol, Request, Rtt, Run, Side

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one side's worker handed back: libiperf's report, and the CPU seconds of the call that made it."""

    side: Side
    report: Report
    cpu_seconds: float


def build_runs(client: Outcome, server: Outcome, request: Request, *, backend: str) -> tuple[Run, ...]:
    """Return the runs of one measurement: one, or for both directions first client to server, then server to client."""
    match request.direction:
        case Direction.FORWARD:
            return (_build_run(client, server, request, backend=backend),)
        case Direction.REVERSE:
            return (_build_run(server, client, request, backend=backend),)
        case Direction.BOTH:
            return (
                _build_run(client, server, request, backend=backend),
                _build_run(server, client, request, backend=backend, suffix="_bidir_reverse"),
            )


def _build_run(sender: Outcome, receiver: Outcome, request: Request, *, backend: str, suffix: str = "") -> Run:
    """Return the run of the data that `sender` sent. `suffix` marks the second direction's keys in both reports."""
    sent = _find_sum(sender, f"sum_sent{suffix}")
    received = _find_sum(receiver, f"sum_received{suffix}")
    is_udp = request.protocol == Protocol.UDP
    return Run(
        source=sender.side.endpoint,
        target=receiver.side.endpoint,
        backend=backend,
        protocol=request.protocol,
        streams=request.streams,
        direction=request.direction,
        seconds=received["seconds"],
        bits_per_second=received["bits_per_second"],
        retransmits=None if is_udp else sent.get("retransmits"),
        loss_ratio=_loss(sent, received) if is_udp else None,
        jitter_seconds=received["jitter_ms"] / 1000 if is_udp else None,
        rtt_seconds=_build_rtt(sender.report),
        cpu_seconds=Cpu(sender=sender.cpu_seconds, receiver=receiver.cpu_seconds),
    )


def _find_sum(outcome: Outcome, name: str) -> Report:
    found: Report | None = outcome.report.get("end", {}).get(name)
    if found and "bits_per_second" in found:
        return found
    version = outcome.report.get("start", {}).get("version", "libiperf of an unknown version")
    raise ProbeError(
        f'the report of iperf3 in {outcome.side} has no "end.{name}" ({version})',
        hint="kemu reads the reports of libiperf 3.12 and later",
    )


def _loss(sent: Report, received: Report) -> float | None:
    """Return the share of lost datagrams as the receiver counts them by their numbers; 1 if none at all arrived."""
    if received["packets"]:
        return float(received["lost_packets"] / received["packets"])
    return 1.0 if sent["packets"] else None


def _build_rtt(report: Report) -> Rtt:
    samples = sorted(_samples(report))
    return Rtt(p50=_percentile(samples, 0.50), p99=_percentile(samples, 0.99))


def _samples(report: Report) -> Iterator[float]:
    """Yield, in seconds, the smoothed RTT of each sending stream at the end of each interval, unless it only stood still.

    A starved stream keeps the RTT of its handshake over the still empty queue: on a full 1 Mbit/s link 8 µs, not 270 ms.
    """
    last: dict[int, tuple[int, int]] = {}
    for interval in report.get("intervals", ()):
        for stream in interval["streams"]:
            if not stream.get("sender", True) or not stream.get("rtt"):
                continue
            estimate = (stream["rtt"], stream["rttvar"])
            if stream["bytes"] or last.get(stream["socket"]) != estimate:
                yield stream["rtt"] / 1e6
            last[stream["socket"]] = estimate


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile: a value that was really seen."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
