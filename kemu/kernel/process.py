"""Processes: starting them in the surroundings of a pod, node or host, and running programs where kemu itself is."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kemu.base.errors import KernelError, MachineError
from kemu.kernel.surroundings import Surroundings, joined

_PR_SET_PDEATHSIG = 1
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_FROM_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
_libc = ctypes.CDLL(None, use_errno=True)


def start_inside(surroundings: Surroundings, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a command in these surroundings; `options` are those of subprocess.Popen. It is this process's own child."""
    with joined(surroundings) as enter:
        return _start(command, enter, **options)


def _start(command: Sequence[str], enter: Callable[[], None], **options: Any) -> subprocess.Popen[Any]:
    try:
        return subprocess.Popen(command, preexec_fn=enter, **options)  # noqa: PLW1509
    except subprocess.SubprocessError as error:  # of what goes wrong before exec it tells no more
        raise KernelError("a process cannot enter the namespaces of its pod", hint="kemu status says what is missing") from error


def run_inside(
    surroundings: Surroundings, command: Sequence[str], *, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command in these surroundings and wait for it; `options` are those of subprocess.run, and text is the default."""
    settings: dict[str, Any] = {"text": True, **options}
    given, check = settings.pop("input", None), settings.pop("check", False)
    if given is not None:
        settings["stdin"] = subprocess.PIPE
    if settings.pop("capture_output", False):
        settings |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start_inside(surroundings, command, **settings) as process:
        output, errors = _communicate(process, given, timeout)
    done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    if check:
        done.check_returncode()
    return done


def _communicate(process: subprocess.Popen[Any], given: Any, timeout: float | None) -> tuple[Any, Any]:
    """Wait for a process; if it takes too long, or this one is interrupted, it is ended."""
    try:
        return process.communicate(given, timeout=timeout)
    except BaseException:
        process.kill()
        raise


def attach(surroundings: Surroundings, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command in these surroundings on this process's own streams, and return its exit code; 128 and the number for a signal.

    It is in the same process group, so a terminal's keys reach it by themselves; other signals are passed on, and it is stopped and
    goes on together with this process. It ends when this process is killed.
    """
    with _kept_terminal():
        pass_on_to = _catch_signals()
        with joined(surroundings) as enter:
            child = _start(command, _bound(enter), env=dict(environment))
        pass_on_to(child.pid)
        return _follow(child)


@contextmanager
def _kept_terminal() -> Iterator[None]:
    """Have the terminal belong to the same process group after the block: a shell takes it, and cannot name ours to give it back."""
    group = _terminals_group()
    yield
    if group is not None:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with suppress(OSError):  # the terminal may be gone with its window
            os.tcsetpgrp(0, group)


def _terminals_group() -> int | None:
    """Return the process group that the terminal on standard input belongs to; None if there is none, or it is not this session's."""
    try:
        return os.tcgetpgrp(0)
    except OSError:
        return None


def _catch_signals() -> Callable[[int], None]:
    """Catch signals from here on, and return what has them passed on to a process, those that came before included.

    The keys of a terminal reach that one by themselves. They get a handler too, for what is ignored stays so in a child.
    """
    pids: list[int] = []
    early: list[int] = []

    def pass_on(number: int, _: object) -> None:
        for pid in pids:
            os.kill(pid, number)
        if not pids:
            early.append(number)

    def pass_on_to(pid: int) -> None:
        pids.append(pid)
        for number in early:
            os.kill(pid, number)

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    for number in _FROM_THE_TERMINAL:
        signal.signal(number, lambda *_: None)
    return pass_on_to


def _bound(enter: Callable[[], None]) -> Callable[[], None]:
    """Return what a child does to enter, and to end with its parent."""

    def in_child() -> None:
        enter()
        if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")

    return in_child


def _follow(child: subprocess.Popen[Any]) -> int:
    """Wait until a child has ended; when it is stopped, stop too, and let it go on with this process."""
    while True:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode if child.returncode >= 0 else 128 - child.returncode
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child.pid, signal.SIGCONT)  # send_signal would take its exit code away


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where kemu itself is, and return its output and exit code."""
    return subprocess.run(command, check=False, text=True, capture_output=True, stdin=subprocess.DEVNULL)


def is_root() -> bool:
    """Return whether this process may make namespaces."""
    return os.geteuid() == 0


def need_root() -> None:
    """Raise MachineError, with the command to type, unless this process may make namespaces."""
    if not is_root():
        raise MachineError("this needs root: it works in network namespaces", hint=f"sudo {_own_command()}")


def _own_command() -> str:
    """Return how to call this program under sudo, which resets PATH."""
    if Path(sys.argv[0]).name == "__main__.py":
        return shlex.join([sys.executable, "-m", "kemu", *sys.argv[1:]])
    program = shutil.which(sys.argv[0]) or sys.argv[0]
    return shlex.join([str(Path(program).absolute()), *sys.argv[1:]])
