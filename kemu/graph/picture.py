"""What a picture shows, as data: the machines of each segment with their pods and devices, the tunnels, and what is wrong where.

It is built from the model and the plan alone, so a file can be drawn without a cluster, and a new backend without a line here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kemu.plan.base import FABRIC
from kemu.plan.objects import Addr, Fdb, Link, Object, Veth, Vxlan
from kemu.plan.show import kind_word
from kemu.spec.links import show_link
from kemu.spec.model import Cable, Host, Node, Pod, Segment, Topology

#: What is wrong, in lines, by namespace and device; the device is empty for what stands on none.
Trouble = Mapping[tuple[str, str], tuple[str, ...]]

WIRE = "eth0"
MOST_PODS = 12  # of a machine that are drawn one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of a machine, but for the ends of its pods' cables. `is_tunnel` if packets leave through it inside others."""

    name: str
    kind: str
    addresses: tuple[str, ...]
    mtu: int
    is_up: bool = True
    is_tunnel: bool = False
    trouble: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodBox:
    """A pod; `bridge` is the device of its node that it hangs on, empty where the node routes to it alone.

    One that is not `is_wired` is in its node's network.
    """

    name: str
    addresses: tuple[str, ...]
    bridge: str = ""
    is_wired: bool = True
    trouble: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node or host with what is in it. `port` is the fabric's end of its cable, `link` what is said of that, in lines."""

    name: str
    kind: Literal["node", "host"]
    devices: tuple[Device, ...]
    pods: tuple[PodBox, ...]
    port: Device
    link: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()

    @property
    def shown_pods(self) -> list[PodBox]:
        """The pods to draw; of many the last box stands for those that are left out."""
        if len(self.pods) <= MOST_PODS:
            return list(self.pods)
        left = self.pods[MOST_PODS - 1 :]
        rest = PodBox(
            name=f"+ {len(left)} more",
            addresses=(f"{left[0].addresses[0]} …",),
            bridge=left[0].bridge,
            is_wired=left[0].is_wired,
            trouble=tuple(line for pod in left for line in pod.trouble),
        )
        return [*self.pods[: MOST_PODS - 1], rest]

    @property
    def is_connected(self) -> bool:
        """Whether its cable is up at both ends."""
        return self.port.is_up and all(device.is_up for device in self.devices if device.name == WIRE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentBox:
    """A segment with its machines; `router` is the router's address in it, `uplink` what is said of the way there, in lines."""

    name: str
    subnets: tuple[str, ...]
    router: tuple[str, ...]
    machines: tuple[Machine, ...]
    uplink: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """The tunnel devices of one name: what they are, and between which nodes packets travel in them."""

    name: str
    what: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All of it. `state` is empty for a file, else that of the running cluster; `trouble` what is wrong in fabric and router."""

    cluster: str
    backend: str
    state: str
    segments: tuple[SegmentBox, ...]
    tunnels: tuple[Tunnel, ...]
    trouble: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The cluster in a line."""
        machines = [machine for segment in self.segments for machine in segment.machines]
        nodes = sum(machine.kind == "node" for machine in machines)
        parts = [f"{nodes} nodes", f"{sum(len(machine.pods) for machine in machines)} pods", self.backend]
        return f"{self.cluster}: {', '.join([*parts, *([self.state] if self.state else [])])}"


def build_picture(topology: Topology, objects: Iterable[Object], *, state: str = "", trouble: Trouble | None = None) -> Picture:
    """Return the picture of a topology with its plan's `objects`; of a running cluster with its `state` and what is wrong with it."""
    view = _View(topology, list(objects), trouble or {})
    return Picture(
        cluster=topology.name,
        backend=topology.networking.backend.name,
        state=state,
        segments=tuple(view.segment(segment) for segment in topology.fabric.segments),
        tunnels=tuple(view.tunnels()),
        trouble=view.trouble_of_rest(),
    )


@dataclass(slots=True)
class _View:
    """The objects of a plan by where they are."""

    topology: Topology
    objects: list[Object]
    trouble: Trouble
    links: dict[tuple[str, str], Link] = field(init=False)
    addresses: dict[tuple[str, str], list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.links = {(item.netns, item.name): item for item in self.objects if isinstance(item, Link)}
        self.addresses = defaultdict(list)
        for item in self.objects:
            if isinstance(item, Addr):
                self.addresses[item.netns, item.dev].append(item.address)

    def segment(self, segment: Segment) -> SegmentBox:
        machines: list[Node | Host] = [*self.topology.nodes, *self.topology.hosts]
        return SegmentBox(
            name=segment.name,
            subnets=tuple(map(str, segment.subnets)),
            router=tuple(map(str, segment.router)),
            machines=tuple(self._machine(machine) for machine in machines if machine.segment == segment.name),
            uplink=_lines(segment.uplink, self.topology.fabric.mtu),
        )

    def _machine(self, machine: Node | Host) -> Machine:
        return Machine(
            name=machine.name,
            kind="node" if isinstance(machine, Node) else "host",
            devices=tuple(self._device(link) for link in self.links.values() if self._is_own(link, machine)),
            pods=tuple(self._pod(pod) for pod in self.topology.pods_of(machine)) if isinstance(machine, Node) else (),
            port=self._device(self._far_end(machine.netns)),
            link=_lines(machine.link, self.topology.fabric.mtu),
            trouble=self._inside(machine.netns),
        )

    def _is_own(self, link: Link, machine: Node | Host) -> bool:
        """Say whether a device is the machine's own: not a pod's far end."""
        is_pods = isinstance(link.detail, Veth) and link.detail.peer_netns != FABRIC
        return link.netns == machine.netns and not is_pods

    def _far_end(self, netns: str, dev: str = WIRE) -> Link:
        """Return the other end of a machine's or pod's cable."""
        detail = self.links[netns, dev].detail
        assert isinstance(detail, Veth)
        return self.links[detail.peer_netns, detail.peer]

    def _device(self, link: Link) -> Device:
        return Device(
            name=link.name,
            kind=kind_word(link),
            addresses=tuple(self.addresses[link.netns, link.name]),
            mtu=link.mtu,
            is_up=link.up,
            is_tunnel=isinstance(link.detail, Vxlan),
            trouble=self.trouble.get((link.netns, link.name), ()),
        )

    def _pod(self, pod: Pod) -> PodBox:
        has_own = not pod.host_network and (pod.netns, WIRE) in self.links
        far = self._far_end(pod.netns) if has_own else None
        return PodBox(
            name=pod.name if pod.namespace == "default" else f"{pod.namespace}/{pod.name}",
            addresses=tuple(map(str, pod.addresses)),
            bridge=far.master if far else "",
            is_wired=not pod.host_network,
            trouble=(*self._inside(pod.netns), *self.trouble.get((far.netns, far.name), ())) if far else (),
        )

    def _inside(self, netns: str) -> tuple[str, ...]:
        """Return what is wrong in a namespace, but for the far ends of others' cables: those are theirs."""
        places = [place for place in self.trouble if place[0] == netns and not self._is_cable(*place)]
        return tuple(line for place in places for line in self.trouble[place])

    def _is_cable(self, netns: str, name: str) -> bool:
        link = self.links.get((netns, name))
        return link is not None and isinstance(link.detail, Veth) and name != WIRE

    def tunnels(self) -> list[Tunnel]:
        found: dict[str, Link] = {}
        for link in self.links.values():
            if isinstance(link.detail, Vxlan):
                found.setdefault(link.name, link)
        return [Tunnel(name=name, what=_what(link), pairs=tuple(self._pairs(name))) for name, link in found.items()]

    def _pairs(self, name: str) -> list[tuple[str, str]]:
        """Return the pairs of nodes between which a tunnel's forwarding entries lead, each once."""
        owner = {str(address): node.name for node in self.topology.nodes for address in node.addresses}
        order = {node.name: node.position for node in self.topology.nodes}
        entries = [item for item in self.objects if isinstance(item, Fdb) and item.dev == name and item.dst in owner]
        pairs = {tuple(sorted((item.netns, owner[item.dst]), key=order.__getitem__)) for item in entries}
        return sorted(((one, other) for one, other in pairs), key=lambda pair: (order[pair[0]], order[pair[1]]))

    def trouble_of_rest(self) -> tuple[str, ...]:
        """Return what is wrong in fabric and router, and with namespaces that the file does not know."""
        endpoints: list[Node | Host | Pod] = [*self.topology.nodes, *self.topology.hosts, *self.topology.pods]
        known = {endpoint.netns for endpoint in endpoints}
        return tuple(line for (netns, _), lines in self.trouble.items() if netns not in known for line in lines)


def _lines(cable: Cable, fabric_mtu: int) -> tuple[str, ...]:
    """Return what a link is like: what both directions share, then what each has alone; nothing for a plain cable."""
    said = show_link(cable, fabric_mtu)
    ways = {name: said.pop(name, {}) for name in ("out", "in")}
    parts = [said, *({name: " ".join(f"{key} {value}" for key, value in way.items())} for name, way in ways.items() if way)]
    return tuple(" ".join(f"{key} {value}" for key, value in part.items()) for part in parts if part)


def _what(link: Link) -> str:
    match link.detail:
        case Vxlan(vni=vni, port=port):
            return f"VXLAN {vni}, UDP {port}, MTU {link.mtu}"
        case _:
            return f"{kind_word(link)}, MTU {link.mtu}"
