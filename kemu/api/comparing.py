"""`compare`: the same file over several backends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kemu.api.perf import check_apart
from kemu.api.planning import with_backend
from kemu.api.topology import Topology
from kemu.base.errors import SpecError, UsageError
from kemu.base.reporter import SILENT, Reporter
from kemu.compare.model import Candidate, Comparison, Verdict
from kemu.perf.model import Request
from kemu.plan.build import build_plan
from kemu.plan.registry import find_backend
from kemu.spec import model
from kemu.spec.endpoints import Endpoint, find_endpoint, pod_endpoint

__all__ = ["Comparison", "Verdict", "compare"]

NAME_LENGTH = 32


def compare(
    topology: Topology,
    backends: Sequence[str],
    request: Request,
    *,
    ends: tuple[str | None, str | None] = (None, None),
    rounds: int = 3,
    reporter: Reporter = SILENT,
) -> Comparison:
    """Return how backends do with one topology: whether each works here and why not, and how fast, in `rounds` interleaved rounds.

    Each gets a cluster of its own, which is gone afterwards, whatever happens. `ends` are the measured endpoints; by default the first
    pod and the first one on another node.
    """
    if not backends:
        raise UsageError("there is nothing to compare", hint="--backends host-gw,vxlan")
    from kemu.compare import run  # noqa: PLC0415 (starts processes and opens sockets, which only this needs)

    chosen = _ends(topology.model, ends)
    candidates = [_candidate(topology, backend) for backend in dict.fromkeys(backends)]
    return run.compare(topology.name, candidates, ends=chosen, request=request, rounds=rounds, reporter=reporter)


def _candidate(topology: Topology, backend: str) -> Candidate:
    fidelity = find_backend(backend).TRAITS.fidelity
    renamed = replace(
        with_backend(topology, backend).model, name=f"{topology.name[: NAME_LENGTH - len(backend) - 4]}-vs-{backend}"
    )
    try:
        plan = build_plan(renamed)
    except SpecError as error:
        return Candidate(backend=backend, topology=renamed, plan=None, why_not=error.problems[0].message, fidelity=fidelity)
    return Candidate(backend=backend, topology=renamed, plan=plan, fidelity=fidelity)


def _ends(topology: model.Topology, asked: tuple[str | None, str | None]) -> tuple[str, str]:
    """Return the two endpoints to measure between, in full."""
    source = find_endpoint(topology, asked[0]) if asked[0] else _first_pod(topology, "")
    target = find_endpoint(topology, asked[1]) if asked[1] else _first_pod(topology, source.node)
    check_apart(source, target)
    return source.full, target.full


def _first_pod(topology: model.Topology, not_on: str) -> Endpoint:
    for pod in topology.pods:
        if pod.node != not_on and not pod.host_network:
            return pod_endpoint(pod)
    raise UsageError(
        f"{topology.name} has no two pods on different nodes", hint="--from and --to name the endpoints to measure between"
    )
