"""Who waits until when."""

from __future__ import annotations

from kemu.probe.deadlines import Deadlines


def test_first_of_all_lengths_comes_first() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("long", 0, 10)
    deadlines.set("short", 5, 1)
    deadlines.set("later", 5.5, 1)
    assert (deadlines.next, deadlines.find_first(), len(deadlines)) == (6, "short", 3)
    assert list(deadlines.take_expired(6.5)) == ["short", "later"]
    assert list(deadlines.take_expired(9)) == []
    assert list(deadlines.take_expired(10)) == ["long"]
    assert (deadlines.next, deadlines.find_first(), len(deadlines)) == (None, None, 0)


def test_new_deadline_replaces_the_old() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("one", 0, 1)
    deadlines.set("other", 0, 1)
    deadlines.set("one", 0.5, 1)
    assert list(deadlines.take_expired(1)) == ["other"]
    deadlines.set("one", 0.6, 5)
    assert (list(deadlines.take_expired(2)), deadlines.next) == ([], 5.6)


def test_dropped_deadlines_never_come() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("one", 0, 1)
    deadlines.drop("one")
    deadlines.drop("nobody")
    assert (list(deadlines.take_expired(99)), deadlines.next) == ([], None)


def test_deadlines_may_be_set_while_they_expire() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("one", 0, 1)
    for one in deadlines.take_expired(1):
        deadlines.set(one, 1, 2)
    assert deadlines.next == 3
