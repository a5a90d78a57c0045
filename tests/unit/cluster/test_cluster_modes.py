"""Who may read and change the state directory, whatever the umask; and that nobody can lead kemu out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kemu.base.errors import StateError
from kemu.base.reporter import SILENT
from kemu.cluster import state
from kemu.cluster.lock import locked
from kemu.cluster.state import Record, StateDirectory


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    monkeypatch.setattr(state, "ROOT", tmp_path / "kemu")
    return StateDirectory("demo")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def _fill(demo: StateDirectory) -> None:
    with locked(demo, patience_seconds=0, reporter=SILENT):
        demo.write_topology("nodes: 2\n")
        demo.write_files("127.0.0.1 localhost\n")
        demo.write_record(Record(cluster="demo", file=""))
        demo.write_plan([])
        demo.write_baseline({})
        demo.append_event("up")


def _modes(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root.parent)): oct(stat.S_IMODE(path.stat().st_mode)) for path in [root, *root.rglob("*")]}


@pytest.mark.usefixtures("umask")
def test_everybody_reads_and_the_owner_alone_writes(demo: StateDirectory) -> None:
    _fill(demo)
    directories, files = (
        ("", "/demo", "/demo/files", "/demo/log", "/demo/processes"),
        (
            "baseline.json",
            "cluster.json",
            "events.jsonl",
            "files/hosts",
            "files/resolv.conf",
            "plan.json",
            "topology.yaml",
        ),
    )
    assert _modes(state.ROOT) == {
        **{f"kemu{name}": "0o755" for name in directories},
        **{f"kemu/demo/{name}": "0o644" for name in files},
        "kemu/demo/lock": "0o600",
    }


def _refused(demo: StateDirectory) -> None:
    with pytest.raises(StateError, match="is not kemu's: it must be a directory of its own that nobody else can change"):
        demo.make()


def test_directory_that_others_can_change_is_refused(demo: StateDirectory) -> None:
    state.ROOT.mkdir()
    for mode in (0o777, 0o775):
        state.ROOT.chmod(mode)
        _refused(demo)
    state.ROOT.chmod(0o755)
    demo.path.mkdir()
    demo.path.chmod(0o757)
    _refused(demo)


def test_directory_of_somebody_else_is_refused(demo: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    state.ROOT.mkdir(mode=0o755)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    _refused(demo)


@pytest.mark.parametrize("place", ["", "demo", "demo/files"])
def test_symbolic_link_in_place_of_a_directory_is_refused(demo: StateDirectory, tmp_path: Path, place: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = state.ROOT / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    _refused(demo)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["topology.yaml.new", "events.jsonl", "lock"])
def test_symbolic_link_in_place_of_a_file_is_never_followed(demo: StateDirectory, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    demo.make()
    (demo.path / name).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        _fill(demo)
    assert victim.read_text() == "untouched"


def test_symbolic_link_in_place_of_a_finished_file_is_replaced(demo: StateDirectory, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    demo.make()
    (demo.path / "topology.yaml").symlink_to(victim)
    _fill(demo)
    assert victim.read_text() == "untouched"
    assert demo.find_topology() == "nodes: 2\n"


def test_removal_follows_no_link(demo: StateDirectory, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    _fill(demo)
    (demo.path / "log" / "out").symlink_to(elsewhere)
    demo.remove()
    assert (elsewhere / "file").exists()
    assert not demo.path.exists()
