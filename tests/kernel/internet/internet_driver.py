"""A program of its own that brings a cluster up, or takes it down: python internet_driver.py WORLD NAME up|down STEP.

It ends itself with SIGKILL when STEP begins.
"""

from __future__ import annotations

import os
import signal
import sys

from internet_world import Online, World

from kemu.base.reporter import Silent
from kemu.cluster import lifecycle


class Killer(Silent):
    def __init__(self, step: str) -> None:
        self._step = step

    def step(self, what: str, *, total: int = 0) -> None:
        if what == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


def main(world: str, name: str, verb: str, step: str) -> None:
    cluster = Online.of(World(world), name, family="dual")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if verb == "up":
        cluster.up(reporter=Killer(step))
    else:
        with cluster.world.machine():
            lifecycle.down(name, reporter=Killer(step))


if __name__ == "__main__":
    main(*sys.argv[1:])
