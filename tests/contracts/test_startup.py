"""What the command line must not load before it needs it: `kemu --help` and completion are felt at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from .layers import is_within

#: What costs (pyroute2 alone 0.1 s), or serves only who changes the machine or measures.
HEAVY = ("pyroute2", "iperf3", "asyncio", "multiprocessing", "kemu.kernel.read", "kemu.perf.worker")
#: What a line without a verb can do without, too.
NOT_WITHOUT_A_VERB = (*HEAVY, "yaml", "kemu.api", "kemu.kernel", "kemu.cluster", "kemu.reach")

TOPOLOGY = """
nodes: 2
pods: {perNode: 1}
"""
REPORT = """
import sys
from kemu.cli.main import run
code = run(sys.argv[2:])
import json
with open(sys.argv[1], "w") as report:
    json.dump({"code": code, "modules": sorted(sys.modules)}, report)
"""


def _loaded(folder: Path, arguments: Sequence[str]) -> list[str]:
    """Return the modules that a command line has loaded when it is done."""
    report = folder / "report.json"
    done = subprocess.run(
        [sys.executable, "-c", REPORT, str(report), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(report.read_text())
    assert facts["code"] == 0, done.stderr
    modules: list[str] = facts["modules"]
    return modules


def _of(modules: Sequence[str], heavy: Sequence[str]) -> list[str]:
    return [package for package in heavy if any(is_within(module, package) for module in modules)]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["up", "--help"], ["reach", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    assert _of(_loaded(tmp_path, arguments), HEAVY) == []


def test_version_loads_only_the_command_line(tmp_path: Path) -> None:
    assert _of(_loaded(tmp_path, ["--version"]), NOT_WITHOUT_A_VERB) == []


@pytest.mark.parametrize("verb", ["plan", "validate"])
def test_verbs_of_files_load_nothing_heavy(verb: str, tmp_path: Path) -> None:
    (tmp_path / "some.yaml").write_text(TOPOLOGY)
    assert _of(_loaded(tmp_path, [verb, "some.yaml"]), HEAVY) == []
