"""Tests of other projects with real clusters: what is shared, what is mended, and that nothing stays."""

from __future__ import annotations

import re

import pytest

from kemu import Cluster

pytestmark = pytest.mark.kernel
pytest_plugins = "pytester"

TESTS = """
import pytest

LAB = pytest.mark.kemu({"nodes": 2, "pods": [{"name": "a"}, {"name": "b"}]}, backends=["host-gw", "vxlan"])


@LAB
def test_it_works(kemu_cluster):
    print("NAME", kemu_cluster.name)
    assert kemu_cluster.reach().lost == 0
    assert kemu_cluster.node("n1").run(["ip", "route", "del", "10.244.1.0/24"]).returncode == 0
    kemu_cluster.link("n2").set(up=False)


@LAB
def test_it_is_mended(kemu_cluster):
    print("NAME", kemu_cluster.name)
    assert kemu_cluster.status().state == "ok"
    assert kemu_cluster.reach().lost == 0


@pytest.mark.kemu("own.yaml")
class TestOwn:
    def test_it_may_go_down(self, kemu_cluster):
        print("NAME", kemu_cluster.name)
        assert kemu_cluster.down()

    def test_it_comes_back(self, kemu_cluster):
        print("NAME", kemu_cluster.name)
        assert kemu_cluster.topology.backend == "vxlan"
        assert kemu_cluster.status().state == "ok"


@pytest.mark.kemu("own.yaml")
def test_damage(kemu_cluster):
    kemu_cluster.node("n1").run(["ip", "link", "del", "flannel.1"])
    assert kemu_cluster.test().failures == []
"""
OWN = "pods: {perNode: 1}\nexpect: [{name: everybody, allow: any -> any}]\n"


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *words: str) -> pytest.RunResult:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makefile(".yaml", own=OWN)
    pytester.makepyfile(TESTS)
    return pytester.runpytest_subprocess("-p", "kemu.testing.plugin", "-p", "no:cacheprovider", *words)


def left(names: set[str]) -> set[str]:
    return names & {cluster.name for cluster in Cluster.all()}


def test_clusters_are_shared_mended_and_gone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(pytester, monkeypatch, "-s")
    result.assert_outcomes(passed=6, failed=1)
    names = re.findall(r"NAME (\S+)", result.stdout.str())
    assert len(names) == 6
    assert len(set(names)) == 3, "one for each backend, and one for the file"
    assert {re.sub(r"\d+", "#", name) for name in names} == {"inline-t#-#", "own-t#-#"}
    assert left(set(names)) == set()


def test_a_test_that_fails_is_shown_what_differs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(pytester, monkeypatch, "-k", "test_damage")
    result.assert_outcomes(failed=1, deselected=6)
    result.stdout.fnmatch_lines(
        ["*everybody: pod/default/p* -> pod/default/p*, icmp: *", "*- kemu -*", "own-t*-1, vxlan: drifted"]
    )
    result.stdout.fnmatch_lines(["*n1: vxlan flannel.1 is missing"])


def test_workers_have_clusters_of_their_own(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(pytester, monkeypatch, "-p", "xdist", "-n2", "-rP", "-k", "not test_damage")
    result.assert_outcomes(passed=6)
    assert left(set(re.findall(r"NAME (\S+)", result.stdout.str()))) == set()


def test_an_interrupted_run_leaves_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeconftest(
        "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_runtest_call(item):\n    raise KeyboardInterrupt\n"
    )
    result = run(pytester, monkeypatch, "-s")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    names = set(re.findall(r"NAME (\S+)", result.stdout.str()))
    assert len(names) == 1
    assert left(names) == set()
