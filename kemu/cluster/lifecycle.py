"""The life of a cluster: up, status, down. Everything here holds the cluster's lock while it looks at or changes the kernel."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from kemu import __version__
from kemu.base.errors import BugError, StateError
from kemu.base.reporter import SILENT, Reporter
from kemu.cluster import agent
from kemu.cluster.lock import locked
from kemu.cluster.processes import (
    EXITED,
    RESTARTING,
    ProcessRecord,
    as_object,
    current_processes,
    forget_process,
    read_processes,
)
from kemu.cluster.state import Record, StateDirectory, find_states
from kemu.kernel import baseline, capability, forwarding, limits, machine, netns, process, watch
from kemu.kernel.inside import end, find_inside, find_process
from kemu.kernel.netns import Namespaces
from kemu.kernel.resolvers import find_resolvers
from kemu.kernel.surroundings import release_lost
from kemu.kernel.write import Writer
from kemu.plan.build import Plan
from kemu.plan.diff import Change, diff
from kemu.plan.drift import show_change
from kemu.plan.objects import Forwarding, Link, Netns, Object, Process, Veth
from kemu.plan.operational import find_operational
from kemu.plan.order import Steps, steps_for, steps_for_all
from kemu.plan.processes import work_to_dict
from kemu.plan.sysctls import stated

PATIENCE_SECONDS = 30.0
_MOST_WARNINGS = 5
DEVICE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a cluster is to become. `record` says where the plan comes from, `text` is the file, `hosts` its processes' /etc/hosts.

    `live` is the text of what verbs changed, which the plan takes into account already.
    """

    plan: Plan
    record: Record
    text: str
    hosts: str = ""
    live: str = ""


State = Literal["starting", "ok", "degraded", "drifted"]
Admit = Callable[[Record, StateDirectory], bool]
Decide = Callable[[StateDirectory], Wish]


def everything(known: Record, state: StateDirectory) -> bool:
    """Admit whatever is there."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class UpResult:
    """What `up` did: `made` a cluster, or `repaired` so many differences of one that was there."""

    cluster: str
    made: bool
    changes: int
    objects: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A cluster beside its plan, and its processes as they are. It is degraded if one of them is not ready."""

    state: State
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
    processes: tuple[ProcessRecord, ...] = ()


def up(
    plan: Plan,
    record: Record,
    text: str,
    *,
    hosts: str = "",
    admit: Admit = everything,
    reporter: Reporter = SILENT,
    verify: bool = False,
) -> UpResult:
    """Make a plan real, whatever was changed live. `record`, `text` and `hosts` as in Wish, the others as in `become`."""
    wish = Wish(plan=plan, record=record, text=text, hosts=hosts)
    return become(record.cluster, lambda state: wish, admit=admit, reporter=reporter, verify=verify)


def become(
    cluster: str,
    decide: Decide,
    *,
    admit: Admit = everything,
    reporter: Reporter = SILENT,
    verify: bool = False,
    event: str = "up",
) -> UpResult:
    """Make a cluster what `decide` wants: all of it, or, where it is, what differs. A new cluster that fails leaves nothing behind.

    `decide` and `admit` are asked under the lock, `admit` about a cluster that is there: it raises to refuse, or returns False to
    have it taken down first. `verify` reads a new cluster back instead of trusting the kernel's answers. `event` is what the
    cluster's history calls this.
    """
    process.need_root()
    started = time.monotonic()
    limits.check(len(netns.find_names(cluster)))
    with _held(cluster, reporter) as (state, namespaces):
        wish = decide(state)
        plan = wish.plan
        limits.check(len(plan.namespaces))
        limits.check_processes(_count_processes(plan))
        _prepare_kernel(plan, reporter)
        namespaces.clear_debris()
        netns.check_free(cluster, plan.namespaces, namespaces)
        machine.check(plan, cluster)
        _admit(state, admit, namespaces, reporter)
        is_new = not namespaces.handles
        _remember(state, wish)
        state.write_work(work_to_dict(plan.work))
        changes = (
            _make(plan, state, namespaces, reporter, verify=verify) if is_new else _repair(plan, state, namespaces, reporter)
        )
        _await_devices(plan, namespaces, reporter)
        state.write_plan(plan)
        state.write_record(replace(wish.record, ready=True, version=__version__, created=time.time()))
        seconds = time.monotonic() - started
        for warning in (*machine.warnings(plan, cluster), *_ended(state)):
            reporter.warn(warning)
        state.append_event(event, made=is_new, changes=changes, seconds=round(seconds, 3))
    return UpResult(cluster=cluster, made=is_new, changes=changes, objects=len(plan), seconds=seconds)


def down(cluster: str, *, reporter: Reporter = SILENT) -> bool:
    """Remove a cluster whole: processes, namespaces, files. Returns False if there was nothing to remove.

    Only what carries the cluster's mark is touched; the state directory may be lost, the namespaces half gone.
    """
    process.need_root()
    state = StateDirectory(cluster)
    if not state.path.exists() and not netns.find_names(cluster) and not machine.has_traces(cluster):
        return False
    limits.check(len(netns.find_names(cluster)))
    with _held(cluster, reporter) as (state, namespaces):
        namespaces.clear_debris()
        found = bool(namespaces.handles) or state.find_record() is not None or machine.has_traces(cluster)
        _remove(state, namespaces, reporter)
    return found


def compare(cluster: str, plan: Plan, *, reporter: Reporter = SILENT) -> Comparison:
    """Return how a running cluster differs from `plan`. Changes nothing."""
    process.need_root()
    limits.check(len(plan.namespaces))
    with _held(cluster, reporter) as (state, namespaces):
        record = state.find_record()
        _, _, changes = _differences(plan, state, namespaces)
        changes += _process_changes(plan, state)
        warnings = tuple(machine.warnings(plan, cluster))
        processes = tuple(current_processes(state))
    state_now: State = "drifted" if changes else "ok" if all(one.ready for one in processes) else "degraded"
    if record is not None and not record.ready:
        state_now = "starting"
    return Comparison(state=state_now, changes=changes, warnings=warnings, processes=processes)


def find_clusters() -> list[str]:
    """Return every cluster of this machine: those with a state directory, and for root also those that lost it."""
    names = set(find_states())
    if process.is_root():
        names |= {*netns.find_clusters(), *machine.find_clusters()}
    return sorted(names)


@contextmanager
def _held(cluster: str, reporter: Reporter) -> Iterator[tuple[StateDirectory, Namespaces]]:
    """Hold the lock of a cluster and its open namespaces for the block. A directory that then remembers nothing goes again."""
    state = StateDirectory(cluster)
    with locked(state, patience_seconds=PATIENCE_SECONDS, reporter=reporter), Namespaces(cluster) as namespaces:
        try:
            namespaces.adopt()
            yield state, namespaces
        finally:
            if not namespaces.handles and state.find_record() is None:
                state.remove()


def _prepare_kernel(plan: Plan, reporter: Reporter) -> None:
    """Load the modules that are missing, naming each, and make sure that the kernel can do what the plan needs."""
    for module in capability.modules_to_load(plan.needs):
        reporter.warn(f"loading the kernel module {module}")
        capability.load(module)
    capability.require(plan.needs)


def _admit(state: StateDirectory, admit: Admit, namespaces: Namespaces, reporter: Reporter) -> None:
    """Ask whether what is there may become what is wanted; take it away if it is to be made anew."""
    known = state.find_record()
    if known is not None and not admit(known, state):
        _clear(state, namespaces, reporter)


def _resolvers(plan: Plan) -> list[str]:
    """Return the name servers that processes of a cluster may ask: the machine's, if there is a way out."""
    versions = {item.family for item in plan if isinstance(item, Forwarding)}
    return find_resolvers(versions) if versions else []


def _remember(state: StateDirectory, wish: Wish) -> None:
    """Write down what is about to be made, before anything is, so that every interruption can be seen and repaired."""
    state.write_topology(wish.text)
    state.write_live(wish.live)
    state.write_files(wish.hosts, _resolvers(wish.plan))
    state.write_record(replace(wish.record, ready=False))


def _make(plan: Plan, state: StateDirectory, namespaces: Namespaces, reporter: Reporter, *, verify: bool) -> int:
    """Make a whole plan where nothing is; on any error or interruption take it all away again."""
    try:
        machine.clear(state.cluster)  # what is left if all namespaces went without `down`
        with netns.prepared_directory():
            measured = baseline.measure()
            settings = stated(measured)
            state.write_baseline(settings)
            writer = Writer(namespaces, corrections(settings, measured), reporter)
            writer.know(plan)
            writer.build(steps_for_all(plan))
        _employ(plan, state, reporter)
        if verify:
            _verify(plan, state, namespaces)
    except BaseException:
        _remove(state, namespaces, SILENT)
        raise
    return len(plan)


def corrections(settings: Mapping[str, str], measured: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a fresh namespace of this machine has otherwise than it should."""
    return {name: value for name, value in settings.items() if measured[name] != value}


def _repair(plan: Plan, state: StateDirectory, namespaces: Namespaces, reporter: Reporter) -> int:
    """Carry out what differs, and look again. What is made anew may take something unseen along, so there is one more pass."""
    reporter.step("reading what is there")
    changed = _process_changes(plan, state)
    _dismiss(plan, state)
    release_lost(state.keepers(), {handle.inode for handle in namespaces.handles.values()})
    total = _mend(plan, state, namespaces, reporter)
    started = _employ(plan, state, reporter)
    revived = started - sum(isinstance(change.want, Process) and change.want.kind == "container" for change in changed)
    return total + len(changed) + max(revived, 0)


def _mend(plan: Plan, state: StateDirectory, namespaces: Namespaces, reporter: Reporter) -> int:
    """Carry out what differs in the kernel, and return how much that was."""
    total = 0
    for _ in range(2):
        want, have, changes = _differences(plan, state, namespaces)
        if not changes:
            return total
        total = total or len(changes)
        _carry_out(want, have, steps_for(changes, {item.key: item for item in want}), namespaces, state, reporter)
    _verify(plan, state, namespaces)
    return total


def _count_processes(plan: Plan) -> int:
    """Return how many processes a plan needs: a pod with containers has one more, which keeps their namespaces."""
    return sum(len(pod.containers) + 1 for pod in plan.work.pods if pod.containers)


def _dismiss(plan: Plan, state: StateDirectory) -> None:
    """End the containers that are no longer wanted as they are, and the agent if nobody needs one, before their namespaces go."""
    if agent.find_agent(state) is not None:
        agent.tell(state, "end")
    if not plan.work.pods:
        agent.end_agent(state)
        end(found for one in read_processes(state) if one.is_alive and (found := find_process(one.pid)))
        for one in read_processes(state):
            forget_process(state, one)


def _employ(plan: Plan, state: StateDirectory, reporter: Reporter) -> int:
    """Have the agent start what does not run yet, and return how many containers these were."""
    if not plan.work.pods:
        return 0
    reporter.step("containers and ports")
    if agent.find_agent(state) is not None:
        return agent.tell(state, "start").started
    return agent.start_agent(state).started


def _ended(state: StateDirectory) -> Iterator[str]:
    """Yield a line for each of the first containers that ended as soon as they were started."""
    ended = [one for one in read_processes(state) if one.state in (EXITED, RESTARTING)]
    for one in ended[:_MOST_WARNINGS]:
        yield f"{one.title} ended: {one.said}; kemu logs says more"
    if len(ended) > _MOST_WARNINGS:
        yield f"and {len(ended) - _MOST_WARNINGS} further containers"


def _carry_out(
    want: list[Object], have: list[Object], steps: Steps, namespaces: Namespaces, state: StateDirectory, reporter: Reporter
) -> None:
    measured = baseline.measure()
    writer = Writer(namespaces, corrections(baseline_of(state), measured), reporter)
    writer.know(want)
    writer.know(have)
    end(find_inside(namespaces[item.netns].inode for item in steps.remove if isinstance(item, Netns)))
    writer.remove(steps.remove)
    writer.know(want)
    writer.build(steps)


def _await_devices(plan: Plan, namespaces: Namespaces, reporter: Reporter) -> None:
    """Wait until packets pass: the kernel takes devices into service later than it answers."""
    late = watch.wait_operational(namespaces, find_operational(plan), seconds=DEVICE_SECONDS)
    if late:
        where = ", ".join(f"{len(devices)} in {namespaces.cluster}.{name}" for name, devices in sorted(late.items()))
        reporter.warn(f"devices that are up and yet not in service after {DEVICE_SECONDS:.0f} s: {where}")


def _verify(plan: Plan, state: StateDirectory, namespaces: Namespaces) -> None:
    _, _, changes = _differences(plan, state, namespaces)
    if changes:
        lines = [show_change(change, namespaces.cluster) for change in changes[:5]]
        raise BugError(
            f"the kernel is not as planned after it took every change ({len(changes)} differences): " + "; ".join(lines)
        )


def _differences(
    plan: Plan, state: StateDirectory, namespaces: Namespaces
) -> tuple[list[Object], list[Object], tuple[Change, ...]]:
    """Return what is wanted, what is there, and the changes between them, but for processes."""
    from kemu.kernel.read import Reader  # noqa: PLC0415 (pyroute2 takes 0.1 s to import, and a first `up` needs none of it)

    settings = baseline_of(state)
    want = baseline.normalise(item for item in plan if not isinstance(item, Process))
    have = Reader(namespaces, settings, _neighbours(want)).read()
    return want, have, diff(want, have, settings)


def _process_changes(plan: Plan, state: StateDirectory) -> tuple[Change, ...]:
    """Return which processes are missing, to be changed, or too much. One that ended is there: it is no difference, but unmet."""
    want = [item for item in plan if isinstance(item, Process)]
    found = [as_object(one) for one in read_processes(state) if one.kind == "container" or one.is_alive]
    places = [Netns(netns=netns) for netns in sorted({item.netns for item in (*want, *found)})]
    return tuple(change for change in diff([*places, *want], [*places, *found], {}) if isinstance(change.subject, Process))


def baseline_of(state: StateDirectory) -> dict[str, str]:
    """Return the settings of a fresh namespace, as they were when the cluster came up, or, if that is lost, as they are now."""
    settings = state.find_baseline()
    return settings if settings is not None else stated(baseline.measure())


def _neighbours(objects: Iterable[Object]) -> dict[str, set[str]]:
    """Return in which namespaces the other ends of a namespace's veths are."""
    neighbours: dict[str, set[str]] = defaultdict(set)
    for item in objects:
        if isinstance(item, Link) and isinstance(item.detail, Veth):
            neighbours[item.netns].add(item.detail.peer_netns)
    return neighbours


def _remove(state: StateDirectory, namespaces: Namespaces, reporter: Reporter) -> None:
    """Clear and forget."""
    try:
        _clear(state, namespaces, reporter)
    finally:
        netns.restore_directory()
        state.remove()


def _clear(state: StateDirectory, namespaces: Namespaces, reporter: Reporter) -> None:
    """End what is inside and let the namespaces go. Devices are never removed one by one: they die with their namespace.

    Whoever enters a namespace looks afterwards whether it still has its name; so nobody is inside any more after the second look.
    """
    reporter.step("removing", total=len(namespaces.handles))
    machine.clear(state.cluster)
    if where := forwarding.find_elsewhere(state.cluster):
        reporter.warn(
            f"the way out of {state.cluster} was made in another network namespace, {where}: kemu down there takes it away"
        )
    agent.end_agent(state)  # first, or it would start again what ends
    inodes = [handle.inode for handle in namespaces.handles.values()]
    end(find_inside(inodes))
    release_lost(state.keepers(), ())
    for name in namespaces.handles:
        netns.unname(state.cluster, name)
    left = end(find_inside(inodes))
    for name in list(namespaces.handles):
        namespaces.remove(name)
        reporter.advance()
    if left:
        names = ", ".join(f"{one.command} ({one.pid})" for one in left)
        raise StateError(f"processes in {state.cluster} do not end: {names}", hint="their namespaces stay until they do")
