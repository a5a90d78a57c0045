"""The picture in Mermaid's language, which GitHub and many wikis draw: a subgraph for each machine, tunnels dotted."""

from __future__ import annotations

from collections.abc import Iterator

from kemu.graph.picture import WIRE, Machine, Picture


def show_mermaid(picture: Picture) -> str:
    """Return a picture as a Mermaid flowchart."""
    names = _Names()
    lines = ["---", f"title: '{picture.title}'", "---", "flowchart TB"]
    for segment in picture.segments:
        for machine in segment.machines:
            lines += _machine(machine, names)
    lines.append(f"  {names['router']}[router]")
    for segment in picture.segments:
        wire = names[f"segment {segment.name}"]
        lines.append(f'  {wire}(["{_text("<br>".join((segment.name, *segment.subnets)))}"])')
        lines += [f"  {names[f'{one.name} {WIRE}']} {_edge(one)} {wire}" for one in segment.machines]
        lines.append(f'  {wire} ---|"{"<br>".join((*segment.router, *segment.uplink))}"| {names["router"]}')
    for tunnel in picture.tunnels:
        ends = [(names[f"{one} {tunnel.name}"], names[f"{other} {tunnel.name}"]) for one, other in tunnel.pairs]
        lines += [f"  {one} -.- {other}" for one, other in ends]
    if names.bad:
        lines += ["  classDef bad stroke:#c81e1e,stroke-width:3px", f"  class {','.join(names.bad)} bad"]
    return "\n".join([*lines, ""])


class _Names(dict[str, str]):
    """Short identifiers for what may be called anything; `bad` are those of what something is wrong with."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def __missing__(self, name: str) -> str:
        self[name] = f"x{len(self)}"
        return self[name]


def _machine(machine: Machine, names: _Names) -> Iterator[str]:
    yield f'  subgraph {names[f"machine {machine.name}"]}["{_text(machine.name)}"]'
    for pod in machine.shown_pods:
        label = _text("<br>".join((pod.name, *pod.addresses)))
        own = names[f"{machine.name} pod {pod.name}"]
        yield f'    {own}("{label}")'
        if pod.bridge:
            yield f"    {own} --- {names[f'{machine.name} {pod.bridge}']}"
        if pod.trouble:
            names.bad.append(own)
    for device in machine.devices:
        yield f'    {names[f"{machine.name} {device.name}"]}["{_text("<br>".join((device.name, *device.addresses)))}"]'
    yield "  end"
    if machine.trouble:
        names.bad.append(names[f"machine {machine.name}"])


def _edge(machine: Machine) -> str:
    if not machine.is_connected:
        return '-. "down" .-'
    return f'---|"{"<br>".join(machine.link)}"|' if machine.link else "---"


def _text(text: str) -> str:
    return text.replace('"', "#quot;")
