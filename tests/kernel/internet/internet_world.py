"""A small world of its own: a namespace that plays the machine, one that plays everything outside, and a cable between them.

Whatever a test sends out ends there: nothing in that world has a way to the real one.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path

from cluster_tools import Running, shell
from plan_models import build_topology

from kemu.base.names import way_out_name
from kemu.cluster import lifecycle
from kemu.cluster.lifecycle import UpResult
from kemu.cluster.state import ROOT, Record
from kemu.kernel.enter import inside
from kemu.plan.build import build_plan
from kemu.plan.drift import show_change
from kemu.spec.model import Internet

MACHINE = {4: "192.0.2.2", 6: "2001:db8::2"}
GATEWAY = {4: "192.0.2.1", 6: "2001:db8::1"}
SOMEBODY = {4: "203.0.113.9", 6: "2001:db8:9::9"}
CLUSTERS_OWN = [ip_network(text) for text in ("10.244.0.0/16", "172.18.0.0/16", "fd00:10:244::/56", "fd00:172:18::/64")]
_MAKE = """
ip netns add {m}; ip netns add {o}
ip -n {m} link set lo up; ip -n {o} link set lo up
ip -n {m} link add wan0 type veth peer name eth0 netns {o}
ip -n {m} addr add 192.0.2.2/24 dev wan0; ip -n {m} addr add 2001:db8::2/64 dev wan0 nodad
ip -n {o} addr add 192.0.2.1/24 dev eth0; ip -n {o} addr add 2001:db8::1/64 dev eth0 nodad
ip -n {o} addr add 203.0.113.9/32 dev lo; ip -n {o} addr add 2001:db8:9::9/128 dev lo nodad
ip -n {m} link set wan0 addrgenmode none up; ip -n {o} link set eth0 addrgenmode none up
ip -n {m} addr add fe80::2/64 dev wan0 nodad; ip -n {o} addr add fe80::1/64 dev eth0 nodad
ip -n {m} route add default via 192.0.2.1; ip -n {m} -6 route add default via 2001:db8::1
"""
_ETH_P_ALL = 3


@dataclass(frozen=True)
class World:
    """The two namespaces, by the common part of their names."""

    name: str

    def make(self) -> None:
        shell(_MAKE.format(m=f"{self.name}-machine", o=f"{self.name}-outside"))

    def remove(self) -> None:
        if self.path("machine").exists():
            self.record().unlink(missing_ok=True)  # if the test failed; the next namespace may get the same number
        for side in ("machine", "outside"):
            if self.path(side).exists():
                shell(f"ip netns del {self.path(side).name}")

    def path(self, side: str) -> Path:
        return Path(f"/run/netns/{self.name}-{side}")

    @contextmanager
    def machine(self) -> Iterator[None]:
        """Be on the machine for the block: what kemu then takes for its root namespace."""
        with inside(self.path("machine")):
            yield

    def advertise(self) -> None:
        """Let the outside offer itself as an IPv6 router, for half an hour. Source: RFC 4861, section 4.2."""
        self.shell("outside", "sysctl -qw net.ipv6.conf.all.forwarding=1")  # else it tells its neighbours that it is none
        with inside(self.path("outside")):
            speaker = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
            speaker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            speaker.sendto(
                struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, socket.if_nametoindex("eth0"))
            )
            speaker.close()

    def shell(self, side: str, script: str) -> str:
        """Run a script of bash on one side."""
        with inside(self.path(side)):
            return shell(script)

    def record(self) -> Path:
        """Return the file in which kemu remembers what the machine's forwarding was."""
        return ROOT / f".forwarding-{self.path('machine').stat().st_ino}"

    def setting(self, name: str) -> str:
        """Return a setting of the machine."""
        return self.shell("machine", f"cat /proc/sys/{name}").strip()


@dataclass(frozen=True)
class Online(Running):
    """A cluster with a way out through the machine of a world."""

    world: World

    @classmethod
    def of(cls, world: World, name: str, subnet: str = "", **shape: object) -> Online:
        topology = build_topology(name, **shape)  # type: ignore[arg-type]
        subnets = {ip_network(text).version: ip_network(text) for text in subnet.split()}
        return cls(name, build_plan(replace(topology, internet=Internet(subnets=subnets))), world)

    def up(self, **options: object) -> UpResult:
        with self.world.machine():
            return lifecycle.up(self.plan, Record(cluster=self.name, file=""), "the file\n", **options)  # type: ignore[arg-type]

    def down(self) -> bool:
        with self.world.machine():
            return lifecycle.down(self.name)

    def drift(self) -> list[str]:
        with self.world.machine():
            changes = lifecycle.compare(self.name, self.plan).changes
        return sorted(show_change(change, self.name) for change in changes)

    @property
    def device(self) -> str:
        return way_out_name(self.name)

    def link_addresses(self) -> set[str]:
        """Return the addresses of the link's two ends."""
        lines = self.world.shell("machine", f"ip -o addr show dev {self.device} scope global").splitlines()
        networks = [ip_network(line.split()[3], strict=False) for line in lines]
        return {str(network[place]) for network in networks for place in (1, 2)}


def ask(server: Path, client: Path, address: str) -> str:
    """Connect from one namespace to a server in another, and return the client's address as the server sees it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(server):
        listener = socket.create_server((address, 0), family=family)
    with inside(client):
        caller = socket.socket(family, socket.SOCK_STREAM)
    with listener, caller:
        caller.settimeout(20)
        listener.settimeout(20)
        caller.connect((address, listener.getsockname()[1]))
        answer, peer = listener.accept()
        answer.close()
        return str(peer[0])


def answers(namespace: Path, address: str) -> bool:
    """Say whether an address answers to an echo from a namespace; it is asked for a while, for whoever answers does so at once."""
    with inside(namespace):
        return "1 received" in shell(f"ping -n -c 1 -w 30 {address} || true")


def is_silent(namespace: Path, address: str) -> bool:
    """Say whether an address does not answer to two echoes from a namespace."""
    with inside(namespace):
        return ", 0 received" in shell(f"ping -n -c 2 -W 1 {address} || true")


@contextmanager
def heard(namespace: Path, device: str) -> Iterator[set[tuple[str, str]]]:
    """Collect (source, destination) of every IP packet that passes a device during the block, but what neighbours say to each other."""
    with inside(namespace):
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        listener.bind((device, _ETH_P_ALL))
    found: set[tuple[str, str]] = set()
    with listener:
        yield found
        listener.setblocking(False)
        found |= set(_pairs(listener))


def _pairs(listener: socket.socket) -> Iterator[tuple[str, str]]:
    while True:
        try:
            data = listener.recv(65536)
        except BlockingIOError:
            return
        if data[0] >> 4 == 4:
            source, target = struct.unpack_from("4s4s", data, 12)
        elif data[0] >> 4 == 6 and not _is_neighbours(data):
            source, target = struct.unpack_from("16s16s", data, 8)
        else:
            continue
        yield str(ip_address(source)), str(ip_address(target))


def _is_neighbours(data: bytes) -> bool:
    """Say whether an IPv6 packet is neighbour discovery, or a report of multicast listeners. Source: RFC 4861, RFC 3810."""
    return data[6] == 0 or (data[6] == 58 and 133 <= data[40] <= 137)
