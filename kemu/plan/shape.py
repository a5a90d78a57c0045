"""What one direction of a link is as queueing disciplines: a token bucket for its rate, netem for everything else.

With both, the bucket is the root and netem hangs below it: docs/design/links.md says why, and where the numbers come from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kemu.base.marks import Origin
from kemu.plan.objects import Netem, Pfifo, Qdisc, Tbf
from kemu.spec.model import Shape

TIME_DIGITS = 6  # microseconds: tc knows nothing finer, and makes less of one. Source: tc_core_time2tick, iproute2 tc/tc_core.c
RATIO_DIGITS = 8  # netem's own numbers are a little finer
ETHERNET_HEADER = 14
_BURST_SECONDS = 0.004
_BURST_FRAMES = 4
_QUEUE_SECONDS = 0.05
_QUEUE_FRAMES = 50
_CUTTING_RATE = 40 * 10**9  # more than a machine sends in single frames
_CUTTING_STEP = 2048  # bytes: that of round_burst at this rate
_ENDLESS_QUEUE = 1000
_ENDLESS_PACKETS_A_SECOND = 1_000_000  # full-sized, 12 Gbit/s


def shape(netns: str, dev: str, wanted: Shape, mtu: int, origin: Origin) -> Iterator[Qdisc]:
    """Yield the queueing disciplines of a device that sends as `wanted`; none for a plain one. `mtu` is the device's."""
    frame = mtu + ETHERNET_HEADER
    bucket = _find_bucket(wanted, frame)
    if bucket is not None:
        yield Qdisc(netns=netns, dev=dev, parent="root", handle="1:", detail=bucket, origin=origin)
    parent, handle = ("1:1", "2:") if bucket is not None else ("root", "1:")
    if wanted.is_impaired:
        yield Qdisc(netns=netns, dev=dev, parent=parent, handle=handle, detail=_netem(wanted, frame), origin=origin)
    elif wanted.queue_packets is not None:
        detail = Pfifo(limit_packets=wanted.queue_packets)
        yield Qdisc(netns=netns, dev=dev, parent=parent, handle=handle, detail=detail, origin=origin)


def _find_bucket(wanted: Shape, frame: int) -> Tbf | None:
    """Return the bucket for a rate, or, where netem throws dice for each packet, one that only cuts large packets into frames."""
    if wanted.rate_bits_per_second is not None:
        return _bucket(wanted.rate_bits_per_second, wanted, frame)
    if any((wanted.jitter_seconds, wanted.loss_ratio, wanted.duplicate_ratio, wanted.reorder_ratio)):
        burst = math.ceil(frame / _CUTTING_STEP) * _CUTTING_STEP
        return Tbf(rate_bits_per_second=_CUTTING_RATE, burst_bytes=burst, limit_bytes=burst)
    return None


def _bucket(bits: int, wanted: Shape, frame: int) -> Tbf:
    bits = bits // 8 * 8  # the kernel counts whole bytes
    burst = round_burst(max(_BURST_FRAMES * frame, bits / 8 * _BURST_SECONDS), bits)
    return Tbf(rate_bits_per_second=bits, burst_bytes=burst, limit_bytes=burst + _queue(bits, wanted, frame) * frame)


def round_burst(size: float, bits_per_second: int) -> int:
    """Return a burst in bytes as the kernel can tell it apart: it keeps the time that it takes, in ticks of 64 ns."""
    step: int = 2 ** math.ceil(math.log2(max(1.0, bits_per_second / 8 * 4 * 64e-9)))  # four ticks: room for rounding on both ways
    return math.floor(size / step + 0.5) * step


def _queue(bits: int, wanted: Shape, frame: int) -> int:
    """Return how many frames may wait for their turn."""
    if wanted.queue_packets is not None:
        return wanted.queue_packets
    return max(_QUEUE_FRAMES, math.ceil(bits / 8 * _QUEUE_SECONDS / frame))


def _netem(wanted: Shape, frame: int) -> Netem:
    return Netem(
        limit_packets=_room(wanted, frame),
        delay_seconds=round(wanted.delay_seconds, TIME_DIGITS),
        jitter_seconds=round(wanted.jitter_seconds, TIME_DIGITS),
        loss_ratio=round(wanted.loss_ratio, RATIO_DIGITS),
        duplicate_ratio=round(wanted.duplicate_ratio, RATIO_DIGITS),
        reorder_ratio=round(wanted.reorder_ratio, RATIO_DIGITS),
    )


def _room(wanted: Shape, frame: int) -> int:
    """Return how many packets netem must hold: those that wait for their turn, and those that are on their way."""
    away = wanted.delay_seconds + wanted.jitter_seconds
    if wanted.rate_bits_per_second is None:
        return max(_ENDLESS_QUEUE, math.ceil(away * _ENDLESS_PACKETS_A_SECOND))
    return _queue(wanted.rate_bits_per_second, wanted, frame) + math.ceil(wanted.rate_bits_per_second / 8 * away / frame)
