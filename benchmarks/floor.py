"""The floor: the kernel objects of a plan by messages that were packed before, and nothing else.

    python -m benchmarks.floor TOPOLOGY CLUSTER     prints {"up_seconds": …, "objects": …}

What is timed is what no program can leave out: new namespaces with their names, settings, devices, addresses and routes, tables. The
cluster stays, marked as kemu's own, so that `kemu down` removes it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import socket
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from kemu.api import Topology
from kemu.cluster.lifecycle import corrections
from kemu.cluster.state import StateDirectory
from kemu.kernel import baseline, limits, messages, nft
from kemu.kernel.messages import Indexes, Message
from kemu.kernel.netlink import out_of_the_way
from kemu.kernel.netns import mark_of, path_of, prepared_directory
from kemu.kernel.write import Carried, carried_settings, entry_messages, is_made_from
from kemu.plan.build import Plan
from kemu.plan.objects import Link, Veth
from kemu.plan.order import Steps, steps_for_all
from kemu.plan.sysctls import stated

_FIRST_DESCRIPTOR = 10_000  # where the namespaces' descriptors will be, so that messages can name them before they are open
_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_libc = ctypes.CDLL(None, use_errno=True)

Batch = tuple[str, bytes, int]  # namespace, packed messages, sequence number of the last


@dataclass(slots=True)
class Floor:
    """A plan in bytes."""

    cluster: str
    names: list[str]
    marks: dict[str, bytes]
    early: dict[str, list[tuple[str, bytes]]]
    links: list[Batch]
    late: dict[str, list[tuple[str, bytes]]]
    entries: list[Batch]
    tables: list[tuple[str, str]]
    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def make(self) -> None:
        """Make it all."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        for number, name in enumerate(self.names):
            self._namespace(name, _FIRST_DESCRIPTOR + number)
        self._send(self.links)
        for name, settings in self.late.items():
            self._enter(name)
            _write(settings)
        self._send(self.entries)
        for name, commands in self.tables:
            self._enter(name)
            nft.run(commands)
        _libc.setns(home, _CLONE_NEWNET)

    def _namespace(self, name: str, descriptor: int) -> None:
        if _libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        there = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.dup2(there, descriptor, inheritable=False)
        os.close(there)
        plain = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.sockets[name] = socket.socket(fileno=out_of_the_way(plain.detach()))
        _exchange(self.sockets[name], self.marks[name], 1)
        _write(self.early[name])
        path = os.fsencode(path_of(self.cluster, name))
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o444))
        if _libc.mount(f"/proc/self/fd/{descriptor}".encode(), path, b"none", _MS_BIND, None):
            raise OSError(ctypes.get_errno(), "mount")

    def _enter(self, name: str) -> None:
        _libc.setns(_FIRST_DESCRIPTOR + self.names.index(name), _CLONE_NEWNET)

    def _send(self, batches: Iterable[Batch]) -> None:
        for name, data, last in batches:
            _exchange(self.sockets[name], data, last)


def _write(settings: Iterable[tuple[str, bytes]]) -> None:
    for path, value in settings:
        descriptor = os.open(path, os.O_WRONLY)
        os.write(descriptor, value)
        os.close(descriptor)


def _exchange(sock: socket.socket, data: bytes, last: int) -> None:
    """Send packed messages and wait for the answer to the last; any refusal is an error."""
    sock.send(data)
    while True:
        answer = sock.recv(1 << 16)
        length, _, _, sequence, _, code = struct.unpack_from("IHHIIi", answer)
        if code:
            raise OSError(-code, f"message {sequence} of {last}: {os.strerror(-code)}")
        if sequence == last and length:
            return


def encode(plan: Plan, cluster: str) -> Floor:
    """Return a plan in bytes."""
    measured = baseline.measure()
    fixed = [(f"/proc/sys/{name}", value.encode()) for name, value in corrections(stated(measured), measured).items()]
    steps, names = steps_for_all(plan), plan.namespaces
    carried = carried_settings(steps)
    early = {
        name: [*fixed, *((f"/proc/sys/{one.name}", one.value.encode()) for one in steps.early.get(name, ()))] for name in names
    }
    return Floor(
        cluster=cluster,
        names=names,
        marks={name: _pack([messages.link_alias(1, mark_of(cluster, name), up=True)]) for name in names},
        early=early,
        links=_links(steps, names),
        late=_late(steps, carried),
        entries=_entries(steps, carried),
        tables=[(table.netns, nft.add(table.family, table.name, table.body)) for table in steps.tables],
    )


def _pack(batch: list[Message]) -> bytes:
    parts = []
    for sequence, (kind, flags, body) in enumerate(batch, 1):
        acknowledge = messages.NLM_F_ACK if sequence == len(batch) else 0
        parts += [struct.pack("IHHII", len(body) + 16, kind, flags | acknowledge, sequence, 0), body]
    return b"".join(parts)


def _batches(by_namespace: dict[str, list[Message]], size: int = 100) -> list[Batch]:
    return [
        (name, _pack(found[start : start + size]), len(found[start : start + size]))
        for name, found in by_namespace.items()
        for start in range(0, len(found), size)
    ]


def _devices(links: Iterable[Link]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: {"lo": 1})
    for link in links:
        found[link.netns][link.name] = link.index
    return found


def _links(steps: Steps, names: list[str]) -> list[Batch]:
    """Return the batches that make devices, kind by kind."""
    ends = {(link.netns, link.name): link for link in steps.links}
    devices = _devices(steps.links)
    numbers = {name: _FIRST_DESCRIPTOR + number for number, name in enumerate(names)}
    batches: list[Batch] = []
    for kind in dict.fromkeys(type(link.detail) for link in steps.links):
        pending: dict[str, list[Message]] = defaultdict(list)
        for link in steps.links:
            if type(link.detail) is kind and is_made_from(link, ends):
                indexes = Indexes(devices[link.netns].__getitem__, numbers.__getitem__)
                pending[link.netns] += _made(link, ends, indexes)
        batches += _batches(pending)
    return batches


def _made(link: Link, ends: dict[tuple[str, str], Link], indexes: Indexes) -> list[Message]:
    if isinstance(link.detail, Veth):
        return messages.make_veth(link, ends[link.detail.peer_netns, link.detail.peer], indexes)
    return messages.make_link(link, indexes)


def _late(steps: Steps, carried: Carried) -> dict[str, list[tuple[str, bytes]]]:
    """Return the settings of devices that no message carries."""
    names = {name for settings in carried.values() for name in settings}
    found = {
        netns: [(f"/proc/sys/{one.name}", one.value.encode()) for one in values if one.name not in names]
        for netns, values in steps.settings.items()
    }
    return {netns: values for netns, values in found.items() if values}


def _entries(steps: Steps, carried: Carried) -> list[Batch]:
    ends = {(link.netns, link.name): link for link in steps.links}
    devices = _devices(steps.links)
    pending: dict[str, list[Message]] = defaultdict(list)
    for link in steps.links:
        if not is_made_from(link, ends):
            pending[link.netns].append(messages.set_flags(link, carried.get((link.netns, link.name), {}).values()))
    for name, items in steps.entries.items():
        pending[name] += [message for item in items for message in entry_messages(item, devices[name])]
    return _batches(pending)


def _prepare(namespaces: int) -> None:
    """Look at the machine's limits, and let this process open enough."""
    limits.check(namespaces)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _FIRST_DESCRIPTOR + 2 * namespaces), hard))


def main() -> None:
    """Make a topology's plan and print how long it took."""
    file, cluster = sys.argv[1:]
    plan = Topology.load(file).renamed(cluster).plan()
    _prepare(len(plan.namespaces))
    floor = encode(plan, cluster)
    StateDirectory(cluster).make()
    gc.collect()
    gc.disable()
    with prepared_directory():
        start = time.perf_counter()
        floor.make()
        seconds = time.perf_counter() - start
    sys.stdout.write(json.dumps({"up_seconds": seconds, "objects": len(plan)}))


if __name__ == "__main__":
    main()
