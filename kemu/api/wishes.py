"""What a cluster is to become, decided under its lock: the file together with what was changed live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kemu.api.admission import applied
from kemu.api.topology import Topology
from kemu.base.errors import StateError
from kemu.base.reporter import Reporter
from kemu.cluster.lifecycle import Wish
from kemu.cluster.state import StateDirectory
from kemu.kernel import limits
from kemu.plan.build import Plan
from kemu.spec import model
from kemu.spec.hosts import show_hosts
from kemu.spec.live import Live, describe, read_live, show_live, without_strangers


def live_of(state: StateDirectory) -> Live:
    """Return what was changed live."""
    return read_live(state.find_live())


#: From the file's meaning and the layer so far to the layer that it becomes.
ChangeLive = Callable[[model.Topology, Live], Live]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWish:
    """Decides for `up`: the file as it is now, with the live changes, or with `reset` without them. `plan` is that of the file alone."""

    wanted: Topology
    plan: Plan
    force: bool
    reset: bool
    reporter: Reporter

    def __call__(self, state: StateDirectory) -> Wish:
        """Return the wish, and say what is forgotten on the way."""
        live, strangers = (
            (Live(), describe(_readable(state))) if self.reset else without_strangers(self.wanted.model, live_of(state))
        )
        for item in strangers:
            self.reporter.warn(f"a live change goes{'' if self.reset else ', for the file no longer has it'}: {item}")
        wish = build_wish(self.wanted, live, force=self.force, plan=None if live else self.plan)
        for warning in (*wish.plan.warnings, *machine_warnings(self.wanted.model)):
            self.reporter.warn(warning)
        return wish


def _readable(state: StateDirectory) -> Live:
    """Return the layer that is about to be dropped; one that is damaged is none."""
    try:
        return live_of(state)
    except StateError:
        return Live()


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWish:
    """Decides for a verb that changes something live: the file as it was applied, with a changed layer."""

    change: ChangeLive

    def __call__(self, state: StateDirectory) -> Wish:
        """Return the wish."""
        record = state.find_record()
        if record is None or not record.ready:
            raise StateError(f"{state.cluster} did not come up whole", hint="kemu up first")
        file = applied(record, state)
        return build_wish(file, self.change(file.model, live_of(state)), force=record.force)


def build_wish(file: Topology, live: Live, *, force: bool, plan: Plan | None = None) -> Wish:
    """Return what a file and a live layer make together; `plan` is that of both, where it is known."""
    topology = file.with_live(live)
    return Wish(
        plan=topology.plan(force=force) if plan is None else plan,
        record=replace(file.record, force=force),
        text=file.model.text,
        hosts=show_hosts(topology.model),
        live=show_live(live) if live else "",
    )


def machine_warnings(topology: model.Topology) -> list[str]:
    """Return what the machine's limits will do to a cluster under traffic."""
    pods = [len(topology.wired_pods(node)) for node in topology.nodes]
    return limits.warnings(pods, topology.networking.ip_family.versions[0])
