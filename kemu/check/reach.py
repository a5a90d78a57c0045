"""Expectations about who reaches whom: all of them together in one run of reach for each protocol and port."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kemu.base.reporter import Reporter
from kemu.check.model import Failure, Outcome
from kemu.check.witness import find_witnesses
from kemu.kernel.netns import path_of
from kemu.reach.model import Probe, Protocol, Result, Target
from kemu.reach.run import measure
from kemu.spec.endpoints import Endpoint
from kemu.spec.model import ReachExpectation, Topology
from kemu.spec.ways import Attempt, Pair, all_attempts

Kind = tuple[str, int | None]
Key = tuple[str, str, str]

#: Reasons of reach, as people read them.
REASONS = {
    "timeout": "no answer",
    "refused": "refused",
    "no-route": "the sender has no route",
    "too-big": "larger than the path's MTU",
}


def target_of(cluster: str, endpoint: Endpoint) -> Target:
    """Return an endpoint as one end of a probe."""
    return Target(
        endpoint=endpoint.full,
        netns=path_of(cluster, endpoint.netns),
        addresses=tuple(map(str, endpoint.addresses)),
        node=endpoint.node,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of all attempts with one protocol and port: results by pair and address, the addresses that answered, and the time."""

    results: Mapping[Key, Result]
    answered: frozenset[str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """Sends probes of one protocol and port in a running cluster."""

    cluster: str
    topology: Topology
    probe: Probe
    reporter: Reporter

    def run(self, attempts: Sequence[Attempt]) -> Run:
        """Try everything, all at once; then ask, where nobody was to get an answer and nobody did, whether anybody does."""
        started = time.monotonic()
        results = self._measure((one.sender, one.receiver) for one in attempts)
        answered = _answered(results)
        witnesses = self._measure(self._doubts(attempts, answered))
        return Run(results=results, answered=answered | _answered(witnesses), seconds=time.monotonic() - started)

    def _measure(self, pairs: Iterable[Pair]) -> dict[Key, Result]:
        different = {(one.full, other.full, other.addresses): (one, other) for one, other in pairs}
        targets = [(target_of(self.cluster, one), target_of(self.cluster, other)) for one, other in different.values()]
        nodes = [path_of(self.cluster, node.netns) for node in self.topology.nodes]
        matrix = measure(self.cluster, targets, self.probe, between=nodes, reporter=self.reporter)
        return {(one.sender, one.receiver, one.address): one for one in matrix.results}

    def _doubts(self, attempts: Iterable[Attempt], answered: Container[str]) -> Iterator[Pair]:
        """Yield who is to ask whom, for every denied address that answered nobody yet."""
        denied: dict[str, set[str]] = {}
        receivers: dict[str, Endpoint] = {}
        for one in attempts:
            if one.expected == "deny" and any(str(address) not in answered for address in one.receiver.addresses):
                denied.setdefault(one.receiver.full, set()).add(one.sender.full)
                receivers[one.receiver.full] = one.receiver
        for name, receiver in receivers.items():
            yield from ((witness, receiver) for witness in find_witnesses(self.topology, receiver, denied[name]))


def _answered(results: Mapping[Key, Result]) -> frozenset[str]:
    return frozenset(result.address for result in results.values() if result.ok)


def check_reach(
    cluster: str, topology: Topology, expectations: Sequence[ReachExpectation], *, reporter: Reporter
) -> list[Outcome]:
    """Return the outcomes of the expectations, in their order."""
    attempts = [all_attempts(topology, one) for one in expectations]
    together: dict[Kind, list[Attempt]] = {}
    for one in (one for row in attempts for one in row):
        together.setdefault((one.way.protocol, one.way.port), []).append(one)
    runs = {
        kind: Prober(cluster=cluster, topology=topology, probe=_probe(kind), reporter=reporter).run(group)
        for kind, group in together.items()
    }
    shares = {kind: runs[kind].seconds / len(group) for kind, group in together.items()}
    return [_outcome(one, row, runs, shares) for one, row in zip(expectations, attempts, strict=True)]


def _probe(kind: Kind) -> Probe:
    protocol, port = kind
    return Probe(protocol=Protocol(protocol), port=port)


def _outcome(
    expectation: ReachExpectation, attempts: Sequence[Attempt], runs: Mapping[Kind, Run], shares: Mapping[Kind, float]
) -> Outcome:
    return Outcome(
        name=expectation.name,
        kind="reach",
        mark=expectation.mark,
        total=len(attempts),
        seconds=sum(shares[one.way.protocol, one.way.port] for one in attempts),
        failures=tuple(failure for one in attempts for failure in _failures(one, runs[one.way.protocol, one.way.port])),
    )


def _failures(attempt: Attempt, run: Run) -> Iterator[Failure]:
    for address in map(str, attempt.receiver.addresses):
        result = run.results[attempt.sender.full, attempt.receiver.full, address]
        reason, message = _judge(attempt, result, run)
        if reason:
            yield Failure(
                sender=result.sender,
                receiver=result.receiver,
                address=address,
                family=result.family,
                protocol=attempt.way.protocol,
                port=attempt.way.port,
                expected=attempt.expected,
                reason=reason,
                message=message,
            )


def _judge(attempt: Attempt, result: Result, run: Run) -> tuple[str, str]:
    """Return why a result is not as expected, as a word and in words; both empty if it is."""
    if attempt.expected == "allow":
        return ("", "") if result.ok else (result.reason, REASONS.get(result.reason, result.reason))
    if result.ok:
        return "reached", "reached, and is to be denied"
    if result.address in run.answered:
        return "", ""
    return "unproven", f"not denied but broken: {result.address} answers nobody else either"
