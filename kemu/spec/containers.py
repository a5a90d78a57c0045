"""`containers:` of a pod, processes that share its network: read and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kemu.spec.check import check_unique
from kemu.spec.model import Container, Port, Restart
from kemu.spec.probes import read_probe, show_probe
from kemu.spec.tables import Entry


def read_containers(entry: Entry, ports: Sequence[Port]) -> tuple[Container, ...]:
    """Return the good containers of a pod's entry; `ports` are the pod's, which its probes may call by name."""
    entries = [one for one in entry.get("containers", ()) if isinstance(one, Entry)]
    check_unique(entries, "name", "container")
    return tuple(_containers(entries, ports))


def _containers(entries: Sequence[Entry], ports: Sequence[Port]) -> Iterator[Container]:
    for entry in entries:
        command = entry.get("command", ())
        probe = read_probe(entry.part("readinessProbe"), ports) if entry.get("readinessProbe") is not None else None
        if entry.get("name") and command and all(isinstance(word, str) for word in command):
            yield Container(
                name=entry.get("name"),
                command=tuple(command),
                env=entry.get("env", {}),
                restart=entry.get("restart", Restart.NEVER),
                probe=probe,
                mark=entry.log.mark(entry.node),
            )


def show_container(one: Container) -> dict[str, Any]:
    """Return a container as a file says it, without what need not be said."""
    words = {"name": one.name, "command": list(one.command), "env": dict(one.env)}
    words |= {"restart": str(one.restart)} if one.restart is not Restart.NEVER else {}
    words |= {"readinessProbe": show_probe(one.probe)} if one.probe else {}
    return {key: value for key, value in words.items() if value}
