"""What docs/internet.md shows is what happens, on a machine that is a namespace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

from docs_blocks import ROOT, find_blocks, find_steps, first_missing
from internet_world import Online, World

pytestmark = pytest.mark.kernel

_PAGE = (ROOT / "docs" / "internet.md").read_text()
_SHIMS = {"sudo": 'exec "$@"', "kemu": 'exec "$PYTHON" -m kemu "$@"'}


@pytest.fixture
def directory(tmp_path: Path, online: Online) -> Path:
    """A directory with the page's file, in which the cluster has a name of the test's own, and with the page's commands."""
    (tmp_path / "bin").mkdir()
    for name, body in _SHIMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    file = next(find_blocks(_PAGE, "yaml"))
    (tmp_path / f"{online.name}.kemu.yaml").write_text(_renamed(file, online))
    return tmp_path


def _renamed(text: str, online: Online) -> str:
    for before, after in (("name: lab", "name: @"), ("kemu-lab", "kemu-@"), ("lab.", "@."), ("down lab", "down @")):
        text = text.replace(before, after)
    return text.replace("@", online.name)


def test_the_commands_print_what_the_page_shows(world: World, online: Online, directory: Path) -> None:
    steps = [step for block in find_blocks(_PAGE, "console") for step in find_steps(block)]
    assert len(steps) > 10
    for step in steps:
        output = _run(world, _renamed(step.command, online), directory, online)
        missing = first_missing(step.shown, output.replace(online.name, "lab"))
        assert missing is None, f"$ {step.command}\ndoes not print\n{missing}\nbut\n{output}"


def _run(world: World, command: str, directory: Path, online: Online) -> str:
    environment = {**os.environ, "PATH": f"{directory / 'bin'}:{os.environ['PATH']}", "PYTHON": sys.executable, "NO_COLOR": "1"}
    with world.machine():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=directory,
            env={**environment, "KEMU_CLUSTER": online.name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
    return done.stdout


def test_every_file_on_the_page_is_valid(world: World, online: Online, directory: Path) -> None:
    files = list(find_blocks(_PAGE, "yaml"))
    assert len(files) == 2
    for text in files:
        (directory / "one.yaml").write_text(text)
        output = _run(world, "kemu validate one.yaml", directory, online)
        assert "lab is fine" in output
        assert "warning: internet: this machine gets the device kemu-lab" in output


def test_plan_as_commands_shows_what_is_typed_on_the_machine(world: World, online: Online, directory: Path) -> None:
    output = _run(world, f"kemu plan {online.name}.kemu.yaml -o ip", directory, online)
    assert f"ip link set dev {online.device} alias kemu:{online.name}.machine up" in output
    assert "# Forwarding through this machine" in output
