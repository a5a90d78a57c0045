"""Terminals for the pages; whatever was made in one goes when its test ends."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_terminal import Terminal

from kemu.cluster import lifecycle

_COUNTER = itertools.count()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(name=f"kdoc{os.getpid()}-{next(_COUNTER)}", directory=tmp_path)
    one.prepare()
    yield one
    for cluster in one.clusters:
        lifecycle.down(cluster)
