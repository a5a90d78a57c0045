"""A pod, node or host of a running cluster, and running commands in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kemu.cluster.state import StateDirectory
from kemu.kernel import process
from kemu.kernel.netns import path_of
from kemu.spec import endpoints


@dataclass(frozen=True)
class Endpoint:
    """A pod, node or host. `spec` is what the topology says of it."""

    cluster: str
    spec: endpoints.Endpoint

    @property
    def full(self) -> str:
        """The name in full: pod/default/web-1, node/n1, host/client."""
        return self.spec.full

    @property
    def address(self) -> str:
        """The first address."""
        return str(self.spec.addresses[0])

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses, IPv4 first."""
        return tuple(map(str, self.spec.addresses))

    @property
    def netns(self) -> Path:
        """The path of its kernel namespace."""
        return path_of(self.cluster, self.spec.netns)

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait for it; its output is captured as text. `options` are those of subprocess.run."""
        process.need_root()
        return process.run_inside(self._surroundings, command, **{"capture_output": not _redirects(options), **options})

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a command inside; `options` are those of subprocess.Popen. `down` ends it, if nobody else does."""
        process.need_root()
        return process.start_inside(self._surroundings, command, **options)

    def become(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Replace this process by a command inside. Returns only by raising OSError."""
        process.need_root()
        process.replace_self(self._surroundings, command, {**os.environ, **(environment or {})})

    @property
    def _surroundings(self) -> process.Surroundings:
        return process.Surroundings(netns=self.netns, hostname=self.spec.hostname, files=StateDirectory(self.cluster).files)


def _redirects(options: Mapping[str, Any]) -> bool:
    return "stdout" in options or "stderr" in options
