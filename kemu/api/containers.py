"""The containers of a pod: finding one, what it said, and waiting until all of a cluster are ready."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from kemu.api.cluster import Cluster
from kemu.api.endpoint import Endpoint
from kemu.base.errors import NotFoundError, UsageError
from kemu.cluster import logs
from kemu.cluster.processes import ProcessRecord, current_processes
from kemu.cluster.state import StateDirectory
from kemu.cluster.surroundings import own_name
from kemu.kernel.inotify import watching
from kemu.spec.model import Container


@dataclass(frozen=True, slots=True, kw_only=True)
class PodContainer:
    """A container of a pod. `others` are the names of those that it was chosen from, if nobody named one."""

    endpoint: Endpoint
    container: Container
    others: tuple[str, ...] = ()

    def read_log(self, *, tail: int | None = None, previous: bool = False) -> bytes:
        """Return what it said in this run, or in the one before; the last lines of it, or all."""
        path = self._state.container_log(own_name(self.endpoint.spec), self.container.name, previous=previous)
        return logs.read_log(path, tail=tail)

    def follow_log(self, *, tail: int | None = None) -> Iterator[bytes]:
        """Yield what it says, until it has ended for good."""
        return logs.follow_log(self._state, own_name(self.endpoint.spec), self.container.name, tail=tail)

    @property
    def _state(self) -> StateDirectory:
        return StateDirectory(self.endpoint.cluster)


def find_container(cluster: Cluster, endpoint: Endpoint, name: str | None = None) -> PodContainer:
    """Return the container called `name` of a pod, without a name the first. UsageError if it is no pod, NotFoundError if there is none."""
    spec = endpoint.spec
    if spec.kind != "pod":
        raise UsageError(f"{endpoint.full} is no pod, and only pods have containers")
    [pod] = [one for one in cluster.model.pods if (one.namespace, one.name) == (spec.namespace, spec.name)]
    names = tuple(one.name for one in pod.containers)
    if not names:
        raise NotFoundError(
            f"{endpoint.full} has no containers", hint="an idle pod runs nothing; containers: in the file gives it some"
        )
    found = next((one for one in pod.containers if name in (None, one.name)), None)
    if found is None:
        raise NotFoundError(f'{endpoint.full} has no container "{name}"', hint=f"it has {', '.join(names)}")
    return PodContainer(endpoint=endpoint, container=found, others=names if name is None and len(names) > 1 else ())


def wait_ready(cluster: Cluster, seconds: float) -> list[ProcessRecord]:
    """Wait until every process of a cluster is ready, at most so long, and return those that are not."""
    state = StateDirectory(cluster.name)
    deadline = time.monotonic() + seconds
    with watching([state.processes]) as changes:
        while unready := [one for one in current_processes(state) if not one.ready]:
            left = deadline - time.monotonic()
            if left <= 0 or not changes.wait(left):
                break
    return unready
