"""The picture in Graphviz' language: a cluster for each machine, the segments as ellipses, tunnels dashed."""

from __future__ import annotations

from collections.abc import Iterator

from kemu.graph.picture import WIRE, Device, Machine, Picture, PodBox, Tunnel


def show_dot(picture: Picture) -> str:
    """Return a picture for `dot -Tsvg`."""
    lines = [
        f"graph {_quote(picture.cluster)} {{",
        f"  label={_quote(picture.title)} labelloc=t fontname=monospace compound=true",
    ]
    lines += ["  node [shape=box style=rounded fontname=monospace fontsize=10]", "  edge [fontname=monospace fontsize=10]"]
    lines.append('  router [label="router"]')
    for segment in picture.segments:
        label = "\n".join((segment.name, *segment.subnets))
        lines.append(f"  {_quote(f'segment {segment.name}')} [label={_quote(label)} shape=ellipse]")
        lines.append(
            f"  {_quote(f'segment {segment.name}')} -- router [label={_quote(chr(10).join((*segment.router, *segment.uplink)))}]"
        )
        for machine in segment.machines:
            lines += _machine(machine)
            lines.append(f"  {_id(machine, WIRE)} -- {_quote(f'segment {segment.name}')}{_look(machine)}")
    lines += [_tunnel(tunnel, *pair) for tunnel in picture.tunnels for pair in tunnel.pairs]
    return "\n".join([*lines, "}", ""])


def _machine(machine: Machine) -> Iterator[str]:
    colour = " color=red" if machine.trouble else ""
    yield f"  subgraph {_quote(f'cluster_{machine.name}')} {{ label={_quote(machine.name)}{colour}"
    yield from (f"    {_id(machine, device.name)} [label={_quote(_lines(device))}]" for device in machine.devices)
    for pod in machine.shown_pods:
        yield f'    {_id(machine, f"pod {pod.name}")} [label={_quote(_lines(pod))} style="rounded,filled" fillcolor={_fill(pod)}]'
        if pod.bridge:
            yield f"    {_id(machine, f'pod {pod.name}')} -- {_id(machine, pod.bridge)}"
    for bridge in dict.fromkeys(pod.bridge for pod in machine.pods if pod.bridge):  # pods above it, the other devices below
        yield from (
            f"    {_id(machine, bridge)} -- {_id(machine, one.name)} [style=invis]"
            for one in machine.devices
            if one.name != bridge
        )
    yield "  }"


def _tunnel(tunnel: Tunnel, one: str, other: str) -> str:
    ends = (_quote(f"{name} {tunnel.name}") for name in (one, other))
    return f"  {' -- '.join(ends)} [style=dashed constraint=false tooltip={_quote(tunnel.what)}]"


def _look(machine: Machine) -> str:
    if not machine.is_connected:
        return " [color=red style=dotted label=down]"
    return f" [label={_quote(chr(10).join(machine.link))}]" if machine.link else ""


def _fill(pod: PodBox) -> str:
    return _quote("#fde8e8" if pod.trouble else "#d9f0e3")


def _lines(box: Device | PodBox) -> str:
    return "\n".join((box.name, *box.addresses))


def _id(machine: Machine, name: str) -> str:
    return _quote(f"{machine.name} {name}")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
