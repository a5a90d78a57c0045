"""The fixtures of the responder's tests: namespaces with a responder, removed however the test ends."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator

import pytest
from responder_lab import Lab, make_namespace

from kemu.probe.responder import Responder

_COUNTER = itertools.count()


@pytest.fixture
def lab() -> Iterator[Lab]:
    name = f"kt-probe-{os.getpid()}-{next(_COUNTER)}"
    with Responder() as responder:
        make_namespace(name)
        try:
            yield Lab(name, responder)
        finally:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
