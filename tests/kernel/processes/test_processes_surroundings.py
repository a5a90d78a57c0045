"""The namespaces of a pod's processes: what is its own, what is the machine's, and that nothing reaches out of them or stays behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kemu import Cluster, Topology
from kemu.api.endpoint import Endpoint
from kemu.base.errors import KernelError, NotFoundError
from kemu.cluster.state import StateDirectory
from kemu.cluster.surroundings import surroundings
from kemu.kernel.inside import Inside, find_inside
from kemu.kernel.surroundings import hold

pytestmark = pytest.mark.kernel


def _inside(place: Endpoint) -> list[Inside]:
    return find_inside([place.netns.stat().st_ino])


def _keeper(place: Endpoint) -> Inside:
    [keeper] = [one for one in _inside(place) if one.keeps]
    return keeper


def _say(place: Endpoint, script: str) -> str:
    return place.run(["sh", "-c", script], check=True).stdout


def test_idle_endpoints_cost_no_process(cluster: Cluster) -> None:
    inodes = [endpoint.netns.stat().st_ino for endpoint in cluster.endpoints()]
    assert find_inside(inodes) == []


def test_two_commands_see_each_other_and_share_tmp(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    with pod.start(["sh", "-c", "echo here > /tmp/word; echo; exec sleep 100"], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        assert _say(pod, "cat /tmp/word; ps axo comm").split() == ["here", "COMMAND", "sleep", "sleep", "sh", "ps"]
        assert "sleep" not in _say(cluster.pod("b"), "ps axo args | grep 100 | grep -v grep; true")
        first.kill()


@pytest.mark.parametrize("place", ["pod/a", "node/n1", "host/h1"])
def test_every_kind_of_endpoint_has_its_own(cluster: Cluster, place: str) -> None:
    endpoint = cluster.endpoint(place)
    kinds = ("pid", "mnt", "uts", "ipc", "net")
    words = _say(endpoint, f"hostname; for kind in {' '.join(kinds)}; do readlink /proc/self/ns/$kind; done").split()
    assert words[0] == place.partition("/")[2]
    assert words[-1] == f"net:[{endpoint.netns.stat().st_ino}]"
    assert not set(words[1:]) & {os.readlink(f"/proc/self/ns/{kind}") for kind in kinds}


def test_proc_and_sys_show_the_pod_and_only_it(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    assert _say(pod, "ls -d /proc/[0-9]* | wc -l; ls /sys/class/net").split()[1:] == ["eth0", "lo"]
    assert "172.18.0.11 n1" in _say(pod, "cat /etc/hosts")
    assert "no DNS server" in _say(pod, "cat /etc/resolv.conf")
    assert "/run/netns" not in _say(pod, "cat /proc/self/mountinfo")


def test_tmp_run_and_shared_memory_are_private_and_the_rest_is_the_machines(cluster: Cluster, tmp_path: Path) -> None:
    pod, secret = cluster.pod("a"), tmp_path / "file"
    secret.write_text("the machine's\n")
    assert _say(pod, f"ls {secret} 2>/dev/null; touch /tmp/x /run/x /dev/shm/x; ls -A /tmp /run /dev/shm").split() == [
        *("/dev/shm:", "x"),
        *("/run:", "x"),
        *("/tmp:", "x"),
    ]
    assert _say(cluster.pod("b"), "ls -A /tmp /run /dev/shm").split() == ["/dev/shm:", "/run:", "/tmp:"]
    assert _say(
        pod,
        "pwd",
    ).strip() == (os.getcwd() if not os.getcwd().startswith("/tmp") else "/")
    assert pod.run(["cat", "/etc/os-release"], check=True).stdout == Path("/etc/os-release").read_text()


def test_the_directory_is_kept_where_it_exists(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.pod("a").run(["pwd"], cwd="/usr", check=True).stdout == "/usr\n"
    assert cluster.pod("a").run(["pwd"], cwd="/tmp", check=True).stdout == "/tmp\n"
    assert cluster.pod("a").run(["sh", "-c", "cd -P . && pwd -P"], cwd=tmp_path, check=True).stdout == "/\n"


def test_no_signal_from_inside_reaches_the_machine_or_the_first_process(cluster: Cluster) -> None:
    pod, other = cluster.pod("a"), cluster.pod("b")
    with subprocess.Popen(["sleep", "300"]) as machines, other.start(["sleep", "300"]) as others:
        _say(pod, "true")
        before = _keeper(pod)
        for command in (["pkill", "-9", "sleep"], ["kill", "-9", "1"], ["kill", "1"], ["sh", "-c", "kill -9 -1"]):
            pod.run(command)
        assert _keeper(pod) == before
        assert (machines.poll(), others.poll()) == (None, None)
        machines.kill()
        others.kill()


def test_kill_of_everything_in_a_pod_ends_it_and_nothing_else(cluster: Cluster) -> None:
    with cluster.pod("a").start(["sleep", "300"]) as inside, cluster.pod("b").start(["sleep", "300"]) as outside:
        _say(cluster.pod("a"), "kill -9 -1; true")
        assert inside.wait(timeout=60) == -signal.SIGKILL
        assert outside.poll() is None
        outside.kill()


def test_orphans_are_reaped(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    _say(pod, "(sleep 0.01 &) ; true")
    assert _say(pod, "while pgrep sleep | grep -qv '^1$'; do :; done; ps axo stat,comm | grep -c ^Z; true").strip() == "0"


def test_two_first_commands_at_once_share_their_namespaces(cluster: Cluster) -> None:
    command = [sys.executable, "-m", "kemu", "exec", "-C", cluster.name, "a", "--", "readlink", "/proc/self/ns/pid"]

    def call(_: int) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(call, range(4)))) == 1
    assert len(_inside(cluster.pod("a"))) == 1


def test_a_keeper_that_was_killed_is_made_anew(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    _say(pod, "true")
    first = _keeper(pod)
    descriptor = os.pidfd_open(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    assert select.select([descriptor], [], [], 60)[0]
    os.close(descriptor)
    assert _say(pod, "hostname") == "a\n"
    assert _keeper(pod).pid != first.pid


def test_the_keeper_is_held_not_made_twice(cluster: Cluster) -> None:
    place = surroundings(cluster.name, cluster.node("n1").spec)
    held = [hold(place), hold(place)]
    assert len(_inside(cluster.node("n1"))) == 1
    for descriptor in held:
        os.close(descriptor)


@pytest.mark.parametrize("text", ["", "17", "1 2", "{pid} 1", "nonsense here", "999999999 5"])
def test_a_record_of_another_process_is_not_believed(cluster: Cluster, text: str) -> None:
    pod = cluster.pod("a")
    record = StateDirectory(cluster.name).processes / "default.a.keeper"
    record.write_text(text.format(pid=os.getpid()))
    assert _say(pod, "hostname") == "a\n"
    assert record.read_text().split()[0] == str(_keeper(pod).pid)


def test_down_ends_keepers_and_what_they_keep(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    inode = pod.netns.stat().st_ino
    with pod.start(["sleep", "300"]) as sleeper, pod.start(["sh", "-c", "trap '' TERM; echo; sleep 300"], stdout=-1) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        assert cluster.down()
        assert (sleeper.wait(60), stubborn.wait(60)) == (-signal.SIGTERM, -signal.SIGKILL)
    assert find_inside([inode]) == []
    assert not Path(f"/run/kemu/{cluster.name}").exists()


def test_a_keeper_whose_record_is_lost_goes_too(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    inode = pod.netns.stat().st_ino
    _say(pod, "true")
    StateDirectory(cluster.name).remove()
    assert cluster.down()
    assert find_inside([inode]) == []


@pytest.mark.parametrize("mend", ["up", "down"])
def test_a_keeper_whose_namespace_lost_its_name_ends_with_up_and_down(cluster: Cluster, mend: str) -> None:
    inode = cluster.pod("a").netns.stat().st_ino
    cluster.pod("a").run(["true"], check=True)
    subprocess.run(["ip", "netns", "del", cluster.pod("a").netns.name], check=True)
    assert [one.keeps for one in find_inside([inode])] == [True]
    if mend == "up":
        Cluster.up(cluster.topology)
        assert cluster.status().state == "ok"
    else:
        cluster.down()
    assert find_inside([inode]) == []


def test_nothing_is_entered_when_the_cluster_is_gone(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    cluster.down()
    with pytest.raises(NotFoundError, match="is gone"):
        pod.run(["true"])


def test_a_pod_whose_surroundings_cannot_be_made_says_why(cluster: Cluster) -> None:
    (StateDirectory(cluster.name).path / "files" / "hosts").unlink()
    with pytest.raises(KernelError, match=r"cannot make the namespaces .*hosts"):
        cluster.pod("a").run(["true"])
    assert _inside(cluster.pod("a")) == []


def test_run_behaves_as_subprocess_does(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    assert pod.run(["cat"], input="given").stdout == "given"
    assert pod.run(["sh", "-c", "echo out; echo err >&2; exit 3"]).stderr == "err\n"
    with pytest.raises(subprocess.TimeoutExpired):
        pod.run(["sleep", "300"], timeout=0.1)
    with pytest.raises(subprocess.CalledProcessError):
        pod.run(["false"], check=True)
    with pytest.raises(FileNotFoundError):
        pod.run(["no-such-program"])
    assert len(_inside(pod)) == 1


def test_changed_names_reach_the_pods_that_run(cluster: Cluster) -> None:
    pod = cluster.pod("a")
    assert "10.244.1.3" not in _say(pod, "cat /etc/hosts")
    text = cluster.model.text.replace("hosts: 1", "- {name: c, node: n2}\nhosts: 1")
    Cluster.up(Topology.parse(text))
    assert "10.244.1.3 c" in _say(pod, "cat /etc/hosts")
