"""How long a container waits before it is started again."""

from __future__ import annotations

from kemu.agent.back_off import BackOff


def test_waits_double_from_nothing_to_five_minutes() -> None:
    back_off = BackOff()
    assert [back_off.after_end(float(now)) for now in range(9)] == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_after_ten_minutes_in_peace_it_begins_anew() -> None:
    back_off = BackOff()
    assert [back_off.after_end(now) for now in (0.0, 1.0, 2.0, 602.0, 1202.5, 1203.0)] == [0, 10, 20, 40, 0, 10]
