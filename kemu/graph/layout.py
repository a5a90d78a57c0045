"""Where everything stands in the picture: a Picture becomes shapes with coordinates, in pixels from the top left.

Machines stand in rows, each a box with its pods above its devices. Below a row run the tunnels, dashed, and the segments' wires; where
they go on in another row, a line at the margin joins the parts: segments on the left, tunnels on the right. The router is at the bottom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kemu.graph.picture import WIRE, Device, Machine, Picture, SegmentBox, Tunnel

PODS_A_ROW = 4
WIDTH = 1360  # of a row of machines

_LETTER = 6.65  # the width of a letter of the monospaced font at 11 px
_PAD, _GAP, _LINE = 10, 24, 15
_BAR = 26
_HEAD = 24
_RAIL, _SEGMENT = 22, 30
_MARGIN = 40
_TITLE = 48


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with lines of text; `look` is its style, `hint` what a pointer that rests on it shows."""

    x: float
    y: float
    width: float
    height: float
    look: str
    lines: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Wire:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    look: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text that stands alone, beginning at a point, or ending there if it is of a link."""

    x: float
    y: float
    text: str
    look: str = "label"


Shape = Box | Wire | Label


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes in the order in which they are painted, and how large all of it is."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


@dataclass(slots=True)
class _Layout:
    """Collects shapes, and where in each row something has to be joined to what."""

    picture: Picture
    back: list[Shape] = field(default_factory=list)
    front: list[Shape] = field(default_factory=list)
    wires: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    rails: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def lay_out(picture: Picture) -> Drawing:
    """Return the drawing of a picture."""
    layout = _Layout(picture)
    left = _MARGIN + 12 * len(picture.segments)
    layout.front.append(Label(_MARGIN, 30, picture.title, "title"))
    y, right = float(_TITLE), 0.0
    for row in _rows(picture.segments):
        y, end = _row(layout, row, left, y)
        right = max(right, end)
    y = _join_segments(layout, left, y)
    right = _join_tunnels(layout, right)
    y = _trouble(layout, left, y)
    texts = [shape.x + _text(shape.text) for shape in layout.front if isinstance(shape, Label) and shape.look != "link"]
    return Drawing(max(right, _text(picture.title) * 1.4, *texts) + _MARGIN, y + 16, (*layout.back, *layout.front))


# --- rows ----------------------------------------------------------------------------------------------------------------------------

_Row = list[tuple[SegmentBox, list[Machine]]]


def _rows(segments: Sequence[SegmentBox]) -> Iterator[_Row]:
    """Yield rows of machines that fit into the width; a segment's stand together, and go on in the next row if they must."""
    row: _Row = []
    used = 0.0
    for segment in segments:
        for machine in segment.machines:
            width = _width(machine) + _GAP
            if row and used + width > WIDTH:
                yield row
                row, used = [], 0.0
            if not row or row[-1][0] is not segment:
                row.append((segment, []))
            row[-1][1].append(machine)
            used += width
    if row:
        yield row


def _row(layout: _Layout, row: _Row, x: float, y: float) -> tuple[float, float]:
    """Draw a row from a corner on; return where it ends, downwards and to the right."""
    bottom = y + max(_height(machine) for _, machines in row for machine in machines)
    tunnels = [tunnel for tunnel in layout.picture.tunnels if any(_has(machine, tunnel) for _, group in row for machine in group)]
    most = max(len(machine.link) for _, machines in row for machine in machines)
    wire = bottom + _RAIL * (len(tunnels) + 1) + 10 + 13 * max(most - 1, 0)
    for segment, machines in row:  # each wire a little lower than the one before: they lead to the left margin, below each other
        start = x
        for machine in machines:
            _machine(layout, machine, x, bottom, tunnels, wire)
            x += _width(machine) + _GAP
        _segment(layout, segment, start, x - _GAP, wire)
        wire += _SEGMENT
    for number, tunnel in enumerate(tunnels):
        _rail(layout, tunnel, bottom + _RAIL * (number + 1))
    return wire + _LINE, x


def _segment(layout: _Layout, segment: SegmentBox, start: float, end: float, y: float) -> None:
    layout.front.append(Wire(((start, y), (end, y)), "segment"))
    uplink = f"  uplink: {', '.join(segment.uplink)}" if segment.uplink else ""
    layout.front.append(Label(start, y + _LINE, f"{segment.name}  {' '.join(segment.subnets)}{uplink}"))
    layout.wires.setdefault(segment.name, []).append((start, y))


def _rail(layout: _Layout, tunnel: Tunnel, y: float) -> None:
    """Draw a tunnel below its row: a line through what its devices let down."""
    ends = [x for x, height in layout.rails[tunnel.name] if height == y]
    layout.back.append(Wire(((min(ends), y), (max(ends) + 1, y)), "tunnel", _pairs(tunnel)))
    layout.front.append(Label(min(ends) + 6, y - 5, f"{tunnel.name}: {tunnel.what}", "note"))


def _pairs(tunnel: Tunnel) -> str:
    pairs = [f"{one} – {other}" for one, other in tunnel.pairs]
    return "\n".join([tunnel.what, *pairs[:20], *(["…"] if len(pairs) > 20 else [])])


def _has(machine: Machine, tunnel: Tunnel) -> bool:
    return any(device.name == tunnel.name for device in machine.devices)


# --- a machine -----------------------------------------------------------------------------------------------------------------------


def _width(machine: Machine) -> float:
    pods, devices = _pod_width(machine), sum(_device_width(device) + _PAD for device in _chips(machine)) - _PAD
    in_row = min(len(machine.shown_pods), PODS_A_ROW)
    bars = max((_text(_bar_text(machine, bridge)) + 2 * _PAD for bridge in _bridges(machine)), default=0)
    return max(in_row * (pods + _PAD) - _PAD, devices, bars, _text(machine.name) + 40, _link_width(machine)) + 2 * _PAD


def _link_width(machine: Machine) -> float:
    """Return the width of what stands on the left of a machine's cable, up to the cable's other side."""
    wire = next(_device_width(device) for device in machine.devices if device.name == WIRE)
    return max((_text(line) for line in machine.link), default=0) + wire / 2


def _height(machine: Machine) -> float:
    return _HEAD + _pods_height(machine) + _device_height(machine) + _PAD


def _pods_height(machine: Machine) -> float:
    rows = -(-len(machine.shown_pods) // PODS_A_ROW)
    return rows * (_pod_height(machine) + _PAD) + (_BAR + _PAD) * len(_bridges(machine)) + (4 if rows else 0)


def _pod_height(machine: Machine) -> float:
    return _chip_height(max((len(pod.addresses) for pod in machine.shown_pods), default=0))


def _device_height(machine: Machine) -> float:
    return _chip_height(max((len(device.addresses) for device in _chips(machine)), default=0))


def _chip_height(addresses: int) -> float:
    """Return how high a box is that has a name and so many addresses."""
    return 10 + 14 * (1 + addresses)


def _bridges(machine: Machine) -> list[str]:
    return list(dict.fromkeys(pod.bridge for pod in machine.pods if pod.is_wired))


def _chips(machine: Machine) -> list[Device]:
    """Return the devices below the pods: tunnels first, the wire last, bridges not at all."""
    bridges = _bridges(machine)
    return sorted(
        (one for one in machine.devices if one.name not in bridges), key=lambda one: (one.name == WIRE, not one.is_tunnel)
    )


def _pod_width(machine: Machine) -> float:
    return max((max(_text(line) for line in (pod.name, *pod.addresses)) for pod in machine.shown_pods), default=0) + 2 * _PAD


def _device_width(device: Device) -> float:
    return max(_text(line) for line in (device.name, *device.addresses)) + 2 * _PAD


def _text(text: str) -> float:
    return len(text) * _LETTER


def _machine(layout: _Layout, machine: Machine, x: float, bottom: float, tunnels: Sequence[Tunnel], wire: float) -> None:
    width, height = _width(machine), _height(machine)
    top = bottom - height
    look = f"{machine.kind} trouble" if machine.trouble else machine.kind
    layout.back.append(Box(x, top, width, height, look, hint="\n".join((machine.name, *machine.trouble))))
    layout.front.append(Label(x + _PAD, top + 16, machine.name, "name"))
    y = _pods(layout, machine, x + _PAD, top + _HEAD, x + width - _PAD)
    _devices(layout, machine, x, y, tunnels, wire)


def _pods(layout: _Layout, machine: Machine, x: float, y: float, right: float) -> float:
    """Draw the pods of a machine, each wired to its bridge, and return where the devices begin."""
    shown, width, height = machine.shown_pods, _pod_width(machine), _pod_height(machine)
    bars = {
        bridge: y + _pods_height(machine) - (_BAR + _PAD) * (number + 1)
        for number, bridge in enumerate(reversed(_bridges(machine)))
    }
    for number, pod in enumerate(shown):
        row, column = divmod(number, PODS_A_ROW)
        place = x + column * (width + _PAD), y + row * (height + _PAD)
        if pod.is_wired:
            foot = place[0] + width / 2 + 4 * (row % 3 - 1)
            layout.back.append(
                Wire(((foot, place[1] + height), (foot, bars[pod.bridge])), "cable down" if pod.trouble else "cable")
            )
        hint = "\n".join((pod.name, *pod.trouble)) if pod.trouble else ""
        layout.front.append(Box(*place, width, height, "pod trouble" if pod.trouble else "pod", (pod.name, *pod.addresses), hint))
    for bridge, top in bars.items():
        known = next((one for one in machine.devices if one.name == bridge), None)
        layout.front.append(Box(x, top, right - x, _BAR, _look("bridge", known), (_bar_text(machine, bridge),), _hint(known)))
    return y + _pods_height(machine)


def _bar_text(machine: Machine, bridge: str) -> str:
    """Return what stands on the bar to which pods are wired: a bridge with its addresses, or that the node routes to each."""
    known = next((one for one in machine.devices if one.name == bridge), None)
    return "  ".join((known.name, *known.addresses)) if known else "a route to each pod"


def _devices(layout: _Layout, machine: Machine, x: float, y: float, tunnels: Sequence[Tunnel], wire: float) -> None:
    height = _device_height(machine)
    right = x + _width(machine) - _PAD
    x += _PAD
    for device in _chips(machine):
        width = _device_width(device)
        place = right - width if device.name == WIRE else x
        foot = place + width / 2
        layout.front.append(
            Box(place, y, width, height, _look("device", device), (device.name, *device.addresses), _hint(device))
        )
        x += width + _PAD
        if device.name == WIRE:
            _cable(layout, machine, foot, y + height, wire)
        for number, tunnel in enumerate(tunnels):
            if tunnel.name == device.name:
                end = y + height + _PAD + _RAIL * (number + 1)
                layout.rails.setdefault(tunnel.name, []).append((foot, end))
                layout.back.append(Wire(((foot, y + height), (foot, end)), "tunnel"))


def _cable(layout: _Layout, machine: Machine, x: float, y: float, wire: float) -> None:
    trouble = machine.port.trouble
    look = "cable" if machine.is_connected and not trouble else "cable down"
    layout.back.append(Wire(((x, y), (x, wire)), look, "\n".join((f"{WIRE} of {machine.name}", *machine.link, *trouble))))
    for number, line in enumerate(reversed(machine.link)):
        layout.front.append(Label(x - 6, wire - 8 - 13 * number, line, "link"))
    if not machine.is_connected:
        layout.front.append(Label(x + 6, wire - 8, "down", "alarm"))


def _look(name: str, device: Device | None) -> str:
    return f"{name} trouble" if device and (device.trouble or not device.is_up) else name


def _hint(device: Device | None) -> str:
    if device is None:
        return ""
    state = "" if device.is_up else ", down"
    return "\n".join((f"{device.name}: {device.kind}, MTU {device.mtu}{state}", *device.addresses, *device.trouble))


# --- what joins the rows ---------------------------------------------------------------------------------------------------------------


def _join_segments(layout: _Layout, left: float, y: float) -> float:
    """Lead every segment's wires along the left margin to the router, and return where the router ends."""
    width = max(_text(f"{segment.name} {' '.join(segment.router)}") for segment in layout.picture.segments) + 2 * _PAD
    height = _HEAD + _LINE * len(layout.picture.segments)
    lines = ("router", *(f"{segment.name} {' '.join(segment.router)}" for segment in layout.picture.segments))
    for number, segment in enumerate(layout.picture.segments):
        ends = layout.wires.get(segment.name, [])
        x = left - 12 * (number + 1)
        for start, height_of_wire in ends:
            layout.back.append(Wire(((start, height_of_wire), (x, height_of_wire)), "segment"))
        top = min((height_of_wire for _, height_of_wire in ends), default=y)
        layout.back.append(Wire(((x, top), (x, y + 14 + 6 * number), (left, y + 14 + 6 * number)), "segment"))
    layout.front.append(Box(left, y, width, height, "router", lines, "joins the segments; knows no pods"))
    return y + height + _PAD


def _join_tunnels(layout: _Layout, right: float) -> float:
    """Lead every tunnel that goes on in another row along the right margin, and return where the drawing ends."""
    for number, (_, ends) in enumerate(layout.rails.items()):
        heights = sorted({height for _, height in ends})
        if len(heights) > 1:
            x = right + 10 * number
            for height in heights:
                layout.back.append(Wire(((max(end for end, other in ends if other == height), height), (x, height)), "tunnel"))
            layout.back.append(Wire(((x, heights[0]), (x, heights[-1])), "tunnel"))
    return right + 10 * len(layout.rails)


def _trouble(layout: _Layout, x: float, y: float) -> float:
    for line in layout.picture.trouble:
        layout.front.append(Label(x, y + _LINE, line, "alarm"))
        y += _LINE
    return y
