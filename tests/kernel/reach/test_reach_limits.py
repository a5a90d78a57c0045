"""measure() where the machine has little room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reach_star import Star, Warnings, filter_in

from kemu.base.errors import MachineError
from kemu.reach import run
from kemu.reach.model import Probe, Protocol, all_pairs
from kemu.reach.rounds import WINDOW
from kemu.reach.tcp import SPARE_FILES

pytestmark = pytest.mark.kernel

SERVERS = 2 * 20
TCP = Probe(protocol=Protocol.TCP, timeout_seconds=0.3)


@pytest.fixture
def crowd(make_star: Callable[[int], Star]) -> Star:
    return make_star(20)


def allow_files(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(run, "raise_open_files", lambda: count)


def test_one_window_of_connections_is_room_enough(crowd: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    allow_files(monkeypatch, WINDOW + SPARE_FILES + SERVERS)
    matrix = run.measure("demo", all_pairs(crowd.targets), Probe(protocol=Protocol.TCP))
    assert matrix.reached == 20 * 19 * 2


def test_lost_connections_make_room_for_the_next(crowd: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    allow_files(monkeypatch, WINDOW + SPARE_FILES + SERVERS)
    filter_in(crowd.router, "forward", "ip saddr != 10.250.0.20 ip daddr != 10.250.0.20 drop")
    matrix = run.measure("demo", all_pairs(crowd.targets), TCP)
    assert {result.reason for result in matrix.results if result.family == "ipv6"} == {"ok"}
    assert sum(result.ok for result in matrix.results if result.family == "ipv4") == 2 * 19


def test_too_little_room_is_said_before_anything_is_sent(crowd: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    allow_files(monkeypatch, 100)
    with pytest.raises(MachineError, match="open files"):
        run.measure("demo", all_pairs(crowd.targets), TCP)


def test_full_neighbour_table_is_told_where_something_is_lost(star: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "read_neighbour_table", lambda version: (1000, 1024) if version == 4 else (0, 1))
    reporter = Warnings()
    run.measure("demo", all_pairs(star.targets), Probe(), reporter=reporter)
    assert reporter.warnings == []
    filter_in(star.router, "forward", "drop")
    run.measure("demo", all_pairs(star.targets), Probe(timeout_seconds=0.3), reporter=reporter)
    assert ["gc_thresh3=4096" in warning for warning in reporter.warnings] == [True]
