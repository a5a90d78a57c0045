"""Models as files: what is written is read as the same, and everything is written."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from spec_reading import read
from test_spec_fuzz import GOOD, mutate
from test_spec_fuzz import read as read_or_refuse

from kemu.api.topology import examples
from kemu.spec import model
from kemu.spec.model import Topology
from kemu.spec.write import PLACES, is_same, write_topology

ROOT = Path(__file__).resolve().parents[3]

#: With GOOD, every field of the model somewhere otherwise than by default. A new field belongs into one of the two.
EVERYTHING = """\
name: everything
networking:
  backend: host-gw
  ipFamily: ipv6
  podSubnet: fd00:9::/56
  serviceSubnet: fd00:8::/112
  nodePrefix: 72
  kubeProxyMode: none
  policyEngine: nftables
fabric:
  mtu: 9000
  allowForeignAddresses: false
  deny: [icmp, udp/8472, tcp/30000-32767, 200]
  link: {rate: 10gbit, mtu: 8000, queue: 100packets}
  segments:
  - {name: lan, uplink: {delay: 20ms, jitter: 1500us, out: {loss: 0.1%, duplicate: 1%}, in: {reorder: 25%, rate: 1mbit}}}
nodes: 3
namespaces:
- {name: empty}
- {name: shop, labels: {team: "no", "1": "null"}}
pods:
- {name: api, sysctls: {net.ipv4.ip_forward: 1}, serve: false, ports: [{containerPort: 53, protocol: UDP, name: dns}, {containerPort: 80}]}
- {name: web, replicas: 4, namespace: shop, labels: {app: web}}
- name: busy
  ports: [{containerPort: 80}]
  serve: true
  containers:
  - {name: a, command: [sh, -c, "echo: no"], env: {NO: "no", EMPTY: ""}, restart: Always, readinessProbe: {tcpSocket: {port: 80}}}
  - {name: b, command: ["1"], readinessProbe: {httpGet: {port: 81, path: /ready}, initialDelaySeconds: 1, periodSeconds: 2}}
  - {name: d, command: [x], readinessProbe: {httpGet: {port: 82}}}
  - {name: e, command: [x], readinessProbe: {tcpSocket: {port: 83}}}
  - {name: f, command: [x], readinessProbe: {exec: {command: [y]}}}
  - name: c
    command: ["true"]
    readinessProbe: {exec: {command: [test, -e, /x]}, timeoutSeconds: 3, successThreshold: 4, failureThreshold: 5}
expect:
- {name: named, allow: [api -> app=web, any -> api:53/udp], deny: any -> api:80}
- deny: api -> node/n1:22
- {perf: api -> node/n2, above: 800mbit, below: 1500mbit, seconds: 7}
- {rtt: node/n1 -> node/n2, above: 1.5us, below: 2min}
"""
SHAPES = {
    "counts": "nodes: [{name: w, count: 8}]\npods: [{name: web, replicas: 3, node: w-2}, {name: agent, perNode: 2}]\nhosts: 4",
    "dealt": "fabric: {segments: [{name: a}, {name: b}]}\nnodes: [{name: w, count: 5, segments: [a, b]}, {name: b, count: 2, segment: b}]",
    "turn of three": "fabric: {segments: [{name: a}, {name: b}]}\nnodes: [{name: w, count: 6, segments: [a, a, b]}]",
    "pinned": "nodes: [{name: a, podSubnet: 10.244.1.0/24}, {name: b, podSubnet: 10.244.0.0/24, address: 172.18.0.11}]",
    "swapped": "nodes: 1\npods: [{name: a, address: 10.244.0.3}, {name: b, address: 10.244.0.2}, {name: c}]",
    "halves": "networking: {podSubnet: 10.9.0.0/24}\nnodes: [{name: a, podSubnet: 10.9.0.128/25}, {name: b, podSubnet: 10.9.0.0/25}]",
    "hosts": "hosts: [{name: c, count: 3}, {name: d, address: 172.18.0.101}]\nnodes: 1",
    "gaps": "nodes: 1\npods: [{name: web-1}, {name: web-3}, {name: web-2}, {name: a-2}, {name: p1}, {name: x-01}, {name: web-1-1}]",
    "numbers of their own": "nodes: [{name: n1}, {name: n3}]\nhosts: [{name: h2}, {name: h1}]",
    "one replica": "pods: [{name: web, replicas: 1}, {name: agent, perNode: 1}]",
    "none": "pods: [{name: web, replicas: 0}]\nhosts: 0",
    "far segment": "fabric: {segments: [{name: a, subnet: 10.1.0.0/24}, {name: b, subnet: [10.2.0.0/24]}, {name: c}]}",
    "routes": "fabric: {podRoutes: static}",
    "links": "nodes: [{name: w, count: 3, link: {delay: 5ms}}, {name: n, link: {out: {loss: 1%}}}]\nhosts: 2",
    "slow machines": "fabric: {mtu: 1400, link: {rate: 1gbit}}\nnodes: 3\nhosts: 1",
    "one slow machine": "fabric: {link: {rate: 1gbit}}\nnodes: [{name: a}, {name: b, link: {rate: none}}]",
    "way out": "internet: true",
    "own way out": "networking: {ipFamily: dual}\ninternet: {subnet: [192.168.7.0/30, 'fd77::/126']}",
    "own way out over IPv4": "internet: {subnet: 192.168.7.0/30}",
    "nodes' network": "pods: [{name: a, hostNetwork: true}, {name: b, node: n1, hostNetwork: true}, {name: c, perNode: 2}]",
    "own segment": "fabric: {segments: [{name: lan, subnet: 10.1.0.0/24}]}",
    "spread unevenly": "nodes: 3\npods: [{name: a, node: n2, replicas: 2}, {name: b, replicas: 4}, {name: c, node: n1}]",
}


def round_trip(topology: Topology) -> str:
    text = write_topology(topology, lambda text: read(text, path=None))
    assert is_same(read(text, path=None), topology)
    return text


@pytest.mark.parametrize("example", examples(), ids=lambda example: str(example.name))
def test_examples_come_back(example: Any) -> None:
    round_trip(read(example.path.read_text()))


@pytest.mark.parametrize("text", [GOOD, EVERYTHING, *SHAPES.values()], ids=["good", "everything", *SHAPES])
def test_every_shape_comes_back(text: str) -> None:
    written = round_trip(read(text))
    assert round_trip(read(written, path=None)) == written, "and is written the same again"


@pytest.mark.parametrize("seed", range(20))
def test_changed_files_come_back_if_they_are_read(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(25):
        topology = read_or_refuse(mutate(GOOD, source))
        if isinstance(topology, Topology):
            round_trip(topology)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("name: lab", "name: lab\nnodes: 2\n"),
        ("name: lab\nnodes: 3\npods: {perNode: 2, labels: {a: b}}", "name: lab\nnodes: 3\npods: {perNode: 2, labels: {a: b}}\n"),
        (
            "name: lab\nnodes: [{name: w, count: 20}]\npods: [{name: web, replicas: 5}]\nhosts: 2",
            "name: lab\nnodes:\n- {name: w, count: 20}\npods:\n- {name: web, replicas: 5}\nhosts: 2\n",
        ),
        (
            "name: lab\nnetworking: {backend: {vxlan: {directRouting: true, vni: 1}}, podSubnet: 10.244.0.0/16}\nnodes: 1",
            "name: lab\nnetworking: {backend: {vxlan: {directRouting: true}}}\nnodes: 1\n",
        ),
        (
            "name: lab\nexpect: [{name: 'allow node/n1 -> node/n2', allow: [node/n1 -> node/n2]}]",
            "name: lab\nnodes: 2\nexpect:\n- {allow: node/n1 -> node/n2}\n",
        ),
    ],
)
def test_no_more_is_written_than_is_needed(text: str, written: str) -> None:
    assert round_trip(read(text)) == written


def test_everything_that_a_model_can_say_is_written() -> None:
    """Every field of every class has two values among the models that come back: one that is not written comes back as its default."""
    seen: dict[tuple[type, str], set[str]] = defaultdict(set)
    for text in (GOOD, EVERYTHING, *SHAPES.values()):
        for item, name in _fields_of(read(text)):
            seen[type(item), name].add(repr(getattr(item, name)))
    ours = {key: values for key, values in seen.items() if key[0].__module__ == model.__name__}
    unseen = sorted(f"{kind.__name__}.{name}" for (kind, name), values in ours.items() if len(values) < 2)
    assert unseen == [], "write them in kemu/spec/write.py, and give EVERYTHING one that is not its default"


def _fields_of(value: Any) -> Iterator[tuple[Any, str]]:
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            if one.name not in PLACES:
                yield value, one.name
                yield from _fields_of(getattr(value, one.name))
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _fields_of(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _fields_of(one)
