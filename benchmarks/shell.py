"""A plan as a careful person's shell work: per namespace one `ip -batch`, one `sysctl -p`, and where needed one `bridge` and one `nft`.

python -m benchmarks.shell TOPOLOGY CLUSTER FOLDER     writes FOLDER/up.sh and its batch files
"""

from __future__ import annotations

import shlex
import sys
from collections import defaultdict
from pathlib import Path

from kemu.api import Topology
from kemu.plan.show import show_script


class Batches:
    """The lines of each tool for each namespace, in the order of the script that `kemu plan -o ip` prints."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.names: list[str] = []

    def read(self, script: str) -> None:
        """Take in a script."""
        lines = iter(script[script.index("\n}\n") :].splitlines())
        for line in lines:
            words = shlex.split(line, comments=True) if "<<'END'" not in line else line.split()
            if line.endswith("<<'END'"):
                body = "\n".join(iter(lambda: next(lines), "END"))
                self.lines["nft", words[3]].append(body)
            elif words:
                self._take(words)

    def _take(self, words: list[str]) -> None:
        match words:
            case ["namespace", name]:
                self.names.append(name)
            case ["ip", "netns", "exec", name, "sysctl", "-qw", setting]:
                known = ("late" if ("ip", name) in self.lines else "early", name)
                self.lines[known].append(setting)
            case ["ip", "-n", name, *rest]:
                self.lines["ip", name].append(shlex.join(rest))
            case ["ip", "-6", "-n", name, *rest]:
                self.lines["ip", name].append(shlex.join(rest))
            case ["bridge", "-n", name, *rest]:
                self.lines["bridge", name].append(shlex.join(rest))

    def write(self, folder: Path) -> None:
        """Write the batch files, and the script that runs them."""
        (folder / "netns").write_text("".join(f"netns add {name}\n" for name in self.names))
        commands = [f"ip -batch {folder}/netns"]
        for name in self.names:
            commands += [self._command(tool, name, folder) for tool in ("early",) if self.lines.get((tool, name))]
        for name in self.names:
            commands += [
                self._command(tool, name, folder) for tool in ("ip", "late", "bridge", "nft") if self.lines.get((tool, name))
            ]
        (folder / "up.sh").write_text("set -e\n" + "\n".join(commands) + "\n")
        (folder / "netns-del").write_text("".join(f"netns del {name}\n" for name in self.names))

    def _command(self, tool: str, name: str, folder: Path) -> str:
        file = folder / f"{tool}-{name}"
        lines = self.lines[tool, name]
        first = ["link set lo up"] if tool == "ip" else []
        file.write_text("\n".join([*first, *lines]) + "\n")
        if tool in ("ip", "bridge"):
            return f"{tool} -n {name} -batch {file}"
        return f"ip netns exec {name} {'nft -f' if tool == 'nft' else 'sysctl -q -p'} {file}"


def main() -> None:
    """Write the files."""
    file, cluster, folder = sys.argv[1:]
    batches = Batches()
    batches.read(show_script(Topology.load(file).renamed(cluster).plan(), cluster))
    batches.write(Path(folder))


if __name__ == "__main__":
    main()
