"""A program of its own that brings a cluster up: python cluster_driver.py NAME SIGNAL STEP. It sends itself SIGNAL when STEP begins."""

from __future__ import annotations

import os
import signal
import sys

from cluster_tools import Running

from kemu.base.reporter import Silent
from kemu.cluster import lifecycle
from kemu.cluster.state import Record


class Interrupter(Silent):
    def __init__(self, signal_name: str, step: str) -> None:
        self._signal, self._step = signal_name, step

    def step(self, what: str, *, total: int = 0) -> None:
        if what == self._step:
            os.kill(os.getpid(), signal.Signals[self._signal])


def main(name: str, signal_name: str, step: str) -> None:
    cluster = Running.build(name, family="dual", pods=10)
    reporter = Interrupter(signal_name, step)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    lifecycle.up(cluster.plan, Record(cluster=name, file=""), "", reporter=reporter)


if __name__ == "__main__":
    main(*sys.argv[1:])
