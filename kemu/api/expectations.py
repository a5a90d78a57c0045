"""`test`: whether what a file expects holds, on a running cluster or on one that lives as long as the test."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from kemu.api.cluster import Cluster
from kemu.api.topology import Topology, load_source
from kemu.base.errors import NotFoundError, UsageError
from kemu.base.reporter import SILENT, Reporter
from kemu.check.model import Failure, Outcome, Report
from kemu.spec.expect import is_alone, read_alone
from kemu.spec.source import Source

__all__ = ["Failure", "Outcome", "Report", "Source", "count_alone", "try_copy", "try_file"]

STEM_LENGTH = 19  # of a cluster's name, so that the name of its copy is no longer than one may be


def try_file(file: str | None = None, *, cluster: str | None = None, reporter: Reporter = SILENT) -> Report:
    """Return what came of a file's expectations on a running cluster.

    Without `file` they are those that the cluster was brought up with. Those of a file that holds nothing else are tried on `cluster`,
    those of a topology on the cluster that was made from it.
    """
    if file is None:
        return Cluster.find(cluster).test(reporter=reporter)
    source = load_source(file)
    path = str(source.path or "")
    if is_alone(source):
        return Cluster.find(cluster).test(read_alone(source), file=path, reporter=reporter)
    topology = Topology.read(source)
    running = _find_running(topology, cluster, source.name)
    _warn_of_changes(running, source, reporter)
    return running.test(topology.model.expect, file=path, reporter=reporter)


def _find_running(topology: Topology, cluster: str | None, file: str) -> Cluster:
    try:
        return Cluster.find(cluster or topology.name)
    except NotFoundError as error:
        raise NotFoundError(error.message, hint=f"kemu test --up {file} makes one for as long as the test takes") from None


def _warn_of_changes(cluster: Cluster, source: Source, reporter: Reporter) -> None:
    """Say so if the file now describes another network than when it was applied."""
    record = cluster.record
    now = Topology.read(source, backend=record.backend, sets=record.sets)
    if now.plan(force=True).objects != cluster.file.plan(force=True).objects:
        reporter.warn(f"{source.name} describes another network than {cluster.name} was made with: kemu up {source.name}")


def try_copy(
    file: str | None = None, *, backend: str | None = None, sets: Sequence[str] = (), reporter: Reporter = SILENT
) -> Report:
    """Return what came of a topology's expectations on a cluster of its own, which is gone afterwards, whatever happens.

    The report has the topology's name, which is the same every time.
    """
    source = load_source(file)
    if is_alone(source):
        raise UsageError(
            f"{source.name} holds expectations, and no topology to bring up", hint="without --up it asks a running cluster"
        )
    topology = Topology.read(source, backend=backend, sets=sets)
    renamed = topology.renamed(f"{topology.name[:STEM_LENGTH]}-test-{os.getpid()}")
    with Cluster.up(renamed, reporter=reporter) as cluster:
        report = cluster.test(file=str(source.path or ""), reporter=reporter)
    return replace(report, cluster=topology.name)


def count_alone(source: Source) -> int | None:
    """Return how many expectations a file without a topology holds; None for a topology. Raises SpecError with every problem."""
    return len(read_alone(source)) if is_alone(source) else None
