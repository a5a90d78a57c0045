"""Terminals for the pages; whatever was made in one goes when its test ends."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_terminal import Terminal

_COUNTER = itertools.count()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(name=f"kdoc{os.getpid()}-{next(_COUNTER)}", directory=tmp_path)
    one.prepare()
    yield one
    subprocess.run([sys.executable, "-m", "kemu", "down", one.name], check=True, stdout=subprocess.DEVNULL, timeout=60)
