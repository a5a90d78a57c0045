"""`scripts/bench`: measures in one run, side by side and in turns, and prints medians and ratios."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.contestants import Contestant, Sample, clean_up, contestants
from kemu.cli.output import show_table

NODES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The samples of one contestant at one size."""

    pods: int
    name: str
    samples: tuple[Sample, ...]

    @property
    def up_seconds(self) -> float:
        """The median."""
        return statistics.median(sample.up_seconds for sample in self.samples)

    def median(self, key: str) -> float:
        """Return the median of a figure."""
        return float(statistics.median(getattr(sample, key) for sample in self.samples))

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return {
            "pods": self.pods,
            "name": self.name,
            "up_seconds": self.up_seconds,
            "samples": [asdict(one) for one in self.samples],
        }


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Benchmarks of kemu, beside others, in one run. Needs root. Ratios of one run mean something; figures of different runs do not."""


@command.command()
@click.option("--pods", default="10,100,1000", show_default=True, help="How many pods, on 10 nodes; several sizes with commas.")
@click.option(
    "--rounds",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="How often each is measured, in turns.",
)
@click.option("--only", default="", metavar="NAMES", help="Only these, with commas: kemu,floor.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
def up(pods: str, rounds: int, only: str, output: str) -> None:
    """Bring pods on 10 nodes up with vxlan: kemu, the bare floor, plain ip -batch, a script, and Mininet."""
    chosen = [one for one in contestants() if not only or one.name in only.split(",")]
    for one in chosen:
        if one.why_not:
            click.echo(f"{one.name} does not take part: {one.why_not}", err=True)
    able = [one for one in chosen if not one.why_not]
    try:
        rows = [row for size in pods.split(",") for row in _measure(able, int(size), rounds)]
    finally:
        clean_up()
    if output == "json":
        click.echo(
            json.dumps(
                {"machine": _machine(), "nodes": NODES, "rounds": rounds, "rows": [row.to_dict() for row in rows]}, indent=2
            )
        )
    else:
        click.echo("\n".join([_machine(), "", *_table(rows), "", *(f"{one.name}: {one.what}" for one in able)]))


def _measure(able: Sequence[Contestant], pods: int, rounds: int) -> Iterator[Row]:
    """Yield the rows of one size; every round measures everybody once."""
    found: dict[str, list[Sample]] = {one.name: [] for one in able if pods <= one.most}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(f"name: bench\nnodes: {NODES}\npods: {{perNode: {pods // NODES}}}\n")
        file.flush()
        for number in range(rounds):
            for one in able:
                if one.name in found:
                    click.echo(f"{pods} pods, round {number + 1} of {rounds}: {one.name}", err=True)
                    found[one.name].append(one.measure(Path(file.name), pods))
    yield from (Row(pods=pods, name=name, samples=tuple(samples)) for name, samples in found.items())


def _machine() -> str:
    return f"{os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"


def _table(rows: Sequence[Row]) -> list[str]:
    headings = ("PODS", "", "UP", "MIN … MAX", "A POD", "AGAINST KEMU", "DOWN", "KERNEL AFTER", "PEAK MEMORY")
    return show_table(headings, [_cells(row, rows) for row in rows])


def _cells(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    ours = next((one.up_seconds for one in rows if one.pods == row.pods and one.name == "kemu"), None)
    ups = [sample.up_seconds for sample in row.samples]
    peak = max(sample.peak_bytes for sample in row.samples)
    return (
        str(row.pods),
        row.name,
        f"{row.up_seconds:.3f} s",
        f"{min(ups):.3f} … {max(ups):.3f}",
        f"{row.up_seconds / row.pods * 1000:.2f} ms",
        f"{row.up_seconds / ours:.2f} x" if ours else "",
        f"{row.median('down_seconds'):.2f} s",
        f"{row.median('settled_seconds'):.2f} s",
        f"{peak / 1e6:.0f} MB" if peak else "",
    )


if __name__ == "__main__":
    if os.geteuid():
        sys.exit("bench: root is needed: it makes network namespaces")
    command(prog_name="scripts/bench")
