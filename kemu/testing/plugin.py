"""The pytest plugin: the fixture `kemu_cluster`, a running cluster, and the marker `kemu`, which says of what.

@pytest.mark.kemu("two-nodes", backends=["host-gw", "vxlan"])
def test_everybody_reaches_everybody(kemu_cluster):
    assert kemu_cluster.reach().lost == 0
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from kemu.testing.marker import Wanted, read_marker

if TYPE_CHECKING:
    from kemu.api import Cluster, Topology

MARKER = "kemu"
RUNNING = "_kemu_running"
USAGE = (
    "kemu(topology, *, backend=None, sets=(), topologies=(), backends=()): the cluster that kemu_cluster is. A topology is a file "
    "beside the test, an example, YAML text, a mapping, or a kemu.Topology."
)

STEM_LENGTH = 14  # of a topology's name in that of its cluster, which has room for a process and a number behind it

_NUMBERS = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --kemu-skip."""
    group = parser.getgroup("kemu", "clusters of kemu")
    group.addoption(
        "--kemu-skip",
        action="store_true",
        help="Skip tests with a cluster that this machine cannot make (no root, a kernel without …), instead of failing.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", USAGE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses kemu_cluster once for each cluster that its closest marker asks for."""
    if RUNNING not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker(MARKER)
    name = metafunc.definition.nodeid
    if marker is None:
        raise pytest.Collector.CollectError(
            f'{name} uses kemu_cluster without a marker that says which: @pytest.mark.kemu("two-nodes")'
        )
    try:
        wanted = read_marker(metafunc.definition.path.parent, *marker.args, **marker.kwargs)
    except (TypeError, ValueError) as error:
        raise pytest.Collector.CollectError(f"{name}: the marker kemu: {error}\n{USAGE}") from None
    metafunc.parametrize(RUNNING, wanted, indirect=True, scope="module", ids=[one.id for one in wanted])


@pytest.fixture(scope="module")
def _kemu_running(request: pytest.FixtureRequest) -> Iterator[Topology]:
    """Bring a cluster up for the tests of a module that ask for the same one, and take it down."""
    topology = _bring_up(request.param, request.config)
    try:
        yield topology
    finally:
        _find(topology).down()


@pytest.fixture
def kemu_cluster(_kemu_running: Topology) -> Iterator[Cluster]:
    """The running cluster that the marker `kemu` asks for, as its file wants it: what a test damages is mended before the next."""
    yield _find(_kemu_running)
    _make(_kemu_running)


def _find(topology: Topology) -> Cluster:
    from kemu.api import Cluster  # noqa: PLC0415 (only whoever brings a cluster up waits for it)

    return Cluster(topology.name)


def _make(topology: Topology) -> None:
    from kemu.api import Cluster  # noqa: PLC0415 (the same)

    Cluster.up(topology, reset=True)


def _bring_up(wanted: Wanted, config: pytest.Config) -> Topology:
    """Make the cluster real under a name of its own. What is wrong is told without a traceback through kemu."""
    from kemu.base.errors import KemuError, MachineError  # noqa: PLC0415 (the same)
    from kemu.base.render import show_error  # noqa: PLC0415

    try:
        topology = wanted.load()
        topology = topology.renamed(f"{topology.name[:STEM_LENGTH].rstrip('-')}-t{os.getpid()}-{next(_NUMBERS)}")
        _make(topology)
    except KemuError as error:
        if isinstance(error, MachineError) and config.getoption("kemu_skip"):
            pytest.skip(f"kemu: {error.message}")
        hint = "\n   hint: --kemu-skip skips these tests" if isinstance(error, MachineError) else ""
        pytest.fail(f"{show_error(error)}{hint}", pytrace=False)
    return topology


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say beside a test that failed how its cluster compares with its file."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("kemu_cluster")
    if cluster is not None and report.when == "call" and report.failed:
        report.sections.append(("kemu", _describe(cluster)))
    return report


def _describe(cluster: Cluster) -> str:
    from kemu.base.errors import KemuError  # noqa: PLC0415

    try:
        status = cluster.status()
    except KemuError as error:
        return f"{cluster.name}: {error.message}"
    return "\n".join([f"{cluster.name}, {status.backend}: {status.state}", *(f"  {line}" for line in status.drift[:20])])
