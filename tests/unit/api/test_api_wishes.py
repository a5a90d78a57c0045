"""What `up` and the live verbs decide under the lock, from what the state directory remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from kemu.api import Topology
from kemu.api.wishes import FileWish, LiveWish
from kemu.base.errors import StateError
from kemu.base.reporter import Silent
from kemu.cluster.lifecycle import Wish
from kemu.cluster.state import Record, StateDirectory
from kemu.plan.objects import Link
from kemu.spec.live import LinkWish, Live, read_live, show_live, with_link

_TEXT = "name: lab\nnodes: 2\n"


class _Ear(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, message: str) -> None:
        self.heard.append(message)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    monkeypatch.setattr("kemu.cluster.state.ROOT", tmp_path)
    directory = StateDirectory("lab")
    directory.make()
    return directory


def _down(target: str) -> Live:
    return with_link(Live(), target, LinkWish(up=False))


def _wish(state: StateDirectory, *, reset: bool = False, ear: _Ear | None = None) -> Wish:
    wanted = Topology.parse(_TEXT)
    return FileWish(wanted=wanted, plan=wanted.plan(), force=False, reset=reset, reporter=ear or Silent())(state)


def _is_up(wish: Wish, node: str) -> bool:
    link = wish.plan.objects["link", node, "eth0"]
    assert isinstance(link, Link)
    return link.up


def test_the_file_alone_remembers_nothing(state: StateDirectory) -> None:
    assert (_wish(state).live, _is_up(_wish(state), "n1")) == ("", True)


def test_up_keeps_live_changes_and_forgets_those_of_machines_that_are_gone(state: StateDirectory) -> None:
    state.write_live(show_live(with_link(_down("node/n1"), "host/gone", LinkWish(up=False))))
    ear = _Ear()
    wish = _wish(state, ear=ear)
    assert (_is_up(wish, "n1"), _is_up(wish, "n2")) == (False, True)
    assert read_live(wish.live) == _down("node/n1")
    assert ear.heard == ["a live change goes, for the file no longer has it: link host/gone: down"]


@pytest.mark.parametrize("text", [show_live(_down("node/n1")), "links: ["])
def test_reset_drops_them_even_if_nobody_can_read_them(state: StateDirectory, text: str) -> None:
    state.write_live(text)
    wish = _wish(state, reset=True)
    assert (wish.live, _is_up(wish, "n1")) == ("", True)
    if text == "links: [":
        with pytest.raises(StateError, match="damaged"):
            _wish(state)


def test_a_live_verb_starts_from_the_applied_file(state: StateDirectory) -> None:
    state.write_topology(_TEXT)
    state.write_record(Record(cluster="lab", file="", ready=True))
    state.write_live(show_live(_down("node/n1")))
    wish = LiveWish(change=lambda topology, live: with_link(live, f"node/{topology.nodes[1].name}", LinkWish(up=False)))(state)
    assert (wish.text, _is_up(wish, "n1"), _is_up(wish, "n2")) == (_TEXT, False, False)


def test_a_cluster_that_is_not_whole_is_brought_up_first(state: StateDirectory) -> None:
    state.write_record(Record(cluster="lab", file=""))
    with pytest.raises(StateError) as caught:
        LiveWish(change=lambda topology, live: live)(state)
    assert caught.value.hint == "kemu up first"
