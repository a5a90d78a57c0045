"""`--set`: every form, and what is said of wrong ones."""

from __future__ import annotations

import pytest
from spec_reading import problems, read, texts

from kemu.base.errors import SpecError, UsageError
from kemu.base.render import show_error

FILE = """\
x-labels: &labels {app: web}
networking: {backend: vxlan}
nodes:
- {name: a}
- {name: b}
pods:
- {name: x, labels: *labels}
- {name: y, labels: *labels}
"""


def test_a_missing_key_is_made() -> None:
    assert read("nodes: 1", "networking.ipFamily=dual").networking.ip_family == "dual"
    assert read("nodes: 1", "fabric.mtu=9000").fabric.mtu == 9000
    assert len(read("nodes: 2", "pods.perNode=3").pods) == 6


def test_a_key_is_replaced() -> None:
    assert len(read("nodes: 2", "nodes=4").nodes) == 4
    assert read("name: old", "name=new").name == "new"


def test_an_empty_value_removes_a_key() -> None:
    assert read(FILE, "pods=").pods == ()


def test_later_changes_win() -> None:
    assert len(read("nodes: 2", "nodes=4", "nodes=5").nodes) == 5


def test_lists_are_entered_by_name_and_by_place() -> None:
    topology = read(FILE, "nodes.b.address=172.18.0.50", "nodes.0.address=172.18.0.40")
    assert texts(node.addresses[0] for node in topology.nodes) == ["172.18.0.40", "172.18.0.50"]


def test_an_element_is_replaced_whole() -> None:
    assert [node.name for node in read(FILE, "nodes.b={name: c}").nodes] == ["a", "c"]


def test_numbers_unfold_into_lists() -> None:
    topology = read("nodes: 3\nhosts: 1", "nodes.n3.address=172.18.0.50", "hosts.h1.address=172.18.0.60")
    assert [node.name for node in topology.nodes] == ["n1", "n2", "n3"]
    assert (str(topology.nodes[2].addresses[0]), str(topology.hosts[0].addresses[0])) == ("172.18.0.50", "172.18.0.60")


def test_absent_nodes_unfold_into_the_default_two() -> None:
    for text in ("pods: []", "nodes:"):
        topology = read(text, "nodes.n2.address=172.18.0.50")
        assert texts(node.addresses[0] for node in topology.nodes) == ["172.18.0.11", "172.18.0.50"]


def test_a_key_with_dots_stands_in_brackets() -> None:
    topology = read(FILE, "nodes.a.labels[topology.kubernetes.io/zone]=z", "nodes.b.labels.[a.b/c]=d")
    assert dict(topology.nodes[0].labels) == {"topology.kubernetes.io/zone": "z"}
    assert dict(topology.nodes[1].labels) == {"a.b/c": "d"}


def test_values_are_yaml() -> None:
    text = "networking.podSubnet=[10.1.0.0/16, 'fd00:1::/56']"
    assert texts(read("nodes: 1", "networking.ipFamily=dual", text).networking.pod_subnets) == ["10.1.0.0/16", "fd00:1::/56"]
    assert dict(read(FILE, "pods.x.labels={a: 'b'}").pods[0].labels) == {"a": "b"}
    assert dict(read(FILE, "pods.x.labels.a=b").pods[0].labels) == {"app": "web", "a": "b"}


def test_what_an_alias_shares_is_changed_in_one_place_only() -> None:
    topology = read(FILE, "pods.x.labels.app=other")
    assert [dict(pod.labels) for pod in topology.pods] == [{"app": "other"}, {"app": "web"}]


def test_what_is_merged_is_changed_and_its_neighbours_stay() -> None:
    text = "x-a: &a {labels: {app: web, tier: front}}\npods:\n- {<<: *a, name: x}\n- {<<: *a, name: y}"
    topology = read(text, "pods.x.labels.app=db")
    assert [dict(pod.labels) for pod in topology.pods] == [{"app": "db", "tier": "front"}, {"app": "web", "tier": "front"}]


def test_options_of_a_backend_unfold() -> None:
    assert read(FILE, "networking.backend.vxlan.vni=9").networking.backend.options.vni == 9
    text = "networking: {backend: {vxlan: {port: 4789}}}"
    options = read(text, "networking.backend.vxlan.vni=9").networking.backend.options
    assert (options.vni, options.port) == (9, 4789)
    assert read("networking: {backend: host-gw}", "networking.backend.vxlan.vni=9").networking.backend.name == "vxlan"


@pytest.mark.parametrize("change", ["nodes", "=3", "nodes..n1=3", ".nodes=3", "nodes.=3", "nodes[=3", "nodes[]=3", ""])
def test_what_is_no_change_is_refused(change: str) -> None:
    with pytest.raises(UsageError, match="is no change"):
        read("nodes: 2", change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("nodes.n9.address=1.2.3.4", 'nodes has no element "n9"'),
        ("nodes.7=3", 'nodes has no element "7"'),
        ("nodes.²=3", 'nodes has no element "²"'),
        ("name.first=3", "name has no keys"),
        ("name.first.second=3", "name has no keys"),
    ],
)
def test_paths_that_lead_nowhere_are_refused(change: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read("name: lab\nnodes: 2", change)
    assert said in caught.value.message


def test_a_missing_element_has_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        read("nodes: [{name: storage}, {name: compute}]", "nodes.storag.address=1.2.3.4")
    assert caught.value.hint == 'did you mean "storage"?'


def test_a_wrong_value_is_shown_where_it_was_typed() -> None:
    with pytest.raises(SpecError) as caught:
        read("nodes: 2", "networking.ipFamily=duel")
    assert show_error(caught.value).splitlines() == [
        '--set networking.ipFamily=duel:1:1: error: networking: ipFamily: expected ipv4, ipv6 or dual, not "duel"',
        "   1 | duel",
        "     | ^^^^",
    ]


def test_a_value_that_is_no_yaml_is_refused() -> None:
    assert problems("nodes: 2", "nodes=[1")[0].startswith("this is no YAML")


def test_a_file_that_is_no_mapping_is_refused_before_its_changes() -> None:
    assert problems("- a", "nodes=2") == ["a topology: expected a mapping, not a list"]


@pytest.mark.parametrize(
    ("changes", "place", "underlined"),
    [
        (["nodes.a.adress=1"], (1, 9), "adress"),
        (["podz.x=1"], (1, 1), "podz"),
        (["fabric.link.foo.bar=1"], (1, 13), "foo"),
        (["nodes.a.labels[a b]=1"], (1, 16), "a b"),
        (["nodes.a={name: k}", "nodes.k.foo=1"], (1, 9), "foo"),
    ],
)
def test_a_wrong_word_of_a_path_is_shown_in_the_option_itself(
    changes: list[str], place: tuple[int, int], underlined: str
) -> None:
    with pytest.raises(SpecError) as caught:
        read(FILE, *changes)
    [mark] = [problem.mark for problem in caught.value.problems]
    assert mark is not None
    assert (mark.file, mark.text) == (f"--set {changes[-1]}", changes[-1])
    assert (mark.line, mark.column) == place
    assert mark.text[mark.column - 1 :][: mark.width] == underlined


def test_a_wrong_value_that_another_change_entered_stays_in_its_own_option() -> None:
    with pytest.raises(SpecError) as caught:
        read(FILE, "nodes.a={name: k, adress: 3}", "nodes.k.labels.x=y")
    assert [problem.mark and problem.mark.file for problem in caught.value.problems] == ["--set nodes.a={name: k, adress: 3}"]
