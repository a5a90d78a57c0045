"""What the cluster tests have in common: a running cluster, commands in it, and what the machine's own namespace looks like."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from plan_models import build

from kemu.base.errors import KemuError
from kemu.cluster import lifecycle
from kemu.cluster.lifecycle import Comparison, UpResult
from kemu.cluster.state import ROOT, Record
from kemu.plan.build import Plan
from kemu.plan.drift import show_change


@dataclass(frozen=True)
class Running:
    """A cluster with its plan."""

    name: str
    plan: Plan

    @classmethod
    def build(cls, name: str, **shape: object) -> Running:
        return cls(name, build(name, **shape))

    def up(self) -> UpResult:
        return lifecycle.up(self.plan, Record(cluster=self.name, file=""), "the file\n")

    def compare(self) -> Comparison:
        return lifecycle.compare(self.name, self.plan)

    def drift(self) -> list[str]:
        """Return what is not as planned, a line each, without the cluster's name."""
        return sorted(show_change(change, self.name).removeprefix(f"{self.name}.") for change in self.compare().changes)

    def restore(self) -> None:
        """Bring it up, or repair it, or make it anew: the test before may have failed."""
        try:
            self.up()
        except KemuError:
            lifecycle.down(self.name)
            self.up()

    def shell(self, script: str) -> str:
        """Run a script of bash in which `@n1` is the namespace of n1, and return what it prints."""
        return shell(script.replace("@", f"{self.name}."))

    def ping(self, source: str, address: str) -> int:
        """Return the TTL of the answer to an echo from the namespace `source`.

        It is asked for a while: the neighbour table is the whole machine's, and others may have filled it.
        """
        answer = self.shell(f"ip netns exec @{source} ping -c 1 -w 60 -n {address}")
        match = re.search(r"(?:ttl|hlim)=(\d+)", answer)
        assert match, answer
        return int(match[1])


def shell(script: str) -> str:
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def traces(name: str) -> list[str]:
    """Return everything of a cluster that is on the machine: names, mounts, files, processes."""
    netns = Path("/run/netns")
    found = [str(path) for path in netns.iterdir() if path.name.startswith(f"{name}.")] if netns.is_dir() else []
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{name}." in line]
    return found + [str(path) for path in (ROOT / name,) if path.exists()]


def processes_in(inode: int) -> list[int]:
    """Return the processes whose network namespace is the one with this inode."""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _inode(pid) == inode]


def _inode(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return 0


def inode_of(name: str, netns: str) -> int:
    return Path(f"/run/netns/{name}.{netns}").stat().st_ino


def remove_foreign(name: str) -> None:
    """Remove namespaces that a test made under its own cluster's name without kemu's mark, which `down` leaves alone."""
    for path in list(Path("/run/netns").glob(f"{name}.*")) if Path("/run/netns").is_dir() else []:
        subprocess.run(["ip", "netns", "del", path.name], check=False, capture_output=True)


#: What changes on its own while nobody configures anything.
_COUNTERS = ("nf_conntrack_count", "route/flush", "tcp_fastopen_key")


def machine() -> dict[str, str]:
    """Return the configuration of the machine's own network namespace."""
    commands = {
        "links": "ip -d -o link",
        "addresses": "ip -o addr",
        "routes": "ip route show table all; ip -6 route show table all",
        "rules": "ip rule; ip -6 rule",
        "neighbours": "ip neigh show nud permanent",
        "filters": "nft list ruleset",
        "qdiscs": "tc qdisc",
    }
    return {what: re.sub(r"(expires|valid_lft|preferred_lft|age) \w+", "", shell(text)) for what, text in commands.items()} | {
        "settings": "\n".join(_settings())
    }


def _settings() -> list[str]:
    return [f"{path}={_read(path)}" for path in sorted(Path("/proc/sys/net").rglob("*")) if path.is_file() and not _counts(path)]


def _counts(path: Path) -> bool:
    return str(path).endswith(_COUNTERS)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        return str(error.errno)
