"""Reading `link:` and `uplink:`: each direction on its own, a machine's keys before those of `fabric.link`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from kemu.base.units import write_duration, write_packets, write_rate, write_ratio
from kemu.spec.fields import DIRECTIONS, SHAPE_FIELDS
from kemu.spec.model import Cable, Shape
from kemu.spec.tables import Entry

#: What one direction says: by key its value, and the mapping where it stands.
Said = dict[str, tuple[Any, Entry]]
PLAIN = Shape()


def read_link(entry: Entry, key: str, fabric_mtu: int, default: Entry | None = None) -> Cable:
    """Return the link that an entry has below `key`, over that of `default`; what does not fit together is noted."""
    layers = [part for part in (default, entry.get(key)) if isinstance(part, Entry)]
    outward, inward = (_shape(_said(layers, direction), is_whole=_is_whole(layers, direction)) for direction in DIRECTIONS)
    mtus = [part.get("mtu") for part in layers if part.get("mtu") is not None]
    return Cable(mtu=mtus[-1] if mtus else fabric_mtu, outward=outward, inward=inward)


def _said(layers: Iterable[Entry], direction: str) -> Said:
    """Return what holds in a direction: within a layer its own keys before the common ones, a later layer before all."""
    return {key: value for layer in layers for part in (layer, layer.part(direction)) for key, value in _values(part)}


def _values(part: Entry) -> Iterator[tuple[str, tuple[Any, Entry]]]:
    return ((key, (part.values[key], part)) for key in SHAPE_FIELDS if key in part.values)


def _is_whole(layers: Iterable[Entry], direction: str) -> bool:
    """Say whether nothing of a direction is bad: a delay that cannot be read is no missing one."""
    return not any(part.bad(*part.nodes) for layer in layers for part in (layer, layer.part(direction)))


def _shape(said: Said, *, is_whole: bool) -> Shape:
    shape = build_shape({key: value for key, (value, _) in said.items()})
    for key, message, hint in find_conflicts(shape) if is_whole else ():
        said[key][1].wrong(key, message, hint)
    return shape


def build_shape(values: Mapping[str, Any], base: Shape = PLAIN) -> Shape:
    """Return a direction with these values, by the file's keys; the others are as in `base`. `rate: none` ends the queue, too."""
    shape = replace(base, **{SHAPE_FIELDS[key]: value for key, value in values.items()})
    return replace(shape, queue_packets=None) if "rate" in values and values["rate"] is None else shape


def find_conflicts(shape: Shape) -> Iterator[tuple[str, str, str]]:
    """Yield (key, what is wrong, the way out) for each key that lacks another."""
    if shape.jitter_seconds and not shape.delay_seconds:
        yield "jitter", "jitter needs a delay, which it varies", "delay: 10ms beside it"
    if shape.reorder_ratio and not shape.delay_seconds:
        yield "reorder", "reorder needs a delay: the packets that it chooses overtake the delayed ones", "delay: 10ms beside it"
    if shape.queue_packets is not None and shape.rate_bits_per_second is None:
        yield "queue", "queue needs a rate: without one no packet waits", "rate: 10mbit beside it"


_WRITE: Mapping[str, Callable[[Any], str]] = {
    "rate": write_rate,
    "delay": write_duration,
    "jitter": write_duration,
    "loss": write_ratio,
    "duplicate": write_ratio,
    "reorder": write_ratio,
    "queue": write_packets,
}


def show_link(cable: Cable, fabric_mtu: int) -> dict[str, Any]:
    """Return a link as plain data in the words of the file; what both directions have alike stands there once.

    Whether it is up is not in it: that is no wish of a file.
    """
    outward, inward = show_shape(cable.outward), show_shape(cable.inward)
    both = {key: value for key, value in outward.items() if inward.get(key) == value}
    alone = {
        direction: rest
        for direction, said in zip(DIRECTIONS, (outward, inward), strict=True)
        if (rest := {key: value for key, value in said.items() if key not in both})
    }
    return {**both, **({"mtu": cable.mtu} if cable.mtu != fabric_mtu else {}), **alone}


def show_shape(shape: Shape) -> dict[str, str]:
    """Return what makes a direction differ from a plain cable, in the words of the file."""
    return {
        key: _WRITE[key](value)
        for key, field in SHAPE_FIELDS.items()
        if (value := getattr(shape, field)) != getattr(PLAIN, field)
    }
