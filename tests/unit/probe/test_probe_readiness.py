"""When a container is checked, and whether it is ready: by a clock of the test's own, without sockets."""

from __future__ import annotations

import errno
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kemu.probe.prober import Change, Prober
from kemu.probe.readiness import Readiness
from kemu.spec.model import Exec, Probe, TcpSocket

NOWHERE = Path("/run/netns/kemu-nowhere")


def probe(**numbers: int) -> Probe:
    return Probe(check=Exec(command=("check",)), **numbers)


@pytest.mark.parametrize(
    ("success", "failure", "results", "ready"),
    [
        (1, 3, "+", "+"),
        (1, 3, "-+-", "-++"),
        (1, 3, "+--+", "++++"),
        (1, 3, "+---", "+++-"),
        (1, 1, "+-+", "+-+"),
        (2, 3, "++", "-+"),
        (2, 3, "+-++", "---+"),
        (2, 2, "++--++", "-++--+"),
    ],
)
def test_results_count_when_they_come_often_enough_in_a_row(success: int, failure: int, results: str, ready: str) -> None:
    readiness = Readiness(probe(success_threshold=success, failure_threshold=failure))
    seen = []
    for result in results:
        before = readiness.is_ready
        assert readiness.note(result == "+") == (readiness.is_ready != before)
        seen.append("+" if readiness.is_ready else "-")
    assert "".join(seen) == ready


@dataclass
class Bench:
    """A prober whose clock and commands are the test's."""

    now: float = 100.0
    started: list[tuple[Hashable, float]] = field(default_factory=list)
    stopped: list[Hashable] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    done: Callable[[int], None] = lambda code: None

    def __post_init__(self) -> None:
        self.prober = Prober(self.start, self.changes.append, clock=lambda: self.now)

    def start(self, key: Hashable, command: Sequence[str], done: Callable[[int], None]) -> Callable[[], None]:
        assert command == ("check",)
        self.started.append((key, self.now))
        self.done = done
        return lambda: self.stopped.append(key)

    def at(self, now: float) -> None:
        self.now = now
        self.prober.turn()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    with made.prober:
        yield made


def test_checks_follow_delay_and_period(bench: Bench) -> None:
    bench.prober.watch("web", probe(initial_delay_seconds=5), NOWHERE, "10.0.0.1")
    for second in range(40):
        bench.at(100 + second)
        if bench.prober.deadline and bench.started and bench.started[-1][1] == bench.now:
            bench.done(0)
    assert bench.started == [("web", 105), ("web", 115), ("web", 125), ("web", 135)]
    assert bench.prober.deadline == 145


def test_changes_are_told_with_what_was_said(bench: Bench) -> None:
    bench.prober.watch("web", probe(failure_threshold=2), NOWHERE, "10.0.0.1")
    assert (bench.prober.is_ready("web"), bench.prober.said("web")) == (False, "not checked yet")
    for now, code in ((100, 0), (110, 1), (120, 7)):
        bench.at(now)
        bench.done(code)
    assert bench.changes == [
        Change(key="web", is_ready=True, said="exit code 0"),
        Change(key="web", is_ready=False, said="exit code 7"),
    ]


def test_check_that_takes_too_long_is_stopped_and_has_failed(bench: Bench) -> None:
    bench.prober.watch("web", probe(timeout_seconds=3), NOWHERE, "10.0.0.1")
    bench.at(100)
    assert bench.prober.deadline == 103
    bench.at(103)
    assert (bench.stopped, bench.prober.said("web")) == (["web"], "nothing within 3 s")
    bench.done(0)
    assert (bench.changes, bench.prober.is_ready("web")) == ([], False)


def test_check_that_outlasts_the_period_is_followed_at_once(bench: Bench) -> None:
    bench.prober.watch("web", probe(period_seconds=2, timeout_seconds=9), NOWHERE, "10.0.0.1")
    bench.at(100)
    bench.at(102)
    bench.at(105)
    assert bench.started == [("web", 100)]
    bench.done(0)
    assert bench.started == [("web", 100), ("web", 105)]
    assert bench.prober.deadline == 107


def test_forgotten_container_is_checked_no_more(bench: Bench) -> None:
    bench.prober.watch("web", probe(), NOWHERE, "10.0.0.1")
    bench.at(100)
    bench.prober.forget("web")
    bench.prober.forget("web")
    bench.done(0)
    bench.at(200)
    assert (bench.stopped, bench.changes, bench.started) == (["web"], [], [("web", 100)])
    assert bench.prober.deadline is None


def test_restarted_container_begins_anew(bench: Bench) -> None:
    bench.prober.watch("web", probe(), NOWHERE, "10.0.0.1")
    bench.at(100)
    bench.done(0)
    bench.prober.watch("web", probe(), NOWHERE, "10.0.0.1")
    assert not bench.prober.is_ready("web")
    bench.at(101)
    assert bench.started == [("web", 100), ("web", 101)]


def test_container_may_be_forgotten_when_its_change_is_told(bench: Bench) -> None:
    prober = Prober(bench.start, lambda change: prober.forget(change.key), clock=lambda: bench.now)
    with prober:
        prober.watch("web", probe(period_seconds=1, timeout_seconds=9), NOWHERE, "10.0.0.1")
        prober.turn()
        bench.now = 101
        prober.turn()
        bench.done(0)
        assert (bench.started, prober.deadline) == ([("web", 100)], None)


def test_command_that_cannot_be_started_may_say_so_at_once() -> None:
    def refuse(key: Hashable, command: Sequence[str], done: Callable[[int], None]) -> Callable[[], None]:
        done(127)
        return lambda: None

    with Prober(refuse, lambda change: None, clock=lambda: 0) as prober:
        prober.watch("web", probe(), NOWHERE, "10.0.0.1")
        prober.turn()
        assert (prober.said("web"), prober.deadline) == ("exit code 127", 10)


def test_command_that_cannot_be_started_has_failed() -> None:
    def refuse(key: Hashable, command: Sequence[str], done: Callable[[int], None]) -> Callable[[], None]:
        raise OSError(errno.EAGAIN, "no more processes")

    with Prober(refuse, lambda change: None, clock=lambda: 0) as prober:
        prober.watch("web", probe(), NOWHERE, "10.0.0.1")
        prober.turn()
        assert ("no more processes" in prober.said("web"), prober.deadline) == (True, 10)


def test_namespace_that_is_gone_is_a_failed_check(bench: Bench) -> None:
    bench.prober.watch("web", Probe(check=TcpSocket(port=80)), NOWHERE, "10.0.0.1")
    bench.at(100)
    assert str(NOWHERE) in bench.prober.said("web")
    assert bench.prober.deadline == 110
