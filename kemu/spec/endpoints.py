"""Endpoints: what users call the pods, nodes and hosts of a cluster, in every verb.

[pod/|node/|host/][namespace/]name[:port[/protocol]]     an address     app=web,tier!=db (every pod that fits)
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from kemu.base.errors import NotFoundError, UsageError
from kemu.spec.model import Host, IPAddress, Node, Pod, Topology

_FORM = re.compile(
    r"(?:(?P<kind>[a-z]+)/)?(?:(?P<namespace>[^/:]+)/)?(?P<name>[^/:]+)(?::(?P<port>[^/]+)(?:/(?P<protocol>[A-Za-z]+))?)?"
)
KINDS = ("pod", "node", "host")
_LATER = ("svc", "deploy")
_REQUIREMENT = re.compile(r"(?P<key>[^=!]+)(?P<operator>==?|!=)(?P<value>.*)")

Kind = Literal["pod", "node", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One end of a conversation. `netns` is its kernel namespace without the cluster's prefix, `node` where a pod runs."""

    kind: Kind
    name: str
    netns: str
    addresses: tuple[IPAddress, ...]
    namespace: str = ""
    node: str = ""
    port: int | None = None
    protocol: str = ""

    @property
    def full(self) -> str:
        """The name in full, as JSON has it: pod/default/web-1, node/n1."""
        return f"pod/{self.namespace}/{self.name}" if self.kind == "pod" else f"{self.kind}/{self.name}"

    def short(self, namespace: str = "default") -> str:
        """Return the name as people type it where `namespace` need not be said: web-1, shop/db."""
        return self.name if self.namespace in ("", namespace) else f"{self.namespace}/{self.name}"

    @property
    def shares_node(self) -> bool:
        """Whether it is a pod in its node's network: then netns and addresses are the node's."""
        return self.kind == "pod" and self.netns == self.node

    @property
    def hostname(self) -> str:
        """What its processes call the machine."""
        return self.node if self.shares_node else self.name


def pod_endpoint(pod: Pod) -> Endpoint:
    """Return a pod as an endpoint."""
    return Endpoint(kind="pod", name=pod.name, netns=pod.netns, addresses=pod.addresses, namespace=pod.namespace, node=pod.node)


def machine_endpoint(machine: Node | Host) -> Endpoint:
    """Return a node or host as an endpoint."""
    kind: Kind = "node" if isinstance(machine, Node) else "host"
    return Endpoint(
        kind=kind,
        name=machine.name,
        netns=machine.netns,
        addresses=machine.addresses,
        node=machine.name if kind == "node" else "",
    )


def all_endpoints(topology: Topology, kinds: Iterable[str] = KINDS) -> list[Endpoint]:
    """Return every endpoint of `kinds`: pods, then nodes, then hosts, each in the order of the file."""
    groups = {
        "pod": [pod_endpoint(pod) for pod in topology.pods],
        "node": [machine_endpoint(node) for node in topology.nodes],
        "host": [machine_endpoint(host) for host in topology.hosts],
    }
    wanted = set(kinds)
    return [endpoint for kind, group in groups.items() if kind in wanted for endpoint in group]


def find_endpoints(topology: Topology, text: str, *, namespace: str = "default") -> list[Endpoint]:
    """Return the endpoints that `text` means: one, or for a selector every pod that fits, which may be none."""
    if "=" in text:
        return _select(topology, text)
    address = _address(text)
    if address is not None:
        return [_by_address(topology, address)]
    return [_by_name(topology, text, namespace)]


def find_endpoint(topology: Topology, text: str, *, namespace: str = "default") -> Endpoint:
    """Return the one endpoint that `text` means. A selector that fits several, or none, is an error."""
    found = find_endpoints(topology, text, namespace=namespace)
    if len(found) == 1:
        return found[0]
    names = ", ".join(endpoint.full for endpoint in found[:5])
    raise UsageError(
        f'"{text}" means {len(found)} pods, and one is needed',
        hint=f"choose from {names}" if found else "no pod has these labels",
    )


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _by_address(topology: Topology, address: IPAddress) -> Endpoint:
    for endpoint in all_endpoints(topology):
        if address in endpoint.addresses and not endpoint.shares_node:  # a node's address means the node
            return endpoint
    raise NotFoundError(f"nobody in {topology.name} has the address {address}", hint="kemu get pods shows the addresses")


def _by_name(topology: Topology, text: str, namespace: str) -> Endpoint:
    match = _FORM.fullmatch(text)
    if not match:
        raise UsageError(
            f'"{text}" is no endpoint',
            hint="[pod/|node/|host/][namespace/]name[:port[/protocol]], an address, or a selector app=web",
        )
    kind, space, name = _words(match, namespace)
    found = [endpoint for endpoint in all_endpoints(topology) if _fits(endpoint, kind, space, name)]
    if not found:
        raise NotFoundError(
            f'there is no {kind or "pod, node or host"} "{_shown(match)}" in {topology.name}',
            hint=_hint(topology, name, namespace),
        )
    if len(found) > 1:
        raise UsageError(f'"{text}" may be {" or ".join(one.full for one in found)}', hint="write it in full")
    return replace(
        found[0], port=None if match["port"] is None else read_port(match["port"]), protocol=(match["protocol"] or "").lower()
    )


def _words(match: re.Match[str], namespace: str) -> tuple[str, str, str]:
    """Return (kind or empty, namespace, name). `a/b` is the pod b in namespace a unless a is the word for a kind."""
    kind, space, name = match["kind"] or "", match["namespace"] or "", match["name"]
    if kind in _LATER:
        raise UsageError(f"not yet: {kind}/ endpoints", hint="pods, nodes and hosts can be named")
    if kind and kind not in KINDS:
        if space:
            raise UsageError(f'"{match[0]}" is no endpoint: there is no kind "{kind}"', hint="the kinds are pod, node and host")
        return "pod", kind, name
    return kind or ("pod" if space else ""), space or namespace, name


def _fits(endpoint: Endpoint, kind: str, namespace: str, name: str) -> bool:
    return endpoint.name == name and kind in ("", endpoint.kind) and (endpoint.kind != "pod" or endpoint.namespace == namespace)


def _shown(match: re.Match[str]) -> str:
    return match[0].partition(":")[0]


def _hint(topology: Topology, name: str, namespace: str) -> str:
    ends = all_endpoints(topology)
    near = difflib.get_close_matches(name, [end.name for end in ends], 1)
    if near:
        return f'did you mean "{next(end.short(namespace) for end in ends if end.name == near[0])}"?'
    return f"there are {', '.join(end.short(namespace) for end in ends[:8])}{' …' if len(ends) > 8 else ''}"


def read_port(text: str) -> int:
    """Return the number of a port; UsageError if there is none like it."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or not 0 < int(text) < 65536:
        raise UsageError(f'"{text}" is no port', hint="a number from 1 to 65535")
    return int(text)


def _select(topology: Topology, text: str) -> list[Endpoint]:
    requirements = [_REQUIREMENT.fullmatch(part.strip()) for part in text.split(",")]
    if not all(requirements):
        raise UsageError(f'"{text}" is no label selector', hint="key=value, key!=value, joined by commas")
    return [pod_endpoint(pod) for pod in topology.pods if all(_meets(pod.labels, one) for one in requirements if one)]


def _meets(labels: Mapping[str, str], requirement: re.Match[str]) -> bool:
    equal = labels.get(requirement["key"].strip()) == requirement["value"].strip()
    return equal != (requirement["operator"] == "!=")
