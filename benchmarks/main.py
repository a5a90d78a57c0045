"""`scripts/bench`: measures in one run, side by side and in turns, and prints medians and ratios."""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from benchmarks.child import ProgramError
from benchmarks.contestants import Case, Contestant, Sample, clean_up, contestants
from benchmarks.results import Row, Spread, further_pods, ratios
from kemu.cli.output import show_table

NODES = 10
TOPOLOGY = """\
name: bench
nodes: {nodes}
pods: {{perNode: {per_node}}}
networking: {{backend: vxlan, ipFamily: ipv4}}
"""


class Sizes(click.ParamType):
    """Numbers of pods, with commas between them; each a multiple of the nodes."""

    name = "SIZES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Return the numbers."""
        sizes = value.split(",") if isinstance(value, str) else value
        if not all(str(size).isdigit() and int(size) and int(size) % NODES == 0 for size in sizes):
            self.fail(f"{value}: numbers that {NODES} divides, such as 10,100,1000")
        return [int(size) for size in sizes]


class Names(click.ParamType):
    """Names of contestants, with commas between them."""

    name = "NAMES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Return the names."""
        known = [one.name for one in contestants()]
        names = value.split(",") if isinstance(value, str) else list(value)
        if unknown := [name for name in names if name not in known]:
            self.fail(f"{', '.join(unknown)}: there are {', '.join(known)}")
        return names


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def command() -> None:
    """Measure kemu beside others, in one run. Needs root. Ratios of one run mean something; figures of different runs do not."""


@command.command()
@click.option("--pods", type=Sizes(), default="10,100,1000", show_default=True, help=f"How many pods, on {NODES} nodes.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How often all are measured, in turns.")
@click.option("--only", type=Names(), help="Only these.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def up(pods: list[int], rounds: int, only: list[str] | None, output: str) -> None:
    """Bring pods up and down with vxlan: kemu, the bare floor, plain ip -batch, a script, and Mininet.

    In its first round each result is read back from the kernel and must be exactly the plan (Mininet's is another network).
    """
    able = list(_able(only))
    try:
        rows = [row for size in pods for row in _measure(able, size, rounds)]
    except ProgramError as error:
        raise click.ClickException(str(error)) from None
    finally:
        clean_up()
    show: Callable[[Sequence[Contestant], Sequence[Row]], str] = _show_json if output == "json" else _show
    click.echo(show(able, rows))


def _able(only: Sequence[str] | None) -> Iterator[Contestant]:
    """Yield who takes part; say why somebody does not."""
    for one in contestants():
        if only and one.name not in only:
            continue
        if one.why_not:
            click.echo(f"{one.name} does not take part: {one.why_not}", err=True)
        else:
            yield one


def _measure(able: Sequence[Contestant], pods: int, rounds: int) -> list[Row]:
    """Return the rows of one size; every round measures everybody once."""
    found: dict[str, list[Sample]] = {one.name: [] for one in able if pods <= one.most}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(TOPOLOGY.format(nodes=NODES, per_node=pods // NODES))
        file.flush()
        for number in range(rounds):
            for one in (one for one in able if one.name in found):
                click.echo(f"{pods} pods, round {number + 1} of {rounds}: {one.name}", err=True)
                found[one.name].append(one.measure(Case(file=Path(file.name), pods=pods, check=number == 0)))
    return [Row(pods=pods, name=name, samples=tuple(samples)) for name, samples in found.items()]


def _machine() -> str:
    return f"{os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"


def _show_json(able: Sequence[Contestant], rows: Sequence[Row]) -> str:
    facts = {
        "schema": "kemu.bench.up/1",
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "nodes": NODES,
        "contestants": {one.name: one.what for one in able},
        "rows": [row.to_dict() for row in rows],
        "ratios": [ratio.to_dict() for ratio in ratios(rows)],
    }
    return json.dumps(facts, indent=2)


def _show(able: Sequence[Contestant], rows: Sequence[Row]) -> str:
    rounds = len(rows[0].samples)
    about = f"{_machine()}; {NODES} nodes, vxlan, IPv4; medians of {rounds} rounds, (least … greatest)"
    parts = [[about], _table(rows), _ratio_table(rows), _further(rows), [f"{one.name}: {one.what}" for one in able]]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _table(rows: Sequence[Row]) -> list[str]:
    headings = ("PODS", "", "UP", "", "A POD", "DOWN", "KERNEL AFTER", "PEAK MEMORY")
    return show_table(headings, [_cells(row) for row in rows])


def _cells(row: Row) -> tuple[str, ...]:
    up, down = row.spread("up_seconds"), row.spread("down_seconds")
    peak = row.spread("peak_bytes").greatest
    return (
        str(row.pods),
        row.name,
        f"{up.median:.3f} s",
        _range(up),
        f"{up.median / row.pods * 1000:.2f} ms",
        f"{down.median:.2f} s",
        f"{row.spread('settled_seconds').median:.2f} s",
        f"{peak / 1e6:.0f} MB" if peak else "",
    )


def _range(spread: Spread, digits: int = 3) -> str:
    return f"({spread.least:.{digits}f} … {spread.greatest:.{digits}f})"


def _ratio_table(rows: Sequence[Row]) -> list[str]:
    lines = [
        (str(one.pods), f"{one.slower} / {one.faster}", f"{one.spread.median:.2f}", _range(one.spread, 2)) for one in ratios(rows)
    ]
    return show_table(("PODS", "UP", "RATIO", ""), lines) if lines else []


def _further(rows: Sequence[Row]) -> list[str]:
    return [
        f"{name}: from {few} to {many} pods each further one costs {seconds * 1000:.2f} ms"
        for name in ("kemu", "floor")
        for few, many, seconds in further_pods(rows, name)
    ]


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def main() -> None:
    """Run the command line; whatever ends it, what was made is removed."""
    if os.geteuid() and not {"-h", "--help"} & set(sys.argv):
        sys.exit("bench: error: root is needed: it makes network namespaces")
    signal.signal(signal.SIGTERM, _terminate)
    command(prog_name="scripts/bench")


if __name__ == "__main__":
    main()
