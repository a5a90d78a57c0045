"""The state directory: what neither the file nor the kernel can tell. `/run/kemu/<cluster>/`, readable by everybody."""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from kemu.kernel import files
from kemu.plan.codec import SCHEMA as PLAN_SCHEMA
from kemu.plan.codec import to_dict
from kemu.plan.objects import Object

ROOT = Path("/run/kemu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How a cluster came to be. `file` is the absolute path of its file, empty for standard input; `ready` that `up` got through.

    `backend`, `sets` and `force` are what the command line added to the file.
    """

    cluster: str
    file: str
    backend: str | None = None
    sets: tuple[str, ...] = ()
    force: bool = False
    ready: bool = False
    version: str = ""
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The files of one cluster. Each is replaced as a whole, so that a reader sees the old one or the new one; but for `files`."""

    cluster: str

    @property
    def path(self) -> Path:
        """The directory."""
        return ROOT / self.cluster

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.path / "lock"

    @property
    def files(self) -> dict[str, Path]:
        """What the cluster's processes see in place of files of the machine."""
        return {f"/etc/{name}": self.path / "files" / name for name in ("hosts", "resolv.conf")}

    @property
    def processes(self) -> Path:
        """Where the cluster's processes are remembered."""
        return self.path / "processes"

    @property
    def agent_socket(self) -> Path:
        """Where the agent takes words from `up`."""
        return self.path / "agent.sock"

    def keeper(self, name: str) -> Path:
        """Return where it is remembered who keeps the namespaces of a pod's, node's or host's processes."""
        return self.processes / f"{name}.keeper"

    def keepers(self) -> list[Path]:
        """Return all that is remembered of these."""
        return list(self.processes.glob("*.keeper"))

    def container_log(self, pod: str, name: str, *, previous: bool = False) -> Path:
        """Return the file with what a container says, or said in the run before; `pod` with its namespace: default.web."""
        return self.path / "log" / f"{pod}.{name}{'.previous' if previous else ''}.log"

    def make(self) -> None:
        """Make the directory if it is not there. Raises StateError if somebody else could change what is in it."""
        for path in (ROOT, self.path, *(self.path / name for name in ("files", "log", "processes"))):
            files.make_directory(path)

    def write_record(self, record: Record) -> None:
        """Remember how the cluster came to be."""
        self._write("cluster.json", json.dumps({"schema": "kemu.cluster/1", **asdict(record)}, indent=1))

    def find_record(self) -> Record | None:
        """Return how the cluster came to be, None if the directory does not say."""
        text = self._find("cluster.json")
        if text is None:
            return None
        data = json.loads(text)
        del data["schema"]
        return Record(**{**data, "sets": tuple(data["sets"])})

    def write_topology(self, text: str) -> None:
        """Keep the file, verbatim."""
        self._write("topology.yaml", text)

    def write_files(self, hosts: str, resolvers: Sequence[str] = ()) -> None:
        """Keep the names and addresses of all endpoints, and the name servers that the cluster can ask.

        Without any, say that nobody serves names, so that no program waits for a server of the machine.
        """
        self._refill("files/hosts", hosts)
        lines = [f"nameserver {address}" for address in resolvers] or ["nameserver 127.0.0.1"]
        who = "The machine's own name servers" if resolvers else "This cluster has no DNS server"
        self._refill("files/resolv.conf", "\n".join([f"# {who}; /etc/hosts knows every endpoint.", *lines, ""]))

    def find_topology(self) -> str | None:
        """Return the file as it was applied."""
        return self._find("topology.yaml")

    def write_live(self, text: str) -> None:
        """Keep what kemu's verbs changed; an empty text forgets it."""
        if text:
            self._write("live.yaml", text)
        else:
            (self.path / "live.yaml").unlink(missing_ok=True)

    def find_live(self) -> str | None:
        """Return what `write_live` kept."""
        return self._find("live.yaml")

    def write_plan(self, objects: Iterable[Object]) -> None:
        """Keep the plan that was carried out, for people and tools; kemu itself plans anew from the file."""
        self._write(
            "plan.json",
            json.dumps({"schema": PLAN_SCHEMA, "cluster": self.cluster, "objects": [to_dict(item) for item in objects]}),
        )

    def write_work(self, work: Mapping[str, Any]) -> None:
        """Keep what the agent has to do."""
        self._write("work.json", json.dumps(work))

    def find_work(self) -> str | None:
        """Return what `write_work` kept."""
        return self._find("work.json")

    def write_process(self, name: str, data: Mapping[str, Any]) -> None:
        """Keep what is known of a process."""
        self._write(f"processes/{name}.json", json.dumps(data))

    def open_agent_log(self) -> IO[bytes]:
        """Return the agent's log, to go on writing."""
        return files.open_log(self.path / "log" / "agent.log")

    def write_baseline(self, settings: Mapping[str, str]) -> None:
        """Keep what the settings of a fresh namespace were when the cluster came up."""
        self._write("baseline.json", json.dumps(settings))

    def find_baseline(self) -> dict[str, str] | None:
        """Return the settings that `write_baseline` kept."""
        text = self._find("baseline.json")
        return json.loads(text) if text is not None else None

    def append_event(self, event: str, **facts: Any) -> None:
        """Add a line to the cluster's history."""
        files.append(self.path / "events.jsonl", json.dumps({"time": time.time(), "event": event, **facts}) + "\n")

    def remove(self) -> None:
        """Remove the directory with everything in it, and the common one if it was the last."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(FileNotFoundError):
            _remove_empty(ROOT)

    def _write(self, name: str, text: str) -> None:
        files.replace(self.path / name, text)

    def _refill(self, name: str, text: str) -> None:
        """Change a file in its place: what is mounted over /etc/hosts in running pods is this file, not one of this name."""
        files.refill(self.path / name, text)

    def _find(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return None


def _remove_empty(directory: Path) -> None:
    """Remove a directory if it is empty, also while other clusters come and go."""
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def find_states() -> list[str]:
    """Return the clusters that have a state directory."""
    return sorted(path.name for path in ROOT.iterdir() if path.is_dir()) if ROOT.is_dir() else []
