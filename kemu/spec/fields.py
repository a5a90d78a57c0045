"""Every key of a topology file, in tables: the reader, the JSON Schema and the reference page are made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, get_type_hints

from kemu.base.units import read_duration, read_packets, read_rate, read_ratio
from kemu.spec.address_kinds import Addresses, Prefixes, Subnets
from kemu.spec.denials import Denials
from kemu.spec.kinds import (
    BAD,
    Boolean,
    Choice,
    Environment,
    Except,
    Integer,
    Kind,
    Label,
    Labels,
    Later,
    Line,
    ListOf,
    ListOr,
    NumberOr,
    NumberOrName,
    Quantity,
    SwitchOr,
    Sysctls,
    Text,
)
from kemu.spec.model import IpFamily, KubeProxyMode, PodRoutes, PolicyEngine, Protocol, Restart
from kemu.spec.source import Log, MappingNode, Node, ScalarNode, find_close, is_null, kind_of, shorten
from kemu.spec.tables import Field, Table
from kemu.spec.ways import WayKind, Ways

CLUSTER_NAME_LENGTH = 32
MTU = Integer(576, 65521)
SECONDS = 1_000_000  # the most of a probe, and of checks in a row: more than any cluster lives
MOST = 5000  # of nodes or of one pod's replicas: far beyond what a machine holds, and short of a slip of the finger


@dataclass(frozen=True, slots=True)
class BackendKind:
    """`networking.backend`: a name, or one key with options. Read as (name, options or None)."""

    classes: Mapping[str, type[Any]]
    word: str = "name, or {name: {options}}"

    def read(self, node: Node, log: Log, about: str) -> Any:
        if isinstance(node, ScalarNode):
            return (node.value, {}, node) if self._exists(node, log, about) else BAD
        entries = log.entries(node) if isinstance(node, MappingNode) else []
        if len(entries) != 1:
            said = f"{len(entries)} of them" if entries else kind_of(node)
            log.wrong(node, f"{about}: expected one backend, not {said}", "backend: vxlan, or backend: {vxlan: {port: 8472}}")
            return BAD
        [(key, value)] = entries
        return self._read_options(key, value, log, about) if self._exists(key, log, about) else BAD

    def _read_options(self, key: ScalarNode, value: Node, log: Log, about: str) -> Any:
        if is_null(value):
            return (key.value, {}, key)
        entry = Table("", option_fields(self.classes[key.value])).read(value, log, f"{about} {key.value}")
        return BAD if entry is BAD else (key.value, entry.values, key)

    def _exists(self, node: ScalarNode, log: Log, about: str) -> bool:
        if node.value in self.classes:
            return True
        message = f'{about}: there is no backend called "{node.value}"'
        log.wrong(node, message, find_close(node.value, self.classes, "backends"))
        return False

    def schema(self) -> dict[str, Any]:
        options = {name: Table(name, option_fields(kind)).schema() for name, kind in self.classes.items()}
        mapping = {"type": "object", "properties": options, "additionalProperties": False, "minProperties": 1, "maxProperties": 1}
        return {"anyOf": [{"enum": list(self.classes)}, mapping]}


def option_fields(options: type[Any]) -> dict[str, Field]:
    """Return the keys of a backend's options, in the file's spelling."""
    hints = get_type_hints(options)
    return {camel_case(one.name): _option_field(hints[one.name], one.metadata, one.default) for one in fields(options)}


def _option_field(kind: type[Any], metadata: Mapping[str, Any], default: Any) -> Field:
    word = "" if default is MISSING else str(default).lower() if isinstance(default, bool) else str(default)
    return Field(kind=_option_kind(kind, metadata), help=metadata["help"], default=word)


def _option_kind(kind: type[Any], metadata: Mapping[str, Any]) -> Kind:
    if kind is bool:
        return Boolean()
    if kind is int:
        return Integer(metadata["least"] or 0, metadata["most"] or 2**31 - 1)
    if issubclass(kind, StrEnum):
        return Choice(kind)
    return Text()


def camel_case(name: str) -> str:
    """Return a Python name as the file spells it: direct_routing is directRouting."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def snake_case(name: str) -> str:
    """Return the file's spelling as a Python name."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _within(parse: Callable[[str], Any], least: float, most: float, phrase: str) -> Callable[[str], Any]:
    """Return a parser that refuses what is out of range; `phrase` is the range in words."""

    def read(text: str) -> Any:
        value = parse(text)
        if not least <= value <= most:
            raise ValueError(f'"{shorten(text)}" is out of range: expected {phrase}')
        return value

    return read


def _or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser that also takes `none`, which undoes what a default says."""
    return lambda text: None if text == "none" else parse(text)


_UNIT = r"^ *\d*\.?\d+ ?"
_RATE = Quantity(
    _or_none(_within(read_rate, 8e3, 4e11, "8kbit to 400gbit")), "10mbit, none", rf"{_UNIT}[kmgtKMGT]?[bB]it(/s)?$|^none$"
)
_DURATION = Quantity(_within(read_duration, 0, 60, "0s to 60s"), "5ms", rf"{_UNIT}(ns|us|µs|μs|ms|s|min)$")
_RATIO = Quantity(read_ratio, "0.1%", rf"{_UNIT}%$")
_QUEUE = Quantity(
    _or_none(_within(read_packets, 1, 1e6, "1packet to 1000000packets")), "100packets, none", r"^ *\d+ ?packets?$|^none$"
)

#: The keys of one direction of a link, and what the model calls them.
SHAPE_FIELDS = {
    "rate": "rate_bits_per_second",
    "delay": "delay_seconds",
    "jitter": "jitter_seconds",
    "loss": "loss_ratio",
    "duplicate": "duplicate_ratio",
    "reorder": "reorder_ratio",
    "queue": "queue_packets",
}
DIRECTIONS = ("out", "in")
SHAPE: dict[str, Field] = {
    "rate": Field(
        kind=_RATE,
        help="How many bits of whole frames, headers of tunnels included, pass in a second.",
        default="as fast as the machine",
    ),
    "delay": Field(kind=_DURATION, help="How long every packet is on its way.", default="0s"),
    "jitter": Field(kind=_DURATION, help="By how much the delay varies, up and down.", default="0s"),
    "loss": Field(kind=_RATIO, help="The share of packets that is lost, by chance.", default="0%"),
    "duplicate": Field(kind=_RATIO, help="The share of packets that arrives twice.", default="0%"),
    "reorder": Field(kind=_RATIO, help="The share of packets that overtakes the others by skipping the delay.", default="0%"),
    "queue": Field(
        kind=_QUEUE,
        help="How many packets wait before more are dropped, where there is a rate.",
        default="50 ms at the rate, 50 packets or more",
    ),
}


def _read_mtu(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and MTU.least <= int(text) <= MTU.most):
        raise ValueError(f'"{shorten(text)}" is no MTU: expected {MTU.expected}')
    return int(text)


#: How each key of a link is read where it stands in no file.
LINK_PARSERS: dict[str, Callable[[str], Any]] = {
    "rate": _RATE.parse,
    **dict.fromkeys(("delay", "jitter"), _DURATION.parse),
    **dict.fromkeys(("loss", "duplicate", "reorder"), _RATIO.parse),
    "queue": _QUEUE.parse,
    "mtu": _read_mtu,
}
DIRECTION = Table("", SHAPE)
LINK_TABLE = Table(
    "",
    {
        **SHAPE,
        "mtu": Field(kind=MTU, help="Bytes that a packet may have, at both ends.", default="fabric.mtu"),
        "out": Field(kind=DIRECTION, help="What its machine, or segment, sends, where that differs."),
        "in": Field(kind=DIRECTION, help="What it receives, where that differs."),
    },
)
LINK = Field(
    kind=LINK_TABLE, help="Its link to the fabric; both directions alike, or out and in.", default="fabric.link, key by key"
)
UPLINK = Field(kind=LINK_TABLE, help="Its way to the router; out is towards the router.", default="a plain one")
SYSCTLS = Field(kind=Sysctls(), help="Settings below net. of its kernel namespace.")
LABELS = Field(kind=Labels(), help="Kubernetes labels.")

SEGMENT = Table(
    "segment",
    {
        "name": Field(kind=Label(), help="What nodes and hosts call it.", required=True, example="rack1"),
        "subnet": Field(
            kind=Subnets(), help="Its addresses.", default="172.18.0.0/16; of several segments the i-th 172.18.i.0/24"
        ),
        "uplink": UPLINK,
    },
)
FABRIC = Table(
    "",
    {
        "mtu": Field(kind=MTU, help="Bytes that a packet between machines may have.", default="1500"),
        "segments": Field(kind=ListOf(SEGMENT, 1), help="Layer-2 networks, joined by a router.", default="one, called lan"),
        "link": Field(kind=LINK_TABLE, help="What the link of every node and host is like that does not say otherwise."),
        "allowForeignAddresses": Field(
            kind=Boolean(),
            help="Whether it carries addresses that are not of the machine a packet comes from or goes to; clouds do not.",
            default="true",
        ),
        "podRoutes": Field(
            kind=Except(Choice(PodRoutes), frozenset({PodRoutes.NONE, PodRoutes.STATIC})),
            help="What its router knows of pods; static: a route to each node's podSubnet, as a cloud's route table.",
            default="none",
        ),
        "deny": Field(kind=Denials(), help="A firewall on it: what passes between no two machines."),
    },
)
NODE = Table(
    "node",
    {
        "name": Field(kind=Label(), help="Its name; with count the stem: w-1, w-2 …", required=True, example="n1"),
        "count": Field(kind=Integer(1, MOST), help="How many nodes; they are numbered."),
        "segment": Field(kind=Label(), help="The segment that it is on.", default="the first"),
        "segments": Field(kind=ListOf(Label(), 1), help="With count: segments to deal the nodes out to, in turn."),
        "address": Field(kind=Addresses(), help="Its address on the fabric.", default="from the 11th of its segment"),
        "podSubnet": Field(kind=Subnets(), help="The subnet of its pods.", default="the next part of networking.podSubnet"),
        "labels": LABELS,
        "sysctls": SYSCTLS,
        "link": LINK,
        "links": Field(kind=Later(), help="Several links."),
    },
)
HOST = Table(
    "host",
    {
        "name": Field(kind=Label(), help="Its name; with count the stem.", required=True, example="client"),
        "count": Field(kind=Integer(1, MOST), help="How many hosts; they are numbered."),
        "segment": Field(kind=Label(), help="The segment that it is on.", default="the first"),
        "address": Field(kind=Addresses(), help="Its address on the fabric.", default="from the 101st of its segment"),
        "link": LINK,
    },
)
PORT = Table(
    "port",
    {
        "name": Field(kind=Label(15), help="What Services call it."),
        "containerPort": Field(kind=Integer(1, 65535), help="Its number.", required=True, example="8080"),
        "protocol": Field(kind=Choice(Protocol), help="Its transport.", default="TCP"),
    },
)
_PROBE_PORT = Field(kind=NumberOrName(Integer(1, 65535), Label(15)), help="The port, or its name.", required=True, example="8080")
TCP_SOCKET = Table("", {"port": _PROBE_PORT})
HTTP_GET = Table("", {"port": _PROBE_PORT, "path": Field(kind=Text(), help="The path, with its query.", default="/")})
EXEC = Table(
    "",
    {
        "command": Field(
            kind=ListOf(Text(), 1), help="Its words; no shell takes part.", required=True, example="[cat, /tmp/ready]"
        )
    },
)
PROBE = Table(
    "",
    {
        "tcpSocket": Field(kind=TCP_SOCKET, help="Ready if the port accepts a connection."),
        "httpGet": Field(kind=HTTP_GET, help="Ready if a GET is answered with a status from 200 to 399."),
        "exec": Field(kind=EXEC, help="Ready if the command's exit code is 0."),
        "initialDelaySeconds": Field(kind=Integer(0, SECONDS), help="From the start to the first check.", default="0"),
        "periodSeconds": Field(kind=Integer(1, SECONDS), help="From one check to the next.", default="10"),
        "timeoutSeconds": Field(kind=Integer(1, SECONDS), help="How long a check may take.", default="1"),
        "successThreshold": Field(kind=Integer(1, SECONDS), help="Passed checks in a row that make it ready.", default="1"),
        "failureThreshold": Field(kind=Integer(1, SECONDS), help="Failed checks in a row that make it unready.", default="3"),
    },
)
CONTAINER = Table(
    "container",
    {
        "name": Field(kind=Label(), help="Its name, in `kemu logs -c` and `status`.", required=True, example="server"),
        "command": Field(
            kind=ListOf(Text(), 1),
            help="A program of this machine and its arguments; no shell takes part.",
            required=True,
            example='[python3, -m, http.server, "8080"]',
        ),
        "env": Field(kind=Environment(), help="Variables of its environment, beside PATH, HOME and HOSTNAME."),
        "restart": Field(kind=Choice(Restart), help="Whether it is started again when it ends.", default="Never"),
        "readinessProbe": Field(kind=PROBE, help="How to find out whether it is ready.", default="ready when it runs"),
        "image": Field(kind=Later(), help="kemu runs no images."),
    },
)
_POD_COMMON = {
    "namespace": Field(kind=Label(), help="Its Kubernetes namespace.", default="default"),
    "perNode": Field(kind=Integer(1, MOST), help="How many on each node; they are numbered."),
    "labels": LABELS,
    "sysctls": SYSCTLS,
    "ports": Field(kind=ListOf(PORT), help="Ports on which it serves, as in Kubernetes."),
    "containers": Field(kind=ListOf(CONTAINER), help="Processes that share the pod's network, and start with it."),
    "hostNetwork": Field(kind=Boolean(), help="Whether it shares its node's network and addresses.", default="false"),
    "serve": Field(
        kind=Boolean(), help="Whether kemu's responder answers on declared ports that no process serves.", default="true"
    ),
}
POD = Table(
    "pod",
    {
        "name": Field(
            kind=Label(), help="Its name; with replicas or perNode the stem: web-1, web-2 …", required=True, example="web"
        ),
        "node": Field(kind=Label(), help="The node that it runs on.", default="the one with the fewest pods so far"),
        "replicas": Field(kind=Integer(0, MOST), help="How many pods; they are numbered."),
        "address": Field(
            kind=Addresses(), help="Its address, in its node's subnet.", default="the next free one, from the second"
        ),
        **_POD_COMMON,
        "networks": Field(kind=Later(), help="Further interfaces."),
        "image": Field(kind=Later(), help="kemu runs no images."),
    },
)
PODS_PER_NODE = Table(
    "",
    {**_POD_COMMON, "perNode": Field(kind=Integer(1, MOST), help="How many on each node: p1, p2 …", required=True, example="2")},
)
INTERNET = Table(
    "",
    {
        "subnet": Field(
            kind=Subnets(),
            help="Addresses of the link between the cluster's router and the machine: four of them are used.",
            default="a /30 of 198.18.0.0/15 and a /126 of fd00:198:18::/48, by the cluster's name",
            example="198.18.4.0/30",
        )
    },
)
NAMESPACE = Table(
    "namespace",
    {"name": Field(kind=Label(), help="Its name.", required=True, example="shop"), "labels": LABELS},
)

EXPECTATION = Table(
    "expectation",
    {
        "name": Field(kind=Line(), help="What it is called where it is reported.", default="what it says"),
        "allow": Field(kind=Ways(), help="Who must reach whom."),
        "deny": Field(kind=Ways(), help="Who must not; what the same entry allows is left out of any."),
        "perf": Field(kind=WayKind(), help="Between whom a TCP stream must be as fast as above and below say."),
        "rtt": Field(kind=WayKind(), help="Between whom a ping must take as long as above and below say."),
        "above": Field(kind=Text(), help="The least that is right: a rate, as 800mbit; with rtt a duration, as 5ms."),
        "below": Field(kind=Text(), help="The most that is right."),
        "seconds": Field(kind=Integer(1, 3600), help="How long perf measures each pair.", default="3"),
        "model": Field(kind=Later(), help="The rules of the Kubernetes network model."),
    },
)


def networking_table(backends: Mapping[str, type[Any]]) -> Table:
    """Return the keys of `networking:` for these backends."""
    return Table(
        "",
        {
            "backend": Field(kind=BackendKind(backends), help="The data plane between the nodes.", default="vxlan"),
            "ipFamily": Field(kind=Choice(IpFamily), help="The IP versions of the cluster.", default="ipv4"),
            "podSubnet": Field(kind=Subnets(), help="All pods' addresses.", default="10.244.0.0/16, fd00:10:244::/56"),
            "nodePrefix": Field(
                kind=Prefixes(), help="The prefix length of each node's part of podSubnet.", default="24, IPv6: 64"
            ),
            "serviceSubnet": Field(kind=Subnets(), help="The Services' addresses.", default="10.96.0.0/16, fd00:10:96::/112"),
            "kubeProxyMode": Field(kind=Choice(KubeProxyMode), help="Who carries Services.", default="nftables"),
            "policyEngine": Field(kind=Choice(PolicyEngine), help="Who enforces NetworkPolicies.", default="auto"),
        },
    )


#: The keys of a file that holds expectations alone.
EXPECTATIONS = Table("", {"expect": Field(kind=ListOf(EXPECTATION, 1), help="What must hold.", required=True)}, extensible=True)


def topology_table(backends: Mapping[str, type[Any]]) -> Table:
    """Return the keys of a topology file for these backends, by name with their Options classes."""
    return Table(
        "",
        {
            "name": Field(
                kind=Label(CLUSTER_NAME_LENGTH), help="The cluster's name.", default="the file's name, without its ending"
            ),
            "networking": Field(kind=networking_table(backends), help="What pods have of the network."),
            "fabric": Field(kind=FABRIC, help="What joins the nodes: the underlay."),
            "nodes": Field(
                kind=NumberOr(Integer(1, MOST), ListOf(NODE, 1)),
                help="The machines of the cluster; a number makes n1, n2 …",
                default="2",
            ),
            "namespaces": Field(kind=ListOf(NAMESPACE), help="Kubernetes namespaces that need labels."),
            "pods": Field(kind=ListOr(ListOf(POD), PODS_PER_NODE, "pods: {perNode: 2} puts two on each node"), help="The pods."),
            "hosts": Field(
                kind=NumberOr(Integer(0, MOST), ListOf(HOST)),
                help="Machines outside the cluster, on the fabric; a number makes h1, h2 …",
            ),
            "manifests": Field(kind=Later(), help="Real Kubernetes objects."),
            "internet": Field(
                kind=SwitchOr(INTERNET), help="A way out through this machine, with address translation.", default="false"
            ),
            "expect": Field(kind=ListOf(EXPECTATION, 1), help="What must hold; kemu test tries it."),
        },
        extensible=True,
    )
