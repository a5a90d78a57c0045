"""A network that answers as a test says: it stands in for the real probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kemu.probe.sockets import version_of
from kemu.reach.model import FAMILIES, Matrix, Probe, Result, Target

Rule = Callable[[str, str, str], str]  # sender, receiver, address: "ok" or a reason


@dataclass
class Network:
    """Counts its runs. `rule` gets the names without their kinds and namespaces."""

    rule: Rule
    runs: list[list[tuple[str, str]]] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    def measure(self, cluster: str, pairs: Sequence[tuple[Target, Target]], probe: Probe, **_: Any) -> Matrix:
        """Answer as kemu.reach.run.measure does."""
        if pairs:
            self.probes.append(probe)
            self.runs.append([(_short(one.endpoint), _short(other.endpoint)) for one, other in pairs])
        return Matrix(
            cluster=cluster, probe=probe, results=tuple(self._result(*pair, one) for pair in pairs for one in pair[1].addresses)
        )

    def _result(self, sender: Target, receiver: Target, address: str) -> Result:
        reason = self.rule(_short(sender.endpoint), _short(receiver.endpoint), address)
        return Result(
            sender=sender.endpoint,
            receiver=receiver.endpoint,
            address=address,
            family=FAMILIES[version_of(address)],
            ok=reason == "ok",
            reason=reason,
            rtt_seconds=0.002 if reason == "ok" else None,
        )


def _short(endpoint: str) -> str:
    return endpoint.rpartition("/")[2]
