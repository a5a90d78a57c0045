"""What a backend is: a module with these names. It imports this file, `kemu.plan.objects`, `kemu.spec.model` and `kemu.base`.

'''vxlan: one line of what it is.  (then Why, Entries, Cost, Fails as, Source)'''
TRAITS = Traits(...)                              what `kemu backends` prints
NEEDS = frozenset({"link:vxlan"})                 capabilities, checked before anything is touched
class Options: ...                                frozen dataclass of option() fields; the keys of the YAML in snake case
def mtu(topology, options, node) -> int           of the pods' devices, in bytes
def problems(topology, options)                   what this backend cannot do with this topology; forcible, harmless or not
def desired(topology, options)                    the kernel objects, beside those that every backend shares

The pods to wire on a node are `topology.wired_pods(node)`: who shares its node's network has nothing of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from kemu.base.errors import Problem
from kemu.plan.objects import Object
from kemu.spec.model import Node, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What distinguishes a backend in one table. `overhead` is about bytes a packet, `fidelity` about the original."""

    family: str
    addresses: str
    overhead: str
    policy: str
    control_plane: str
    fidelity: str = "like the original"


class Backend(Protocol):
    """A backend module, as the type checker sees it."""

    TRAITS: Traits
    NEEDS: frozenset[str]

    @property
    def Options(self) -> type[Any]:  # noqa: N802  (it is a class of the module)
        """The dataclass of its options."""

    def mtu(self, topology: Topology, options: Any, node: Node) -> int:
        """Return the MTU of the pods on `node`, in bytes."""

    def problems(self, topology: Topology, options: Any) -> Iterator[Problem]:
        """Yield what this backend cannot do with this topology."""

    def desired(self, topology: Topology, options: Any) -> Iterator[Object]:
        """Yield the kernel objects that this backend adds to the shared ones. Pure."""


def option(default: Any, *, help: str, least: int | None = None, most: int | None = None) -> Any:
    """Return a field of an Options class: its default, a sentence for the reference, and the range of a number."""
    return field(default=default, metadata={"help": help, "least": least, "most": most})
