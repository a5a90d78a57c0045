"""The agent of a cluster as seen from outside: starting it, telling it what to do, ending it."""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kemu.base.errors import StateError
from kemu.cluster.processes import ProcessRecord, forget_process, read_processes
from kemu.cluster.state import StateDirectory
from kemu.kernel import inside
from kemu.kernel.control import ask
from kemu.kernel.netns import path_of
from kemu.kernel.spawn import start_apart
from kemu.plan.base import FABRIC

PATIENCE_SECONDS = 300.0  # a thousand containers start in seconds; a machine that swaps may take its time

Word = Literal["end", "start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the agent did: how many containers it ended and started."""

    ended: int = 0
    started: int = 0


def find_agent(state: StateDirectory) -> ProcessRecord | None:
    """Return what is known of the agent, None if it does not run."""
    return next((one for one in read_processes(state) if one.kind == "agent" and one.is_alive), None)


def tell(state: StateDirectory, word: Word) -> Answer:
    """Have the running agent read its work anew, and end what is no longer in it, or start what is not running yet."""
    return _read_answer(state, ask(state.agent_socket, word, patience_seconds=PATIENCE_SECONDS))


def start_agent(state: StateDirectory) -> Answer:
    """Start the agent, in the fabric's network namespace, so that `down` finds it there. Returns when all containers have been started."""
    with state.open_agent_log() as errors:
        command = [sys.executable, "-m", "kemu.agent", state.cluster]
        answers = start_apart(path_of(state.cluster, FABRIC), command, errors=errors.fileno())
    with answers:
        ready, _, _ = select.select([answers], [], [], PATIENCE_SECONDS)
        return _read_answer(state, answers.readline() if ready else "")


def end_agent(state: StateDirectory) -> None:
    """End the agent if it runs. What it started goes on."""
    agent = find_agent(state)
    if agent is None:
        return
    found = inside.find_process(agent.pid)
    if found is not None and found.start == agent.start:
        inside.end([found])
    forget_process(state, agent)
    state.agent_socket.unlink(missing_ok=True)


def _read_answer(state: StateDirectory, text: str) -> Answer:
    try:
        data: Mapping[str, Any] = json.loads(text)
        if "error" not in data:
            return Answer(**data)
        reason = data["error"]
    except ValueError:
        reason = _last_words(state) or "it ended without a word"
    raise StateError(f"the agent of {state.cluster} failed: {reason}", hint=f"see {state.path / 'log' / 'agent.log'}")


def _last_words(state: StateDirectory) -> str:
    """Return the last line of the agent's log: of an error what was wrong."""
    log = state.path / "log" / "agent.log"
    return log.read_text(errors="replace").strip().rpartition("\n")[2] if log.exists() else ""
