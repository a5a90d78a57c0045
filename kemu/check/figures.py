"""Expectations about figures: rates by iperf3, one pair after the other, and round trips by a few pings."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kemu.base.errors import ProbeError
from kemu.base.reporter import Reporter
from kemu.base.units import show_bits_per_second, show_seconds
from kemu.check.model import Failure, Measured, Outcome
from kemu.check.reach import REASONS, target_of
from kemu.perf.model import Request, Side
from kemu.perf.run import measure as measure_rate
from kemu.reach.model import FAMILIES, Probe, Result
from kemu.reach.run import measure as measure_reach
from kemu.spec.endpoints import Endpoint
from kemu.spec.model import Figure, FigureExpectation, Topology
from kemu.spec.ways import Pair, find_pairs

PINGS = 5  # of which the median counts; one before them finds the neighbours


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """What came of one pair and address: a value, or why there is none."""

    sender: str
    receiver: str
    address: str
    family: str
    value: float | None
    reason: str = ""
    message: str = ""


def check_figure(cluster: str, topology: Topology, one: FigureExpectation, *, reporter: Reporter) -> Outcome:
    """Return the outcome of one expectation."""
    started = time.monotonic()
    pairs = find_pairs(topology, one.way)
    if one.figure is Figure.PERF:
        figures = [_rate(cluster, pair, topology.networking.backend.name, one.seconds, reporter) for pair in pairs]
    else:
        figures = list(_round_trips(cluster, pairs, reporter))
    return Outcome(
        name=one.name,
        kind=str(one.figure),
        mark=one.mark,
        total=len(pairs),
        seconds=time.monotonic() - started,
        failures=tuple(failure for figure in figures for failure in _failures(one, figure)),
        measured=tuple(_measured(one.figure, figure) for figure in figures if figure.value is not None),
    )


def _rate(cluster: str, pair: Pair, backend: str, seconds: int, reporter: Reporter) -> _Figure:
    sender, receiver = (_side(cluster, end) for end in pair)
    value, reason, message = None, "", ""
    try:
        [run] = measure_rate(sender, receiver, Request(seconds=seconds), backend=backend, reporter=reporter)
        value = run.bits_per_second
    except ProbeError as error:
        reason, message = "error", error.message
    return _Figure(
        sender=sender.endpoint,
        receiver=receiver.endpoint,
        address=receiver.address,
        family=FAMILIES[pair[1].addresses[0].version],
        value=value,
        reason=reason,
        message=message,
    )


def _side(cluster: str, end: Endpoint) -> Side:
    target = target_of(cluster, end)
    return Side(endpoint=end.full, netns=str(target.netns), address=target.addresses[0], node=end.node)


def _round_trips(cluster: str, pairs: Sequence[Pair], reporter: Reporter) -> Iterator[_Figure]:
    """Yield the median round trip of each pair and IP family, of those pings that were answered."""
    targets = [(target_of(cluster, one), target_of(cluster, other)) for one, other in pairs]
    rounds = [measure_reach(cluster, targets, Probe(), reporter=reporter).results for _ in range(1 + PINGS)]
    for results in zip(*rounds[1:], strict=True):
        yield _round_trip(results)


def _round_trip(results: Sequence[Result]) -> _Figure:
    times = [one.rtt_seconds for one in results if one.ok and one.rtt_seconds is not None]
    last = results[-1]
    return _Figure(
        sender=last.sender,
        receiver=last.receiver,
        address=last.address,
        family=last.family,
        value=statistics.median(times) if times else None,
        reason="" if times else last.reason,
        message="" if times else REASONS.get(last.reason, last.reason),
    )


def _measured(figure: Figure, one: _Figure) -> Measured:
    return Measured(
        sender=one.sender,
        receiver=one.receiver,
        address=one.address,
        family=one.family,
        bits_per_second=one.value if figure is Figure.PERF else None,
        rtt_seconds=one.value if figure is Figure.RTT else None,
    )


def _failures(one: FigureExpectation, figure: _Figure) -> Iterator[Failure]:
    """Yield how a figure is not as expected: too small, too large, or missing."""
    show = show_bits_per_second if one.figure is Figure.PERF else show_seconds
    value = figure.value
    if value is None:
        yield _failure(one, figure, "above" if one.above is not None else "below", figure.reason, figure.message)
    elif one.above is not None and value < one.above:
        yield _failure(one, figure, "above", "figure", f"{show(value)}, and at least {show(one.above)} is expected")
    elif one.below is not None and value > one.below:
        yield _failure(one, figure, "below", "figure", f"{show(value)}, and at most {show(one.below)} is expected")


def _failure(one: FigureExpectation, figure: _Figure, expected: str, reason: str, message: str) -> Failure:
    return Failure(
        sender=figure.sender,
        receiver=figure.receiver,
        address=figure.address,
        family=figure.family,
        protocol="tcp" if one.figure is Figure.PERF else "icmp",
        port=None,
        expected=expected,
        reason=reason,
        message=message,
    )
