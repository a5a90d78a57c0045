from __future__ import annotations

import json
from pathlib import Path

import pytest

from kemu.base.errors import LockedError
from kemu.base.reporter import SILENT
from kemu.cluster import state
from kemu.cluster.lifecycle import corrections
from kemu.cluster.lock import locked
from kemu.cluster.state import Record, StateDirectory, find_states
from kemu.plan.objects import Netns

_RECORD = Record(
    cluster="demo", file="/a/b.yaml", backend="vxlan", sets=("a=b", "c=d"), force=True, ready=True, version="1", created=2.0
)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    monkeypatch.setattr(state, "ROOT", tmp_path / "kemu")
    directory = StateDirectory("demo")
    directory.make()
    return directory


def test_what_was_written_is_found_again(demo: StateDirectory) -> None:
    demo.write_record(_RECORD)
    demo.write_topology("nodes: 2\n")
    demo.write_baseline({"net/a": "1"})
    assert demo.find_record() == _RECORD
    assert demo.find_topology() == "nodes: 2\n"
    assert demo.find_baseline() == {"net/a": "1"}
    assert find_states() == ["demo"]


def test_empty_directory_says_nothing(demo: StateDirectory) -> None:
    assert demo.find_record() is None
    assert demo.find_topology() is None
    assert demo.find_baseline() is None


def test_nothing_is_left_of_a_write(demo: StateDirectory) -> None:
    before = {path.name for path in demo.path.iterdir()}
    demo.write_topology("one")
    demo.write_topology("two")
    assert demo.find_topology() == "two"
    assert {path.name for path in demo.path.iterdir()} - before == {"topology.yaml"}


def test_plan_is_kept_as_json(demo: StateDirectory) -> None:
    demo.write_plan([Netns(netns="n1")])
    data = json.loads((demo.path / "plan.json").read_text())
    assert (data["schema"], data["cluster"]) == ("kemu.plan/1", "demo")
    assert data["objects"] == [{"kind": "netns", "netns": "n1", "lacks": [], "origin": None}]


def test_events_follow_each_other(demo: StateDirectory) -> None:
    demo.append_event("up", changes=3)
    demo.append_event("up", changes=0)
    lines = [json.loads(line) for line in (demo.path / "events.jsonl").read_text().splitlines()]
    assert [(line["event"], line["changes"]) for line in lines] == [("up", 3), ("up", 0)]


def test_last_directory_takes_the_common_one_along(demo: StateDirectory) -> None:
    other = StateDirectory("other")
    other.make()
    demo.remove()
    assert find_states() == ["other"]
    other.remove()
    assert not state.ROOT.exists()
    other.remove()
    assert find_states() == []


def test_lock_names_its_holder_and_is_free_afterwards(demo: StateDirectory) -> None:
    with locked(demo, patience_seconds=0, reporter=SILENT):
        with pytest.raises(LockedError, match="another command is at work on the cluster demo"), _again(demo):
            raise AssertionError("the lock was given twice")
        assert json.loads(demo.lock.read_text())["pid"] > 0
    with _again(demo):
        assert demo.lock.exists()


def _again(demo: StateDirectory):  # type: ignore[no-untyped-def]
    return locked(demo, patience_seconds=0, reporter=SILENT)


def test_lock_comes_back_after_its_directory_was_removed(demo: StateDirectory) -> None:
    demo.remove()
    with _again(demo):
        assert demo.lock.exists()


def test_corrections_are_what_the_machine_has_otherwise() -> None:
    assert corrections({"a": "1", "b": "2"}, {"a": "1", "b": "3"}) == {"b": "2"}
