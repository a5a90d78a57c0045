"""kemu: a Mininet for Kubernetes networks. `Cluster` and `Topology` are the Python API; see kemu.api."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kemu.api import Cluster, Topology

__all__ = ["Cluster", "Topology"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the API when somebody asks for it, so that `kemu --help` need not wait."""
    if name in __all__:
        from kemu import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
