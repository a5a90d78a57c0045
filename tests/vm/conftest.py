"""Tests that load kernel modules and look at the machine's own namespace, which only a virtual machine may be used for.

`@pytest.mark.vm("qdisc:netem")` says which capabilities a test is for: tests/contracts/test_tiers.py wants each covered, and here the
kernel has to have them when the test is over.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel" / "cli"))  # the command line as a user calls it

from cli_kemu import Kemu

from kemu.cluster import lifecycle
from kemu.kernel.capability import find_capabilities

_COUNTER = itertools.count()
_left_out: list[pytest.Item] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "KEMU_VM" not in os.environ:
        _left_out[:] = [item for item in items if item.get_closest_marker("vm")]
        items[:] = [item for item in items if item not in _left_out]
        config.hook.pytest_deselected(items=_left_out)


def pytest_report_collectionfinish() -> list[str]:
    reason = "they load kernel modules, which takes a virtual machine: scripts/vm"
    return [f"{len(_left_out)} tests of tests/vm deselected: {reason}"] if _left_out else []


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell a failure at once: the machine may be stopped before the end, where they are told again."""
    if report.failed and "KEMU_VM" in os.environ:
        sys.__stderr__.write(f"\n{report.nodeid}, {report.when}:\n{report.longreprtext}\n")


@pytest.fixture(autouse=True)
def _the_kernel_has_what_the_test_is_for(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    names = [name for marker in request.node.iter_markers("vm") for name in marker.args]
    assert [one for one in find_capabilities(names) if not one.available] == []


@pytest.fixture
def kemu(tmp_path: Path) -> Iterator[Kemu]:
    one = Kemu(name=f"kv{next(_COUNTER)}", directory=tmp_path)
    yield one
    for name in one.names:
        lifecycle.down(name)
