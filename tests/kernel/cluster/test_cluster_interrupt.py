"""Whatever happens in the middle of `up`, the next `up` completes it and `down` takes it away."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_tools import Running, traces

from kemu.cluster import lifecycle
from kemu.plan.objects import Netns

pytestmark = pytest.mark.kernel

_DRIVER = Path(__file__).with_name("cluster_driver.py")
_STEPS = ["namespaces", "devices", "addresses and routes"]
_SEED = int(os.environ.get("KEMU_SEED", "20260725"))  # the delays stand in the tests' names


def _start(name: str, signal_name: str = "SIGKILL", step: str = "never") -> subprocess.Popen[str]:
    argv = [sys.executable, str(_DRIVER), name, signal_name, step]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _wait(driver: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code and what it said."""
    said = "".join(driver.communicate(timeout=60))
    return driver.returncode, said


def _cluster(name: str) -> Running:
    return Running.build(name, family="dual", pods=10)


@pytest.mark.parametrize("step", _STEPS)
def test_interrupted_up_leaves_nothing(name: str, step: str) -> None:
    code, said = _wait(_start(name, "SIGINT", step))
    assert code != 0
    assert "KeyboardInterrupt" in said
    assert traces(name) == []


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("step", _STEPS)
def test_killed_up_is_completed_by_the_next(name: str, step: str, signal_name: str) -> None:
    code, said = _wait(_start(name, signal_name, step))
    assert code == -signal.Signals[signal_name], said
    cluster = _cluster(name)
    assert cluster.compare().state == "starting"
    cluster.up()
    assert cluster.compare().state == "ok"


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("step", _STEPS)
def test_killed_up_is_taken_away_by_down(name: str, step: str, signal_name: str) -> None:
    _wait(_start(name, signal_name, step))
    assert lifecycle.down(name) is True
    assert traces(name) == []


def _kill_after(name: str, seconds: float) -> None:
    driver = _start(name)
    assert driver.stdout is not None
    assert driver.stdout.readline() == "ready\n"
    select.select([], [], [], seconds)
    driver.kill()
    driver.communicate(timeout=60)


_DELAYS = [round(random.Random(_SEED + number).uniform(0.0, 0.16), 4) for number in range(12)]


@pytest.mark.parametrize("delay", _DELAYS)
def test_kill_at_a_random_moment(name: str, delay: float) -> None:
    _kill_after(name, delay)
    cluster = _cluster(name)
    cluster.up()
    assert cluster.drift() == []
    assert cluster.compare().state == "ok"
    assert lifecycle.down(name) is True
    assert traces(name) == []


@pytest.mark.parametrize("delay", _DELAYS)
def test_kill_at_a_random_moment_and_down(name: str, delay: float) -> None:
    _kill_after(name, delay)
    lifecycle.down(name)
    assert traces(name) == []


def test_kill_in_the_middle_of_a_repair(name: str) -> None:
    cluster = _cluster(name)
    cluster.up()
    cluster.shell("ip netns del @n2; ip -n @n1 link del cni0")
    code, said = _wait(_start(name, "SIGKILL", "devices"))
    assert code == -signal.SIGKILL, said
    cluster.up()
    assert cluster.drift() == []


def test_empty_file_of_an_interrupted_up_is_cleared_away(name: str) -> None:
    debris = Path(f"/run/netns/{name}.n1")
    debris.parent.mkdir(exist_ok=True)
    debris.touch(mode=0o444)
    cluster = _cluster(name)
    assert cluster.up().made
    assert sorted(path.name for path in debris.parent.glob(f"{name}.*")) == sorted(
        f"{name}.{item.netns}" for item in cluster.plan if isinstance(item, Netns)
    )
    assert cluster.drift() == []
