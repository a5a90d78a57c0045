"""A terminal as a reader of the pages has it, with cluster names of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from docs_blocks import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "topologies").glob("*.yaml"))
_SHIMS = {
    # The page names an example; here it is a copy under a name of the test's own, and so is the cluster.
    "kemu": """\
[ "$1" = topologies ] || for word; do
    if [ -e "$PRIVATE-$word.yaml" ]; then word=$PRIVATE-$word.yaml; fi
    set -- "$@" "$word"
    shift
done
exec "$PYTHON" -m kemu "$@\"""",
    "sudo": 'exec "$@"',
}


@dataclass
class Terminal:
    """Runs what a page shows. Every example has a name of its own here, which begins with `name`."""

    name: str
    directory: Path

    def run(self, command: str) -> str:
        """Run a line as a reader would, and return all that is printed, with the name that the page uses."""
        done = subprocess.run(
            ["bash", "-c", re.sub(rf"\b({'|'.join(EXAMPLES)})\.", rf"{self.name}-\1.", command)],
            cwd=self.directory,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout.replace(f"{self.name}-", "")

    def environment(self) -> dict[str, str]:
        """Return the environment of its commands."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("KEMU_")}
        path = f"{self.directory / 'bin'}:{inherited.get('PATH', '')}"
        return {**inherited, "PATH": path, "PYTHON": sys.executable, "PRIVATE": str(self.directory / self.name), "NO_COLOR": "1"}

    def prepare(self) -> None:
        """Make a private copy of each example, and commands that know them."""
        for example in EXAMPLES:
            self.file(example).write_text((ROOT / "topologies" / f"{example}.yaml").read_text())
        for name, body in _SHIMS.items():
            shim = self.directory / "bin" / name
            shim.parent.mkdir(exist_ok=True)
            shim.write_text(f"#!/bin/bash\n{body}\n")
            shim.chmod(0o755)

    def file(self, example: str) -> Path:
        """The private copy of an example."""
        return self.directory / f"{self.name}-{example}.yaml"

    @property
    def clusters(self) -> list[str]:
        """What the clusters of the examples are called here."""
        return [self.file(example).stem for example in EXAMPLES]
