"""The model: what a topology file means, with every default filled in and every address known.

Frozen data. Addresses, subnets and the like are tuples with one member for each IP family of the cluster, IPv4 first; so in a
dual-stack cluster `node.addresses[0]` is IPv4 and `node.addresses[1]` IPv6. Every element keeps the `mark` of its YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from kemu.base.marks import Mark

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class IpFamily(StrEnum):
    """`networking.ipFamily`."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DUAL = "dual"

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions that the cluster has, in the order of all address tuples."""
        return {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}[self.value]


class KubeProxyMode(StrEnum):
    """`networking.kubeProxyMode`."""

    NFTABLES = "nftables"
    NONE = "none"


class PolicyEngine(StrEnum):
    """`networking.policyEngine`."""

    AUTO = "auto"
    NFTABLES = "nftables"
    NONE = "none"


class Protocol(StrEnum):
    """The transport of a container port."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class PodRoutes(StrEnum):
    """`fabric.podRoutes`: what the fabric's router knows of pods."""

    NONE = "none"
    STATIC = "static"
    BGP = "bgp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """`networking.backend`: a name, and the backend's own options object (a frozen dataclass of its module)."""

    name: str
    options: Any
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Networking:
    """`networking:`. `node_prefixes` are the lengths of the nodes' parts of `pod_subnets`, family by family."""

    backend: Backend
    ip_family: IpFamily
    pod_subnets: tuple[IPNetwork, ...]
    service_subnets: tuple[IPNetwork, ...]
    node_prefixes: tuple[int, ...]
    kube_proxy_mode: KubeProxyMode = KubeProxyMode.NFTABLES
    policy_engine: PolicyEngine = PolicyEngine.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One direction of a link. `queue_packets` is how many may wait where there is a rate; None is kemu's own choice."""

    rate_bits_per_second: int | None = None
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss_ratio: float = 0.0
    duplicate_ratio: float = 0.0
    reorder_ratio: float = 0.0
    queue_packets: int | None = None

    @property
    def is_impaired(self) -> bool:
        """Whether anything but its rate makes it differ from a plain cable."""
        return any((self.delay_seconds, self.jitter_seconds, self.loss_ratio, self.duplicate_ratio, self.reorder_ratio))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """A `link:` or an `uplink:`. `outward` is the file's `out`, seen from who has it; `inward` its `in`. `mtu` in bytes.

    `up` is False only where a live change took it down.
    """

    mtu: int = 1500
    outward: Shape = Shape()
    inward: Shape = Shape()
    up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One layer-2 network of the fabric. `router` is the router's address in it, `uplink` the way to it."""

    name: str
    position: int
    subnets: tuple[IPNetwork, ...]
    router: tuple[IPAddress, ...]
    uplink: Cable = Cable()
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """One entry of `fabric.deny`: an IP protocol by its number, whole or only towards the ports from `first` to `last`."""

    protocol: int
    first: int = 0
    last: int = 65535

    @property
    def is_whole(self) -> bool:
        """Whether it is the protocol as a whole."""
        return (self.first, self.last) == (0, 65535)

    def overlaps(self, other: Denial) -> bool:
        """Return whether a packet can be meant by both."""
        return self.protocol == other.protocol and self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """`fabric:`, the underlay. `mtu` in bytes: of every link that says no other."""

    mtu: int
    segments: tuple[Segment, ...]
    allow_foreign_addresses: bool = True
    pod_routes: PodRoutes = PodRoutes.NONE
    deny: tuple[Denial, ...] = ()

    @property
    def leads_to_pods(self) -> bool:
        """Whether a packet from outside the cluster finds its way to a pod's own address."""
        return self.pod_routes is PodRoutes.STATIC and self.allow_foreign_addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine of the cluster. `position` counts from 0 in the order of the file, after `count` is expanded."""

    name: str
    position: int
    segment: str
    addresses: tuple[IPAddress, ...]
    pod_subnets: tuple[IPNetwork, ...]
    link: Cable = Cable()
    labels: Mapping[str, str] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    mark: Mark | None = None

    @property
    def netns(self) -> str:
        """Name of its kernel namespace, without the cluster's prefix."""
        return self.name

    @property
    def gateways(self) -> tuple[IPAddress, ...]:
        """The first address of each pod subnet, which the node's bridge holds."""
        return tuple(subnet[1] for subnet in self.pod_subnets)

    @property
    def pod_prefixes(self) -> tuple[int, ...]:
        """The prefix length of each pod subnet."""
        return tuple(subnet.prefixlen for subnet in self.pod_subnets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A declared container port: documentation in the model, as in Kubernetes."""

    number: int
    protocol: Protocol = Protocol.TCP
    name: str = ""

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocket:
    """A check that passes if the pod accepts a connection."""

    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGet:
    """A check that passes if the pod answers a GET with a status from 200 to 399. `path` begins with a slash."""

    port: int
    path: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """A check that passes if a command in the container exits with 0."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`readinessProbe:` of a container. Source of the defaults: Kubernetes, Probe v1 core."""

    check: TcpSocket | HttpGet | Exec
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3


class Restart(StrEnum):
    """`restart:` of a container."""

    NEVER = "Never"
    ALWAYS = "Always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A process of a pod. All of one share the pod's network, its PIDs, /tmp and host name."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    restart: Restart = Restart.NEVER
    probe: Probe | None = None
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod: one kernel namespace on a node, or with `host_network` a part of its node's own, with the node's addresses.

    `serve`: whether kemu's responder answers on ports that no process of it serves.
    """

    name: str
    namespace: str
    node: str
    addresses: tuple[IPAddress, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    serve: bool = True
    serves_at_once: bool = False
    containers: tuple[Container, ...] = ()
    host_network: bool = False
    mark: Mark | None = None

    @property
    def netns(self) -> str:
        """Name of its kernel namespace, without the cluster's prefix."""
        return self.node if self.host_network else f"{self.namespace}.{self.name}"

    @property
    def hostname(self) -> str:
        """What its processes call the machine: with its node's network by the node's name, as in Kubernetes."""
        return self.node if self.host_network else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine outside the cluster, on the fabric. `position` counts hosts from 0."""

    name: str
    position: int
    segment: str
    addresses: tuple[IPAddress, ...]
    link: Cable = Cable()
    mark: Mark | None = None

    @property
    def netns(self) -> str:
        """Name of its kernel namespace, without the cluster's prefix."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A Kubernetes namespace with its labels."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`A -> B:port/protocol` of an expectation: who sends what to whom. Both ends are as the file says them; kemu.spec.ways finds them.

    `protocol` is icmp, tcp or udp; `port` is None exactly for ICMP.
    """

    senders: str
    receivers: str
    protocol: str = "icmp"
    port: int | None = None
    mark: Mark | None = None

    def __str__(self) -> str:
        if self.port is None:
            return f"{self.senders} -> {self.receivers}"
        receivers = f"[{self.receivers}]" if self.receivers.count(":") > 1 else self.receivers
        return f"{self.senders} -> {receivers}:{self.port}{'' if self.protocol == 'tcp' else f'/{self.protocol}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachExpectation:
    """An entry of `expect:` about who reaches whom. A denied way from or to `any` leaves out what the same entry allows."""

    name: str
    allow: tuple[Way, ...] = ()
    deny: tuple[Way, ...] = ()
    mark: Mark | None = None


class Figure(StrEnum):
    """What an entry of `expect:` measures: a rate in bit/s by iperf3, or a round trip in seconds."""

    PERF = "perf"
    RTT = "rtt"


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureExpectation:
    """An entry of `expect:` about a figure: at least `above`, at most `below`. `seconds` is how long a rate is measured."""

    name: str
    figure: Figure
    way: Way
    above: float | None = None
    below: float | None = None
    seconds: int = 3
    mark: Mark | None = None


Expectation = ReachExpectation | FigureExpectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Internet:
    """`internet:`, a way out through the machine. `subnets` are those that the file gives the link to it, by IP version."""

    subnets: Mapping[int, IPNetwork] = field(default_factory=dict)
    mark: Mark | None = None


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A whole file. `source` is its absolute path, None for standard input; `text` the file, verbatim."""

    name: str
    networking: Networking
    fabric: Fabric
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...] = ()
    hosts: tuple[Host, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    expect: tuple[Expectation, ...] = ()
    internet: Internet | None = None
    source: Path | None = None
    text: str = field(default="", repr=False)

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def _segments(self) -> dict[str, Segment]:
        return {segment.name: segment for segment in self.fabric.segments}

    @cached_property
    def _pods(self) -> dict[str, list[Pod]]:
        pods: dict[str, list[Pod]] = {node.name: [] for node in self.nodes}
        for pod in self.pods:
            pods[pod.node].append(pod)
        return pods

    def node(self, name: str) -> Node:
        """Return the node called `name`; KeyError if there is none."""
        return self._nodes[name]

    def segment(self, machine: Node | Host) -> Segment:
        """Return the segment that a node or host is on."""
        return self._segments[machine.segment]

    def pods_of(self, node: Node) -> list[Pod]:
        """Return all pods of `node`, in the order of the file."""
        return self._pods[node.name]

    def wired_pods(self, node: Node) -> list[Pod]:
        """Return the pods of `node` that have a network of their own, which a backend wires."""
        return [pod for pod in self._pods[node.name] if not pod.host_network]
