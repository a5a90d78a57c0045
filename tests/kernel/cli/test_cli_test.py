"""kemu test: from which file, on which cluster, in which form."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from cli_kemu import TWO_NODES, Kemu

pytestmark = pytest.mark.kernel

EXPECT = "expect:\n- {name: everybody, allow: [any -> any, any -> any:80]}\n- {name: outside, deny: client -> any}\n"
FAILS = "expect:\n- {name: no way, deny: a -> c}\n- {name: a way, allow: a -> b}\n"


def test_the_running_clusters_own_file_is_tried(kemu: Kemu) -> None:
    kemu.up(TWO_NODES + EXPECT)
    assert kemu.ok("test").splitlines() == ["ok    everybody", "ok    outside", "2 of 2 expectations hold"]


def test_what_does_not_hold_is_named_with_the_next_command_and_exits_with_1(kemu: Kemu) -> None:
    kemu.up(TWO_NODES + FAILS)
    done = kemu.call("test")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "FAIL  no way (topo.yaml:11)",
        "      pod/default/a -> pod/default/c, icmp: reached, and is to be denied",
        "ok    a way",
        "1 of 2 expectations hold",
        "",
        f"Next: kemu reach --from pod/default/a --to pod/default/c -C {kemu.name} · kemu status -C {kemu.name}",
    ]


def test_a_file_of_expectations_is_tried_on_the_running_cluster(kemu: Kemu) -> None:
    kemu.up()
    (kemu.directory / "checks.yaml").write_text(FAILS)
    done = kemu.call("test", "checks.yaml", "-o", "github")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == (
        "::error file=checks.yaml,line=2,col=3,title=no way::pod/default/a -> pod/default/c, icmp: reached, and is to be denied"
    )
    (kemu.directory / "wrong.yaml").write_text("expect:\n- allow: a -> nobody\n")
    wrong = kemu.call("test", "wrong.yaml", "-o", "github")
    assert wrong.returncode == 2
    assert wrong.stdout.startswith("::error file=wrong.yaml,line=2,col=15::")
    assert "wrong.yaml:2:15: error: expectation allow a -> nobody: there is no pod" in wrong.stderr


def test_a_changed_file_is_tried_and_the_change_is_said(kemu: Kemu) -> None:
    kemu.up(TWO_NODES + EXPECT)
    file = kemu.write(TWO_NODES + FAILS)
    assert kemu.call("test", file).returncode == 1
    assert "another network" not in kemu.call("test", file).stderr
    kemu.write(TWO_NODES.replace("name: d, node: n2", "name: d, node: n1") + EXPECT)
    done = kemu.call("test", file)
    assert done.returncode == 0
    assert "describes another network than" in done.stderr


def test_a_cluster_of_its_own_lives_as_long_as_the_test(kemu: Kemu) -> None:
    file = kemu.write(TWO_NODES + EXPECT)
    missing = kemu.call("test", file)
    assert missing.returncode == 4
    assert f"kemu test --up {file}" in missing.stderr
    assert kemu.ok("test", "--up", file, "--backend", "host-gw").endswith("2 of 2 expectations hold\n")
    kemu.write(TWO_NODES + FAILS)
    report = kemu.json("test", "--up", file, code=1)
    assert (report["cluster"], report["held"], report["total"]) == (kemu.name, 1, 2)
    names = json.loads(kemu.call("ls", "-o", "json").stdout)["clusters"]
    assert not [one for one in names if one["name"].startswith(kemu.name)]


def test_junit_is_read_as_xml(kemu: Kemu) -> None:
    done = kemu.call("test", "--up", kemu.write(TWO_NODES + FAILS), "-o", "junit")
    assert done.returncode == 1
    root = ElementTree.fromstring(done.stdout)
    assert [case.get("classname") for case in root.iter("testcase")] == [f"kemu.{kemu.name}"] * 2
    assert len(list(root.iter("failure"))) == 1


def test_a_test_of_nothing_does_not_pass(kemu: Kemu) -> None:
    kemu.up()
    done = kemu.call("test")
    assert done.returncode == 2
    assert "topo.yaml expects nothing" in done.stderr
    (kemu.directory / "checks.yaml").write_text(EXPECT)
    assert "no topology to bring up" in kemu.call("test", "--up", "checks.yaml").stderr
    assert "not without --up" in kemu.call("test", "checks.yaml", "--backend", "vxlan").stderr
    assert "holds expectations" in kemu.call("up", "checks.yaml").stderr
