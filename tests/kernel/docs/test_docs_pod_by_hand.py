"""The ten commands of docs/a-pod-by-hand.md make a pod."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_blocks import ROOT, find_blocks, find_steps, first_missing

pytestmark = pytest.mark.kernel

PAGE = (ROOT / "docs" / "a-pod-by-hand.md").read_text()
PREFIX = "hand-"


@pytest.fixture
def prefix() -> Iterator[str]:
    """Yield the prefix of the names here; namespaces with it go at the end."""
    own = f"kdoch{os.getpid()}-"
    yield own
    for path in Path("/run/netns").glob(f"{own}*"):
        subprocess.run(["ip", "netns", "del", path.name], check=True)


def _run(command: str, prefix: str) -> str:
    words = command.replace(PREFIX, prefix).split()
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def _commands() -> list[str]:
    unindented = re.sub(r"^ +", "", PAGE, flags=re.MULTILINE)
    return [line for block in find_blocks(unindented, "bash") for line in block.splitlines()]


def test_there_are_ten_commands_of_ip() -> None:
    assert len(_commands()) == 10
    assert {command.split()[0] for command in _commands()} == {"ip"}


def test_they_make_a_pod_that_reaches_its_gateway(prefix: str) -> None:
    for command in _commands():
        _run(command, prefix)
    steps = [step for block in find_blocks(PAGE, "console") for step in find_steps(block)]
    for step in steps:
        output = _run(step.command, prefix)
        missing = first_missing(step.shown, output)
        assert missing is None, f"{step.command} does not print {missing}, but {output}"
    assert not list(Path("/run/netns").glob(f"{prefix}*"))
