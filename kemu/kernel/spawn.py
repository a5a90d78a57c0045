"""Starting processes from one that stays and looks after many: without waiting for each to become its command."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from kemu.kernel.enter import inside
from kemu.kernel.surroundings import Surroundings, joined

OWN_FAILURE, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class Starts:
    """Tells when processes have become their commands, and which could not. A context manager.

    All of them hold one end of a pipe until then, so the other comes to its end when the last has.
    """

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)

    def __enter__(self) -> Starts:
        return self

    def __exit__(self, *exc: object) -> None:
        for descriptor in (self._reader, self.writer):
            if descriptor >= 0:
                os.close(descriptor)

    def wait(self) -> list[str]:
        """Wait for all, and return the names of those that could not."""
        os.close(self.writer)
        self.writer = -1
        with os.fdopen(self._reader) as names:
            self._reader = -1
            return names.read().splitlines()


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A command to start: its environment, where it begins if that exists there, where its output goes, and its limits of open files."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    log: Path
    open_files: tuple[int, int]


def spawn(surroundings: Surroundings, start: Start, *, name: str = "", starts: Starts | None = None) -> int:
    """Start a command, in a session of its own, and return its PID. If it cannot be run, its log says why, and its code is 127 or 126.

    `starts` hears of that as well, by `name`.
    """
    log = os.open(start.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        with joined(surroundings) as enter:
            pid = os.fork()
            if not pid:
                _become(start, enter, log, lambda: os.write(starts.writer, f"{name}\n".encode()) if starts else 0)
    finally:
        os.close(log)
    return pid


def _become(start: Start, enter: Callable[[], None], log: int, tell_failure: Callable[[], object]) -> NoReturn:
    """Be the child: become the command, or end with the code that says why not."""
    code = OWN_FAILURE
    try:
        _prepare(start, enter, log)
        os.execvpe(start.command[0], list(start.command), dict(start.environment))
    except FileNotFoundError:
        code = NOT_FOUND
        os.write(2, f"kemu: {start.command[0]}: command not found\n".encode())
    except BaseException as error:  # nothing may run on in the child
        code = NOT_EXECUTABLE if isinstance(error, PermissionError) else code
        os.write(2, f"kemu: {start.command[0]}: {error}\n".encode())
    finally:
        tell_failure()
        os._exit(code)


def _prepare(start: Start, enter: Callable[[], None], log: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for standard, descriptor in enumerate((nothing, log, log)):
        os.dup2(descriptor, standard)
    os.setsid()
    with suppress(OSError):
        os.chdir(start.directory)
    enter()
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_NOFILE, start.open_files)


def find_exit_code(descriptor: int) -> int | None:
    """Return the exit code of a process that has ended, by its descriptor: 128 and the number for a signal; None if it is no child."""
    try:
        result = os.waitid(os.P_PIDFD, descriptor, os.WEXITED)
    except ChildProcessError:
        return None
    assert result is not None
    return result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status


def start_apart(netns: Path, command: Sequence[str], *, errors: int) -> IO[str]:
    """Start a program of kemu's in a network namespace and a session of its own, and return what it says on its standard output.

    It is to leave at once, with a child of its own that stays.
    """
    with inside(netns):
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True, cwd="/", text=True
        )
    child.wait()
    assert child.stdout is not None
    return child.stdout
