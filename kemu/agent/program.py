"""The agent's loop: waits for what its containers, its sockets and its clock tell, and for words from `kemu up`."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from kemu.agent.containers import Containers
from kemu.agent.ports import Ports
from kemu.agent.watch import Watch
from kemu.base.errors import KemuError
from kemu.cluster.processes import RUNNING, ProcessRecord, write_process
from kemu.cluster.state import StateDirectory
from kemu.kernel.control import listen
from kemu.kernel.inside import find_process
from kemu.plan.base import FABRIC
from kemu.plan.processes import AGENT, AGENT_COMMAND, Work, work_from_dict

_WORD_SECONDS = 5.0


def run(cluster: str) -> None:
    """Look after a cluster until somebody ends this process."""
    if os.fork():
        os._exit(0)  # so that it is nobody's child, whoever started it
    os.umask(0o022)  # whatever that of `up` was: for logs, and for what containers write
    state = StateDirectory(cluster)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        agent = Agent(state, open_files=(soft, hard))
        _answer(sys.stdout, agent.begin)
    finally:
        _leave_output()
    agent.loop()


def _leave_output() -> None:
    """Let whoever waits for this one's output go. The number 1 stays taken, so that no socket ever gets it."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def _answer(to: Any, act: Callable[[], dict[str, int]]) -> None:
    to.write(json.dumps(act()) + "\n")
    to.flush()


class Agent:
    """One cluster's agent. Single-threaded: everything happens in `loop`."""

    def __init__(self, state: StateDirectory, *, open_files: tuple[int, int]) -> None:
        self._state = state
        self._watch = Watch()
        self._ports = Ports(state.cluster)
        self._containers = Containers(state, self._watch, self._ports, open_files=open_files)
        self._server = listen(state.agent_socket)

    def begin(self) -> dict[str, int]:
        """Take over what an agent before this one left, and do all the work."""
        log(f"begins, process {os.getpid()}")
        self._remember()
        self._watch.add(self._server, self._take_word)
        for loop in (self._ports, self._containers.prober):
            self._watch.add(loop, _wake)
        self._containers.adopt()
        work = self._read_work()
        return {"ended": self._containers.end(work), "started": self._start(work)}

    def loop(self) -> None:
        """Serve for ever."""
        while True:
            self._watch.turn(min((one for one in self._deadlines() if one is not None), default=None))
            for problem in self._ports.turn():
                log(problem)
            self._containers.turn()

    def _deadlines(self) -> tuple[float | None, ...]:
        return self._ports.deadline, self._containers.deadline

    def _start(self, work: Work) -> int:
        started = self._containers.start(work)
        problems = self._ports.serve(work)
        for problem in problems:
            log(problem)
        self._remember("; ".join(problems[:3]))
        return started

    def _read_work(self) -> Work:
        return work_from_dict(json.loads(self._state.find_work() or "{}"))

    def _take_word(self) -> None:
        with contextlib.suppress(OSError):  # who asked may have left
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(_WORD_SECONDS)
                with connection.makefile("rw") as lines:
                    word = lines.readline().strip()
                    lines.write(json.dumps(self._obey(word)) + "\n")

    def _obey(self, word: str) -> dict[str, Any]:
        """Do what a word says, and return the answer; what fails is said there, and the agent goes on."""
        try:
            work = self._read_work()
            if word == "end":
                self._ports.keep_only(work)
                return {"ended": self._containers.end(work)}
            return {"started": self._start(work)}
        except (KemuError, OSError, ValueError, KeyError) as error:
            log(f"{word}: {error}")
            return {"error": str(error)}

    def _remember(self, said: str = "") -> None:
        own = find_process(os.getpid())
        assert own is not None
        record = ProcessRecord(
            kind=AGENT,
            netns=FABRIC,
            pod="",
            name=AGENT,
            command=AGENT_COMMAND,
            state=RUNNING,
            pid=own.pid,
            start=own.start,
            ready=not said,
            said=said,
            started=time.time(),
        )
        write_process(self._state, record)


def _wake() -> None:
    """Do nothing but go on: every turn looks after these loops."""


def log(text: str) -> None:
    """Write a line into the agent's log, which is its standard error."""
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")
    sys.stderr.flush()
