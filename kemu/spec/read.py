"""From the text of a topology file to the model: the only way in. Everything wrong with the file is found before anything is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kemu.base.errors import SpecError
from kemu.base.names import is_label
from kemu.spec import defaults
from kemu.spec.check import BRIDGE_PORTS, Claim, Pins, check_overlaps, choose_families
from kemu.spec.expand import NODES, Draft, check_names, counted, expand_machines, expand_pods
from kemu.spec.fields import CLUSTER_NAME_LENGTH, snake_case, topology_table
from kemu.spec.kinds import Entry
from kemu.spec.model import (
    Backend,
    Fabric,
    Host,
    IPAddress,
    IpFamily,
    IPNetwork,
    KubeProxyMode,
    Namespace,
    Networking,
    Node,
    Pod,
    PolicyEngine,
    Port,
    Protocol,
    Segment,
    Topology,
)
from kemu.spec.sets import apply_sets
from kemu.spec.source import Log, MappingNode, Source, find_close, read_documents
from kemu.spec.source import Node as YamlNode

DEFAULT_BACKEND = "vxlan"
MTU = 1500
LEAST_IPV6_MTU = 1280  # Source: RFC 8200, section 5


def read_topology(
    source: Source, *, backends: Mapping[str, type[Any]], backend: str | None = None, sets: Sequence[str] = ()
) -> Topology:
    """Return the topology that a text describes. `backends` are the Options classes by name.

    `backend` replaces the file's, `sets` are changes such as "nodes.n1.address=172.18.0.9". Raises SpecError with every problem.
    """
    log = Log(source)
    root = apply_sets(_root(source), sets, log)
    entry = topology_table(backends).read(root, log, "")
    topology = _Build(log, entry, backends, backend).topology() if isinstance(entry, Entry) else None
    if log.problems or topology is None:
        raise SpecError(log.problems)
    return topology


def _root(source: Source) -> YamlNode:
    """Return the one document that is a topology."""
    documents = read_documents(source)
    objects = [one for one in documents if _is_kubernetes(one)]
    topologies = [one for one in documents if one not in objects]
    log = Log(source)
    for one in objects:
        log.wrong(one, "not yet: this version of kemu reads no Kubernetes objects", "remove the document")
    for one in topologies[1:]:
        log.wrong(one, "a file holds one topology, and this is a second", "write it into a file of its own")
    if not documents:
        log.wrong(None, f"{source.name} is empty", "the smallest topology is one line, such as: pods: {perNode: 2}")
    if log.problems:
        raise SpecError(log.problems)
    return topologies[0]


def _is_kubernetes(node: YamlNode) -> bool:
    return isinstance(node, MappingNode) and any(key.value == "apiVersion" for key, _ in node.value)


@dataclass
class _Build:
    """Makes the model out of the file's values. What cannot be made without a bad value is left out; its problem is noted."""

    log: Log
    entry: Entry
    backends: Mapping[str, type[Any]]
    backend_name: str | None

    def topology(self) -> Topology | None:
        """Return the model, or None if too much is missing; complete only if nothing is in the log."""
        networking = self._networking()
        segments = self._segments(networking)
        names = [segment.name for segment in segments]
        nodes = expand_machines(self._machines("nodes", "node", "n", NODES), names)
        hosts = expand_machines(self._machines("hosts", "host", "h", 0), names)
        if not (nodes and segments and self._is_sound(networking, segments)):
            self._check_rest(nodes, hosts)
            return None
        return self._complete(networking, segments, nodes, hosts)

    def _complete(self, networking: Networking, segments: list[Segment], nodes: list[Draft], hosts: list[Draft]) -> Topology:
        subnets = self._node_subnets(networking, nodes)
        pinned = [(draft.name, subnet) for draft, row in zip(nodes, subnets, strict=True) for subnet in row]
        pods = expand_pods(self._pod_entries(), nodes, pinned)
        check_names(self.log, [*nodes, *hosts], pods)
        fabric = self._fabric(segments, networking.ip_family)
        addresses = self._machine_addresses(segments, nodes, hosts)
        return Topology(
            name=self._name(),
            networking=networking,
            fabric=fabric,
            nodes=tuple(
                self._node(draft, position, addresses[draft], row)
                for position, (draft, row) in enumerate(zip(nodes, subnets, strict=True))
            ),
            pods=tuple(self._pods(pods, nodes, subnets)),
            hosts=tuple(self._host(draft, position, addresses[draft]) for position, draft in enumerate(hosts)),
            namespaces=tuple(self._namespaces()),
            source=self.log.source.path,
            text=self.log.source.text,
        )

    def _check_rest(self, nodes: list[Draft], hosts: list[Draft]) -> None:
        """Note what can be seen of pods although addresses cannot be dealt out."""
        pods = expand_pods(self._pod_entries(), nodes, []) if nodes else []
        check_names(self.log, [*nodes, *hosts], pods)
        self._name()

    # --- the cluster -------------------------------------------------------------------------------------------------------------

    def _part(self, key: str) -> Entry:
        """Return a mapping of the file, an empty one if it is absent."""
        part = self.entry.get(key)
        return part if isinstance(part, Entry) else Entry(key, self.entry.node, self.log, {}, {})

    def _name(self) -> str:
        name = self.entry.get("name")
        if name is not None or self.entry.said("name"):
            return name or "bad"
        path = self.log.source.path
        stem = path.name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".kemu") if path else ""
        if is_label(stem) and len(stem) <= CLUSTER_NAME_LENGTH:
            return stem
        reason = f'and "{stem}" cannot be one' if stem else "and there is no file to take it from"
        self.log.wrong(
            None, f"{self.log.source.name}: the cluster has no name, {reason}", "begin the file with a line such as name: lab"
        )
        return "bad"

    def _networking(self) -> Networking:
        part = self._part("networking")
        family = part.get("ipFamily", IpFamily.IPV4)
        pods = self._subnets(part, "podSubnet", family.versions, defaults.pod_subnet)
        services = self._subnets(part, "serviceSubnet", family.versions, defaults.service_subnet)
        return Networking(
            backend=self._backend(part),
            ip_family=family,
            pod_subnets=pods,
            service_subnets=services,
            node_prefixes=self._node_prefixes(part, family.versions),
            kube_proxy_mode=part.get("kubeProxyMode", KubeProxyMode.NFTABLES),
            policy_engine=part.get("policyEngine", PolicyEngine.AUTO),
        )

    def _backend(self, part: Entry) -> Backend:
        name, values, node = part.get("backend") or (DEFAULT_BACKEND, {}, None)
        if self.backend_name is not None and self.backend_name != name:
            name, values = self.backend_name, {}
        if name not in self.backends:
            self.log.wrong(None, f'there is no backend called "{name}"', find_close(name, self.backends))
            name, values = next(iter(self.backends)), {}
        options = self.backends[name](**{snake_case(key): value for key, value in values.items()})
        return Backend(name=name, options=options, mark=self.log.mark(node) if node is not None else None)

    def _subnets(self, part: Entry, key: str, versions: Sequence[int], default: Any) -> tuple[IPNetwork, ...]:
        said = choose_families(part.get(key), versions, part, key)
        return tuple(said[version][0] if version in said else default(version) for version in versions)

    def _node_prefixes(self, part: Entry, versions: Sequence[int]) -> tuple[int, ...]:
        said = part.get("nodePrefix") or ()
        if len(said) > len(versions):
            part.wrong("nodePrefix", "two prefix lengths, and the cluster has one IP version")
        by_version = dict(zip(versions, said, strict=False))
        return tuple(by_version.get(version, defaults.NODE_PREFIXES[version]) for version in versions)

    def _is_sound(self, networking: Networking, segments: Sequence[Segment]) -> bool:
        """Check subnets against each other. Only with good ones can addresses be dealt out."""
        part = self._part("networking")
        before = len(self.log.problems)
        for subnet, prefix in zip(networking.pod_subnets, networking.node_prefixes, strict=True):
            if not subnet.prefixlen <= prefix <= subnet.max_prefixlen - 2:
                part.wrong(
                    "nodePrefix",
                    f"/{prefix} is no part of {subnet} with room for pods",
                    f"between {subnet.prefixlen} and {subnet.max_prefixlen - 2}",
                )
        claims = [
            Claim(subnet, key, pair[1] if (pair := part.get(key, {}).get(subnet.version)) else None)
            for key, row in (("podSubnet", networking.pod_subnets), ("serviceSubnet", networking.service_subnets))
            for subnet in row
        ]
        claims += [
            Claim(subnet, f"segment {one.name}", self._segment_nodes.get((one.name, subnet.version)))
            for one in segments
            for subnet in one.subnets
        ]
        bad = any(
            key in part.nodes and key not in part.values for key in ("podSubnet", "serviceSubnet", "nodePrefix", "ipFamily")
        )
        return check_overlaps(self.log, claims) and not bad and len(self.log.problems) == before

    # --- the fabric --------------------------------------------------------------------------------------------------------------

    def _fabric(self, segments: Sequence[Segment], family: IpFamily) -> Fabric:
        part = self._part("fabric")
        mtu = part.get("mtu", MTU)
        if 6 in family.versions and mtu < LEAST_IPV6_MTU + 100:
            part.wrong(
                "mtu",
                f"mtu {mtu} leaves less than the {LEAST_IPV6_MTU} bytes that IPv6 needs",
                f"at least {LEAST_IPV6_MTU + 100}, tunnels' headers included",
            )
        return Fabric(mtu=mtu, segments=tuple(segments))

    def _segments(self, networking: Networking) -> list[Segment]:
        part = self._part("fabric")
        entries = [one for one in part.get("segments", ()) if isinstance(one, Entry) and one.get("name")]
        self._segment_nodes: dict[tuple[str, int], YamlNode] = {}
        if part.said("segments"):
            self._check_unique(entries)
            return [
                self._segment(entry, entry.get("name"), position, len(entries), networking)
                for position, entry in enumerate(entries)
            ]
        plain = Entry("segment", part.node, self.log, {}, {})
        return [replace(self._segment(plain, defaults.SEGMENT_NAME, 0, 1, networking), mark=None)]

    def _check_unique(self, entries: Sequence[Entry]) -> None:
        for name, count in Counter(entry.get("name") for entry in entries).items():
            if count > 1:
                second = [entry for entry in entries if entry.get("name") == name][1]
                second.wrong("name", "there is another of this name", "choose another name")

    def _segment(self, entry: Entry, name: str, position: int, count: int, networking: Networking) -> Segment:
        versions = networking.ip_family.versions
        for version, pair in entry.get("subnet", {}).items():
            self._segment_nodes[name, version] = pair[1]
        subnets = self._subnets(entry, "subnet", versions, lambda version: defaults.segment_subnet(version, position, count))
        for subnet in subnets:
            if subnet.max_prefixlen - subnet.prefixlen < 2:
                entry.wrong("subnet", f"{subnet} has no room for machines")
        router = tuple(subnet[1] if subnet.num_addresses > 1 else subnet[0] for subnet in subnets)
        return Segment(name=name, position=position, subnets=subnets, router=router, mark=self.log.mark(entry.node))

    # --- machines ----------------------------------------------------------------------------------------------------------------

    def _machines(self, key: str, noun: str, prefix: str, default: int) -> list[Entry]:
        found = self.entry.get(key, default)
        if isinstance(found, int):
            return counted(noun, prefix, found, self.entry.nodes.get(key, self.entry.node), self.log)
        return [one for one in found if isinstance(one, Entry)]

    def _machine_addresses(
        self, segments: Sequence[Segment], nodes: Sequence[Draft], hosts: Sequence[Draft]
    ) -> dict[Draft, tuple[IPAddress, ...]]:
        """Deal out the fabric's addresses: the pinned ones, then the nodes', then the hosts'."""
        subnets = {segment.name: segment.subnets for segment in segments}
        pins = Pins(self.log, {address: "the router" for segment in segments for address in segment.router})
        versions = [subnet.version for subnet in segments[0].subnets]
        fixed = {draft: self._pinned(draft, subnets[draft.place], versions, pins) for draft in (*nodes, *hosts)}
        found: dict[Draft, tuple[IPAddress, ...]] = {}
        for drafts, start in ((nodes, defaults.NODES_FROM), (hosts, defaults.HOSTS_FROM)):
            free = {
                name: [defaults.free_addresses(subnet, start, pins.owners) for subnet in row] for name, row in subnets.items()
            }
            for draft in drafts:
                found[draft] = self._dealt(draft, fixed[draft], subnets[draft.place], free[draft.place], pins)
        self._check_ports(segments, [*nodes, *hosts])
        return found

    def _pinned(self, draft: Draft, subnets: Sequence[IPNetwork], versions: Sequence[int], pins: Pins) -> dict[int, IPAddress]:
        """Return the good ones of the addresses that the file gives a machine or pod."""
        said = choose_families(draft.entry.get("address"), versions, draft.entry, "address")
        by_version: dict[int, IPNetwork] = {subnet.version: subnet for subnet in subnets}
        return {
            version: address
            for version, (address, node) in said.items()
            if pins.take(address, draft.said, by_version[version], node)
        }

    def _dealt(
        self,
        draft: Draft,
        fixed: Mapping[int, IPAddress],
        subnets: Sequence[IPNetwork],
        free: Sequence[Iterator[IPAddress]],
        pins: Pins,
    ) -> tuple[IPAddress, ...]:
        """Return a machine's or pod's addresses: those it asked for, else the next free ones."""
        row: list[IPAddress] = []
        for subnet, choices in zip(subnets, free, strict=True):
            address = fixed.get(subnet.version) or next(choices, None)
            if address is None:
                draft.entry.wrong("name", f"{subnet} has no address left for {draft.name}", "give it a larger subnet")
                address = subnet.network_address
            pins.owners[address] = draft.said
            row.append(address)
        return tuple(row)

    def _check_ports(self, segments: Sequence[Segment], machines: Sequence[Draft]) -> None:
        for name, count in Counter(draft.place for draft in machines).items():
            if count + 1 > BRIDGE_PORTS:
                mark = next(segment.mark for segment in segments if segment.name == name)
                self.log.wrong(
                    mark, f"segment {name}: {count} machines and a router, and a bridge has {BRIDGE_PORTS} ports", "add a segment"
                )

    def _node_subnets(self, networking: Networking, nodes: Sequence[Draft]) -> list[tuple[IPNetwork, ...]]:
        """Deal out the parts of podSubnet: the pinned ones, then the others in the order of the file."""
        versions = networking.ip_family.versions
        fixed = [choose_families(draft.entry.get("podSubnet"), versions, draft.entry, "podSubnet") for draft in nodes]
        rows: list[list[IPNetwork]] = [[] for _ in nodes]
        for index, version in enumerate(versions):
            whole, prefix = networking.pod_subnets[index], networking.node_prefixes[index]
            pinned = {i: self._inside(nodes[i], pair, whole) for i, said in enumerate(fixed) if (pair := said.get(version))}
            check_overlaps(self.log, [Claim(pinned[i], f"podSubnet of {nodes[i].said}", fixed[i][version][1]) for i in pinned])
            found = defaults.node_subnets(whole, prefix, len(nodes), pinned)
            for draft, row, subnet in zip(nodes, rows, found, strict=True):
                row.append(subnet or self._no_subnet(draft, whole, prefix))
        return [tuple(row) for row in rows]

    def _inside(self, draft: Draft, pair: tuple[Any, YamlNode], whole: IPNetwork) -> IPNetwork:
        subnet, node = pair
        if not subnet.subnet_of(whole):
            self.log.wrong(node, f"{draft.said}: podSubnet {subnet} is no part of networking.podSubnet {whole}")
        elif subnet.max_prefixlen - subnet.prefixlen < 2:
            self.log.wrong(node, f"{draft.said}: podSubnet {subnet} has no room for pods")
        return subnet  # type: ignore[no-any-return]

    def _no_subnet(self, draft: Draft, whole: IPNetwork, prefix: int) -> IPNetwork:
        draft.entry.wrong(
            "name", f"{whole} has no /{prefix} left for node {draft.name}", "a larger podSubnet, or a longer nodePrefix"
        )
        return whole

    def _node(self, draft: Draft, position: int, addresses: tuple[IPAddress, ...], subnets: tuple[IPNetwork, ...]) -> Node:
        entry = draft.entry
        return Node(
            name=draft.name,
            position=position,
            segment=draft.place,
            addresses=addresses,
            pod_subnets=subnets,
            labels=entry.get("labels", {}),
            sysctls=entry.get("sysctls", {}),
            mark=self.log.mark(entry.node),
        )

    def _host(self, draft: Draft, position: int, addresses: tuple[IPAddress, ...]) -> Host:
        mark = self.log.mark(draft.entry.node)
        return Host(name=draft.name, position=position, segment=draft.place, addresses=addresses, mark=mark)

    # --- pods --------------------------------------------------------------------------------------------------------------------

    def _pod_entries(self) -> Any:
        pods = self.entry.get("pods", [])
        return pods if isinstance(pods, Entry) else [one for one in pods if isinstance(one, Entry)]

    def _pods(self, drafts: Sequence[Draft], nodes: Sequence[Draft], subnets: Sequence[tuple[IPNetwork, ...]]) -> Iterator[Pod]:
        """Yield the pods with their addresses: node by node the pinned ones first, then from the second of the node's subnet."""
        rows = dict(zip((node.name for node in nodes), subnets, strict=True))
        pins = Pins(
            self.log,
            {subnet[1]: f"the gateway of {name}" for name, row in rows.items() for subnet in row if subnet.num_addresses > 1},
        )
        fixed = [
            self._pinned(draft, rows[draft.place], [one.version for one in rows[draft.place]], pins)
            if draft.entry.said("address")
            else {}
            for draft in drafts
        ]
        free = {
            name: [defaults.free_addresses(subnet, defaults.PODS_FROM, pins.owners) for subnet in row]
            for name, row in rows.items()
        }
        shared: dict[int, dict[str, Any]] = {}
        for draft, address in zip(drafts, fixed, strict=True):
            if id(draft.entry) not in shared:
                shared[id(draft.entry)] = self._pod_values(draft.entry)
            addresses = self._dealt(draft, address, rows[draft.place], free[draft.place], pins)
            yield Pod(
                name=draft.name, namespace=draft.namespace, node=draft.place, addresses=addresses, **shared[id(draft.entry)]
            )
        self._check_room(drafts)

    def _check_room(self, drafts: Sequence[Draft]) -> None:
        for node, count in Counter(draft.place for draft in drafts).items():
            if count > BRIDGE_PORTS:
                self.log.wrong(None, f"node {node}: {count} pods, and a bridge has {BRIDGE_PORTS} ports", "add nodes")

    def _pod_values(self, entry: Entry) -> dict[str, Any]:
        return {
            "labels": entry.get("labels", {}),
            "sysctls": entry.get("sysctls", {}),
            "ports": tuple(self._ports(entry)),
            "mark": self.log.mark(entry.node),
        }

    def _ports(self, entry: Entry) -> Iterator[Port]:
        seen: set[tuple[int, Protocol]] = set()
        for one in entry.get("ports", ()):
            if not isinstance(one, Entry) or one.get("containerPort") is None:
                continue
            port = Port(number=one.get("containerPort"), protocol=one.get("protocol", Protocol.TCP), name=one.get("name", ""))
            if (port.number, port.protocol) in seen:
                one.wrong("containerPort", f"{entry.title} has {port.number}/{port.protocol} twice")
            seen.add((port.number, port.protocol))
            yield port

    def _namespaces(self) -> Iterator[Namespace]:
        entries = [one for one in self.entry.get("namespaces", ()) if isinstance(one, Entry) and one.get("name")]
        self._check_unique(entries)
        for entry in entries:
            yield Namespace(name=entry.get("name"), labels=entry.get("labels", {}), mark=self.log.mark(entry.node))
