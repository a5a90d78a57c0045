"""`Cluster`: one running cluster, and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as changed
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kemu.api.admission import Admission, Confirm, applied, refuse
from kemu.api.endpoint import Endpoint
from kemu.api.perf import PerfReport, check_apart
from kemu.api.reachability import choose_pairs, read_probe, with_expectations
from kemu.api.status import Status
from kemu.api.topology import Topology, show_model
from kemu.base.errors import NotFoundError, SpecError, StateError, UsageError
from kemu.base.reporter import SILENT, Reporter
from kemu.check.model import Report
from kemu.cluster import lifecycle
from kemu.cluster.lifecycle import UpResult
from kemu.cluster.state import Record, StateDirectory
from kemu.kernel import limits, process
from kemu.perf.model import Request, Side
from kemu.plan.build import Plan
from kemu.reach.model import Matrix
from kemu.spec import endpoints, model
from kemu.spec.hosts import show_hosts
from kemu.spec.model import Expectation

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
        verify: bool = False,
        confirm: Confirm = refuse,
        reporter: Reporter = SILENT,
    ) -> Cluster:
        """Return the running cluster of a topology or its file: made, repaired, or changed to what the file says now.

        `force` brings up what the backend can where it cannot do all; `replace` takes over a cluster made from another file;
        `confirm` is asked if addresses of running endpoints would change. `verify` reads a new cluster back.
        """
        wanted = topology if isinstance(topology, Topology) else Topology.load(topology)
        plan = wanted.plan(force=force)
        for warning in (*plan.warnings, *_warnings(wanted.model)):
            reporter.warn(warning)
        result = lifecycle.up(
            plan,
            changed(wanted.record, force=force),
            wanted.model.text,
            hosts=show_hosts(wanted.model),
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

    def compare(self, topology: Topology, *, force: bool = False, reporter: Reporter = SILENT) -> Status:
        """Return how the cluster compares with another topology: what `up` would change. Changes nothing."""
        plan = topology.plan(force=force)
        return self._status(plan, lifecycle.compare(self.name, plan, reporter=reporter))

    def _status(self, plan: Plan, comparison: lifecycle.Comparison) -> Status:
        return Status(
            cluster=self.name,
            backend=self.topology.backend,
            state=comparison.state,
            changes=comparison.changes,
            warnings=(*plan.warnings, *comparison.warnings, *_warnings(self.model)),
            nodes=len(self.model.nodes),
            pods=len(self.model.pods),
            objects=len(plan),
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
    def topology(self) -> Topology:
        """The file as it was applied."""
        return applied(self.record, StateDirectory(self.name))

    @property
    def model(self) -> model.Topology:
        """What the file means."""
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


def _warnings(topology: model.Topology) -> list[str]:
    """Return what the machine's limits will do to a cluster under traffic."""
    pods = [len(topology.wired_pods(node)) for node in topology.nodes]
    return limits.warnings(pods, topology.networking.ip_family.versions[0])


def _is_from(cluster: str, directory: Path) -> bool:
    record = StateDirectory(cluster).find_record()
    return record is not None and bool(record.file) and Path(record.file).parent == directory


def _there_are(names: Sequence[str]) -> str:
    return f"there are {', '.join(names)}" if names else "there is none: kemu up two-nodes makes one"
