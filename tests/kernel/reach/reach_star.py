"""Pods around one router, each on its own link, all in namespaces of this test alone; the root namespace is never touched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kemu.reach.model import Target

GATEWAY_4, GATEWAY_6 = "169.254.1.1", "fd00:251::1"


@dataclass(slots=True)
class Warnings:
    """A Reporter that remembers warnings and how much was done."""

    warnings: list[str] = field(default_factory=list)
    total: int = 0
    done: int = 0

    def step(self, what: str, *, total: int = 0) -> None:
        self.total = total

    def advance(self, count: int = 1) -> None:
        self.done += count

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def note(self, message: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Star:
    prefix: str
    size: int

    @property
    def router(self) -> str:
        return f"{self.prefix}-router"

    def pod(self, number: int) -> str:
        return f"{self.prefix}-{number}"

    def target(self, number: int, *, addresses: tuple[str, ...] = ()) -> Target:
        return Target(
            endpoint=f"pod/default/p{number}",
            netns=Path("/run/netns", self.pod(number)),
            addresses=addresses or (address_4(number), address_6(number)),
            node=f"n{number % 10}",
        )

    @property
    def targets(self) -> list[Target]:
        return [self.target(number) for number in range(self.size)]


def address_4(number: int) -> str:
    return f"10.250.{number // 200}.{number % 200 + 1}"


def address_6(number: int) -> str:
    return f"fd00:250::{number + 1:x}"


def build_star(star: Star) -> None:
    pods = range(star.size)
    _batch((), (f"netns add {name}" for name in (star.router, *map(star.pod, pods))))
    for name in (star.router, *map(star.pod, pods)):  # a link-local address that is still being checked answers nobody
        run_in(name, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
    run_in(star.router, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    _batch(("-n", star.router), (line for number in pods for line in _router_lines(star, number)))
    for number in pods:
        _batch(("-n", star.pod(number)), _pod_lines(number))


def remove_star(star: Star) -> None:
    for name in (star.router, *map(star.pod, range(star.size))):
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def run_in(netns: str, *words: str) -> None:
    subprocess.run(["ip", "netns", "exec", netns, *words], check=True, capture_output=True)


def filter_in(netns: str, hook: str, rule: str) -> None:
    """Add one nft rule to a hook of the namespace."""
    run_in(
        netns, "nft", f"add table inet t; add chain inet t c {{ type filter hook {hook} priority 0; }}; add rule inet t c {rule}"
    )


def _router_lines(star: Star, number: int) -> list[str]:
    return [
        f"link add v{number} type veth peer eth0 netns {star.pod(number)}",
        f"addr add {GATEWAY_4}/32 dev v{number}",
        f"addr add {GATEWAY_6}/128 dev v{number} nodad",
        f"link set v{number} up",
        f"route add {address_4(number)} dev v{number}",
        f"route add {address_6(number)} dev v{number}",
    ]


def _pod_lines(number: int) -> list[str]:
    return [
        "link set lo up",
        f"addr add {address_4(number)}/32 dev eth0",
        f"addr add {address_6(number)}/128 dev eth0 nodad",
        "link set eth0 up",
        f"route add {GATEWAY_4} dev eth0",
        f"route add default via {GATEWAY_4}",
        f"route add {GATEWAY_6} dev eth0",
        f"route add default via {GATEWAY_6}",
    ]


def _batch(options: Iterable[str], lines: Iterable[str]) -> None:
    subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True)
