"""A pod, node or host of a running cluster, and running commands in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kemu.cluster.surroundings import surroundings
from kemu.kernel import process
from kemu.kernel.netns import path_of
from kemu.kernel.surroundings import Surroundings
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

    def attach(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        """Run a command inside on this process's own streams and terminal, and return its exit code; OSError if it cannot be run.

        For a program that does nothing else any more: from here on it ignores what the terminal's keys send, and passes signals on.
        """
        process.need_root()
        return process.attach(self._surroundings, command, {**os.environ, **(environment or {})})

    @property
    def _surroundings(self) -> Surroundings:
        return surroundings(self.cluster, self.spec)


def _redirects(options: Mapping[str, Any]) -> bool:
    return "stdout" in options or "stderr" in options
