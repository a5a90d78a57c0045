"""`Link`: the link of one node, host or segment of a running cluster, and changing it live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kemu.spec.links import show_shape
from kemu.spec.live import LinkWish, with_link, without_link
from kemu.spec.model import Cable, Shape

if TYPE_CHECKING:
    from kemu.api.cluster import Cluster
    from kemu.cluster.lifecycle import UpResult

SCHEMA = "kemu.links/1"
WAYS = ("out", "in")


@dataclass(frozen=True)
class Link:
    """A link of a running cluster. `target` is what it is called: node/n1, host/client, segment/rack1."""

    cluster: Cluster
    target: str

    def set(self, *, up: bool | None = None, mtu: str | int = "", ways: Sequence[str] = WAYS, **values: str) -> UpResult:
        """Change what is named, and nothing else: `values` are keys of the file, such as delay="5ms", for the directions in `ways`.

        Raises UsageError for a value that makes no sense, and SpecError for one that does not fit to the others.
        """
        wish = LinkWish(up=up, mtu=str(mtu), values=values, ways=ways)
        return self.cluster.change_live(lambda topology, live: with_link(live, self.target, wish))

    def reset(self) -> UpResult:
        """Let it be again as the file has it."""
        return self.cluster.change_live(lambda topology, live: without_link(live, self.target))

    @property
    def cable(self) -> Cable:
        """What it is like now."""
        cables: dict[str, Cable] = self.cluster.cables
        return cables[self.target]

    @property
    def ways(self) -> tuple[str, str]:
        """What it sends and what it receives as the file has it: `rate 5mbit, delay 40ms`; empty for a plain cable."""
        outward, inward = (", ".join(map(" ".join, show_shape(way).items())) for way in (self.cable.outward, self.cable.inward))
        return outward, inward

    @property
    def live(self) -> str:
        """What was changed live, in words."""
        return str(self.cluster.live.links.get(self.target, ""))

    def to_dict(self) -> dict[str, Any]:
        """Return it as an element of `links` in `kemu.links/1`."""
        return {
            "name": self.target,
            "up": self.cable.up,
            "mtu": self.cable.mtu,
            "out": _plain(self.cable.outward),
            "in": _plain(self.cable.inward),
            "live": self.live or None,
        }


def _plain(shape: Shape) -> dict[str, Any]:
    return {name: getattr(shape, name) for name in Shape.__dataclass_fields__}
