"""Who takes part, and one measurement of each: bringing so many pods on so many nodes up, and down again."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.settle import wait_until_settled

ROOT = Path(__file__).parents[1]
KEMU = [sys.executable, "-m", "kemu"]
CLUSTER = f"kb{os.getpid()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement. `settled_seconds` is how long the kernel went on removing after `down` had returned."""

    up_seconds: float
    down_seconds: float
    settled_seconds: float
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Somebody who brings a network up. `why_not` says why it does not take part here; `most` is the most pods it is asked for."""

    name: str
    what: str
    measure: Callable[[Path, int], Sample]
    why_not: str = ""
    most: int = 10_000


def contestants() -> list[Contestant]:
    """Return all of them, kemu first."""
    return [
        Contestant(name="kemu", what="kemu up, a whole process with the start of Python", measure=_kemu),
        Contestant(
            name="floor", what="the same kernel objects by messages packed before, timed inside its process", measure=_floor
        ),
        Contestant(
            name="ip -batch", what="one ip, bridge, sysctl, nft process a namespace, files written before", measure=_shell
        ),
        Contestant(name="script", what="kemu plan -o ip, run by bash: a process a command", measure=_script, most=100),
        Contestant(
            name="mininet",
            what="as many hosts on one Linux bridge without routing, timed inside its process",
            measure=_mininet,
            why_not=_no_mininet(),
        ),
    ]


def clean_up() -> None:
    """Remove what an interrupted measurement left."""
    _run([*KEMU, "down", CLUSTER])
    for path in Path("/run/netns").glob(f"{CLUSTER}.*"):  # of plain ip, without kemu's mark
        _run(["ip", "netns", "del", path.name])


def _no_mininet() -> str:
    done = subprocess.run(["/usr/bin/python3", "-c", "import mininet"], capture_output=True, check=False)
    is_there = done.returncode == 0 and shutil.which("brctl")
    return "" if is_there else "not installed: apt-get install --no-install-recommends mininet bridge-utils"


def _run(command: Sequence[str | Path]) -> str:
    """Run a command and return its output; a failing one is an error with its words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _timed(command: Sequence[str | Path]) -> float:
    start = time.perf_counter()
    _run(command)
    return time.perf_counter() - start


def _kemu(file: Path, pods: int) -> Sample:
    up = _timed([*KEMU, "up", file, "--set", f"name={CLUSTER}", "-q"])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return _down(up, peak)


def _down(up_seconds: float, peak_bytes: int = 0) -> Sample:
    down = _timed([*KEMU, "down", CLUSTER])
    return Sample(up_seconds=up_seconds, down_seconds=down, settled_seconds=wait_until_settled(), peak_bytes=peak_bytes)


def _floor(file: Path, pods: int) -> Sample:
    made = json.loads(_run([sys.executable, "-m", "benchmarks.floor", file, CLUSTER]))
    return _down(made["up_seconds"])


def _shell(file: Path, pods: int) -> Sample:
    with tempfile.TemporaryDirectory() as folder:
        _run([sys.executable, "-m", "benchmarks.shell", file, CLUSTER, folder])
        up = _timed(["bash", f"{folder}/up.sh"])
        down = _timed(["ip", "-batch", f"{folder}/netns-del"])
    return Sample(up_seconds=up, down_seconds=down, settled_seconds=wait_until_settled())


def _script(file: Path, pods: int) -> Sample:
    script = _run([*KEMU, "plan", file, "--set", f"name={CLUSTER}", "-o", "ip"])
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as written:
        written.write(script)
        written.flush()
        up = _timed(["bash", written.name])
    return _down(up)


def _mininet(file: Path, pods: int) -> Sample:
    private = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--net"]
    made = json.loads(_run([*private, "/usr/bin/python3", ROOT / "benchmarks/switch.py", str(pods)]))
    return Sample(up_seconds=made["up_seconds"], down_seconds=made["down_seconds"], settled_seconds=wait_until_settled())
