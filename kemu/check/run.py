"""Trying all expectations of a file in a running cluster."""

from __future__ import annotations

from collections.abc import Sequence

from kemu.base.reporter import SILENT, Reporter
from kemu.check.figures import check_figure
from kemu.check.model import Outcome, Report
from kemu.check.reach import check_reach
from kemu.spec.expect import require
from kemu.spec.model import Expectation, FigureExpectation, ReachExpectation, Topology


def check(
    cluster: str, topology: Topology, expectations: Sequence[Expectation], *, file: str = "", reporter: Reporter = SILENT
) -> Report:
    """Return what came of expectations about `topology`, which runs as `cluster`; `file` is where they stand.

    Raises SpecError for one about somebody who is not there. Who reaches whom is tried first and together: figures are about a network
    that works.
    """
    require(topology, expectations)
    about_reach = [one for one in expectations if isinstance(one, ReachExpectation)]
    about_figures = [one for one in expectations if isinstance(one, FigureExpectation)]
    reached = iter(check_reach(cluster, topology, about_reach, reporter=reporter))
    figures = (check_figure(cluster, topology, one, reporter=reporter) for one in about_figures)
    outcomes: list[Outcome] = [next(reached) if isinstance(one, ReachExpectation) else next(figures) for one in expectations]
    return Report(cluster=cluster, file=file, outcomes=tuple(outcomes))
