"""The life of a cluster as a user types it: verbs, output, JSON and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_kemu import TWO_NODES, Kemu

pytestmark = pytest.mark.kernel


def _namespaces(name: str) -> list[str]:
    return [path.name for path in Path("/run/netns").glob(f"{name}.*")]


def test_up_shows_what_came_up_and_down_leaves_nothing(kemu: Kemu) -> None:
    out = kemu.up()
    assert f"{kemu.name} is up: 2 nodes, 4 pods, 1 host, vxlan (ipv4)" in out
    assert "shop/d" in out
    assert len(_namespaces(kemu.name)) == 2 + 4 + 1 + 2
    assert kemu.ok("down") == f"{kemu.name} is gone\n"
    assert not _namespaces(kemu.name)
    assert not Path("/run/kemu", kemu.name).exists()


def test_up_again_changes_nothing_and_repairs_what_was_damaged(kemu: Kemu) -> None:
    kemu.up()
    assert "already as it should be" in kemu.up()
    kemu.ok("exec", "node/n1", "--", "ip", "route", "del", "10.244.1.0/24")
    status = kemu.json("status", code=1)
    assert [(one["action"], one["object"], one["netns"]) for one in status["drift"]] == [
        ("add", "route 10.244.1.0/24", f"{kemu.name}.n1")
    ]
    assert status["state"] == "drifted"
    assert "1 difference mended" in kemu.up()
    status = kemu.json("status")
    assert [(one["kind"], one["name"], one["ready"]) for one in status.pop("processes")] == [("agent", "agent", True)]
    assert status == {
        "schema": "kemu.status/1",
        "cluster": kemu.name,
        "state": "ok",
        "drift": [],
        "unmet": [],
        "live": [],
        "warnings": [],
    }


def test_up_applies_what_changed_in_the_file(kemu: Kemu) -> None:
    kemu.up()
    more = TWO_NODES.replace("hosts:", "- {name: e, node: n2}\nhosts:")
    assert kemu.call("plan", kemu.write(more), "--diff").returncode == 1
    assert "mended" in kemu.up(more)
    assert kemu.ok("exec", "a", "--", "ping", "-c1", "-W2", "e")
    assert "mended" in kemu.up()
    assert f"{kemu.name}.default.e" not in _namespaces(kemu.name)


def test_another_backend_takes_the_cluster_down_first_and_says_so(kemu: Kemu) -> None:
    kemu.up()
    done = kemu.call("up", kemu.directory / "topo.yaml", "--backend", "host-gw")
    assert done.returncode == 0
    assert "host-gw instead of vxlan" in done.stderr
    assert kemu.json("ls")["clusters"][0]["name"]
    assert "flannel.1" not in kemu.ok("exec", "n1", "--", "ip", "link")
    assert kemu.call("status").returncode == 0


def test_another_file_of_the_same_name_is_refused_with_both_paths(kemu: Kemu) -> None:
    kemu.up()
    other = kemu.write(file="other.yaml")
    done = kemu.call("up", other)
    assert done.returncode == 4
    assert str(kemu.directory / "topo.yaml") in done.stderr
    assert str(other) in done.stderr
    assert kemu.ok("up", other, "--replace")
    assert kemu.ok("up", other)


def test_a_change_that_moves_addresses_is_asked_about(kemu: Kemu) -> None:
    kemu.up("nodes: 1\npods:\n- {name: a}\n- {name: b}\n")
    moved = "nodes: 1\npods:\n- {name: first}\n- {name: a}\n- {name: b}\n"
    done = kemu.call("up", kemu.write(moved))
    assert done.returncode == 4
    assert "pod/default/a 10.244.0.2 -> 10.244.0.3" in done.stderr
    assert kemu.call("plan", "--diff", kemu.directory / "topo.yaml").returncode == 1
    kemu.ok("up", kemu.directory / "topo.yaml", "--yes")
    assert kemu.ok("exec", "a", "--", "ip", "-br", "addr", "show", "eth0").split()[2] == "10.244.0.3/24"


def test_a_topology_comes_from_standard_input(kemu: Kemu) -> None:
    done = kemu.call("up", "-", stdin=None, input=f"name: {kemu.name}\npods: {{perNode: 1}}\n")
    assert done.returncode == 0, done.stderr
    assert kemu.json("get", "pods")["pods"][1]["node"] == "n2"


def test_the_cluster_is_found_by_the_directory_of_its_file(kemu: Kemu) -> None:
    kemu.write(file="kemu.yaml")
    environment = {key: value for key, value in os.environ.items() if key != "KEMU_CLUSTER"}
    assert kemu.call("up", env=environment).returncode == 0
    assert kemu.call("status", env=environment).stdout.startswith(f"{kemu.name}: as it should be")
    assert kemu.call("down", kemu.directory / "kemu.yaml", env=environment).stdout == f"{kemu.name} is gone\n"


def test_exec_hands_back_exit_codes_and_surroundings(kemu: Kemu) -> None:
    kemu.up()
    assert kemu.call("exec", "a", "--", "sh", "-c", "exit 7").returncode == 7
    assert kemu.ok("exec", "-n", "shop", "d", "--", "hostname") == "d\n"
    assert kemu.ok("exec", "shop/d", "hostname") == "d\n"
    assert kemu.call("exec", "a", "--", "no-such-program").returncode == 127
    assert kemu.call("exec", "a", "--", "/etc/passwd").returncode == 126
    assert kemu.call("exec", "nobody", "--", "true").returncode == 125
    assert kemu.call("exec", "a", "-n", "shop", "--", "true").returncode == 125
    assert kemu.ok("exec", "d", "-n", "shop", "--", "hostname") == "d\n"
    assert kemu.call("exec", "-C", "nothing", "a", "--", "true").returncode == 125
    assert "10.244.1.2 c c.default" in kemu.ok("exec", "10.244.0.2", "--", "cat", "/etc/hosts")
    assert kemu.ok("exec", "a", "--", "ls", "/sys/class/net").split() == ["eth0", "lo"]


def test_get_says_when_there_is_nothing_to_show(kemu: Kemu) -> None:
    kemu.up("nodes: 1\nnamespaces: [{name: empty}]\n")
    for words, said in (
        (["-n", "nope"], "No resources found in nope namespace: there is no such namespace; there are default, empty\n"),
        (["-n", "empty"], "No resources found in empty namespace\n"),
        ([], "No resources found\n"),
    ):
        done = kemu.call("get", "pods", *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", said)


def test_the_prompt_of_a_shell_tells_where_it_is(kemu: Kemu) -> None:
    kemu.up()
    code, screen = kemu.on_terminal("shell", "c", typed="echo in-$(hostname)\nexit 3\n")
    assert code == 3
    assert "in-c" in screen
    assert f"[{kemu.name}] pod/default/c on n2 10.244.1.2" in screen


def test_a_shell_reads_commands_from_a_pipe(kemu: Kemu) -> None:
    kemu.up()
    done = kemu.call("shell", "c", stdin=None, input="hostname\nexit 3\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "c\n", "")


def test_reach_says_yes_or_no(kemu: Kemu) -> None:
    kemu.up()
    matrix = kemu.json("reach", "--with", "nodes,hosts")
    assert matrix["total"] == 7 * 6
    assert {one["reason"] for one in matrix["results"] if "host/client" not in (one["from"], one["to"])} == {"ok"}


def test_reach_names_the_lost_pair(kemu: Kemu) -> None:
    kemu.up()
    kemu.ok("exec", "n1", "--", "ip", "route", "replace", "blackhole", "10.244.1.3/32")
    matrix = kemu.json("reach", code=1)
    assert (matrix["reached"], matrix["total"]) == (8, 12)
    assert {(one["from"], one["to"]) for one in matrix["results"] if not one["ok"]} == {
        ("pod/default/a", "pod/shop/d"),
        ("pod/default/b", "pod/shop/d"),
        ("pod/shop/d", "pod/default/a"),
        ("pod/shop/d", "pod/default/b"),
    }


def test_reach_takes_labels_protocols_and_ports(kemu: Kemu) -> None:
    kemu.up()
    matrix = kemu.json("reach", "--from", "app=web", "--to", "d", "-n", "shop", "--protocol", "tcp", "--port", "7000")
    assert [(one["from"], one["to"]) for one in matrix["results"]] == [
        ("pod/default/a", "pod/shop/d"),
        ("pod/default/c", "pod/shop/d"),
    ]
    assert matrix["probe"] == {"protocol": "tcp", "port": 7000}


def test_inspect_shows_a_namespace_as_a_whole(kemu: Kemu) -> None:
    kemu.up()
    out = kemu.ok("inspect", "n1")
    for words in ("flannel.1  vxlan  id 1", "masquerade fully-random", "net/ipv4/ip_forward = 1", "udp 0.0.0.0:8472"):
        assert words in out
    with subprocess.Popen([sys.executable, "-m", "kemu", "exec", "-C", kemu.name, "a", "--", "sleep", "60"]) as sleeper:
        assert _wait_inside(kemu, "sleep")
        sleeper.terminate()


def _wait_inside(kemu: Kemu, command: str) -> bool:
    return any(command in {one["command"] for one in kemu.json("inspect", "a")["processes"]} for _ in range(50))


def test_capabilities_say_what_this_machine_can_do(kemu: Kemu) -> None:
    assert "link:veth" in kemu.ok("capabilities")
    assert all(one["available"] or one["fix"] for one in kemu.json("capabilities")["capabilities"])


def test_perf_measures_between_pods(kemu: Kemu) -> None:
    kemu.up()
    report = kemu.json("perf", "a", "c", "-t", "1")
    [run] = report["runs"]
    assert (run["from"], run["to"], run["backend"], run["protocol"]) == ("pod/default/a", "pod/default/c", "vxlan", "tcp")
    assert run["bits_per_second"] > 1e6


def test_compare_leaves_nothing_behind(kemu: Kemu) -> None:
    kemu.write()
    found = kemu.json("compare", "topo.yaml", "--backends", "host-gw,vxlan", "-t", "1", "--rounds", "1")
    assert [(one["backend"], one["works"], one["mtu"]) for one in found["backends"]] == [
        ("host-gw", True, 1500),
        ("vxlan", True, 1450),
    ]
    assert [row["backend"] for row in found["summary"]] == ["host-gw", "vxlan"]
    assert found["summary"][0]["ratio"] == 1
    assert not _namespaces(f"{kemu.name}-vs-vxlan")


def test_compare_says_which_backend_cannot_and_why(kemu: Kemu) -> None:
    kemu.write(
        "fabric: {segments: [{name: r1}, {name: r2}]}\nnodes: [{name: n, count: 2, segments: [r1, r2]}]\npods: {perNode: 1}\n"
    )
    found = kemu.json("compare", "topo.yaml", "--backends", "host-gw,vxlan", "-t", "1", "--rounds", "1")
    assert [one["works"] for one in found["backends"]] == [False, True]
    assert "host-gw cannot join n-1" in found["backends"][0]["reason"]


def test_host_gw_between_segments_is_refused_and_forced(kemu: Kemu) -> None:
    text = "fabric: {segments: [{name: r1}, {name: r2}]}\nnodes: [{name: n, count: 2, segments: [r1, r2]}]\npods: {perNode: 2}\n"
    done = kemu.call("up", kemu.write(text), "--backend", "host-gw")
    assert done.returncode == 2
    assert "host-gw cannot join n-1 (segment r1) and n-2 (segment r2)" in done.stderr
    assert not _namespaces(kemu.name)
    assert "host-gw cannot join" in kemu.call("up", kemu.directory / "topo.yaml", "--backend", "host-gw", "--force").stderr
    matrix = kemu.json("reach", code=1)
    assert (matrix["reached"], matrix["total"]) == (4, 12)
    assert "host-gw cannot join" in kemu.json("status")["warnings"][0]


def test_a_cluster_without_a_name_or_file_is_explained(kemu: Kemu) -> None:
    done = kemu.call("status")
    assert done.returncode == 4
    assert f'there is no cluster "{kemu.name}"' in done.stderr
    assert kemu.call("down").stdout == f"there is no {kemu.name}: nothing to do\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_compare_cleans_up_when_it_is_stopped(kemu: Kemu, number: signal.Signals) -> None:
    kemu.write()
    command = [sys.executable, "-m", "kemu", "-v", "compare", "topo.yaml", "--backends", "host-gw,vxlan", "-t", "20"]
    with subprocess.Popen(command, cwd=kemu.directory, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "iperf3" in line:
                break
        process.send_signal(number)
        process.stderr.read()
    assert process.returncode == 128 + number
    assert not _namespaces(f"{kemu.name}-vs-host-gw")
    assert not _namespaces(f"{kemu.name}-vs-vxlan")


def test_the_shell_completes_endpoints_clusters_and_examples(kemu: Kemu) -> None:
    kemu.up()
    assert {"a", "shop/d", "n1", "client"} <= _completions("kemu exec -C", kemu.name, "")
    assert "pod/default/a" in _completions("kemu exec -C", kemu.name, "pod/")
    assert kemu.name in _completions("kemu status -C", "")
    assert "two-nodes" in _completions("kemu up", "")


def _completions(*words: str) -> set[str]:
    line = " ".join(words)
    count = len(line.split(" ")) - 1
    environment = {**os.environ, "_KEMU_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(count)}
    done = subprocess.run([Path(sys.executable).parent / "kemu"], env=environment, capture_output=True, text=True, check=True)
    return {row.partition(",")[2] for row in done.stdout.splitlines()}


def test_graph_shows_the_running_cluster_and_what_is_wrong(kemu: Kemu) -> None:
    kemu.up()
    assert "trouble" not in kemu.ok("graph").partition("</style>")[2]
    kemu.ok("exec", "node/n1", "--", "ip", "link", "del", "flannel.1")
    picture = kemu.directory / "now.svg"
    kemu.ok("graph", "-w", picture)
    assert 'class="device trouble"' in picture.read_text()
    assert "vxlan flannel.1 is missing" in picture.read_text()
