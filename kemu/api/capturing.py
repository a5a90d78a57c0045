"""`capture`: what is captured where, in this process for the command line, and in one of its own beside a program in Python."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kemu.base import errors
from kemu.base.errors import KemuError, NotFoundError, ProbeError, StateError, UsageError
from kemu.base.reporter import SILENT, Reporter
from kemu.capture import run
from kemu.capture.model import Packet, Point, Request, Summary
from kemu.capture.sinks import STDOUT, CallSink, Sink, writing
from kemu.capture.text import show_packet
from kemu.kernel import process
from kemu.kernel.capture import Device, find_devices
from kemu.kernel.netns import path_of
from kemu.plan.base import FABRIC, ROUTER
from kemu.plan.objects import Link, Vxlan
from kemu.plan.way import Place, find_way
from kemu.spec.endpoints import Endpoint, all_endpoints
from kemu.spec.model import Topology

if TYPE_CHECKING:
    from kemu.api.cluster import Cluster

__all__ = ["STDOUT", "Capture", "Packet", "Point", "Request", "Summary", "capture", "choose_points"]

READY = "capturing on "  # how the line begins that says so
_LO = "lo"
_STOP_SECONDS = 30.0


def choose_points(
    cluster: Cluster, words: Sequence[str], *, way: bool = False, namespace: str = "default", reporter: Reporter = SILENT
) -> list[Point]:
    """Return the devices that `words` mean, as the kernel has them now, each once.

    A word is an endpoint, `fabric` or `router` for all devices there but lo, or one with `%` and a device: n1%flannel.1, `n1%veth*`.
    With `way` two endpoints mean every device between them, in both directions and in every IP family.
    """
    process.need_root()
    known = _Known(cluster, _names(cluster.model))
    places = _way_places(cluster, words, namespace, reporter) if way else _word_places(known, words, namespace)
    points = [point for place in dict.fromkeys(places) if (point := _find_point(known, place, reporter))]
    if not points:
        raise NotFoundError("none of these devices is there", hint="kemu status says what is missing, kemu up mends it")
    return points


@dataclass(slots=True)
class _Known:
    """A cluster's namespaces: what users call them, and their devices, read when they are first asked for."""

    cluster: Cluster
    names: Mapping[str, str]
    devices: dict[str, dict[str, Device]] = field(default_factory=dict)

    def devices_of(self, netns: str) -> dict[str, Device]:
        """Return the devices of a namespace by name."""
        if netns not in self.devices:
            try:
                self.devices[netns] = {device.name: device for device in find_devices(path_of(self.cluster.name, netns))}
            except OSError as error:
                raise StateError(
                    f"{self.cluster.name}.{netns} cannot be entered: {error.strerror}", hint="kemu status"
                ) from error
        return self.devices[netns]

    def name_of(self, netns: str) -> str:
        """Return what users call a namespace: n1, or the pod's name, with its Kubernetes namespace where that is not the usual one."""
        return self.names.get(netns, netns)


def _names(topology: Topology) -> dict[str, str]:
    """Return what users call the namespaces of pods. Who shares a node's is called like the node, and needs no name."""
    machines = {one.name: one.netns for one in all_endpoints(topology, ("node", "host"))}
    return {
        pod.netns: _pod_name(pod, machines) for pod in all_endpoints(topology, ("pod",)) if pod.netns not in machines.values()
    }


def _pod_name(pod: Endpoint, machines: Mapping[str, str]) -> str:
    if pod.namespace != "default":
        return f"{pod.namespace}/{pod.name}"
    return f"pod/{pod.name}" if pod.name in machines else pod.name


def _word_places(known: _Known, words: Sequence[str], namespace: str) -> Iterator[Place]:
    for word in words:
        text, percent, pattern = word.partition("%")
        if percent and not pattern:
            raise UsageError(f'"{word}" names no device', hint="n1%eth0, or n1 for all of its devices")
        for netns in _namespaces(known.cluster, text, namespace):
            yield from _matching(known, netns, pattern)


def _namespaces(cluster: Cluster, text: str, namespace: str) -> list[str]:
    if text in (FABRIC, ROUTER):
        return [text]
    found = [endpoint.spec.netns for endpoint in cluster.endpoints(text, namespace=namespace)]
    if not found:
        raise NotFoundError(f'no pod has the labels "{text}"', hint="kemu get pods shows the labels")
    return found


def _matching(known: _Known, netns: str, pattern: str) -> list[Place]:
    devices = known.devices_of(netns)
    if not pattern:
        return [(netns, name) for name in devices if name != _LO]
    found = [(netns, name) for name in devices if fnmatchcase(name, pattern)]
    if not found:
        near = difflib.get_close_matches(pattern, devices, 1)
        hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(devices)}"
        raise NotFoundError(f'{known.name_of(netns)} has no device "{pattern}"', hint=hint)
    return found


def _way_places(cluster: Cluster, words: Sequence[str], namespace: str, reporter: Reporter) -> Iterator[Place]:
    """Yield the devices from the first endpoint to the second, then those that only the answers pass."""
    if len(words) != 2 or any("%" in word for word in words):
        raise UsageError("--way is between two endpoints", hint="kemu capture a c --way")
    one, other = (cluster.endpoint(word, namespace=namespace).spec for word in words)
    if one.netns == other.netns:
        raise UsageError(f"{one.full} to itself is loopback, not the network", hint="name two endpoints")
    plan = list(cluster.plan())
    for source, target in ((one, other), (other, one)):
        for address in target.addresses:
            found = find_way(plan, source.netns, address)
            if found.lost:
                reporter.warn(_warning(source, target, found.lost))
            yield from found.places


def _warning(source: Endpoint, target: Endpoint, lost: str) -> str:
    return f"the way from {source.full} to {target.full} ends early: {lost}"


def _find_point(known: _Known, place: Place, reporter: Reporter) -> Point | None:
    """Return a device as a point; None, with a warning, where it is planned and not there."""
    netns, name = place
    called = f"{known.name_of(netns)}%{name}"
    device = known.devices_of(netns).get(name)
    if device is None:
        reporter.warn(f"{called} is not there: kemu status says what is missing")
        return None
    if device.link_type is None:
        raise UsageError(
            f"what passes {called} ({device.kind}) is of a kind that capture does not know", hint="name other devices"
        )
    if not device.is_up:
        reporter.warn(f"{called} is down")
    cluster = known.cluster.name
    return Point(
        name=called,
        netns=f"{cluster}.{netns}",
        path=path_of(cluster, netns),
        device=device,
        link_type=device.link_type,
    )


def capture(
    cluster: Cluster,
    points: Sequence[Point],
    request: Request,
    *,
    to: str | None,
    ready: Callable[[], None],
    show: Callable[[Packet, Point, str], None] | None = None,
) -> Summary:
    """Capture in this process until the request is met or a signal comes, and return what came of it.

    `to` is a file, or `-` for standard output; without it each packet goes to `show`, with its line. `ready` is called when every
    packet is heard from now on.
    """
    destination = writing(to) if to is not None else _showing(cluster, show)
    outcome = run.capture(points, request, destination, ready=ready)
    return Summary(
        cluster=cluster.name,
        file=to,
        expression=request.expression,
        seconds=outcome.seconds,
        ended_by=outcome.ended_by,
        tallies=outcome.tallies,
    )


def _showing(cluster: Cluster, show: Callable[[Packet, Point, str], None] | None) -> AbstractContextManager[Sink]:
    tunnels = {link.detail.port for link in cluster.plan() if isinstance(link, Link) and isinstance(link.detail, Vxlan)}

    def call(packet: Packet, point: Point) -> None:
        if show:
            show(packet, point, show_packet(packet.data, point.link_type, tunnels))

    return contextlib.nullcontext(CallSink(call, descriptor=sys.stdout.fileno() if show else None))


class Capture:
    """A capture beside the program, in a process of its own, for the length of a `with` block. `summary` is `kemu.capture/1`, afterwards.

    Whatever happens after the block has begun is in the file, which is whole when the block ends.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._process: subprocess.Popen[str] | None = None
        self.summary: Mapping[str, Any] = {}

    def __enter__(self) -> Capture:
        process.need_root()
        child = _start(self._words)
        try:
            _await_ready(child)
        except BaseException:
            child.kill()
            child.communicate()
            raise
        self._process = child
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> Mapping[str, Any]:
        """End the capture and return its summary; again, it does nothing more. Raises the error that ended it."""
        if self._process is not None:
            self.summary = _finish(self._process)
            self._process = None
        return self.summary


def _start(words: Sequence[str]) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KEMU_")}
    paths = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # it imports what this process would
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "kemu", "capture", *words, "-o", "json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": paths},
        process_group=0,  # Ctrl-C of the terminal is for the program, which ends it
    )


def _await_ready(child: subprocess.Popen[str]) -> None:
    """Return when the capture says that it has begun. Raises the error that it ended with instead."""
    assert child.stderr is not None  # asked for in _start
    said = []
    for line in iter(child.stderr.readline, ""):
        if line.startswith(READY):
            return
        said.append(line)
    _finish(child)
    raise ProbeError(f"the capture ended before it began: {''.join(said).strip()}")


def _finish(child: subprocess.Popen[str]) -> Mapping[str, Any]:
    child.send_signal(signal.SIGTERM)
    try:
        out, err = child.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise ProbeError("the capture did not end when it was asked to, and was killed") from None
    try:
        said: Mapping[str, Any] = json.loads(out)
    except json.JSONDecodeError:
        raise ProbeError(f"the capture failed: {err.strip() or f'exit code {child.returncode}'}") from None
    if child.returncode:
        raise _error(said)
    return said


def _error(said: Mapping[str, Any]) -> KemuError:
    """Return the error that another kemu printed as JSON."""
    kind = getattr(errors, said["error"], ProbeError)
    found: KemuError = kind(said["message"], hint=said["hint"])
    return found


def words_of(
    cluster: str,
    endpoints: Sequence[str],
    *,
    way: bool,
    to: str | Path | None,
    expression: str,
    namespace: str,
    snap_length: int | None,
) -> list[str]:
    """Return a capture as words of the command line."""
    words = [*endpoints, f"--cluster={cluster}", f"--namespace={namespace}", f"--filter={expression}"]
    words += ["--way"] if way else []
    words += [f"--write={Path(to).absolute()}"] if to is not None else []
    words += [f"--snap-length={snap_length}"] if snap_length is not None else []
    return words
