"""Who takes part, and one measurement of each: bringing so many pods on so many nodes up, and down again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import ROOT, ProgramError, run
from benchmarks.settle import wait_until_settled
from kemu.kernel import netns

KEMU = [sys.executable, "-m", "kemu"]
CLUSTER = f"kb{os.getpid()}"
MININET = "apt-get install --no-install-recommends mininet bridge-utils"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is brought up. `check`: read it back, outside of what is timed, and fail unless it is the plan."""

    file: Path
    pods: int
    check: bool


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
    measure: Callable[[Case], Sample]
    why_not: str = ""
    most: int = 10_000


def contestants() -> list[Contestant]:
    """Return all of them, kemu first."""
    return [
        Contestant(name="kemu", what="kemu up and kemu down, whole processes with the start of Python", measure=_kemu),
        Contestant(
            name="floor", what="the same kernel objects by messages packed before, timed inside its process", measure=_floor
        ),
        Contestant(
            name="ip", what="a few ip -batch, bridge -batch, sysctl -p, nft -f a namespace, written before", measure=_shell
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
    with suppress(ProgramError):
        run([*KEMU, "down", CLUSTER])
    for name in netns.find_names(CLUSTER):  # of plain ip, without kemu's mark
        netns.unname(CLUSTER, name)


def _no_mininet() -> str:
    done = subprocess.run(["/usr/bin/python3", "-c", "import mininet"], capture_output=True, check=False)
    return "" if done.returncode == 0 and shutil.which("brctl") else f"not installed: {MININET}"


def _kemu(case: Case) -> Sample:
    up = run([*KEMU, "up", case.file, "--set", f"name={CLUSTER}", "-q"])
    return _kemu_down(case, up.seconds, up.peak_bytes)


def _kemu_down(case: Case, up_seconds: float, peak_bytes: int = 0) -> Sample:
    _check(case)
    down = run([*KEMU, "down", CLUSTER])
    return Sample(up_seconds=up_seconds, down_seconds=down.seconds, settled_seconds=wait_until_settled(), peak_bytes=peak_bytes)


def _check(case: Case) -> None:
    if case.check:
        run([sys.executable, "-m", "benchmarks.check", case.file, CLUSTER])


def _floor(case: Case) -> Sample:
    made = json.loads(run([sys.executable, "-m", "benchmarks.floor", case.file, CLUSTER]).output)
    return _kemu_down(case, made["up_seconds"])


def _shell(case: Case) -> Sample:
    with tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-m", "benchmarks.shell", case.file, CLUSTER, folder])
        up = run(["bash", f"{folder}/up.sh"])
        _check(case)
        down = run(["ip", "-batch", f"{folder}/netns-del"])
    return Sample(up_seconds=up.seconds, down_seconds=down.seconds, settled_seconds=wait_until_settled())


def _script(case: Case) -> Sample:
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as written:
        written.write(run([*KEMU, "plan", case.file, "--set", f"name={CLUSTER}", "-o", "ip"]).output)
        written.flush()
        up = run(["bash", written.name])
    return _kemu_down(case, up.seconds)


def _mininet(case: Case) -> Sample:
    private = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--net"]
    done = run([*private, "/usr/bin/python3", ROOT / "benchmarks/switch.py", str(case.pods)])
    made = json.loads(done.output)
    return Sample(up_seconds=made["up_seconds"], down_seconds=made["down_seconds"], settled_seconds=wait_until_settled())
