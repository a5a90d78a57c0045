"""What is remembered of a cluster's processes, for `status`, and for an agent that comes after another.

A file each in `/run/kemu/<cluster>/processes/`, written by the agent whenever something changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kemu.cluster.state import StateDirectory
from kemu.kernel.inside import find_process
from kemu.plan.objects import Process
from kemu.plan.show import title

STARTING, RUNNING, RESTARTING, EXITED = "starting", "running", "restarting", "exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """A process that the cluster has. `pid` and `start`, in clock ticks after boot, are 0 before it ran.

    `exit_code` is that of its last run: 128 and the number for a signal, None while it runs for the first time, or if nobody could ask.
    `started` is in seconds since 1970. `said` is why it is not ready, for people.
    """

    kind: str
    netns: str
    pod: str
    name: str
    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    restart: str = "Never"
    state: str = STARTING
    pid: int = 0
    start: int = 0
    exit_code: int | None = None
    restarts: int = 0
    ready: bool = False
    said: str = ""
    started: float | None = None

    @property
    def title(self) -> str:
        """What messages call it: process agent, container server of default/web."""
        return title(as_object(self))

    @property
    def reason(self) -> str:
        """Why it is not ready, in words; empty if it is."""
        return "" if self.ready else f"{self.state}: {self.said}" if self.said else self.state

    @property
    def is_alive(self) -> bool:
        """Whether the process itself still runs, whatever the record says."""
        process = find_process(self.pid) if self.pid else None
        return process is not None and process.start == self.start

    def to_dict(self, cluster: str) -> dict[str, Any]:
        """Return it as an element of `processes` in the status' JSON."""
        return {
            "kind": self.kind,
            "netns": f"{cluster}.{self.netns}",
            "pod": self.pod.replace(".", "/", 1) or None,
            "name": self.name,
            "pid": self.pid or None,
            "state": self.state,
            "exit_code": self.exit_code,
            "restarts": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }


def as_object(record: ProcessRecord) -> Process:
    """Return a process as an object of a plan."""
    return Process(
        netns=record.netns,
        kind=record.kind,
        pod=record.pod,
        name=record.name,
        command=record.command,
        env=record.env,
        restart=record.restart,
    )


def new_record(wanted: Process) -> ProcessRecord:
    """Return what is known of a process that has not run yet."""
    return ProcessRecord(
        kind=wanted.kind,
        netns=wanted.netns,
        pod=wanted.pod,
        name=wanted.name,
        command=wanted.command,
        env=wanted.env,
        restart=wanted.restart,
    )


def _file_name(pod: str, name: str) -> str:
    return f"{pod}.{name}" if pod else name


def write_process(state: StateDirectory, record: ProcessRecord) -> None:
    """Remember a process as it is now."""
    state.write_process(_file_name(record.pod, record.name), asdict(record))


def forget_process(state: StateDirectory, record: ProcessRecord) -> None:
    """Remember a process no more."""
    (state.processes / f"{_file_name(record.pod, record.name)}.json").unlink(missing_ok=True)


def find_process_record(state: StateDirectory, pod: str, name: str) -> ProcessRecord | None:
    """Return what is remembered of one process."""
    return _read(state.processes / f"{_file_name(pod, name)}.json")


def read_processes(state: StateDirectory) -> list[ProcessRecord]:
    """Return what is remembered, the agent first. Files that no kemu wrote are passed over."""
    paths = sorted(state.processes.glob("*.json")) if state.processes.is_dir() else []
    found = [record for path in paths if (record := _read(path))]
    return sorted(found, key=lambda record: record.kind != "agent")


def _read(path: Path) -> ProcessRecord | None:
    try:
        data: Mapping[str, Any] = json.loads(path.read_text())
        words = {key: tuple(data[key]) for key in ("command", "env")}
        return ProcessRecord(**{**data, **words})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def current_processes(state: StateDirectory) -> list[ProcessRecord]:
    """Return what is remembered, corrected where a process ended and no agent was there to note it."""
    return list(_corrected(read_processes(state)))


def _corrected(records: list[ProcessRecord]) -> Iterator[ProcessRecord]:
    for record in records:
        if record.state == RUNNING and not record.is_alive:
            yield replace(record, state=EXITED, ready=False, said="it ended while no agent was there", exit_code=None)
        else:
            yield record
