"""Two namespaces of this test process alone, joined by a veth pair; the root namespace is never touched."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field

from kemu.perf.run import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    a: str
    b: str

    def side(self, letter: str, *, version: int = 4) -> Side:
        netns, host = (self.a, 1) if letter == "a" else (self.b, 2)
        address = f"10.99.0.{host}" if version == 4 else f"fd00:99::{host}"
        return Side(endpoint=f"pod/default/{letter}", netns=f"/run/netns/{netns}", address=address, node=f"n{host}")


@dataclass(slots=True)
class Diary:
    """A Reporter that remembers."""

    steps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: int = 0

    def step(self, what: str, *, total: int = 0) -> None:
        self.steps.append(f"{what} ({total})")

    def advance(self, count: int = 1) -> None:
        self.seconds += count

    def warn(self, message: str) -> None:
        raise AssertionError(message)

    def note(self, message: str) -> None:
        self.notes.append(message)

    @property
    def process_ids(self) -> list[int]:
        """The workers', in the order of their start: server, client."""
        return [int(note.rpartition(" ")[2]) for note in self.notes]


def is_alive(process_id: int) -> bool:
    return os.path.exists(f"/proc/{process_id}")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def build_pair(pair: Pair, *, mtu: int) -> None:
    ip("netns", "add", pair.a)
    ip("netns", "add", pair.b)
    ip("-n", pair.a, "link", "add", "eth0", "mtu", str(mtu), "type", "veth", "peer", "eth0", "mtu", str(mtu), "netns", pair.b)
    for host, netns in enumerate((pair.a, pair.b), start=1):
        ip("-n", netns, "addr", "add", f"10.99.0.{host}/24", "dev", "eth0")
        if mtu >= 1280:
            ip("-n", netns, "addr", "add", f"fd00:99::{host}/64", "dev", "eth0", "nodad")
        ip("-n", netns, "link", "set", "lo", "up")
        ip("-n", netns, "link", "set", "eth0", "up")


def remove_pair(pair: Pair) -> None:
    for netns in (pair.a, pair.b):
        subprocess.run(["ip", "netns", "del", netns], check=False, capture_output=True)
