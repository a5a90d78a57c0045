"""The declared ports that no process serves: the responder answers there. When it begins, and when it makes room."""

from __future__ import annotations

import ipaddress
import os
import time
from pathlib import Path

from kemu.base.errors import KemuError
from kemu.kernel.netns import path_of
from kemu.plan.processes import PodWork, Work
from kemu.probe.answer import Speaker
from kemu.probe.deadlines import Deadlines
from kemu.probe.responder import Responder

GRACE_SECONDS = 2.0  # after its containers were started, a pod has this long to listen on its own ports


class Ports:
    """Serves the ports of pods."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._responder = Responder()
        self._pods: dict[str, tuple[PodWork, int | None]] = {}
        self._waiting: Deadlines[str] = Deadlines()

    def fileno(self) -> int:
        """Return a descriptor that is readable when `turn` has something to do."""
        return self._responder.fileno()

    @property
    def deadline(self) -> float | None:
        """When `turn` must be called although nothing came."""
        return min((one for one in (self._responder.deadline, self._waiting.next) if one is not None), default=None)

    def turn(self) -> list[str]:
        """Answer whoever asks, and begin where the time has come. Return what went wrong."""
        self._responder.turn()
        return [problem for name in self._waiting.take_expired(time.monotonic()) if (problem := self._begin(name))]

    def keep_only(self, work: Work) -> None:
        """Serve no more what is not as it was: another wish, or another namespace of that name."""
        wanted = {pod.name: (pod, self._inode(pod)) for pod in work.pods if pod.ports}
        for name, (pod, inode) in list(self._pods.items()):
            if wanted.get(name) != (pod, inode):
                self._close(pod)
                del self._pods[name]

    def serve(self, work: Work) -> list[str]:
        """Serve what the work asks for: the ports of pods without containers at once, of others what is free after a while.

        Return what went wrong.
        """
        self.keep_only(work)
        problems = []
        for pod in work.pods:
            if pod.ports and pod.name not in self._pods:
                self._pods[pod.name] = (pod, self._inode(pod))
                problems.append(self._begin(pod.name) if pod.serves_at_once else self.begin_later(pod.name))
        return [problem for problem in problems if problem]

    def make_room(self, name: str) -> None:
        """Close the ports of a pod, one of whose containers is about to start."""
        if name in self._pods and not self._pods[name][0].serves_at_once:
            self._close(self._pods[name][0])

    def begin_later(self, name: str) -> str:
        """Serve what is free of a pod's ports when its containers had their time. Nothing is wrong so far."""
        if name in self._pods and not self._pods[name][0].serves_at_once:
            self._waiting.set(name, time.monotonic(), GRACE_SECONDS)
        return ""

    def _begin(self, name: str) -> str:
        """Serve what is free, and return what is wrong with that, or nothing."""
        pod, _ = self._pods[name]
        versions = [ipaddress.ip_address(one).version for one in pod.addresses]
        speaker = Speaker(pod=pod.pod, namespace=pod.namespace, node=pod.node, hostname=pod.hostname)
        try:
            self._responder.add(speaker, self._path(pod), pod.ports, versions=versions)
        except (KemuError, OSError) as error:
            del self._pods[name]  # so that the next `up` tries again
            return f"cannot serve the ports of {name}: {error}"
        return ""

    def _close(self, pod: PodWork) -> None:
        self._waiting.drop(pod.name)
        self._responder.remove(self._path(pod), pod.ports)

    def _path(self, pod: PodWork) -> Path:
        return path_of(self._cluster, pod.netns)

    def _inode(self, pod: PodWork) -> int | None:
        try:
            return os.stat(self._path(pod)).st_ino
        except FileNotFoundError:
            return None
