"""From the model to a plan: all objects that a cluster consists of, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kemu.base.errors import BugError, SpecError
from kemu.plan import base
from kemu.plan.objects import Key, Netns, Object
from kemu.plan.registry import find_backend
from kemu.plan.show import title
from kemu.spec.model import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The desired state: objects by key, in the order in which they were asked for. `needs` are capabilities of the machine."""

    objects: Mapping[Key, Object]
    needs: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Object]:
        return iter(self.objects.values())

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def namespaces(self) -> list[str]:
        """Names of the kernel namespaces, without the cluster's prefix."""
        return [item.netns for item in self if isinstance(item, Netns)]


def build_plan(topology: Topology, *, force: bool = False) -> Plan:
    """Return the plan of a topology. What its backend cannot do with it is a SpecError, or with `force` a warning where it may be."""
    backend = find_backend(topology.networking.backend.name)
    options = topology.networking.backend.options
    problems = list(backend.problems(topology, options))
    if fatal := [one for one in problems if not (one.harmless or (force and one.forcible))]:
        raise SpecError(fatal)
    objects = _unite([*base.desired(topology), *backend.desired(topology, options)])
    objects |= {item.key: item for item in base.users_settings(topology)}
    needs = backend.NEEDS | base.needs(topology)
    return Plan(objects=objects, needs=needs, warnings=tuple(problem.message for problem in problems))


def _unite(objects: Iterable[Object]) -> dict[Key, Object]:
    """Return objects by key. Two different wishes for one thing are a bug that names both origins."""
    plan: dict[Key, Object] = {}
    for item in objects:
        known = plan.setdefault(item.key, item)
        if known is not item and known != item:
            raise BugError(
                f"{title(item)} of {item.netns} is asked for twice, differently: by {known.origin} and by {item.origin}"
            )
    return plan
