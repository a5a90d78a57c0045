"""The processes of a cluster: its containers as objects of the plan, and all that the agent has to know of them and of served ports.

What the agent gets is data in a file of its own, so that it needs neither the topology nor its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kemu.base.marks import Origin
from kemu.plan.base import FABRIC
from kemu.plan.objects import Process
from kemu.spec.model import Container, Exec, HttpGet, Pod, Port, Probe, Protocol, Restart, TcpSocket, Topology

SCHEMA = "kemu.work/1"
AGENT = "agent"
AGENT_COMMAND = ("python3", "-m", "kemu.agent")  # in words of the plan; it runs with the Python of kemu itself
_CHECKS: Mapping[str, Callable[..., TcpSocket | HttpGet | Exec]] = {"tcpSocket": TcpSocket, "httpGet": HttpGet, "exec": Exec}
_KINDS: Mapping[type[Any], str] = {TcpSocket: "tcpSocket", HttpGet: "httpGet", Exec: "exec"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodWork:
    """What the agent does for one pod. `name` is `<namespace>.<pod>`; `ports` are those to serve where no process does."""

    name: str
    pod: str
    namespace: str
    node: str
    netns: str
    hostname: str
    addresses: tuple[str, ...]
    ports: tuple[Port, ...]
    serves_at_once: bool
    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the agent does for a cluster. `directory` is where commands begin: that of the topology's file."""

    directory: str
    pods: tuple[PodWork, ...]


NO_WORK = Work(directory="/", pods=())


def desired(topology: Topology) -> Iterator[Process]:
    """Yield a process for each container, after the agent that looks after them; none where nobody needs it."""
    pods = _pods(topology)
    if not pods:
        return
    yield Process(netns=FABRIC, kind="agent", pod="", name=AGENT, command=AGENT_COMMAND, origin=Origin(part=AGENT))
    for pod in pods:
        for one in pod.containers:
            yield as_process(_work(pod), one)


def as_process(pod: PodWork, container: Container) -> Process:
    """Return a container as an object of the plan."""
    return Process(
        netns=pod.netns,
        kind="container",
        pod=pod.name,
        name=container.name,
        command=container.command,
        env=tuple(f"{name}={value}" for name, value in sorted(container.env.items())),
        restart=str(container.restart),
        origin=Origin(part="container", mark=container.mark),
    )


def build_work(topology: Topology) -> Work:
    """Return what the agent has to do for a topology."""
    directory = str(topology.source.parent) if topology.source else "/"
    return Work(directory=directory, pods=tuple(_work(pod) for pod in _pods(topology)))


def _pods(topology: Topology) -> list[Pod]:
    return [pod for pod in topology.pods if pod.containers or (pod.ports and pod.serve)]


def _work(pod: Pod) -> PodWork:
    return PodWork(
        name=f"{pod.namespace}.{pod.name}",
        pod=pod.name,
        namespace=pod.namespace,
        node=pod.node,
        netns=pod.netns,
        hostname=pod.hostname,
        addresses=tuple(map(str, pod.addresses)),
        ports=_served(pod) if pod.serve else (),
        serves_at_once=pod.serves_at_once or not pod.containers,
        containers=pod.containers,
    )


def _served(pod: Pod) -> tuple[Port, ...]:
    """Return the declared ports that may be served: not those that a probe asks, which would take kemu's answer for the container's."""
    checks = [one.probe.check for one in pod.containers if one.probe]
    probed = {check.port for check in checks if not isinstance(check, Exec)}
    return tuple(port for port in pod.ports if port.protocol is not Protocol.TCP or port.number not in probed)


def work_to_dict(work: Work) -> dict[str, Any]:
    """Return the work as JSON."""
    return {"schema": SCHEMA, "directory": work.directory, "pods": [_pod_to_dict(pod) for pod in work.pods]}


def _pod_to_dict(pod: PodWork) -> dict[str, Any]:
    return {
        **{name: getattr(pod, name) for name in _PLAIN},
        "ports": [asdict(port) for port in pod.ports],
        "containers": [_container_to_dict(one) for one in pod.containers],
    }


_PLAIN = ("name", "pod", "namespace", "node", "netns", "hostname", "addresses", "serves_at_once")


def _container_to_dict(one: Container) -> dict[str, Any]:
    probe = {**asdict(one.probe), "kind": _KINDS[type(one.probe.check)]} if one.probe else None
    return {"name": one.name, "command": one.command, "env": dict(one.env), "restart": str(one.restart), "probe": probe}


def work_from_dict(data: Mapping[str, Any]) -> Work:
    """Return the work that `work_to_dict` described. Raises KeyError or TypeError if it did not."""
    return Work(directory=data["directory"], pods=tuple(_pod_from_dict(pod) for pod in data["pods"]))


def _pod_from_dict(data: Mapping[str, Any]) -> PodWork:
    plain = {name: data[name] for name in _PLAIN}
    return PodWork(
        **{**plain, "addresses": tuple(data["addresses"])},
        ports=tuple(Port(**{**port, "protocol": Protocol(port["protocol"])}) for port in data["ports"]),
        containers=tuple(_container_from_dict(one) for one in data["containers"]),
    )


def _container_from_dict(data: Mapping[str, Any]) -> Container:
    return Container(
        name=data["name"],
        command=tuple(data["command"]),
        env=data["env"],
        restart=Restart(data["restart"]),
        probe=_probe_from_dict(data["probe"]) if data["probe"] else None,
    )


def _probe_from_dict(data: Mapping[str, Any]) -> Probe:
    check: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data["check"].items()}
    numbers = {name: value for name, value in data.items() if name not in ("kind", "check")}
    return Probe(check=_CHECKS[data["kind"]](**check), **numbers)
