"""What scripts/generate writes into the documentation is up to date."""

from __future__ import annotations

import subprocess
import sys

from .layers import ROOMS
from .source import ROOT


def test_generated_parts_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/generate", "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_architecture_shows_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert [room.folder for room in ROOMS if f"`{room.folder}/`" not in text] == []
