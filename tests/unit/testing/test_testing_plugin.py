"""The pytest plugin where no cluster is made: markers, names of tests, and what goes wrong."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from kemu import Topology
from kemu.testing.marker import read_marker

pytest_plugins = "pytester"

HERE = Path("/nowhere")
NO_MACHINE = """
from kemu.api import Cluster
from kemu.base.errors import MachineError

def up(topology, **_):
    raise MachineError("this needs root", hint="sudo kemu up")

Cluster.up = up
Cluster.down = lambda *_, **__: False
"""
USES = """
import pytest

@pytest.mark.kemu(%s)
def test_it(kemu_cluster):
    pass
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *words: str) -> pytest.RunResult:
    """Run pytest in a process of its own, where no plugin is loaded but ours."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester.runpytest_subprocess("-p", "kemu.testing.plugin", "-p", "no:cacheprovider", "--strict-markers", *words)


def test_the_plugin_is_the_one_that_pytest_finds() -> None:
    config = configparser.ConfigParser()
    config.read(Path(__file__).resolve().parents[3] / "setup.cfg")
    assert config["options.entry_points"]["pytest11"].split() == ["kemu", "=", "kemu.testing.plugin"]


def test_a_pytest_without_clusters_waits_for_nothing() -> None:
    program = (
        "import sys, kemu.testing.plugin; print(*[name for name in sys.modules if name.startswith(('kemu', 'yaml', 'click'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["kemu", "kemu.testing", "kemu.testing.marker", "kemu.testing.plugin"]


def test_tests_are_named_by_topology_and_backend(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(USES % 'topologies=["two-nodes", "net/lab.kemu.yaml", "nodes: 2"], backends=["host-gw", "vxlan"]')
    result = run(pytester, monkeypatch, "--collect-only", "-q")
    names = [line.partition("[")[2].rstrip("]") for line in result.outlines if "test_it[" in line]
    assert names == [f"{topology}-{backend}" for topology in ("two-nodes", "lab", "inline") for backend in ("host-gw", "vxlan")]


def test_a_test_without_a_marker_is_told_how(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile("def test_it(kemu_cluster): pass")
    result = run(pytester, monkeypatch)
    result.stdout.fnmatch_lines(["*test_it uses kemu_cluster without a marker*@pytest.mark.kemu*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "*it takes a topology*"),
        ('"two-nodes", topologies=["two-racks"]', "*and not both*"),
        ('"two-nodes", backend="vxlan", backends=["host-gw"]', "*backend or backends*"),
        ('"two-nodes", backends="vxlan"', "*are lists*"),
        ('"two-nodes", backedn="vxlan"', "*unexpected keyword argument 'backedn'*"),
    ],
)
def test_a_wrong_marker_is_told_what_is_wrong(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, words: str, message: str
) -> None:
    pytester.makepyfile(USES % words)
    result = run(pytester, monkeypatch)
    result.stdout.fnmatch_lines([f"*test_it: the marker kemu: {message}"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_a_machine_that_cannot_fails_unless_it_is_to_be_skipped(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest(NO_MACHINE)
    pytester.makepyfile(USES % '"two-nodes"')
    failed = run(pytester, monkeypatch)
    failed.assert_outcomes(errors=1)
    failed.stdout.fnmatch_lines(["error: this needs root", "*hint: sudo kemu up", "*hint: --kemu-skip skips these tests"])
    skipped = run(pytester, monkeypatch, "--kemu-skip", "-rs")
    skipped.assert_outcomes(skipped=1)
    skipped.stdout.fnmatch_lines(["SKIPPED*kemu: this needs root"])


def test_a_wrong_file_is_shown_with_its_line_and_never_skipped(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makefile(".yaml", lab="pods:\n- {name: a, node: n7}\n")
    pytester.makepyfile(USES % '"lab.yaml"')
    result = run(pytester, monkeypatch, "--kemu-skip")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*lab.yaml:2:19: error: pod a: node "n7" does not exist'])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_who_asks_for_the_same_shares_it() -> None:
    lab = Topology.build(name="lab")
    for words in ({"topology": "two-nodes"}, {"topology": lab}, {"topology": {"nodes": 3}, "sets": ["networking.ipFamily=dual"]}):
        assert read_marker(HERE, **words) == read_marker(HERE, **words)  # type: ignore[arg-type]
    assert read_marker(HERE, "two-nodes") != read_marker(HERE, "two-nodes", backend="host-gw")
    assert read_marker(HERE, "two-nodes") != read_marker(Path("/elsewhere"), "two-nodes")


def test_every_way_to_say_a_topology_is_one(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("nodes: 3\n")
    built = Topology.build(name="built", nodes=3)
    ways = ["lab.yaml", Path("lab.yaml"), "nodes: 3", "nodes: 3\npods: []\n", {"nodes": 3}, {"name": "own", "nodes": 3}, built]
    found = [read_marker(tmp_path, way, backend="host-gw", sets=["networking.ipFamily=dual"])[0].load() for way in ways]
    assert [one.name for one in found] == ["lab", "lab", "inline", "inline", "inline", "own", "built"]
    assert {(len(one.model.nodes), one.backend, str(one.model.networking.ip_family)) for one in found} == {(3, "host-gw", "dual")}
    assert read_marker(tmp_path, "two-racks")[0].load().name == "two-racks"
