"""Measuring who reaches whom: real packets for every pair, from one process and one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kemu.base.reporter import SILENT, Reporter
from kemu.kernel.neighbours import read_neighbour_table
from kemu.probe.limits import raise_open_files
from kemu.probe.loop import Loop
from kemu.reach.icmp import open_icmp
from kemu.reach.model import Matrix, Probe, Protocol, Target
from kemu.reach.room import Room
from kemu.reach.rounds import Wire, settle
from kemu.reach.task import Ledger, Task, build_tasks
from kemu.reach.tcp import open_tcp
from kemu.reach.udp import open_udp

_OPENERS: dict[Protocol, Callable[..., Wire]] = {Protocol.ICMP: open_icmp, Protocol.TCP: open_tcp, Protocol.UDP: open_udp}


def measure(
    cluster: str,
    pairs: Sequence[tuple[Target, Target]],
    probe: Probe,
    *,
    between: Sequence[Path] = (),
    reporter: Reporter = SILENT,
) -> Matrix:
    """Send a real probe for each ordered pair and each IP family that both ends have; return what became of them.

    For TCP and UDP kemu answers itself wherever nobody serves the port. Lost pairs cost the probe's timeout together, not each.
    `between` are namespaces on the way, which may be made to forget neighbours so that the machine's table never fills.
    Raises ProbeError where a namespace cannot be entered, MachineError where the machine's limits are too small.
    """
    tasks = build_tasks(pairs, Ledger())
    reporter.step(f"{probe.protocol} to {len(tasks)} addresses", total=len(tasks))
    if tasks:
        _settle(tasks, probe, between, reporter=reporter)
    matrix = _build_matrix(cluster, probe, pairs, tasks)
    _warn_of_full_tables(matrix, reporter)
    return matrix


def _settle(tasks: list[Task], probe: Probe, between: Sequence[Path], *, reporter: Reporter) -> None:
    free_files = raise_open_files()
    namespaces = {target.netns for task in tasks for target in (task.sender, task.receiver) if target.netns}
    room = Room(sorted({*namespaces, *between}), sorted({task.version for task in tasks}))
    with Loop() as loop:
        wire = _OPENERS[probe.protocol](tasks, probe, loop=loop, free_files=free_files)
        settle(wire, tasks, probe, make_room=room.make, reporter=reporter)


def _build_matrix(cluster: str, probe: Probe, pairs: Sequence[tuple[Target, Target]], tasks: Sequence[Task]) -> Matrix:
    nodes = {target.endpoint: target.node for pair in pairs for target in pair if target.node}
    return Matrix(cluster=cluster, probe=probe, results=tuple(task.to_result() for task in tasks), nodes=nodes)


def _warn_of_full_tables(matrix: Matrix, reporter: Reporter) -> None:
    """A full neighbour table drops packets without a word: only its size tells."""
    for version in (4, 6) if matrix.lost else ():
        entries, limit = read_neighbour_table(version)
        if _is_crowded(version):
            reporter.warn(
                f"the machine's neighbour table holds {entries} of {limit} entries, and a full one loses packets: "
                f"sysctl -w net.ipv{version}.neigh.default.gc_thresh3={4 * limit}"
            )


def _is_crowded(version: int) -> bool:
    """Say whether the machine's neighbour table is so full that it may refuse entries: each CPU counts a while for itself."""
    entries, limit = read_neighbour_table(version)
    return entries * 10 >= limit * 9
