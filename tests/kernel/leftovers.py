"""What a test process leaves on the machine, told from everybody else's by its names.

The convention: whatever a test of tests/kernel makes is called k, a few letters, and the PID of its process (kc4711-0, kt-reach-4711);
names that must be very short are k, the PID in hexadecimal, and a number (k1267-0).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

#: Where names of clusters can stay: kernel namespaces, state directories, and links of the machine's own network namespace.
PLACES = (Path("/run/netns"), Path("/run/kemu"), Path("/sys/class/net"))
_PREFIX = "kemu-"  # of the links that `internet: true` puts on the machine


def find_leftovers(pid: int, places: Iterable[Path] = PLACES) -> list[str]:
    """Return what is still there of what the process `pid` made."""
    return [str(place / name) for place in places if place.is_dir() for name in sorted(os.listdir(place)) if is_of(name, pid)]


def is_of(name: str, pid: int) -> bool:
    """Say whether a namespace, cluster or link has the name of something that the process `pid` made."""
    return re.match(rf"k([a-z-]+{pid}(?!\d)|{pid:x}-\d)", name.removeprefix(_PREFIX)) is not None
