"""scripts/demo fails when what it shows does not work: here with a kemu that only pretends, and breaks one step."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel  # the demo wants root

ROOT = Path(__file__).resolve().parents[3]
_PRETENDER = r"""#!/usr/bin/env bash
fails() { [ "$BROKEN" = "$1" ] && exit "${2-1}"; true; }
case "$*" in
ls*) if [ -e "$THERE" ]; then echo two-nodes; fi ;;
up*) fails up 5; touch "$THERE" ;;
reach*) fails reach; echo "12 of 12" ;;
*tcpdump*)
    fails tcpdump
    echo "listening on eth0"
    [ "$BROKEN" = silence ] || echo "IP 172.18.0.11.1 > 172.18.0.12.8472: VXLAN, vni 1"
    [ "$BROKEN" = silence ] || echo "IP 10.244.0.2 > 10.244.1.2: ICMP echo request"
    echo "4 packets captured" ;;
*ping*) fails ping; echo "0% packet loss" ;;
compare*)
    fails compare 5
    echo "BACKEND   WORKS   PAIRS"
    echo "host-gw   yes     12 of 12"
    if [ "$BROKEN" = vxlan ]; then echo "vxlan     no      6 of 12"; else echo "vxlan     yes     12 of 12"; fi ;;
down*) fails down 5; [ "$BROKEN" = leftovers ] || rm -f "$THERE" ;;
*) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""


def _run(folder: Path, broken: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with a kemu that works but for one step."""
    for name, text in (("scripts/setup", "#!/bin/sh\n"), (".venv/bin/kemu", _PRETENDER)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    demo = shutil.copy(ROOT / "scripts/demo", folder / "scripts/demo")
    environment = {"PATH": os.environ["PATH"], "BROKEN": broken, "THERE": str(folder / "there")}
    return subprocess.run([demo], capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_the_demo_succeeds_when_everything_works(tmp_path: Path) -> None:
    done = _run(tmp_path, "nothing")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if line.startswith("$ ")] == [
        "$ kemu up two-nodes",
        "$ kemu reach -C two-nodes",
        "$ kemu exec -C two-nodes a -- ping -c 2 10.244.1.2",
        "$ kemu compare two-nodes --backends host-gw,vxlan --seconds 2",
        "$ kemu down two-nodes",
    ]
    assert "vxlan     yes     12 of 12" in done.stdout


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("up", ""),
        ("reach", ""),
        ("tcpdump", "no packet was seen"),
        ("silence", "no packet was seen"),
        ("ping", ""),
        ("compare", ""),
        ("vxlan", "vxlan did not work"),
        ("down", ""),
        ("leftovers", "two-nodes is still there"),
    ],
)
def test_the_demo_fails_with_any_of_its_steps(tmp_path: Path, broken: str, said: str) -> None:
    done = _run(tmp_path, broken)
    assert done.returncode not in (0, 99)
    assert said in done.stderr


def test_the_demo_touches_no_cluster_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    done = _run(tmp_path, "nothing")
    assert (done.returncode, "$ kemu" in done.stdout) == (4, False)
    assert (tmp_path / "there").exists()
