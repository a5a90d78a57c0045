"""Whatever is in a file, the reader returns a topology or says what is wrong, and never anything else."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from kemu.base.errors import SpecError
from kemu.base.render import show_error
from kemu.plan.registry import read_topology
from kemu.spec.model import Topology
from kemu.spec.source import Source

GOOD = """\
name: lab
x-common: &common {labels: {app: web}}
networking:
  backend: {vxlan: {vni: 7, directRouting: true}}
  ipFamily: dual
  podSubnet: [10.244.0.0/16, 'fd00:10:244::/56']
  nodePrefix: [24, 64]
fabric:
  mtu: 1500
  segments:
  - {name: rack1, subnet: 172.18.1.0/24}
  - {name: rack2}
nodes:
- {name: n1, segment: rack1, address: 172.18.1.9, labels: {zone: a}, sysctls: {net.ipv4.ip_forward: 1}}
- {name: n2, podSubnet: 10.244.7.0/24}
- {name: w, count: 3, segments: [rack1, rack2]}
namespaces:
- {name: shop, labels: {team: a}}
pods:
- {<<: *common, name: web, replicas: 3, ports: [{name: http, containerPort: 80, protocol: TCP}]}
- {<<: *common, name: fixed, node: n2, address: 10.244.7.77, namespace: shop}
- {name: agent, perNode: 1}
hosts:
- {name: client, segment: rack2}
internet: false
expect:
- {name: shops, allow: [app=web -> app=web:80, any -> shop/fixed], deny: node/n1 -> client:22/udp}
- {perf: web-1 -> shop/fixed, above: 800mbit, seconds: 2}
- {rtt: n1 -> 10.244.7.77, below: 5ms}
"""
TOKENS = re.compile(r"\s+|[A-Za-z0-9./_-]+|.", re.DOTALL)
STRANGE = (
    "null",
    "~",
    "[]",
    "{}",
    '""',
    "-1",
    "0",
    "99999",
    "é",
    "<<",
    "&common",
    "*common",
    "!!str",
    "!x",
    "\t",
    "\x07",
    "|",
    "?",
)


def mutate(text: str, source: random.Random) -> str:
    tokens = TOKENS.findall(text)
    for _ in range(source.randint(1, 2)):
        place = source.randrange(len(tokens))
        match source.randrange(5):
            case 0:
                del tokens[place : place + source.randint(1, 6)]
            case 1:
                tokens[place:place] = tokens[place : place + source.randint(1, 12)]
            case 2:
                tokens[place] = source.choice(tokens)
            case 3:
                tokens[place] = source.choice(STRANGE)
            case _:
                other = source.randrange(len(tokens))
                tokens[place], tokens[other] = tokens[other], tokens[place]
    return "".join(tokens)


def read(text: str) -> Topology | SpecError:
    try:
        return read_topology(Source(name="lab.yaml", text=text, path=Path("/nowhere/lab.yaml")))
    except SpecError as error:
        return error


@pytest.mark.parametrize("seed", range(40))
def test_changed_files_are_read_or_refused(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(25):
        text = mutate(GOOD, source)
        match read(text):
            case Topology() as topology:
                check(topology)
            case error:
                assert show_error(error).startswith(("lab.yaml:", "error: ")), text


def check(topology: Topology) -> None:
    """What holds of every topology: each address is somebody's alone, and in its subnet."""
    everybody = (*topology.nodes, *topology.hosts, *topology.pods)
    addresses = [address for one in everybody for address in one.addresses]
    assert len(addresses) == len(set(addresses))
    families = len(topology.networking.ip_family.versions)
    assert all(len(one.addresses) == families for one in everybody)
    for pod in topology.pods:
        pairs = zip(pod.addresses, topology.node(pod.node).pod_subnets, strict=True)
        assert all(address in subnet for address, subnet in pairs)


def test_the_file_that_is_changed_is_good() -> None:
    topology = read(GOOD)
    assert isinstance(topology, Topology)
    check(topology)
    assert len(topology.nodes) == 5
