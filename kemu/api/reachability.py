"""Which pairs `reach` tries, and with what."""

from __future__ import annotations

import random
from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import product

from kemu.api.endpoint import Endpoint
from kemu.base.errors import UsageError
from kemu.reach.model import Matrix, Probe, Result, Target, read_protocol
from kemu.spec.endpoints import pod_endpoint
from kemu.spec.model import Topology

__all__ = ["Matrix", "Result", "choose_pairs", "read_probe", "target_of", "with_expectations"]

MANY_PAIRS = 20_000


def choose_pairs(
    senders: Sequence[Endpoint], receivers: Sequence[Endpoint], *, every: bool, sample: int | None
) -> list[tuple[Target, Target]]:
    """Return the ordered pairs without the diagonal; with `sample` so many of them, by chance."""
    sources, targets = [target_of(one) for one in senders], [target_of(one) for one in receivers]
    pairs = [(one, other) for one, other in product(sources, targets) if one.endpoint != other.endpoint]
    if sample is not None:
        return random.sample(pairs, min(sample, len(pairs)))
    if len(pairs) > MANY_PAIRS and not every:
        raise UsageError(
            f"these are {len(pairs):,} pairs", hint="--all tries them all, --sample 1000 some; or choose with --from and --to"
        )
    return pairs


def target_of(endpoint: Endpoint) -> Target:
    """Return an endpoint as one end of a probe."""
    return Target(endpoint=endpoint.full, netns=endpoint.netns, addresses=endpoint.addresses, node=endpoint.spec.node)


def read_probe(protocol: str, port: int | None) -> Probe:
    """Return the probe of the command line's words."""
    return Probe(protocol=read_protocol(protocol), port=port)


def with_expectations(matrix: Matrix, topology: Topology) -> Matrix:
    """Return a matrix that says what is not meant to work: hosts reach pods only through a fabric that knows where they are.

    A pod in its node's network is reached as its node is.
    """
    if topology.fabric.leads_to_pods:
        return matrix
    pods = {pod_endpoint(pod).full for pod in topology.pods if not pod.host_network}
    return replace(
        matrix, results=tuple(replace(one, expected="deny") if _is_denied(one, pods) else one for one in matrix.results)
    )


def _is_denied(result: Result, pods: Container[str]) -> bool:
    return result.sender.startswith("host/") and result.receiver in pods
