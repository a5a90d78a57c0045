"""From the model to a plan: all objects that a cluster consists of, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kemu.base.errors import BugError, SpecError
from kemu.plan import base, internet, processes
from kemu.plan.objects import Addr, Key, Link, Neigh, Netns, Object, Pfifo, Qdisc, Route, Sysctl
from kemu.plan.processes import NO_WORK, Work
from kemu.plan.registry import find_backend
from kemu.plan.show import kind_word, title
from kemu.plan.sysctls import is_ipv6_setting, without_ipv6
from kemu.spec.model import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The desired state: objects by key, in the order in which they were asked for.

    `needs` are capabilities of the machine, `work` is what the cluster's agent does.
    """

    objects: Mapping[Key, Object]
    needs: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    work: Work = NO_WORK

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
    outside = list(internet.desired(topology))
    objects = _unite([*base.desired(topology), *backend.desired(topology, options), *outside, *processes.desired(topology)])
    wished = {item.key: item for item in base.users_settings(topology)}
    known = {key: item for key, item in objects.items() if key in wished and isinstance(item, Sysctl)}
    overridden = [_overriding(wished[key], item) for key, item in known.items() if item != wished[key]]
    objects = _standing({**objects, **wished})
    asked = backend.NEEDS | base.needs(topology) | needs(objects.values()) | (internet.NEEDS if outside else frozenset())
    warnings = (*(problem.message for problem in problems), *internet.announcements(outside), *overridden)
    return Plan(objects=objects, needs=asked, warnings=warnings, work=processes.build_work(topology))


def _overriding(wished: Sysctl, known: Sysctl) -> str:
    """Return the warning that the file's own setting outranks one that kemu makes for a reason."""
    return (
        f"{wished.name} of {wished.netns} is {wished.value}, as the file's {wished.origin} want it; "
        f"{known.origin} need it to be {known.value}, and the network may not work"
    )


def needs(objects: Iterable[Object]) -> frozenset[str]:
    """Return the capabilities that making these objects takes, whoever asked for them."""
    links = {f"link:{kind_word(item)}" for item in objects if isinstance(item, Link)}
    return frozenset(
        links | {f"qdisc:{item.kind}" for item in objects if isinstance(item, Qdisc) and not isinstance(item.detail, Pfifo)}
    )


def _standing(objects: dict[Key, Object]) -> dict[Key, Object]:
    """Return the objects without those that the kernel lets fall: with a device that is meant to be down, or too small for IPv6.

    Routes and neighbours go, and of IPv6 the addresses; IPv4 addresses stay. Source: fib_disable_ip in net/ipv4/fib_frontend.c,
    neigh_ifdown in net/core/neighbour.c, addrconf_ifdown in net/ipv6/addrconf.c.
    """
    down = {(item.netns, item.name) for item in objects.values() if isinstance(item, Link) and not item.up}
    small = without_ipv6(objects.values())
    return {
        key: item
        for key, item in objects.items()
        if not (_falls(item) and (item.netns, getattr(item, "dev", "")) in down) and not is_ipv6_setting(item, small)
    }


def _falls(item: Object) -> bool:
    return isinstance(item, Route | Neigh) or (isinstance(item, Addr) and ":" in item.address)


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
