"""Containers as objects of the plan, and the agent's work as data."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kemu.plan.build import build_plan
from kemu.plan.objects import Process
from kemu.plan.processes import build_work, desired, work_from_dict, work_to_dict
from kemu.plan.registry import options_classes
from kemu.spec.model import Topology
from kemu.spec.read import read_topology
from kemu.spec.source import Source

FULL = """\
name: demo
pods:
- name: web
  ports: [{name: http, containerPort: 8080}, {containerPort: 53, protocol: UDP}]
  containers:
  - {name: server, command: [serve, "1"], env: {B: x y, A: "1"}, readinessProbe: {httpGet: {port: http, path: /ready}}}
  - {name: other, command: [o], restart: Always, readinessProbe: {exec: {command: [true, "2"]}, periodSeconds: 3}}
- {name: shared, hostNetwork: true, ports: [{containerPort: 80}], serve: false, containers: [{name: s, command: [s]}]}
- {name: asked, ports: [{containerPort: 80}]}
- {name: silent, ports: [{containerPort: 80}], serve: false}
- {name: at-once, ports: [{containerPort: 80}], serve: true, containers: [{name: s, command: [s]}]}
- {name: idle}
"""


def _read(text: str) -> Topology:
    return read_topology(Source(name="lab.yaml", text=text, path=Path("/nowhere/lab.yaml")), backends=options_classes())


def test_each_container_is_an_object_and_the_agent_is_one_more() -> None:
    found = list(desired(_read(FULL)))
    assert [(one.kind, one.pod, one.name, one.netns) for one in found] == [
        ("agent", "", "agent", "fabric"),
        ("container", "default.web", "server", "default.web"),
        ("container", "default.web", "other", "default.web"),
        ("container", "default.shared", "s", "n2"),
        ("container", "default.at-once", "s", "default.at-once"),
    ]
    assert (found[1].env, found[2].restart) == (("A=1", "B=x y"), "Always")


def test_without_containers_and_ports_there_is_no_agent() -> None:
    plan = build_plan(_read("name: demo\npods: [{name: a}, {name: b, ports: [{containerPort: 80}], serve: false}]\n"))
    assert not [item for item in plan if isinstance(item, Process)]
    assert not plan.work.pods


def test_the_work_survives_json() -> None:
    work = build_work(_read(FULL))
    assert _without_marks(work_from_dict(json.loads(json.dumps(work_to_dict(work))))) == _without_marks(work)


def _without_marks(work: object) -> str:
    return re.sub(r"mark=(Mark\(.*?\)|None)", "", repr(work))


def test_ports_are_served_at_once_where_no_container_may_want_them() -> None:
    pods = {pod.pod: pod for pod in build_work(_read(FULL)).pods}
    assert {name: pod.serves_at_once for name, pod in pods.items()} == {
        "web": False,
        "shared": False,
        "asked": True,
        "at-once": True,
    }
    assert pods["shared"].ports == ()


def test_a_port_that_a_probe_asks_is_left_to_the_container() -> None:
    ports = {pod.name: [str(port) for port in pod.ports] for pod in build_work(_read(FULL)).pods}
    assert ports["default.web"] == ["53/UDP"]
    assert ports["default.asked"] == ["80/TCP"]
