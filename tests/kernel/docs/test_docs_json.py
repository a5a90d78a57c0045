"""What docs/reference/json.md shows is what the verbs that need a running cluster print."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from docs_shapes import examples, find_differences
from docs_terminal import Terminal

pytestmark = pytest.mark.kernel

MORE = "hosts: [{name: client}]\n"


def _ask(terminal: Terminal, *words: str) -> Any:
    done = subprocess.run(
        ["kemu", *words, "-o", "json"],
        cwd=terminal.directory,
        env={**terminal.environment(), "KEMU_CLUSTER": terminal.file("two-nodes").stem},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return json.loads(done.stdout)


def _check(real: Any, schema: str) -> None:
    assert real.get("schema") == schema or real.get("error") == schema
    [documented] = examples()[schema]
    assert list(find_differences(documented, real)) == []


@pytest.fixture
def lab(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in which a cluster with a host is up."""
    monkeypatch.setenv("PATH", terminal.environment()["PATH"])  # where subprocess looks for kemu
    file = terminal.file("two-nodes")
    file.write_text(file.read_text() + MORE)
    _check(_ask(terminal, "up", "two-nodes"), "kemu.up/1")
    return terminal


def test_what_is_there(lab: Terminal) -> None:
    _check(_ask(lab, "ls"), "kemu.ls/1")
    _check(_ask(lab, "get", "all"), "kemu.get/1")
    _check(_ask(lab, "capabilities"), "kemu.capabilities/1")
    _check(_ask(lab, "reach", "--with", "nodes,hosts"), "kemu.reach/1")


def test_inspect(lab: Terminal) -> None:
    node = _ask(lab, "inspect", "n1")
    _check(node, "kemu.inspect/1")
    [plan] = examples()["kemu.plan/1"]
    assert list(find_differences(plan["objects"], node["objects"])) == []
    every = _ask(lab, "inspect")
    assert every.keys() == {"schema", "namespaces"}
    assert every["schema"] == "kemu.inspect-all/1"


def test_status_of_damage(lab: Terminal) -> None:
    for words in ("ip link set cni0 mtu 1400", "ip route add 10.9.0.0/24 dev eth0", "ip neigh del 10.244.1.0 dev flannel.1"):
        lab.run(f"kemu exec n1 -- {words}")
    status = _ask(lab, "status")
    _check(status, "kemu.status/1")
    assert {one["action"] for one in status["drift"]} == {"add", "change", "remove"}
    assert {one["action"]: one["have"] for one in status["drift"]}["add"] is None
    _check(_ask(lab, "plan", "two-nodes", "--diff"), "kemu.status/1")


def test_links_and_live_changes(lab: Terminal) -> None:
    lab.run("kemu link set n2 --down")
    lab.run("kemu link set n1 --rate 10mbit --out")
    _check(_ask(lab, "link", "ls"), "kemu.links/1")
    _check(_ask(lab, "status"), "kemu.status/1")


def test_perf(lab: Terminal) -> None:
    _check(_ask(lab, "perf", "a", "c", "-t", "1"), "kemu.perf/1")


def test_expectations(lab: Terminal) -> None:
    (lab.directory / "checks.yaml").write_text("expect: [{deny: a -> c:80}, {rtt: a -> c, below: 1min}]\n")
    _check(_ask(lab, "test", "checks.yaml"), "kemu.test/1")


def test_capture(lab: Terminal) -> None:
    _check(_ask(lab, "capture", "a", "-w", "f.pcapng", "--seconds", "0.1"), "kemu.capture/1")


def test_compare(lab: Terminal) -> None:
    found = _ask(lab, "compare", "two-nodes", "--backends", "host-gw", "-t", "1", "--rounds", "1")
    _check(found, "kemu.compare/1")
    [perf] = examples()["kemu.perf/1"]
    assert (
        list(find_differences({key: perf[key] for key in ("runs", "summary")}, {k: found[k] for k in ("runs", "summary")})) == []
    )


def test_errors(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", terminal.environment()["PATH"])
    _check(_ask(terminal, "status"), "NotFoundError")
