"""A kemu on the command line, in a directory and with cluster names of its own; whatever it made goes when the test ends."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_kemu import Kemu

_COUNTER = itertools.count()


@pytest.fixture
def kemu(tmp_path: Path) -> Iterator[Kemu]:
    one = Kemu(name=f"kc{os.getpid()}-{next(_COUNTER)}", directory=tmp_path)
    yield one
    for name in one.names:
        one.call("down", name)
