"""compare(): the same topology over several backends, each in a cluster of its own, measured in turns, and all gone afterwards.

Rounds are interleaved (a, b, a, b …), so that a machine that gets slower for a while slows every backend, not one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from kemu.base.errors import KernelError, MachineError, StateError
from kemu.base.reporter import SILENT, Reporter
from kemu.cluster import lifecycle
from kemu.cluster.state import Record
from kemu.compare.model import Candidate, Comparison, Verdict
from kemu.kernel.netns import path_of
from kemu.perf import run as perf
from kemu.perf.model import Request, Run, Side
from kemu.plan.base import pod_mtu
from kemu.reach import run as reach
from kemu.reach.model import Probe, Target
from kemu.spec.endpoints import Endpoint, find_endpoint, pod_endpoint
from kemu.spec.hosts import show_hosts

MOST_PODS = 50  # whose pairs are all tried before measuring


def compare(
    name: str,
    candidates: Sequence[Candidate],
    *,
    ends: tuple[str, str],
    request: Request,
    rounds: int,
    reporter: Reporter = SILENT,
) -> Comparison:
    """Return the verdicts and measurements of every candidate of the cluster called `name`. `ends` are endpoints in full, sender first.

    Raises StateError if a cluster of one of the names is there: a comparison never touches what it did not make.
    """
    _check_free(candidates)
    with ExitStack() as stack:
        verdicts = [_try(candidate, stack, reporter) for candidate in candidates]
        able = [candidate for candidate, verdict in zip(candidates, verdicts, strict=True) if verdict.works]
        runs = [run for _ in range(rounds) for candidate in able for run in _measure(candidate, ends, request, reporter)]
    return Comparison(
        cluster=name,
        ends=ends,
        rounds=rounds,
        verdicts=tuple(verdicts),
        runs=tuple(runs),
    )


def _check_free(candidates: Sequence[Candidate]) -> None:
    there = set(lifecycle.find_clusters())
    taken = [candidate.topology.name for candidate in candidates if candidate.topology.name in there]
    if taken:
        what = f"a cluster {taken[0]} is" if len(taken) == 1 else f"clusters {', '.join(taken)} are"
        raise StateError(f"{what} there: another comparison, or one that was killed", hint=f"kemu down {' '.join(taken)}")


def _try(candidate: Candidate, stack: ExitStack, reporter: Reporter) -> Verdict:
    """Bring a candidate up, to be taken down when the stack closes, and see who reaches whom."""
    if candidate.plan is None:
        return Verdict(backend=candidate.backend, works=False, reason=candidate.why_not, fidelity=candidate.fidelity)
    name = candidate.topology.name
    reporter.step(f"{candidate.backend}: coming up")
    stack.callback(lifecycle.down, name)
    try:
        result = lifecycle.up(
            candidate.plan, _record(name), candidate.topology.text, hosts=show_hosts(candidate.topology), reporter=reporter
        )
    except (KernelError, MachineError) as error:
        return Verdict(backend=candidate.backend, works=False, reason=error.message, fidelity=candidate.fidelity)
    return _judge(candidate, result.seconds, reporter)


def _record(name: str) -> Record:
    return Record(cluster=name, file="")


def _judge(candidate: Candidate, seconds: float, reporter: Reporter) -> Verdict:
    pods = [_target(candidate, pod_endpoint(pod)) for pod in candidate.topology.pods[:MOST_PODS]]
    pairs = [(a, b) for a in pods for b in pods if a is not b]
    nodes = [path_of(candidate.topology.name, node.netns) for node in candidate.topology.nodes]
    matrix = reach.measure(candidate.topology.name, pairs, Probe(), between=nodes, reporter=reporter)
    lost = sorted({result.reason for result in matrix.results if result.is_lost})
    return Verdict(
        backend=candidate.backend,
        works=not matrix.lost,
        reason="; ".join((f"{matrix.lost} pairs lost ({', '.join(lost)})", *candidate.warnings)) if lost else "",
        reached=matrix.reached,
        total=len(matrix.results),
        mtu=pod_mtu(candidate.plan or ()),
        seconds=seconds,
        fidelity=candidate.fidelity,
    )


def _target(candidate: Candidate, endpoint: Endpoint) -> Target:
    addresses = tuple(map(str, endpoint.addresses))
    return Target(
        endpoint=endpoint.full, netns=path_of(candidate.topology.name, endpoint.netns), addresses=addresses, node=endpoint.node
    )


def _measure(candidate: Candidate, ends: tuple[str, str], request: Request, reporter: Reporter) -> tuple[Run, ...]:
    sender, receiver = (_side(candidate, find_endpoint(candidate.topology, end)) for end in ends)
    return perf.measure(sender, receiver, request, backend=candidate.backend, reporter=reporter)


def _side(candidate: Candidate, endpoint: Endpoint) -> Side:
    netns = str(path_of(candidate.topology.name, endpoint.netns))
    return Side(endpoint=endpoint.full, netns=netns, address=str(endpoint.addresses[0]), node=endpoint.node)
