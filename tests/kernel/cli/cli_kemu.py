"""Calling kemu as a user does: a process, its exit code, what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TWO_NODES = """\
nodes: 2
pods:
- {name: a, node: n1, labels: {app: web}, ports: [{containerPort: 80}]}
- {name: b, node: n1}
- {name: c, node: n2, labels: {app: web}}
- {name: d, node: n2, namespace: shop}
hosts:
- {name: client}
"""


@dataclass
class Kemu:
    """The command line for one cluster: `KEMU_CLUSTER` is its name."""

    name: str
    directory: Path
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names.append(self.name)

    def write(self, text: str = TWO_NODES, *, name: str | None = None, file: str = "topo.yaml") -> Path:
        """Write a topology file, named like the cluster."""
        path = self.directory / file
        path.write_text(f"name: {name or self.name}\n{text}")
        return path

    def call(self, *words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run kemu and return what it did."""
        environment = {**os.environ, "KEMU_CLUSTER": self.name, "NO_COLOR": "1"}
        settings = {"env": environment, "cwd": self.directory, "timeout": 120, "stdin": subprocess.DEVNULL, **options}
        command = [sys.executable, "-m", "kemu", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **settings)

    def on_terminal(self, *words: str, typed: str) -> tuple[int, str]:
        """Run kemu on a terminal, type, and return its exit code and what the screen showed."""
        master, slave = os.openpty()
        environment = {**os.environ, "KEMU_CLUSTER": self.name, "NO_COLOR": "1", "TERM": "dumb"}
        command = [sys.executable, "-m", "kemu", *words]
        with subprocess.Popen(
            command, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        ) as process:
            os.close(slave)
            os.write(master, typed.encode())
            screen = b"".join(iter(lambda: _read(master), b""))
        os.close(master)
        return process.returncode, screen.decode()

    def ok(self, *words: str | Path) -> str:
        """Run kemu, which must succeed, and return its output."""
        done = self.call(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *words: str | Path, code: int = 0) -> Any:
        """Run kemu with -o json and return what it says."""
        done = self.call(*words, "-o", "json")
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def up(self, text: str = TWO_NODES, *words: str) -> str:
        """Bring a topology up."""
        return self.ok("up", self.write(text), *words)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # nobody has the other end open any more
        return b""
