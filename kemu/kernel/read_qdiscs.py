"""Reading queueing disciplines back: what the kernel rounds to its ticks is rounded back to what was asked for."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from kemu.kernel import messages
from kemu.kernel.messages import CERTAIN, TICK_NANOSECONDS
from kemu.kernel.netlink import attributes
from kemu.kernel.netns import Handle
from kemu.plan.objects import Foreign, Netem, Pfifo, Qdisc, Tbf
from kemu.plan.shape import RATIO_DIGITS, TIME_DIGITS, round_burst

_KIND, _OPTIONS = 1, 2
#: What netem can do beside: a nested or plain attribute that is not all zeros, and the word for it.
_NETEM_MORE = {
    messages.NETEM_CORR: "correlation",
    messages.NETEM_CORRUPT: "corrupt",
    messages.NETEM_RATE: "rate",
    messages.NETEM_ECN: "ecn",
    messages.NETEM_SLOT: "slot",
}
_RATE_BYTES = 4  # of netem's rate only the first number says whether there is one


def read_qdiscs(handle: Handle, names: Mapping[int, str]) -> Iterator[Qdisc]:
    """Yield queueing disciplines that somebody put there: the kernel's own have no handle."""
    for data in handle.socket.dump(messages.RTM_GETQDISC, bytes(20)):
        index, number, parent = struct.unpack_from("iII", data, 20)
        if number:
            found = attributes(data[36:])
            kind = found[_KIND].rstrip(b"\0").decode()
            yield Qdisc(
                netns=handle.name,
                dev=names[index],
                parent=_parent(parent),
                handle=_handle(number),
                detail=_detail(kind, found.get(_OPTIONS, b"")),
            )


def _detail(kind: str, options: bytes) -> Tbf | Netem | Pfifo | Foreign:
    match kind:
        case "tbf":
            return _tbf(attributes(options))
        case "netem":
            return _netem(options)
        case "pfifo":
            return Pfifo(limit_packets=struct.unpack_from("I", options)[0])
    return Foreign(kind=kind)


def _tbf(options: Mapping[int, bytes]) -> Tbf:
    parms = options[messages.TBF_PARMS]
    overhead, rate = struct.unpack_from("=HxxxxI", parms, 2)
    rate64 = options.get(messages.TBF_RATE64)
    rate = struct.unpack("Q", rate64)[0] if rate64 else rate
    limit, ticks = struct.unpack_from("II", parms, 24)
    more = {"peakrate": any(parms[12:24]), "overhead": bool(overhead)}
    return Tbf(
        rate_bits_per_second=8 * rate,
        burst_bytes=round_burst(ticks * TICK_NANOSECONDS * rate / 1e9, 8 * rate),
        limit_bytes=limit,
        more=tuple(word for word, is_set in more.items() if is_set),
    )


def _netem(options: bytes) -> Netem:
    _, limit, loss, gap, duplicate, _ = struct.unpack_from("IIIIII", options)
    found = attributes(options[24:])
    delay, jitter = (struct.unpack("q", found[kind])[0] for kind in (messages.NETEM_LATENCY64, messages.NETEM_JITTER64))
    [reorder] = struct.unpack_from("I", found[messages.NETEM_REORDER])
    return Netem(
        limit_packets=limit,
        delay_seconds=round(delay / 1e9, TIME_DIGITS),
        jitter_seconds=round(jitter / 1e9, TIME_DIGITS),
        loss_ratio=_ratio(loss),
        duplicate_ratio=_ratio(duplicate),
        reorder_ratio=_ratio(reorder) if gap else 0.0,
        more=tuple(_more(found, gap)),
    )


def _more(found: Mapping[int, bytes], gap: int) -> Iterator[str]:
    """Yield what kemu never asks netem for."""
    yield from (word for kind, word in _NETEM_MORE.items() if any(found.get(kind, b"")[: _meaning(kind)]))
    if messages.NETEM_LOSS in found:
        yield "loss model"
    if gap > 1:
        yield "gap"


def _meaning(kind: int) -> int | None:
    return _RATE_BYTES if kind == messages.NETEM_RATE else None


def _ratio(number: int) -> float:
    return round(number / CERTAIN, RATIO_DIGITS)


def _parent(number: int) -> str:
    return {0xFFFFFFFF: "root", 0xFFFFFFF1: "ingress"}.get(number, _handle(number))


def _handle(number: int) -> str:
    return f"{number >> 16:x}:{number & 0xFFFF:x}" if number & 0xFFFF else f"{number >> 16:x}:"
