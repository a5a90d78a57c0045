"""A machine on which nobody ever made a named network namespace: /run/netns comes with the first cluster and goes with the last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kernel

_PROGRAM = Path(__file__).with_name("cluster_alone.py")


@pytest.fixture(scope="module")
def steps() -> list[dict[str, Any]]:
    script = 'umount --lazy /run/netns 2>/dev/null; mount -t tmpfs run /run && exec "$@"'  # /run of this program alone
    argv = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "bash",
        "-c",
        script,
        "bash",
        sys.executable,
        str(_PROGRAM),
        f"kt{os.getpid()}",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_first_cluster_mounts_the_directory_as_ip_netns_does(steps: list[dict[str, Any]]) -> None:
    assert steps[0] == {"run": ["kemu", "netns"], "mounts": 1, "shared": True}


def test_second_cluster_uses_it(steps: list[dict[str, Any]]) -> None:
    assert steps[1] == steps[0]


def test_directory_stays_for_the_last_cluster(steps: list[dict[str, Any]]) -> None:
    assert steps[2] == steps[0]


def test_last_cluster_takes_everything_along(steps: list[dict[str, Any]]) -> None:
    assert steps[3] == {"run": [], "mounts": 0, "shared": True}


def test_directory_stays_for_somebody_elses_namespace(steps: list[dict[str, Any]]) -> None:
    assert steps[4]["left"] == ["somebodys"]
    assert steps[4]["mounts"] == 1
    assert steps[4]["drift"] == []
