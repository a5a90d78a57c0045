"""The containers of a cluster: starting them, noticing their end, starting them again, asking whether they are ready."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kemu.agent.back_off import BackOff
from kemu.agent.ports import Ports
from kemu.agent.watch import Watch
from kemu.base.errors import KemuError
from kemu.cluster.processes import (
    EXITED,
    RESTARTING,
    RUNNING,
    ProcessRecord,
    forget_process,
    new_record,
    read_processes,
    write_process,
)
from kemu.cluster.state import StateDirectory
from kemu.kernel import inside
from kemu.kernel.netns import path_of
from kemu.kernel.spawn import OWN_FAILURE, Start, Starts, find_exit_code, spawn
from kemu.kernel.surroundings import Surroundings, open_pruned_mounts, prepare, release
from kemu.plan.processes import PodWork, Work, as_process
from kemu.probe.deadlines import Deadlines
from kemu.probe.prober import Change, Prober
from kemu.spec.model import Container, Restart

Key = tuple[str, str]


@dataclass(slots=True, eq=False)
class _Run:
    """A container, running or not. `descriptor` is that of its process (pidfd), None while there is none."""

    pod: PodWork
    wanted: Container
    record: ProcessRecord
    back_off: BackOff = field(default_factory=BackOff)
    descriptor: int | None = None

    @property
    def key(self) -> Key:
        return self.pod.name, self.wanted.name

    @property
    def title(self) -> str:
        """What messages call it: default.web/server."""
        return f"{self.pod.name}/{self.wanted.name}"

    def runs_as(self, pod: PodWork, wanted: Container, inode: int | None) -> bool:
        """Say whether what runs is what is wanted, in the namespace that is there now."""
        process = inside.find_process(self.record.pid)
        is_there = process is not None and process.inode == inode
        return is_there and (self.wanted.command, self.wanted.env) == (wanted.command, wanted.env) and self.pod.netns == pod.netns


class Containers:
    """All containers of one cluster, by pod and name."""

    def __init__(self, state: StateDirectory, watch: Watch, ports: Ports, *, open_files: tuple[int, int]) -> None:
        self._state = state
        self._watch = watch
        self._ports = ports
        self._open_files = open_files
        self._runs: dict[Key, _Run] = {}
        self._probed: dict[Key, _Run] = {}
        self._waiting: Deadlines[_Run] = Deadlines()
        self._mounts = open_pruned_mounts()
        self._directory = "/"
        self._left: dict[Key, ProcessRecord] = {}
        self.prober = Prober(self._start_check, self._note_readiness)

    @property
    def deadline(self) -> float | None:
        """When `turn` must be called although nothing came."""
        return min((one for one in (self._waiting.next, self.prober.deadline) if one is not None), default=None)

    def turn(self) -> None:
        """Start again whatever has waited long enough, and probe."""
        self.prober.turn()
        self._note_checks()
        for run in self._waiting.take_expired(time.monotonic()):
            self._launch([run], is_restart=True)

    # --- what `up` asks for ------------------------------------------------------------------------------------------------------

    def adopt(self) -> None:
        """Learn what an agent before this one left."""
        self._left = {(one.pod, one.name): one for one in read_processes(self._state) if one.kind == "container"}

    def end(self, work: Work) -> int:
        """End every container that is not wanted as it runs, and return how many there were."""
        wanted = {(pod.name, one.name): (pod, one) for pod in work.pods for one in pod.containers}
        self._take_over(wanted)
        inodes = {pod.name: self._inode(pod) for pod in work.pods}
        unwanted = [
            run
            for key, run in self._runs.items()
            if key not in wanted or (run.descriptor is not None and not run.runs_as(*wanted[key], inodes[key[0]]))
        ]
        self._finish(unwanted)
        for run in unwanted:
            del self._runs[run.key]
            forget_process(self._state, run.record)
        self._release({run.pod.name: run.pod for run in unwanted}, {pod.name for pod in work.pods})
        return len(unwanted)

    def start(self, work: Work) -> int:
        """Start every container that does not run, and return how many these were. What is wanted otherwise has been ended before."""
        self.end(work)
        self._directory = work.directory
        runs = [self._wanted(pod, one) for pod in work.pods for one in pod.containers]
        idle = [run for run in runs if run.descriptor is None]
        for run in idle:
            self._waiting.drop(run)
        self._launch(idle, is_restart=False)
        return len(idle)

    def _wanted(self, pod: PodWork, wanted: Container) -> _Run:
        """Return a container as it is wanted now. One that runs goes on; only what does not touch its process may differ."""
        fresh = new_record(as_process(pod, wanted))
        run = self._runs.setdefault((pod.name, wanted.name), _Run(pod, wanted, fresh))
        is_probed_otherwise = run.wanted.probe != wanted.probe
        run.pod, run.wanted = pod, wanted
        if run.descriptor is None:
            run.record = replace(fresh, exit_code=run.record.exit_code)
        elif run.record.restart != fresh.restart:
            self._note(run, restart=fresh.restart)
        if run.descriptor is not None and is_probed_otherwise:
            self._note(run, ready=wanted.probe is None, said="")
            self._probe(run)
        return run

    def _take_over(self, wanted: Mapping[Key, tuple[PodWork, Container]]) -> None:
        """Go on with the containers of an agent before this one; their exit codes will stay unknown, for they are not children."""
        self._end_strangers([record for key, record in self._left.items() if key not in wanted])
        for key, record in self._left.items():
            if key not in wanted:
                continue
            pod, one = wanted[key]
            env = dict(word.split("=", 1) for word in record.env)
            run = _Run(pod, replace(one, command=record.command, env=env), record)
            self._runs[key] = run
            if record.is_alive:
                self._follow(run)
                self._probe(run)
            elif record.state in (RUNNING, RESTARTING):
                self._note(run, state=EXITED, ready=False, exit_code=None, said="it ended while no agent was there")
        self._left = {}

    def _end_strangers(self, records: Sequence[ProcessRecord]) -> None:
        """End what an agent before this one left and nobody wants."""
        inside.end(process for one in records if one.is_alive and (process := inside.find_process(one.pid)))
        for one in records:
            forget_process(self._state, one)

    def _finish(self, runs: Sequence[_Run]) -> None:
        """End processes, and forget all about them but their records."""
        alive = [run for run in runs if run.descriptor is not None]
        for run in runs:
            self._waiting.drop(run)
            self._forget(run)
        inside.end(process for run in alive if (process := inside.find_process(run.record.pid)) is not None)
        for run in alive:
            self._collect(run)

    def _release(self, pods: Mapping[str, PodWork], kept: set[str]) -> None:
        """End what keeps the namespaces of pods that are no longer there."""
        for name, pod in pods.items():
            if name not in kept:
                release(self._surroundings(pod))

    # --- starting and ending -----------------------------------------------------------------------------------------------------

    def _launch(self, runs: Sequence[_Run], *, is_restart: bool) -> None:
        """Start containers, and wait until each has become its command, or could not."""
        for name in {run.pod.name for run in runs}:
            self._ports.make_room(name)
        prepare([self._surroundings(pod) for pod in {run.pod.name: run.pod for run in runs}.values()])
        with Starts() as starts:
            for run in runs:
                self._start(run, starts, restarts=run.record.restarts + 1 if is_restart else 0)
            failed = frozenset(starts.wait())
        for run in runs:
            if run.title in failed:
                self._take_end(run)
        for name in {run.pod.name for run in runs}:
            self._ports.begin_later(name)

    def _start(self, run: _Run, starts: Starts, *, restarts: int) -> None:
        log = self._fresh_log(run)
        try:
            pid = spawn(self._surroundings(run.pod), self._as_start(run, run.wanted.command, log), name=run.title, starts=starts)
        except (KemuError, OSError) as error:
            log.write_text(f"kemu: {error}\n")
            self._note(run, state=EXITED, pid=0, start=0, exit_code=OWN_FAILURE, ready=False, said=str(error), restarts=restarts)
            return
        process = inside.find_process(pid)
        ready = run.wanted.probe is None
        self._note(
            run,
            state=RUNNING,
            pid=pid,
            start=process.start if process else 0,
            restarts=restarts,
            ready=ready,
            said="" if ready else "not checked yet",
            started=time.time(),
        )
        self._follow(run)
        self._probe(run)

    def _fresh_log(self, run: _Run) -> Path:
        """Return the file for the output of a run; what the run before it said is kept beside it."""
        log = self._state.container_log(*run.key)
        with suppress(FileNotFoundError):
            log.replace(self._state.container_log(*run.key, previous=True))
        return log

    def _follow(self, run: _Run) -> None:
        """Watch for the end of a process."""
        run.descriptor = os.pidfd_open(run.record.pid)
        self._watch.add(run.descriptor, partial(self._take_end, run))

    def _collect(self, run: _Run) -> int | None:
        """Let go of a process that has ended, and return its exit code, None if it was not this one's child."""
        if run.descriptor is None:
            return None
        self._watch.drop(run.descriptor)
        code = find_exit_code(run.descriptor)
        os.close(run.descriptor)
        run.descriptor = None
        return code

    def _take_end(self, run: _Run) -> None:
        """Note that a container ended, and decide what becomes of it."""
        if run.descriptor is None:
            return
        code = self._collect(run)
        self._forget(run)
        if run.wanted.restart is Restart.NEVER:
            self._note(run, state=EXITED, ready=False, exit_code=code, said=_why(code))
            return
        seconds = run.back_off.after_end(time.monotonic())
        self._note(run, state=RESTARTING, ready=False, exit_code=code, said=f"{_why(code)}, starts again after {seconds:.0f} s")
        self._waiting.set(run, time.monotonic(), seconds)

    # --- readiness ---------------------------------------------------------------------------------------------------------------

    def _probe(self, run: _Run) -> None:
        self._forget(run)
        if run.wanted.probe is not None and run.descriptor is not None:
            self._probed[run.key] = run
            netns = path_of(self._state.cluster, run.pod.netns)
            self.prober.watch(run.key, run.wanted.probe, netns, run.pod.addresses[0])

    def _forget(self, run: _Run) -> None:
        self._probed.pop(run.key, None)
        self.prober.forget(run.key)

    def _note_readiness(self, change: Change) -> None:
        run = self._run(change.key)
        self._note(run, ready=change.is_ready, said="" if change.is_ready else change.said)

    def _note_checks(self) -> None:
        """Note what the checks of those say that are not ready."""
        for run in self._probed.values():
            if not run.record.ready and run.record.said != (said := self.prober.said(run.key)):
                self._note(run, said=said)

    def _run(self, key: Hashable) -> _Run:
        """Return the container of a key of the prober."""
        assert isinstance(key, tuple)
        return self._runs[key]

    def _start_check(self, key: Hashable, command: Sequence[str], done: Callable[[int], None]) -> Callable[[], None]:
        """Run the command of a probe beside its container."""
        run = self._run(key)
        pid = spawn(self._surroundings(run.pod), self._as_start(run, command, Path(os.devnull)))
        descriptor = os.pidfd_open(pid)

        def take_end() -> None:
            self._watch.drop(descriptor)
            code = find_exit_code(descriptor)
            os.close(descriptor)
            done(255 if code is None else code)

        def stop() -> None:
            with suppress(OSError):  # it has ended, and take_end has closed it or will
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)

        self._watch.add(descriptor, take_end)
        return stop

    # --- what they find ----------------------------------------------------------------------------------------------------------

    def _as_start(self, run: _Run, command: Sequence[str], log: Path) -> Start:
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return Start(
            command=command,
            environment={**environment, "HOSTNAME": run.pod.hostname, **run.wanted.env},
            directory=self._directory,
            log=log,
            open_files=self._open_files,
        )

    def _surroundings(self, pod: PodWork) -> Surroundings:
        return Surroundings(
            netns=path_of(self._state.cluster, pod.netns),
            hostname=pod.hostname,
            files=self._state.files,
            record=self._state.keeper(pod.name),
            mounts=self._mounts,
        )

    def _inode(self, pod: PodWork) -> int | None:
        try:
            return os.stat(path_of(self._state.cluster, pod.netns)).st_ino
        except FileNotFoundError:
            return None

    def _note(self, run: _Run, **changes: object) -> None:
        """Change what is known of a container, for `status` and for the agent after this one."""
        run.record = replace(run.record, **changes)  # type: ignore[arg-type]
        write_process(self._state, run.record)


def _why(code: int | None) -> str:
    return "it ended, and nobody could ask how" if code is None else f"exit code {code}"
