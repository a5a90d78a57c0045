"""What the installed backends are, and what this machine can do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kemu.kernel.capability import Capability, find_capabilities
from kemu.plan.registry import backends, find_backend
from kemu.spec.fields import option_fields

__all__ = ["BackendFacts", "Capability", "backend_facts", "backend_names", "find_capabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendFacts:
    """A backend: its traits, the capabilities it needs, its options as (key, what is accepted, default, help), and its documentation."""

    name: str
    family: str
    addresses: str
    overhead: str
    policy: str
    control_plane: str
    fidelity: str
    needs: tuple[str, ...]
    options: tuple[tuple[str, str, str, str], ...]
    documentation: str

    def to_dict(self) -> dict[str, Any]:
        """Return the backend as JSON."""
        keys = ("key", "accepts", "default", "help")
        return {**asdict(self), "options": [dict(zip(keys, row, strict=True)) for row in self.options]}


def backend_names() -> list[str]:
    """Return the names of all installed backends."""
    return list(backends())


def backend_facts(name: str) -> BackendFacts:
    """Return what is to be known of a backend; UsageError lists those that exist."""
    backend = find_backend(name)
    fields = option_fields(backend.Options)
    return BackendFacts(
        name=name,
        **asdict(backend.TRAITS),
        needs=tuple(sorted(backend.NEEDS)),
        options=tuple((key, one.kind.word, one.default, one.help) for key, one in fields.items()),
        documentation=(backend.__doc__ or "").strip(),
    )
