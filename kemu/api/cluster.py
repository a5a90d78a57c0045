"""`Cluster`: one running cluster, and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kemu.api.admission import Admission, Confirm, applied, refuse
from kemu.api.endpoint import Endpoint
from kemu.api.links import Link
from kemu.api.perf import PerfReport, check_apart
from kemu.api.reachability import choose_pairs, read_probe, with_expectations
from kemu.api.status import Status
from kemu.api.topology import Topology, show_model
from kemu.api.wishes import ChangeLive, FileWish, LiveWish, live_of, machine_warnings
from kemu.base.errors import NotFoundError, SpecError, StateError, UsageError
from kemu.base.reporter import SILENT, Reporter
from kemu.check.model import Report
from kemu.cluster import lifecycle
from kemu.cluster.lifecycle import UpResult
from kemu.cluster.processes import ProcessRecord, current_processes
from kemu.cluster.state import Record, StateDirectory
from kemu.kernel import process
from kemu.perf.model import Request, Side
from kemu.plan.build import Plan
from kemu.reach.model import Matrix
from kemu.spec import endpoints, model
from kemu.spec.live import Live, describe, find_link, links, without_link, without_strangers
from kemu.spec.model import Cable, Expectation

if TYPE_CHECKING:
    from kemu.api.capturing import Capture


class Cluster:
    """A running cluster. As a context manager it is taken down at the end of the block.

    `result` says what `Cluster.up` did, and is None for a cluster that was found.
    """

    def __init__(self, name: str, result: UpResult | None = None) -> None:
        self.name = name
        self.result = result

    def __repr__(self) -> str:
        return f"Cluster({self.name!r})"

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *exc: object) -> None:
        self.down()

    # --- its life ----------------------------------------------------------------------------------------------------------------

    @classmethod
    def up(
        cls,
        topology: Topology | str | Path,
        *,
        force: bool = False,
        replace: bool = False,
        reset: bool = False,
        verify: bool = False,
        confirm: Confirm = refuse,
        reporter: Reporter = SILENT,
    ) -> Cluster:
        """Return the running cluster of a topology or its file: made, repaired, or changed to what the file says now.

        `force` brings up what the backend can where it cannot do all; `replace` takes over a cluster made from another file;
        `reset` drops what was changed live; `confirm` is asked if addresses of running endpoints would change; `verify` reads a new
        cluster back.
        """
        wanted = topology if isinstance(topology, Topology) else Topology.load(topology)
        plan = wanted.plan(force=force)  # what is wrong with the file needs no lock
        result = lifecycle.become(
            wanted.name,
            FileWish(wanted=wanted, plan=plan, force=force, reset=reset, reporter=reporter),
            admit=Admission(wanted=wanted, replace=replace, confirm=confirm, reporter=reporter),
            reporter=reporter,
            verify=verify,
        )
        return cls(wanted.name, result)

    @classmethod
    def find(cls, name: str | None = None) -> Cluster:
        """Return the cluster called `name`; without a name the one made from a file in this directory, else the only one."""
        names = lifecycle.find_clusters()
        if name is not None:
            if name not in names:
                raise NotFoundError(f'there is no cluster "{name}"', hint=_there_are(names))
            return cls(name)
        here = [one for one in names if _is_from(one, Path.cwd())]
        chosen = here or names
        if len(chosen) == 1:
            return cls(chosen[0])
        if not chosen:
            raise NotFoundError("there is no cluster", hint="kemu up two-nodes makes one")
        raise UsageError(f"which cluster: {', '.join(chosen)}?", hint="-C NAME, or KEMU_CLUSTER")

    @classmethod
    def all(cls) -> list[Cluster]:
        """Return every cluster of this machine."""
        return [cls(name) for name in lifecycle.find_clusters()]

    def down(self, *, reporter: Reporter = SILENT) -> bool:
        """Remove the cluster whole; nothing is left. Returns False if nothing was there."""
        return lifecycle.down(self.name, reporter=reporter)

    def status(self, *, reporter: Reporter = SILENT) -> Status:
        """Return how the cluster compares with its file as it was applied. Changes nothing."""
        plan = self.plan()
        comparison = lifecycle.compare(self.name, plan, reporter=reporter)
        return self._status(plan, comparison)

    def processes(self) -> list[ProcessRecord]:
        """Return the cluster's processes, the agent first, as they are now. Needs no root."""
        return current_processes(StateDirectory(self.name))

    def compare(self, topology: Topology, *, force: bool = False, reporter: Reporter = SILENT) -> Status:
        """Return how the cluster compares with another topology and the live changes: what `up` would change. Changes nothing."""
        live, _ = without_strangers(topology.model, self.live)
        plan = topology.with_live(live).plan(force=force)
        return self._status(plan, lifecycle.compare(self.name, plan, reporter=reporter))

    def _status(self, plan: Plan, comparison: lifecycle.Comparison) -> Status:
        return Status(
            cluster=self.name,
            backend=self.topology.backend,
            state=comparison.state,
            changes=comparison.changes,
            live=describe(self.live),
            warnings=(*plan.warnings, *comparison.warnings, *machine_warnings(self.model)),
            nodes=len(self.model.nodes),
            pods=len(self.model.pods),
            objects=len(plan),
            processes=comparison.processes,
        )

    def find_file(self) -> str | None:
        """Return the absolute path of the file that the cluster was made from; empty for standard input, None if that is lost."""
        record = StateDirectory(self.name).find_record()
        return record.file if record else None

    def facts(self) -> dict[str, Any]:
        """Return what `ls` shows of the cluster; what its state directory lost is None."""
        try:
            record, topology = self.record, self.topology
        except (StateError, SpecError):
            return {"name": self.name, "state": "lost", **dict.fromkeys(("backend", "nodes", "pods", "hosts", "file"))}
        return {
            "name": self.name,
            "state": "up" if record.ready else "starting",
            "backend": topology.backend,
            "nodes": len(topology.model.nodes),
            "pods": len(topology.model.pods),
            "hosts": len(topology.model.hosts),
            "file": record.file,
        }

    # --- what it is --------------------------------------------------------------------------------------------------------------

    @cached_property
    def record(self) -> Record:
        """How the cluster came to be."""
        record = StateDirectory(self.name).find_record()
        if record is None:
            raise StateError(
                f"the state directory of {self.name} is lost",
                hint=f"kemu down {self.name} still removes the cluster; then up again",
            )
        return record

    @cached_property
    def live(self) -> Live:
        """What verbs changed since, beside the file."""
        return live_of(StateDirectory(self.name))

    @cached_property
    def file(self) -> Topology:
        """The file as it was applied, whatever was changed since."""
        return applied(self.record, StateDirectory(self.name))

    @cached_property
    def topology(self) -> Topology:
        """The file as it was applied, with what was changed live."""
        return self.file.with_live(self.live)

    @property
    def model(self) -> model.Topology:
        """What the file and the live changes mean together."""
        return self.topology.model

    def save(self, *, reporter: Reporter = SILENT) -> str:
        """Return the cluster as one file: what it was brought up with and what was changed since. A link that is down it cannot say."""
        machines: list[model.Node | model.Host] = [*self.model.nodes, *self.model.hosts]
        for name in (machine.name for machine in machines if not machine.link.up):
            reporter.warn(f"the link of {name} is down, and no file can say so: there it will be up")
        return show_model(self.model)

    def plan(self) -> Plan:
        """Return the kernel objects that the cluster should consist of."""
        return self.topology.plan(force=self.record.force)

    # --- who is in it ------------------------------------------------------------------------------------------------------------

    def endpoint(self, text: str, *, namespace: str = "default") -> Endpoint:
        """Return the pod, node or host that `text` means: web-1, node/n1, shop/db, an address, or labels that one pod has."""
        return Endpoint(self.name, endpoints.find_endpoint(self.model, text, namespace=namespace))

    def endpoints(
        self, text: str | None = None, *, namespace: str = "default", kinds: Sequence[str] = endpoints.KINDS
    ) -> list[Endpoint]:
        """Return the endpoints that `text` means, or without it all of `kinds`."""
        if text is None:
            found = endpoints.all_endpoints(self.model, kinds)
        else:
            found = endpoints.find_endpoints(self.model, text, namespace=namespace)
        return [Endpoint(self.name, one) for one in found]

    def pod(self, name: str, *, namespace: str = "default") -> Endpoint:
        """Return a pod by its name."""
        return self.endpoint(f"pod/{namespace}/{name}")

    def node(self, name: str) -> Endpoint:
        """Return a node by its name."""
        return self.endpoint(f"node/{name}")

    def host(self, name: str) -> Endpoint:
        """Return a host by its name."""
        return self.endpoint(f"host/{name}")

    # --- its links ---------------------------------------------------------------------------------------------------------------

    @property
    def cables(self) -> dict[str, Cable]:
        """What each link is like, by what it is called: node/n1, host/client, segment/rack1."""
        return links(self.model)

    def link(self, name: str) -> Link:
        """Return the link of a node, a host or a segment: n1, node/n1, segment/rack1."""
        return Link(self, find_link(self.model, name))

    def links(self) -> list[Link]:
        """Return every link."""
        return [Link(self, target) for target in self.cables]

    def reset_links(self) -> UpResult:
        """Let every link be again as the file has it."""
        return self.change_live(lambda topology, live: without_link(live, None))

    def change_live(self, change: ChangeLive) -> UpResult:
        """Change what is beside the file, and make the cluster so. `change` is called under the lock."""
        result = lifecycle.become(self.name, LiveWish(change=change), event="live")
        for name in ("record", "live", "file", "topology"):  # read anew when they are asked for
            self.__dict__.pop(name, None)
        return result

    # --- what it does ------------------------------------------------------------------------------------------------------------

    def reach(  # noqa: PLR0913 (words of a command, all of them named)
        self,
        *,
        senders: str | None = None,
        receivers: str | None = None,
        kinds: Sequence[str] = ("pod",),
        namespace: str = "default",
        protocol: str = "icmp",
        port: int | None = None,
        every: bool = False,
        sample: int | None = None,
        reporter: Reporter = SILENT,
    ) -> Matrix:
        """Return who reaches whom, by real packets: all ordered pairs of `kinds`, or from `senders` to `receivers`.

        More than 20,000 pairs are a UsageError unless `every` is given, or `sample` says how many of them to try.
        """
        process.need_root()
        from kemu.reach.run import measure  # noqa: PLC0415 (sockets and ctypes, which only this needs)

        ends = [self.endpoints(text, namespace=namespace, kinds=kinds) for text in (senders, receivers)]
        pairs = choose_pairs(ends[0], ends[1], every=every, sample=sample)
        nodes = [node.netns for node in self.endpoints(kinds=("node",))]
        matrix = measure(self.name, pairs, read_probe(protocol, port), between=nodes, reporter=reporter)
        return with_expectations(matrix, self.model)

    def perf(
        self, source: str, target: str, request: Request, *, namespace: str = "default", reporter: Reporter = SILENT
    ) -> PerfReport:
        """Return what iperf3 measures between two endpoints."""
        process.need_root()
        from kemu.perf.run import measure  # noqa: PLC0415 (starts processes, which only this needs)

        ends = [self.endpoint(text, namespace=namespace) for text in (source, target)]
        check_apart(ends[0].spec, ends[1].spec)
        sides = [Side(endpoint=end.full, netns=str(end.netns), address=end.address, node=end.spec.node) for end in ends]
        runs = measure(sides[0], sides[1], request, backend=self.topology.backend, reporter=reporter)
        return PerfReport(cluster=self.name, runs=tuple(runs))

    def test(
        self, expectations: Sequence[Expectation] | None = None, *, file: str | None = None, reporter: Reporter = SILENT
    ) -> Report:
        """Return what came of expectations, by default those of the cluster's own file; `file` is where others stand.

        None at all is a UsageError: a test of nothing would pass.
        """
        process.need_root()
        from kemu.check.run import check  # noqa: PLC0415 (sockets and processes, which only this needs)

        wanted = self.model.expect if expectations is None else expectations
        path = self.record.file if file is None else file
        if not wanted:
            raise UsageError(f"{Path(path).name or self.name} expects nothing", hint="expect: [allow: any -> any] is a beginning")
        return check(self.name, self.model, wanted, file=path, reporter=reporter)

    def capture(
        self,
        *words: str,
        way: bool = False,
        to: str | Path | None = None,
        expression: str = "",
        namespace: str = "default",
        snap_length: int | None = None,
    ) -> Capture:
        """Return a context manager that captures packets during its block: `with cluster.capture("a", "c", way=True, to="a.pcapng"):`.

        `words` are endpoints or devices of them (n1%flannel.1), with `way` two endpoints for every device between them. Without `to`
        packets are only counted; `expression` is a filter as tcpdump knows it.
        """
        from kemu.api.capturing import Capture, words_of  # noqa: PLC0415 (sockets, which only this needs)

        return Capture(
            words_of(self.name, words, way=way, to=to, expression=expression, namespace=namespace, snap_length=snap_length)
        )


def _is_from(cluster: str, directory: Path) -> bool:
    record = StateDirectory(cluster).find_record()
    return record is not None and bool(record.file) and Path(record.file).parent == directory


def _there_are(names: Sequence[str]) -> str:
    return f"there are {', '.join(names)}" if names else "there is none: kemu up two-nodes makes one"
