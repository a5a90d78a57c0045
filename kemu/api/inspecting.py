"""`inspect`: one namespace as a whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kemu.api.cluster import Cluster
from kemu.cluster.inspect import Inspection, inspect
from kemu.kernel.netns import find_names
from kemu.plan.base import FABRIC, ROUTER
from kemu.plan.codec import kind_of, to_dict
from kemu.plan.objects import NftTable, Sysctl
from kemu.plan.tree import describe, show_table

SCHEMA = "kemu.inspect/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is in a namespace, ready to be shown. `lines` are its devices, routes, rules and so on; `settings` those not the kernel's."""

    netns: str
    lines: tuple[str, ...]
    settings: tuple[str, ...]
    data: Inspection

    def count(self, kind: str) -> int:
        """Return how many objects of a kind there are."""
        return sum(kind_of(item) == kind for item in self.data.objects)

    def to_dict(self) -> dict[str, Any]:
        """Return the namespace as `kemu.inspect/1`."""
        keys = ("device", "address", "mac", "state")
        return {
            "schema": SCHEMA,
            "netns": self.netns,
            "objects": [to_dict(item) for item in self.data.objects],
            "learned": [dict(zip(keys, row, strict=True)) for row in self.data.learned],
            "sockets": [asdict(one) for one in self.data.sockets],
            "processes": [{"pid": one.pid, "command": one.command, "keeper": one.keeps} for one in self.data.processes],
        }


def inspect_endpoint(cluster: Cluster, text: str, *, namespace: str = "default") -> View:
    """Return what is in the namespace of an endpoint, or of `fabric` or `router`."""
    name = text if text in (FABRIC, ROUTER) else cluster.endpoint(text, namespace=namespace).spec.netns
    return _view(inspect(cluster.name, name))


def inspect_all(cluster: Cluster) -> list[View]:
    """Return what is in every namespace of a cluster."""
    return [_view(inspect(cluster.name, name)) for name in find_names(cluster.name)]


def _view(found: Inspection) -> View:
    settings = [item for item in found.objects if isinstance(item, Sysctl)]
    tables = [item for item in found.objects if isinstance(item, NftTable)]
    others = [item for item in found.objects if not isinstance(item, (Sysctl, NftTable))]
    return View(
        netns=found.netns,
        lines=(*describe(others), *(line for table in tables for line in show_table(table))),
        settings=tuple(f"{item.name} = {item.value}" for item in settings),
        data=found,
    )
