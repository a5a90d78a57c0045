"""`kemu exec` and `kemu shell`: exit codes, signals and terminals."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cli_kemu import Kemu

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143)])
def test_exit_codes_are_handed_back(kemu: Kemu, script: str, code: int) -> None:
    assert kemu.call("exec", "a", "--", "bash", "-c", script).returncode == code


def test_a_signal_is_passed_on(kemu: Kemu) -> None:
    script = "trap 'exit 9' TERM; echo; while :; do sleep 0.1; done"
    with _exec(kemu, "bash", "-c", script) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 9


def test_what_is_killed_takes_its_command_along(kemu: Kemu) -> None:
    with _exec(kemu, "bash", "-c", "echo; exec sleep 300") as process:
        process.kill()
        process.wait(timeout=60)
        assert kemu.ok("exec", "a", "--", "sh", "-c", "while pgrep sleep | grep -qv '^1$'; do :; done; echo gone") == "gone\n"


@contextmanager
def _exec(kemu: Kemu, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "kemu", "exec", "-C", kemu.name, "a", "--", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        yield process
        process.kill()


class _Terminal:
    """A shell of the machine on a terminal of its own, in which somebody types."""

    def __init__(self, kemu: Kemu, *command: str) -> None:
        self.kemu = f"{sys.executable} -m kemu"
        self._screen = ""
        self._pid, self._end = os.forkpty()
        if not self._pid:
            os.environ.update({"KEMU_CLUSTER": kemu.name, "NO_COLOR": "1", "TERM": "dumb", "PS1": "MACHINE$ "})
            os.execvp(command[0], command)

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def expect(self, text: str) -> None:
        """Wait until the screen shows `text`, and forget what came up to it."""
        deadline = time.monotonic() + 60
        while text not in self._screen:
            assert select.select([self._end], [], [], max(0.0, deadline - time.monotonic()))[0], self._screen
            self._screen += os.read(self._end, 4096).decode().replace("\r", "")
        self._screen = self._screen.partition(text)[2]

    def close(self) -> None:
        os.close(self._end)
        os.waitpid(self._pid, 0)


@pytest.fixture
def terminal(kemu: Kemu) -> Iterator[_Terminal]:
    one = _Terminal(kemu, "bash", "--norc", "-i")
    one.expect("MACHINE$ ")
    yield one
    one.close()


def test_a_shell_has_job_control(terminal: _Terminal) -> None:
    terminal.type(f"{terminal.kemu} shell a\n")
    terminal.expect("# ")
    terminal.type("sh -c 'echo on; exec sleep 100'\n")
    terminal.expect("\non\n")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    terminal.expect("# ")
    terminal.type("kill %1; sh -c 'echo on; exec cat'\n")
    terminal.expect("\non\n")
    terminal.type("\x03")
    terminal.expect("# ")
    terminal.type("echo code-$?; exit 7\n")
    terminal.expect("code-130\n")
    terminal.expect("MACHINE$ ")
    terminal.type("echo code-$?\n")
    terminal.expect("code-7\n")


def test_keys_interrupt_and_stop_a_command(terminal: _Terminal) -> None:
    program = (
        'import signal, time; signal.signal(signal.SIGCONT, lambda *_: print("ag" "ain", flush=True)); print("on", flush=True)'
    )
    terminal.type(f"{terminal.kemu} exec a -- python3 -c '{program}; time.sleep(100)'\n")
    terminal.expect("\non\n")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    terminal.expect("MACHINE$ ")
    terminal.type("fg\n")
    terminal.expect("again")  # the shell gives it the terminal first, and then lets it go on
    terminal.type("\x03")
    terminal.expect("MACHINE$ ")
    terminal.type("echo code-$?\n")
    terminal.expect("code-130\n")


def test_the_terminal_comes_back_to_a_script(terminal: _Terminal) -> None:
    terminal.type(f"sh -c '{terminal.kemu} shell a; echo after-$?; read word; echo got-$word'\n")
    terminal.expect("# ")
    terminal.type("exit 5\n")
    terminal.expect("after-5\n")
    terminal.type("line\n")
    terminal.expect("got-line\n")
