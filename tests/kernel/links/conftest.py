"""A kemu on the command line for the links' tests; whatever it made goes when the test ends."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))  # the command line as a user calls it

from cli_kemu import Kemu

_COUNTER = itertools.count()


@pytest.fixture
def kemu(tmp_path: Path) -> Iterator[Kemu]:
    one = Kemu(name=f"kl{os.getpid()}-{next(_COUNTER)}", directory=tmp_path)
    yield one
    for name in one.names:
        one.call("down", name)
