"""The pace of sending and asking again, with a wire that only pretends."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kemu.base.reporter import Silent
from kemu.reach.model import Probe, Target
from kemu.reach.rounds import MOST_ROUNDS, QUIET_SECONDS, WINDOW, settle
from kemu.reach.task import Ledger, Task, build_tasks

PROBE = Probe(timeout_seconds=0.03, tries=3)


@dataclass
class FakeWire:
    """Answers the requests that `answers` lets through, one each time that somebody listens."""

    answers: Callable[[Task, int], bool] = lambda task, attempt: True
    sent: Counter[Task] = field(default_factory=Counter)
    batches: list[int] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    coming: deque[Task] = field(default_factory=deque)
    finished: bool = False

    def send(self, tasks: Sequence[Task]) -> None:
        self.batches.append(len(tasks))
        for task in tasks:
            if self.answers(task, self.sent[task]):
                self.coming.append(task)
            self.sent[task] += 1

    def receive(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        if not self.coming:
            return False
        self.coming.popleft().settle("ok")
        return True

    def finish(self) -> None:
        self.finished = True


class Counting(Silent):
    def __init__(self) -> None:
        self.done = 0

    def advance(self, count: int = 1) -> None:
        self.done += count


def make_tasks(count: int) -> list[Task]:
    sender = Target(endpoint="pod/default/a", netns=Path("/none"), addresses=("10.0.0.1",))
    receiver = Target(endpoint="pod/default/b", netns=None, addresses=("10.0.0.2",))
    return build_tasks([(sender, receiver)] * count, Ledger())


def run(wire: FakeWire, tasks: list[Task], probe: Probe = PROBE) -> int:
    reporter = Counting()
    settle(wire, tasks, probe, reporter=reporter)
    assert wire.finished
    return reporter.done


def test_answered_pairs_are_asked_once_and_at_most_a_window_at_a_time() -> None:
    wire, tasks = FakeWire(), make_tasks(3 * WINDOW + 1)
    assert run(wire, tasks) == len(tasks)
    assert wire.batches == [WINDOW, WINDOW, WINDOW, 1]
    assert {task.reason for task in tasks} == {"ok"}


def test_next_batch_waits_for_the_answers_to_the_one_before() -> None:
    wire, tasks = FakeWire(), make_tasks(2 * WINDOW)
    backlog: list[int] = []
    plain_send = wire.send

    def send(batch: Sequence[Task]) -> None:
        backlog.append(len(wire.coming))
        plain_send(batch)

    wire.send = send  # type: ignore[method-assign]
    run(wire, tasks)
    assert backlog == [0, 0]


def test_lost_pairs_are_asked_as_often_as_the_probe_says() -> None:
    wire, tasks = FakeWire(lambda task, attempt: task.number != 5), make_tasks(20)
    assert run(wire, tasks) == 20
    assert [task.number for task in tasks if task.to_result().reason == "timeout"] == [5]
    assert wire.sent[tasks[5]] == 3
    assert wire.sent[tasks[6]] == 1


def test_more_rounds_follow_while_repeats_bring_answers() -> None:
    wire, tasks = FakeWire(lambda task, attempt: attempt >= task.number), make_tasks(6)
    run(wire, tasks)
    assert {task.reason for task in tasks} == {"ok"}
    assert wire.sent[tasks[5]] == 6


def test_rounds_end() -> None:
    wire, tasks = FakeWire(lambda task, attempt: attempt >= task.number), make_tasks(MOST_ROUNDS + 5)
    run(wire, tasks)
    assert max(wire.sent.values()) == MOST_ROUNDS


def test_repeats_go_out_in_smaller_batches() -> None:
    wire = FakeWire(lambda task, attempt: attempt == 1)
    run(wire, make_tasks(WINDOW))
    assert wire.batches == [WINDOW, WINDOW // 2, WINDOW // 2]


@pytest.mark.parametrize("count", [10, 20 * WINDOW])
def test_pauses_of_lost_pairs_cost_one_timeout_a_round_or_the_shortest_pause(count: int) -> None:
    wire = FakeWire(lambda task, attempt: task.number < attempt)
    run(wire, make_tasks(count))
    assert max(wire.pauses) <= max(QUIET_SECONDS, PROBE.timeout_seconds)


def test_unsendable_pair_is_not_asked_again() -> None:
    wire, tasks = FakeWire(lambda task, attempt: False), make_tasks(1)
    plain_send = wire.send

    def send(batch: Sequence[Task]) -> None:
        plain_send(batch)
        batch[0].settle("no-route")

    wire.send = send  # type: ignore[method-assign]
    run(wire, tasks)
    assert wire.batches == [1]
    assert tasks[0].to_result().reason == "no-route"
