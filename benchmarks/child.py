"""Running the programs that are measured: each in a session of its own, so that it ends with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A program that ended well: what it printed, how long it took, and the most memory that it had at once."""

    output: str
    seconds: float
    peak_bytes: int


class ProgramError(Exception):
    """A program ended otherwise; the message is what it said."""


def run(command: Sequence[str | Path]) -> Done:
    """Run a program to its end. Interrupted, it ends the program first, then goes on being interrupted."""
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, start_new_session=True)
        try:
            output, peak_bytes = _follow(process)
            seconds = time.perf_counter() - start
        except BaseException:
            _end(process)
            raise
        if process.returncode:
            errors.seek(0)
            raise ProgramError(f"{' '.join(map(str, command))}: {(errors.read() or output).strip()}")
    return Done(output=output, seconds=seconds, peak_bytes=peak_bytes)


def _follow(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Return what a program prints until its end, and its peak memory."""
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return output, usage.ru_maxrss * 1024


def _end(process: subprocess.Popen[str]) -> None:
    """Ask a program and what it started to end; after a while make them."""
    if process.returncode is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
