"""Topologies, plans in views, listings and statuses: the part of the API that needs no rights."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

import kemu
from kemu import Topology
from kemu.api.admission import Admission, refuse
from kemu.api.backends import backend_facts, backend_names
from kemu.api.comparing import compare
from kemu.api.listing import list_kind
from kemu.api.perf import Request
from kemu.api.planning import differences, view, with_backend
from kemu.api.reachability import choose_pairs, read_probe
from kemu.api.status import find_renumbered
from kemu.api.topology import examples
from kemu.base.errors import NotFoundError, SpecError, StateError, UsageError
from kemu.base.reporter import SILENT
from kemu.cluster.state import Record, StateDirectory

TEXT = "name: t\nnodes: 2\npods:\n- {name: a, labels: {app: web}}\n- {name: b}\n- {name: c, namespace: shop}\n"


def test_the_api_is_what_kemu_offers_by_name() -> None:
    assert kemu.Topology.parse(TEXT).name == "t"
    assert set(kemu.__all__) == {"Cluster", "Topology"}
    with pytest.raises(AttributeError):
        kemu.Nothing  # noqa: B018


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_every_example_plans_and_teaches(example: object) -> None:
    topology = kemu.Topology.load(example.name)  # type: ignore[attr-defined]
    assert len(topology.plan())
    assert example.lesson[0].endswith(".")  # type: ignore[attr-defined]


def test_a_file_that_is_no_text_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes("nodes: 2\n# für\nname: lä\xff".encode().replace("ÿ".encode(), b"\xff") + b"\n")
    with pytest.raises(SpecError) as caught:
        kemu.Topology.load(path)
    [problem] = caught.value.problems
    assert problem.message == "this is no UTF-8 text: byte 0xff"
    assert str(problem.mark) == f"{path}:3:9"


def test_a_directory_is_no_topology(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        kemu.Topology.load(tmp_path / "missing.yaml")


def test_the_name_of_a_file_names_the_cluster(tmp_path: Path) -> None:
    path = tmp_path / "lab.kemu.yaml"
    path.write_text("nodes: 1\n")
    assert kemu.Topology.load(path).name == "lab"


def test_a_backend_from_outside_replaces_the_files(tmp_path: Path) -> None:
    topology = kemu.Topology.parse(TEXT, backend="host-gw")
    assert topology.backend == "host-gw"
    assert with_backend(topology, "vxlan").backend == "vxlan"


def test_differences_of_a_plan_to_itself_are_none() -> None:
    plan = view(kemu.Topology.parse(TEXT))
    assert differences(plan, plan) == []


def test_listings_have_a_row_for_each() -> None:
    model = kemu.Topology.parse(TEXT).model
    pods = list_kind(model, "pods")
    assert [(*row[:2], row[5]) for row in pods.rows] == [("default", "a", "n1"), ("default", "b", "n2"), ("shop", "c", "n1")]
    assert [row[1] for row in list_kind(model, "pods", namespace="shop").rows] == ["c"]
    assert [row[0] for row in list_kind(model, "namespaces").rows] == ["default", "shop"]
    with pytest.raises(NotFoundError):
        list_kind(model, "nodes", name="n3")


def test_inserting_in_the_middle_renumbers_what_follows() -> None:
    before = kemu.Topology.parse(TEXT).model
    after = kemu.Topology.parse(TEXT.replace("pods:\n", "pods:\n- {name: first, node: n1}\n- {name: second, node: n1}\n")).model
    assert "pod/default/a 10.244.0.2 -> 10.244.1.2" in [str(move) for move in find_renumbered(before, after)]


def test_pairs_are_ordered_and_without_the_diagonal() -> None:
    with pytest.raises(UsageError, match="ports are 1 to 65535"):
        read_probe("tcp", 70000)
    assert choose_pairs([], [], every=False, sample=None) == []


def test_comparing_needs_two_nodes_with_pods() -> None:
    with pytest.raises(UsageError, match="no two pods on different nodes"):
        compare(kemu.Topology.parse("name: t\nnodes: 1\npods: {perNode: 2}\n"), ["vxlan"], Request())
    with pytest.raises(UsageError, match="there is no backend"):
        compare(kemu.Topology.parse(TEXT), ["nosuch"], Request())
    with pytest.raises(UsageError, match="nothing to compare"):
        compare(kemu.Topology.parse(TEXT), [], Request())


def test_all_clusters_that_stand_in_the_way_of_a_comparison_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kemu.cluster.lifecycle.find_clusters", lambda: ["t-vs-host-gw", "t-vs-ptp", "t-vs-vxlan"])
    topology = kemu.Topology.parse("name: t\nnodes: 2\npods: {perNode: 1}\n")
    with pytest.raises(StateError, match="clusters t-vs-vxlan, t-vs-host-gw are there") as caught:
        compare(topology, ["vxlan", "host-gw"], Request())
    assert caught.value.hint == "kemu down t-vs-vxlan t-vs-host-gw"
    with pytest.raises(StateError, match="a cluster t-vs-vxlan is there"):
        compare(topology, ["vxlan", "kindnet"], Request())


@pytest.mark.parametrize("name", backend_names())
def test_every_backend_tells_all_about_itself(name: str) -> None:
    facts = backend_facts(name)
    for heading in ("Why:", "Entries:", "Cost:", "Fails as:", "Source:"):
        assert heading in facts.documentation
    assert facts.needs


class FakeState(StateDirectory):
    """A state directory whose file is `TEXT`."""

    def find_topology(self) -> str | None:
        return TEXT


def _admission(text: str, *, backend: str | None = None, replace: bool = False) -> Admission:
    wanted = kemu.Topology.parse(text, file="/here/t.yaml", backend=backend)
    return Admission(wanted=wanted, replace=replace, confirm=refuse, reporter=SILENT)


KNOWN = Record(cluster="t", file="/here/t.yaml", ready=True)


def test_the_same_file_is_admitted() -> None:
    assert _admission(TEXT)(KNOWN, FakeState("t"))


def test_another_backend_is_made_anew() -> None:
    assert not _admission(TEXT, backend="host-gw")(KNOWN, FakeState("t"))


def test_an_unfinished_cluster_is_mended_whatever_it_was() -> None:
    assert _admission(TEXT, backend="host-gw")(Record(cluster="t", file="/here/t.yaml"), FakeState("t"))


def test_another_file_is_refused_unless_it_replaces() -> None:
    other = Record(cluster="t", file="/there/t.yaml", ready=True)
    with pytest.raises(StateError, match=r"/there/t\.yaml, and this is /here/t\.yaml"):
        _admission(TEXT)(other, FakeState("t"))
    assert _admission(TEXT, replace=True)(other, FakeState("t"))


def test_moved_addresses_are_refused_unless_confirmed() -> None:
    with pytest.raises(StateError, match="moves 3 endpoints"):
        _admission(TEXT.replace("- {name: a,", "- {name: z}\n- {name: a,"))(KNOWN, FakeState("t"))


def test_a_topology_is_built_from_python_data_in_the_words_of_the_file() -> None:
    built = Topology.build(
        name="lab",
        nodes=3,
        networking={"backend": {"vxlan": {"directRouting": True}}, "podSubnet": ip_network("10.9.0.0/16")},
        pods=[{"name": "web", "replicas": 3, "labels": {"version": "1"}}],
        hosts=None,
    )
    assert [pod.labels["version"] for pod in built.model.pods] == ["1", "1", "1"]
    assert str(built.model.pods[0].addresses[0]) == "10.9.0.2"
    assert Topology.parse(built.model.text).plan().objects == built.plan().objects
    assert built.to_yaml() == (
        "name: lab\n"
        "networking: {backend: {vxlan: {directRouting: true}}, podSubnet: 10.9.0.0/16}\n"
        "nodes: 3\n"
        "pods:\n"
        '- {name: web, perNode: 1, labels: {version: "1"}}\n'
    )


def test_what_is_wrong_in_python_data_is_named_by_its_path() -> None:
    with pytest.raises(SpecError) as caught:
        Topology.build(
            name="lab",
            nodes=[{"name": "a"}, {"name": "b", "segment": "x"}],
            pods=[{"name": "web", "replicas": -1}, {"nam": "x"}],
            networking={"pod_subnet": "10.0.0.0/8"},
        )
    messages = [problem.message for problem in caught.value.problems]
    assert [message.split(": ")[0] for message in messages] == [
        "nodes[1].segment",
        "pods[0].replicas",
        "pods[1].nam",
        "networking.pod_subnet",
    ]
    assert not [problem for problem in caught.value.problems if problem.mark]
    with pytest.raises(SpecError, match=r"^expect\[0\].allow: .* there is no pod"):
        Topology.build(name="lab", expect=[{"allow": "node/n1 -> nobody"}])
    with pytest.raises(SpecError, match="the cluster has no name"):
        Topology.build(nodes=2)
