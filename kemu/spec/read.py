"""From the text of a topology file to the model: the only way in. Everything wrong with the file is found before anything is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kemu.base.errors import SpecError
from kemu.base.names import is_label
from kemu.spec import defaults, fabric
from kemu.spec import internet as way_out
from kemu.spec import networking as network
from kemu.spec.addresses import deal_addresses, deal_subnets, node_place, segment_place
from kemu.spec.check import check_families, check_names, check_overlaps, check_unique
from kemu.spec.containers import read_containers
from kemu.spec.expand import NODES, Draft, Names, expand_machines, expand_pods, read_entries
from kemu.spec.expect import check_expectations, is_alone, read_expectations
from kemu.spec.fields import CLUSTER_NAME_LENGTH, topology_table
from kemu.spec.host_network import check_host_network
from kemu.spec.links import read_link
from kemu.spec.model import (
    Cable,
    Fabric,
    Host,
    Internet,
    IPAddress,
    IPNetwork,
    Namespace,
    Networking,
    Node,
    Pod,
    Port,
    Protocol,
    Topology,
)
from kemu.spec.sets import apply_sets
from kemu.spec.source import Log, MappingNode, Source, read_documents
from kemu.spec.source import Node as YamlNode
from kemu.spec.tables import Entry


def read_topology(
    source: Source, *, backends: Mapping[str, type[Any]], backend: str | None = None, sets: Sequence[str] = ()
) -> Topology:
    """Return the topology that a text describes. `backends` are the Options classes by name.

    `backend` replaces the file's, `sets` are changes such as "nodes.n1.address=172.18.0.9". Raises SpecError with every problem.
    """
    log = Log(source)
    tree = apply_sets(_root(source), sets, log)
    root = topology_table(backends).read(tree, log, "")
    if not isinstance(root, Entry):
        raise SpecError(log.problems)
    name = _name(root)
    drafts = _read_drafts(root, backends, backend, name)
    dealt = _deal(root, drafts)
    values = {id(one.entry): _pod_values(one.entry) for one in drafts.pods}
    namespaces, expect = _namespaces(root), read_expectations(root)
    if log.problems:
        raise SpecError(log.problems)
    topology = Topology(
        name=name,
        namespaces=namespaces,
        networking=drafts.networking,
        fabric=drafts.fabric,
        nodes=tuple(
            _node(one, i, dealt[one], drafts.subnets[one.name], drafts.links[id(one.entry)]) for i, one in enumerate(drafts.nodes)
        ),
        pods=tuple(_pod(one, dealt[one], values[id(one.entry)]) for one in drafts.pods),
        hosts=tuple(_host(one, i, dealt[one], drafts.links[id(one.entry)]) for i, one in enumerate(drafts.hosts)),
        expect=expect,
        internet=drafts.internet,
        source=source.path,
        text=source.text,
    )
    check_expectations(topology, expect, log)
    if log.problems:
        raise SpecError(log.problems)
    return topology


def _root(source: Source) -> YamlNode:
    """Return the one document that is a topology."""
    documents = read_documents(source)
    objects = [one for one in documents if _is_kubernetes(one)]
    topologies = [one for one in documents if not _is_kubernetes(one)]
    log = Log(source)
    for one in objects:
        log.wrong(one, "not yet: this version of kemu reads no Kubernetes objects", "remove the document")
    for one in topologies[1:]:
        log.wrong(one, "a file holds one topology, and this is a second", "write it into a file of its own")
    if not documents:
        log.wrong(None, f"{source.name} is empty", "the smallest topology is one line, such as: pods: {perNode: 2}")
    if is_alone(source):
        log.wrong(None, f"{source.name} holds expectations, and no topology", f"kemu test {source.name} tries them on a cluster")
    if log.problems:
        raise SpecError(log.problems)
    return topologies[0]


def _is_kubernetes(node: YamlNode) -> bool:
    return isinstance(node, MappingNode) and any(key.value == "apiVersion" for key, _ in node.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drafts:
    """The file with counts expanded and subnets dealt out, as far as it is right; `subnets` are the nodes', by name.

    `links` are by the id of the entry, which may stand for several machines.
    """

    networking: Networking
    fabric: Fabric
    nodes: Sequence[Draft]
    hosts: Sequence[Draft]
    links: Mapping[int, Cable]
    subnets: Mapping[str, tuple[IPNetwork, ...]]
    pods: Sequence[Draft]
    internet: Internet | None


def _read_drafts(root: Entry, backends: Mapping[str, type[Any]], backend: str | None, name: str) -> _Drafts:
    networking_part, fabric_part = root.part("networking"), root.part("fabric")
    networking = network.read_networking(networking_part, backends, backend)
    versions = networking.ip_family.versions
    entries, names = fabric.segment_entries(fabric_part)
    names = Names("segment", names.known, names.complete and not root.bad("fabric"))
    mtu = fabric_part.get("mtu", fabric.MTU)
    segments = fabric.read_segments(entries, versions, mtu)
    nodes, named = expand_machines(root, "node", names, default=NODES)
    hosts, _ = expand_machines(root, "host", names, default=0)
    internet = way_out.read_internet(root, versions)
    is_known = not root.bad("networking") and not networking_part.bad("ipFamily")
    if is_known:
        _check_versions(root, networking_part, entries, versions)
        outside = way_out.claims(root, internet, name, versions)
        check_overlaps(root.log, [*network.claims(networking_part, networking), *fabric.claims(entries, segments), *outside])
    links = _links(fabric_part, [*nodes, *hosts], mtu)
    fabric.check_mtus([fabric_part, *_link_entries(fabric_part, entries, [*nodes, *hosts])], versions)
    subnets = _node_subnets(networking_part, networking, nodes) if is_known and named.all_read else {}
    return _Drafts(
        networking=networking,
        fabric=fabric.read_fabric(fabric_part, segments if is_known else ()),
        nodes=nodes,
        hosts=hosts,
        links=links,
        subnets=subnets,
        pods=expand_pods(root, named, subnets),
        internet=internet,
    )


def _check_versions(root: Entry, networking: Entry, segments: Sequence[Entry], versions: Sequence[int]) -> None:
    check_families([networking], ("podSubnet", "serviceSubnet"), versions)
    check_families(segments, ("subnet",), versions)
    for key in ("nodes", "hosts", "pods"):
        found = root.get(key)
        if isinstance(found, list):
            check_families((one for one in found if isinstance(one, Entry)), ("address", "podSubnet"), versions)


def _links(fabric_part: Entry, machines: Sequence[Draft], mtu: int) -> dict[int, Cable]:
    default = fabric_part.get("link")
    entries = {id(one.entry): one.entry for one in machines}
    return {key: read_link(entry, "link", mtu, default) for key, entry in entries.items()}


def _link_entries(fabric_part: Entry, segments: Sequence[Entry], machines: Sequence[Draft]) -> list[Entry]:
    return [fabric_part.part("link"), *(one.part("uplink") for one in segments), *(one.entry.part("link") for one in machines)]


def _node_subnets(part: Entry, networking: Networking, nodes: Sequence[Draft]) -> dict[str, tuple[IPNetwork, ...]]:
    """Return the nodes' subnets; none where networking or nodes are too wrong to know them."""
    if part.bad("podSubnet", "nodePrefix") or not network.check_prefixes(part, networking):
        return {}
    if any(node.entry.bad("podSubnet") for node in nodes):
        return {}
    rows = deal_subnets(part.log, nodes, networking.pod_subnets, networking.node_prefixes)
    return dict(zip((node.name for node in nodes), rows, strict=False))


def _deal(root: Entry, drafts: _Drafts) -> dict[Draft, tuple[IPAddress, ...]]:
    """Return the addresses of all machines and pods whose places are known."""
    check_names(root.log, [*drafts.nodes, *drafts.hosts, *drafts.pods])
    segments = {one.name: segment_place(one.name, one.subnets) for one in drafts.fabric.segments}
    nodes = {name: node_place(name, row) for name, row in drafts.subnets.items()}
    machines = [(drafts.nodes, defaults.NODES_FROM), (drafts.hosts, defaults.HOSTS_FROM)]
    dealt = deal_addresses(root.log, machines, segments)
    check_host_network(drafts.pods)
    by_name = {node.name: dealt[node] for node in drafts.nodes if node in dealt}
    sharing = {pod: by_name[pod.place] for pod in drafts.pods if pod.shares_node and pod.place in by_name}
    own = [pod for pod in drafts.pods if not pod.shares_node]
    return {**dealt, **sharing, **deal_addresses(root.log, [(own, defaults.PODS_FROM)], nodes)}


def _name(root: Entry) -> str:
    """Return the cluster's name: the file's own, else that of the file."""
    if root.said("name"):
        return str(root.get("name"))
    source = root.log.source
    stem = source.path.name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".kemu") if source.path else ""
    if not is_label(stem) or len(stem) > CLUSTER_NAME_LENGTH:
        reason = f'and "{stem}" cannot be one' if stem else "and there is no file to take it from"
        root.log.wrong(None, f"{source.name}: the cluster has no name, {reason}", "begin the file with a line such as name: lab")
    return stem


def _node(draft: Draft, position: int, addresses: tuple[IPAddress, ...], subnets: tuple[IPNetwork, ...], link: Cable) -> Node:
    entry = draft.entry
    return Node(
        name=draft.name,
        position=position,
        segment=draft.place,
        addresses=addresses,
        pod_subnets=subnets,
        link=link,
        labels=entry.get("labels", {}),
        sysctls=entry.get("sysctls", {}),
        mark=entry.log.mark(entry.node),
    )


def _host(draft: Draft, position: int, addresses: tuple[IPAddress, ...], link: Cable) -> Host:
    mark = draft.entry.log.mark(draft.entry.node)
    return Host(name=draft.name, position=position, segment=draft.place, addresses=addresses, link=link, mark=mark)


def _pod(draft: Draft, addresses: tuple[IPAddress, ...], values: Mapping[str, Any]) -> Pod:
    return Pod(name=draft.name, namespace=draft.namespace, node=draft.place, addresses=addresses, **values)


def _pod_values(entry: Entry) -> dict[str, Any]:
    """Return what all pods of an entry share."""
    ports = tuple(_ports(entry))
    return {
        "labels": entry.get("labels", {}),
        "sysctls": entry.get("sysctls", {}),
        "ports": ports,
        "containers": read_containers(entry, ports),
        "serve": entry.get("serve", True),
        "serves_at_once": entry.get("serve", False),
        "host_network": entry.get("hostNetwork", False),
        "mark": entry.log.mark(entry.node),
    }


def _ports(entry: Entry) -> Iterator[Port]:
    entries = [one for one in entry.get("ports", ()) if isinstance(one, Entry)]
    check_unique(entries, "name", "port")
    seen: set[tuple[int, Protocol]] = set()
    for one in entries:
        number, protocol = one.get("containerPort"), one.get("protocol", Protocol.TCP)
        if number is None or one.bad("protocol"):
            continue
        if (number, protocol) in seen:
            one.wrong("containerPort", f"{number}/{protocol} stands there twice", "leave out one of them")
        seen.add((number, protocol))
        yield Port(number=number, protocol=protocol, name=one.get("name", ""))


def _namespaces(root: Entry) -> tuple[Namespace, ...]:
    entries, _ = read_entries(root, "namespaces")
    check_unique(entries, "name", "namespace")
    return tuple(
        Namespace(name=entry.get("name"), labels=entry.get("labels", {}), mark=root.log.mark(entry.node)) for entry in entries
    )
