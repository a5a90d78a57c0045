"""A terminal as a reader of the pages has it, with cluster names of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from docs_blocks import ROOT

_SHIMS = {
    # The page names an example; here it is a copy under a name of the test's own, and so is the cluster.
    "kemu": 'for word; do [ "$word" = two-nodes ] && word="$PRIVATE"; set -- "$@" "$word"; shift; done\nexec "$PYTHON" -m kemu "$@"',
    "sudo": 'exec "$@"',
}


@dataclass
class Terminal:
    """Runs what a page shows. `name` is what the cluster two-nodes is called here."""

    name: str
    directory: Path

    def run(self, command: str) -> str:
        """Run a line as a reader would, and return all that is printed, with the name that the page uses."""
        done = subprocess.run(
            ["bash", "-c", command.replace("two-nodes.", f"{self.name}.")],
            cwd=self.directory,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout.replace(self.name, "two-nodes")

    def environment(self) -> dict[str, str]:
        """Return the environment of its commands."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("KEMU_")}
        path = f"{self.directory / 'bin'}:{inherited.get('PATH', '')}"
        return {**inherited, "PATH": path, "PYTHON": sys.executable, "PRIVATE": str(self.file), "NO_COLOR": "1"}

    def prepare(self) -> None:
        """Make the private copy of the example, and commands that know it."""
        self.file.write_text((ROOT / "topologies" / "two-nodes.yaml").read_text())
        for name, body in _SHIMS.items():
            shim = self.directory / "bin" / name
            shim.parent.mkdir(exist_ok=True)
            shim.write_text(f"#!/bin/bash\n{body}\n")
            shim.chmod(0o755)

    @property
    def file(self) -> Path:
        """The private copy of the example."""
        return self.directory / f"{self.name}.yaml"
