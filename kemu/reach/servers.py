"""Where kemu serves the answers itself for the duration of a run: at each receiver's address, unless somebody is there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kemu.probe.loop import Loop
from kemu.reach.task import Task

Place = tuple[Path | None, str]


def serve_receivers(tasks: Sequence[Task], port: int, serve: Callable[..., bool], *, loop: Loop) -> frozenset[Place]:
    """Serve `port` at the receivers' addresses; return the places where it is kemu that serves."""
    receivers = {place_of(task): task.receiver for task in reversed(tasks)}
    return frozenset(
        (netns, address)
        for (netns, address), one in receivers.items()
        if netns and serve(loop, netns, address=address, port=port, name=one.endpoint, node=one.node)
    )


def place_of(task: Task) -> Place:
    """Return the namespace and the address that the task asks for an answer."""
    return (task.receiver.netns, task.address)
