"""Containers: what they find, what becomes of them when they end, and the agent that looks after them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli_kemu import Kemu

from kemu import Cluster, Topology
from kemu.api.containers import wait_ready
from kemu.base.errors import KemuError
from kemu.cluster.processes import ProcessRecord
from kemu.kernel.inotify import watching
from kemu.kernel.inside import find_inside

pytestmark = pytest.mark.kernel

PODS = """\
pods:
- name: web
  node: n1
  containers:
  - {name: server, command: [python3, -m, http.server, "8080"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}
  - {name: sidecar, command: [sh, -c, 'echo "$GREETING from $(hostname)"; exec sleep inf'], env: {GREETING: hello}}
- {name: idle, node: n2}
"""


def _up(kemu: Kemu, text: str, *words: str) -> Cluster:
    kemu.ok("up", kemu.write(f"nodes: 2\n{text}"), *words)
    return Cluster(kemu.name)


def _find(cluster: Cluster, name: str) -> ProcessRecord:
    [found] = [one for one in cluster.processes() if one.name == name]
    return found


def _wait_for(cluster: Cluster, name: str, **wanted: object) -> ProcessRecord:
    """Wait until a process is as wanted, and return it."""
    deadline = time.monotonic() + 60
    with watching([Path(f"/run/kemu/{cluster.name}/processes")]) as changes:
        while any(getattr(found := _find(cluster, name), key) != value for key, value in wanted.items()):
            assert changes.wait(max(deadline - time.monotonic(), 0)), found
        return found


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Kill a process and wait until it has ended."""
    descriptor = os.pidfd_open(pid)
    signal.pidfd_send_signal(descriptor, number)
    assert select.select([descriptor], [], [], 60)[0]
    os.close(descriptor)


@pytest.fixture
def bare(kemu: Kemu) -> Kemu:
    """A kemu whose cluster is made anew by the test itself."""
    kemu.ok("down")
    return kemu


def test_containers_share_network_processes_and_tmp(bare: Kemu) -> None:
    _up(bare, PODS, "--wait", "60")
    assert "http.server" in bare.ok("exec", "web", "--", "ps", "axo", "args")
    assert bare.ok("exec", "web", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8080/") == "200"
    assert bare.ok("exec", "idle", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://web:8080/") == "200"
    assert bare.ok("logs", "web", "-c", "sidecar") == "hello from web\n"
    assert bare.ok("exec", "web", "-c", "sidecar", "--", "sh", "-c", "echo $GREETING") == "hello\n"
    assert bare.json("status")["state"] == "ok"
    rows = {row["name"]: row for row in bare.json("get", "pods")["pods"]}
    assert (rows["web"]["ready"], rows["web"]["status"], rows["web"]["restarts"]) == ("2/2", "Running", 0)
    assert (rows["idle"]["ready"], rows["idle"]["status"]) == ("0/0", "Idle")


def test_up_again_leaves_unchanged_containers_alone_and_restarts_changed_ones(bare: Kemu) -> None:
    cluster = _up(bare, PODS, "--wait", "60")
    server, sidecar = _find(cluster, "server"), _find(cluster, "sidecar")
    changed = PODS.replace("GREETING: hello", "GREETING: bye")
    bare.write(f"nodes: 2\n{changed}")
    drift = bare.json("plan", "topo.yaml", "--diff", code=1)["drift"]
    assert [(one["action"], one["object"]) for one in drift] == [("change", "container sidecar of default/web")]
    assert bare.ok("up", "topo.yaml") == f"{bare.name}: 1 difference mended\n"
    assert _find(cluster, "server").pid == server.pid
    assert _find(cluster, "sidecar").pid != sidecar.pid
    assert bare.ok("logs", "web", "-c", "sidecar") == "bye from web\n"
    assert bare.ok("logs", "web", "-c", "sidecar", "--previous") == "hello from web\n"
    assert bare.ok("up", "topo.yaml") == f"{bare.name}: already as it should be\n"


def test_another_restart_alone_leaves_the_process_alone(bare: Kemu) -> None:
    cluster = _up(bare, PODS)
    sidecar = _find(cluster, "sidecar")
    bare.write("nodes: 2\n" + PODS.replace("name: sidecar,", "name: sidecar, restart: Always,"))
    assert bare.ok("up", "topo.yaml") == f"{bare.name}: 1 difference mended\n"
    assert bare.ok("up", "topo.yaml") == f"{bare.name}: already as it should be\n"
    _kill(sidecar.pid)
    assert _wait_for(cluster, "sidecar", restarts=1, state="running").pid != sidecar.pid


def test_removed_pods_and_containers_end_with_what_keeps_them(bare: Kemu) -> None:
    cluster = _up(bare, PODS)
    inode = cluster.pod("web").netns.stat().st_ino
    bare.write("nodes: 2\npods: [{name: other, node: n1}, {name: idle, node: n2}]\n")
    bare.ok("up", "topo.yaml", "--yes")
    assert find_inside([inode]) == []
    assert cluster.processes() == []
    assert bare.json("status")["state"] == "ok"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("[sh, -c, 'echo last words; exit 3']", 3, "last words\n"),
        ("[no-such-program]", 127, "kemu: no-such-program: command not found\n"),
        ("[/etc/passwd]", 126, "kemu: /etc/passwd: "),
        ("[sh, -c, 'kill -9 $$']", 137, ""),
        ("['true']", 0, ""),
    ],
)
def test_an_ended_container_degrades_the_cluster_with_its_code(bare: Kemu, command: str, code: int, said: str) -> None:
    cluster = _up(bare, f"pods: [{{name: a, containers: [{{name: one, command: {command}}}]}}]\n")
    _wait_for(cluster, "one", state="exited", exit_code=code)
    status = bare.json("status", code=1)
    assert (status["state"], status["drift"]) == ("degraded", [])
    assert [(one["object"], one["reason"]) for one in status["unmet"]] == [
        ("container one of default/a", f"exited: exit code {code}")
    ]
    assert bare.ok("logs", "a").startswith(said)


def test_an_ended_container_that_is_changed_runs_as_changed(bare: Kemu) -> None:
    text = "pods: [{name: a, containers: [{name: one, command: ['false']}]}]\n"
    cluster = _up(bare, text)
    _wait_for(cluster, "one", state="exited", exit_code=1)
    bare.write("nodes: 2\n" + text.replace("'false'", "sleep, inf"))
    bare.ok("up", "topo.yaml", "--wait", "60")
    status = bare.json("status")
    assert (status["state"], status["drift"]) == ("ok", [])
    assert _find(cluster, "one").command == ("sleep", "inf")


def test_up_says_at_once_what_cannot_be_run_and_succeeds(bare: Kemu) -> None:
    done = bare.call("up", bare.write("pods: [{name: a, containers: [{name: one, command: [no-such-program]}]}]\n"))
    assert done.returncode == 0
    assert "container one of default/a ended: exit code 127" in done.stderr


def test_always_is_started_again_at_once_and_then_later(bare: Kemu) -> None:
    text = "pods: [{name: a, containers: [{name: one, command: [sh, -c, 'echo run; exec sleep inf'], restart: Always}]}]\n"
    cluster = _up(bare, text)
    _kill(_find(cluster, "one").pid)
    second = _wait_for(cluster, "one", restarts=1, state="running")
    assert second.exit_code == 137
    _kill(second.pid)
    waiting = _wait_for(cluster, "one", state="restarting")
    assert waiting.said == "exit code 137, starts again after 10 s"
    assert {row["status"] for row in bare.json("get", "pods")["pods"]} == {"CrashLoopBackOff"}
    bare.ok("up", "topo.yaml")  # whoever types `up` does not wait
    assert _find(cluster, "one").state == "running"


def test_everything_in_a_pod_killed_is_seen_and_mended(bare: Kemu) -> None:
    cluster = _up(bare, PODS)
    for one in find_inside([cluster.pod("web").netns.stat().st_ino]):
        if one.keeps:
            _kill(one.pid)
    _wait_for(cluster, "server", state="exited", exit_code=137)
    _wait_for(cluster, "sidecar", state="exited", exit_code=137)
    assert bare.json("status", code=1)["state"] == "degraded"
    assert bare.ok("up", "topo.yaml", "--wait", "60").startswith(f"{bare.name}: 2 differences mended")
    assert bare.json("status")["state"] == "ok"


def test_a_killed_agent_is_missed_and_the_next_takes_over(bare: Kemu) -> None:
    cluster = _up(bare, PODS, "--wait", "60")
    agent, server, sidecar = (_find(cluster, name) for name in ("agent", "server", "sidecar"))
    _kill(agent.pid)
    assert [one["object"] for one in bare.json("status", code=1)["drift"]] == ["process agent"]
    _kill(sidecar.pid)
    assert bare.ok("up", "topo.yaml", "--wait", "60").startswith(f"{bare.name}: 2 differences mended")
    assert _find(cluster, "server").pid == server.pid
    _kill(server.pid)
    ended = _wait_for(cluster, "server", said="it ended, and nobody could ask how")
    assert (ended.state, ended.exit_code) == ("exited", None)


def test_a_namespace_made_anew_gets_its_containers_anew(bare: Kemu) -> None:
    cluster = _up(bare, PODS, "--wait", "60")
    server = _find(cluster, "server")
    subprocess.run(["ip", "netns", "del", f"{bare.name}.default.web"], check=True)
    bare.ok("up", "topo.yaml", "--wait", "60")
    assert _find(cluster, "server").pid != server.pid
    assert bare.ok("exec", "idle", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://web:8080/") == "200"


def test_logs_are_followed_over_a_restart_to_the_end(bare: Kemu) -> None:
    script = "echo $$; while ! test -e /tmp/go; do sleep 0.1; done; echo over; exit 0"
    _up(bare, f"pods: [{{name: a, containers: [{{name: one, command: [sh, -c, '{script}']}}]}}]\n")
    bare.ok("exec", "a", "--", "touch", "/tmp/go")
    assert bare.ok("logs", "a", "-f").split() == ["2", "over"]
    assert bare.ok("logs", "a", "--tail", "1") == "over\n"
    assert bare.call("logs", "a", "-c", "two").returncode == 4
    assert bare.call("logs", "n1").returncode == 2


def test_down_leaves_neither_agent_nor_containers(bare: Kemu) -> None:
    cluster = _up(bare, PODS.replace("containers:", "containers:\n  - {name: more, command: [sleep, inf], restart: Always}"))
    inodes = [one.netns.stat().st_ino for one in cluster.endpoints()]
    agent = _find(cluster, "agent")
    bare.ok("down")
    assert find_inside([*inodes]) == []
    assert not agent.is_alive
    assert not Path(f"/run/kemu/{bare.name}").exists()


def test_down_ends_them_with_the_state_directory_lost(bare: Kemu) -> None:
    cluster = _up(bare, PODS.replace("name: server,", "name: server, restart: Always,"))
    inodes = [one.netns.stat().st_ino for one in cluster.endpoints()]
    agent = _find(cluster, "agent")
    os.rename(f"/run/kemu/{bare.name}", bare.directory / "lost")
    bare.ok("down", bare.name)
    assert find_inside(inodes) == []
    assert not agent.is_alive


def test_a_new_cluster_whose_agent_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "selectors.py").write_text("raise ImportError('broken on purpose')\n")
    name = f"kpr{os.getpid()}-broken"
    with pytest.raises(KemuError, match="broken on purpose"):
        Cluster.up(Topology.parse(f"name: {name}\nnodes: 2\n{PODS}"))
    assert name not in [cluster.name for cluster in Cluster.all()]
    assert not Path(f"/run/kemu/{name}").exists()


def test_declared_ports_that_nobody_serves_are_answered(bare: Kemu) -> None:
    text = """\
pods:
- {name: asked, node: n1, ports: [{containerPort: 80}]}
- {name: silent, node: n1, ports: [{containerPort: 80}], serve: false}
- name: half
  node: n1
  ports: [{containerPort: 8080}, {containerPort: 81}]
  containers: [{name: server, command: [python3, -m, http.server, "8080"]}]
- {name: client, node: n2}
"""
    _up(bare, text)
    ask = ("exec", "client", "--", "curl", "-s", "--retry", "20", "--retry-delay", "1", "--retry-connrefused")
    assert "pod: asked" in bare.ok(*ask, "http://asked/")
    assert "Directory listing" in bare.ok(*ask, "http://half:8080/")
    assert "pod: half" in bare.ok(*ask, "http://half:81/")
    assert bare.call("exec", "client", "--", "curl", "-s", "http://silent/").returncode == 7
    assert bare.json("status")["state"] == "ok"


def test_readiness_follows_the_probe(bare: Kemu) -> None:
    probe = "readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1, failureThreshold: 1}"
    cluster = _up(bare, f"pods: [{{name: a, containers: [{{name: one, command: [sleep, inf], {probe}}}]}}]\n")
    assert bare.call("up", "topo.yaml", "--wait", "1.5").returncode == 1
    assert _wait_for(cluster, "one", said="exit code 1").ready is False
    bare.ok("exec", "a", "--", "touch", "/tmp/ready")
    assert wait_ready(cluster, 60) == []
    bare.ok("exec", "a", "--", "rm", "/tmp/ready")
    _wait_for(cluster, "one", ready=False)
