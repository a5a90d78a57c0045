"""What a topology file means: names, placement, subnets and addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_reading import problems, read, texts

from kemu.base.errors import SpecError
from kemu.spec.model import IpFamily, KubeProxyMode, PolicyEngine, Protocol


def test_defaults_of_an_almost_empty_file() -> None:
    topology = read("pods: []")
    networking = topology.networking
    assert topology.name == "lab"
    assert [node.name for node in topology.nodes] == ["n1", "n2"]
    assert (networking.backend.name, networking.backend.mark) == ("vxlan", None)
    assert networking.ip_family is IpFamily.IPV4
    assert networking.kube_proxy_mode is KubeProxyMode.NFTABLES
    assert networking.policy_engine is PolicyEngine.AUTO
    assert texts(networking.pod_subnets + networking.service_subnets) == ["10.244.0.0/16", "10.96.0.0/16"]
    assert networking.node_prefixes == (24,)
    [segment] = topology.fabric.segments
    assert (segment.name, texts(segment.subnets), texts(segment.router)) == ("lan", ["172.18.0.0/16"], ["172.18.0.1"])
    assert (topology.fabric.mtu, segment.mark) == (1500, None)
    assert (topology.hosts, topology.namespaces, topology.pods) == ((), (), ())


def test_the_name_is_the_files_stem_unless_given() -> None:
    assert read("nodes: 1", path=Path("/x/two.kemu.yaml")).name == "two"
    assert read("name: other\nnodes: 1", path=None).name == "other"


def test_text_and_path_of_the_file_are_kept() -> None:
    topology = read("nodes: 1")
    assert (topology.text, topology.source) == ("nodes: 1", Path("/nowhere/lab.yaml"))


def test_numbers_make_numbered_machines_and_pods_node_by_node() -> None:
    topology = read("nodes: 3\npods: {perNode: 2}\nhosts: 2")
    assert [node.name for node in topology.nodes] == ["n1", "n2", "n3"]
    assert [(pod.name, pod.node) for pod in topology.pods] == [
        ("p1", "n1"),
        ("p2", "n1"),
        ("p3", "n2"),
        ("p4", "n2"),
        ("p5", "n3"),
        ("p6", "n3"),
    ]
    assert [host.name for host in topology.hosts] == ["h1", "h2"]
    assert [node.position for node in topology.nodes] == [0, 1, 2]


def test_counts_number_also_one_and_bare_names_stay_bare() -> None:
    topology = read(
        """
nodes:
- {name: w, count: 1}
- {name: bare}
pods:
- {name: web, replicas: 1}
- {name: agent, perNode: 1}
- {name: none, replicas: 0}
- {name: alone}
hosts:
- {name: c, count: 2}
"""
    )
    assert [node.name for node in topology.nodes] == ["w-1", "bare"]
    assert [pod.name for pod in topology.pods] == ["web-1", "agent-1", "agent-2", "alone"]
    assert [host.name for host in topology.hosts] == ["c-1", "c-2"]


def test_pods_go_to_the_node_with_the_fewest_so_far() -> None:
    topology = read(
        """
nodes: 3
pods:
- {name: a, node: n1, replicas: 2}
- {name: b, node: n3}
- {name: c, replicas: 4}
"""
    )
    assert [(pod.name, pod.node) for pod in topology.pods][3:] == [("c-1", "n2"), ("c-2", "n2"), ("c-3", "n3"), ("c-4", "n1")]


def test_an_address_decides_the_node() -> None:
    topology = read("pods:\n- {name: a}\n- {name: b}\n- {name: c, address: 10.244.1.9}\n- {name: d}")
    assert [pod.node for pod in topology.pods] == ["n1", "n2", "n2", "n1"]
    assert str(topology.pods[2].addresses[0]) == "10.244.1.9"


def test_addresses_follow_position() -> None:
    topology = read("nodes: 2\npods: {perNode: 2}\nhosts: 2")
    assert texts(node.addresses[0] for node in topology.nodes) == ["172.18.0.11", "172.18.0.12"]
    assert texts(host.addresses[0] for host in topology.hosts) == ["172.18.0.101", "172.18.0.102"]
    assert texts(pod.addresses[0] for pod in topology.pods) == ["10.244.0.2", "10.244.0.3", "10.244.1.2", "10.244.1.3"]
    assert texts(node.gateways[0] for node in topology.nodes) == ["10.244.0.1", "10.244.1.1"]


def test_pinned_addresses_are_skipped_even_if_they_come_later() -> None:
    topology = read(
        """
nodes:
- {name: a}
- {name: b, address: 172.18.0.11}
pods:
- {name: x, node: a}
- {name: y, node: a, address: 10.244.0.2}
hosts:
- {name: h}
- {name: i, address: 172.18.0.101}
"""
    )
    assert texts(node.addresses[0] for node in topology.nodes) == ["172.18.0.12", "172.18.0.11"]
    assert texts(pod.addresses[0] for pod in topology.pods) == ["10.244.0.3", "10.244.0.2"]
    assert texts(host.addresses[0] for host in topology.hosts) == ["172.18.0.102", "172.18.0.101"]


def test_small_segments_are_filled_from_the_start_when_the_end_is_reached() -> None:
    topology = read("fabric: {segments: [{name: s, subnet: 172.18.1.0/28}]}\nnodes: 12\nhosts: 1")
    addresses = [node.addresses[0] for node in (*topology.nodes, *topology.hosts)]
    assert texts(addresses[:5]) == [f"172.18.1.{last}" for last in (11, 12, 13, 14, 2)]
    assert len(set(addresses)) == 13


def test_full_subnets_are_good() -> None:
    assert len(read("pods: {perNode: 253}").pods) == 506
    assert len(read("networking: {nodePrefix: 28}\npods: {perNode: 13}").pods) == 26


def test_node_i_takes_part_i_and_pinned_parts_are_skipped() -> None:
    topology = read("nodes:\n- {name: a}\n- {name: b, podSubnet: 10.244.2.0/24}\n- {name: c}\n- {name: d}")
    subnets = [str(node.pod_subnets[0]) for node in topology.nodes]
    assert subnets == ["10.244.0.0/24", "10.244.2.0/24", "10.244.4.0/24", "10.244.3.0/24"]


def test_a_pinned_subnet_may_have_another_size() -> None:
    topology = read("nodes:\n- {name: a, podSubnet: 10.244.0.0/20}\n- {name: b}\n- {name: c}")
    assert [str(node.pod_subnets[0]) for node in topology.nodes] == ["10.244.0.0/20", "10.244.16.0/24", "10.244.17.0/24"]


def test_several_segments_are_numbered_and_dealt_out() -> None:
    topology = read(
        """
networking: {ipFamily: dual}
fabric:
  segments: [{name: rack1}, {name: rack2}]
nodes:
- {name: w, count: 3, segments: [rack2, rack1]}
- {name: x}
hosts: 1
"""
    )
    assert [texts(one.subnets) for one in topology.fabric.segments] == [
        ["172.18.1.0/24", "fd00:172:18:1::/64"],
        ["172.18.2.0/24", "fd00:172:18:2::/64"],
    ]
    assert [(node.segment, str(node.addresses[0])) for node in topology.nodes] == [
        ("rack2", "172.18.2.11"),
        ("rack1", "172.18.1.11"),
        ("rack2", "172.18.2.12"),
        ("rack1", "172.18.1.12"),
    ]
    assert texts(topology.hosts[0].addresses) == ["172.18.1.101", "fd00:172:18:1::65"]
    assert topology.segment(topology.nodes[0]).name == "rack2"


def test_a_segments_default_makes_way_for_a_given_subnet() -> None:
    topology = read("fabric: {segments: [{name: a, subnet: 172.18.2.0/24}, {name: b}, {name: c}]}")
    assert [str(one.subnets[0]) for one in topology.fabric.segments] == ["172.18.2.0/24", "172.18.4.0/24", "172.18.3.0/24"]


def test_dual_has_a_pair_everywhere_ipv4_first() -> None:
    topology = read("networking: {ipFamily: dual}\nnodes: 2\npods: {perNode: 1}\nhosts: 1")
    assert texts(topology.nodes[1].addresses) == ["172.18.0.12", "fd00:172:18::c"]
    assert texts(topology.nodes[1].pod_subnets) == ["10.244.1.0/24", "fd00:10:244:1::/64"]
    assert texts(topology.pods[1].addresses) == ["10.244.1.2", "fd00:10:244:1::2"]
    assert texts(topology.hosts[0].addresses) == ["172.18.0.101", "fd00:172:18::65"]
    assert topology.networking.node_prefixes == (24, 64)
    assert texts(topology.networking.service_subnets) == ["10.96.0.0/16", "fd00:10:96::/112"]


def test_ipv6_alone() -> None:
    topology = read("networking: {ipFamily: ipv6, nodePrefix: 72}\npods: {perNode: 1}")
    assert texts(topology.nodes[1].pod_subnets) == ["fd00:10:244:0:100::/72"]
    assert texts(topology.pods[1].addresses) == ["fd00:10:244:0:100::2"]
    assert texts(topology.fabric.segments[0].router) == ["fd00:172:18::1"]


def test_a_family_that_a_pin_leaves_out_has_its_default() -> None:
    topology = read(
        """
networking: {ipFamily: dual, podSubnet: 'fd00:1::/56', nodePrefix: 25}
nodes:
- {name: a, address: 'fd00:172:18::99', podSubnet: 10.244.9.0/24}
pods:
- {name: x, address: [ 'fd00:1::99' ]}
"""
    )
    assert texts(topology.networking.pod_subnets) == ["10.244.0.0/16", "fd00:1::/56"]
    assert topology.networking.node_prefixes == (25, 64)
    assert texts(topology.nodes[0].addresses) == ["172.18.0.11", "fd00:172:18::99"]
    assert texts(topology.nodes[0].pod_subnets) == ["10.244.9.0/24", "fd00:1::/64"]
    assert texts(topology.pods[0].addresses) == ["10.244.9.2", "fd00:1::99"]


def test_lists_of_two_may_come_in_any_order() -> None:
    topology = read("networking: {ipFamily: dual, podSubnet: ['fd00:1::/56', 10.1.0.0/16]}")
    assert texts(topology.networking.pod_subnets) == ["10.1.0.0/16", "fd00:1::/56"]


def test_anchors_and_merge_keys_with_override() -> None:
    topology = read(
        """
x-web: &web {labels: {app: web}, ports: [{containerPort: 80}]}
x-far: &far {node: n2, labels: {app: far}}
pods:
- {<<: *web, name: a}
- {name: b, labels: {app: mine}, <<: *web}
- {<<: [*web, *far], name: c}
"""
    )
    assert [dict(pod.labels) for pod in topology.pods] == [{"app": "web"}, {"app": "mine"}, {"app": "web"}]
    assert [pod.ports[0].number for pod in topology.pods] == [80, 80, 80]
    assert topology.pods[2].node == "n2"


def test_merges_of_merges_stay_small() -> None:
    lines = ["x-a0: &a0 {labels: {a: b}}"]
    lines += [f"x-a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 30)]
    assert dict(read("\n".join([*lines, "pods: [{<<: *a29, name: a}]"])).pods[0].labels) == {"a": "b"}


def test_words_stay_the_text_that_was_typed() -> None:
    topology = read(
        """
name: no
nodes:
- {name: on, labels: {a: no, b: 1e3, c: 010, d: 1.10, e: , f: 2001-01-01}, sysctls: {net.ipv4.ip_forward: 0x1}}
- {name: 1e3}
pods:
- {name: yes, namespace: null-ish, labels: {mac: 52.54.00, empty: ""}}
"""
    )
    assert topology.name == "no"
    assert [node.name for node in topology.nodes] == ["on", "1e3"]
    assert dict(topology.nodes[0].labels) == {"a": "no", "b": "1e3", "c": "010", "d": "1.10", "e": "", "f": "2001-01-01"}
    assert dict(topology.nodes[0].sysctls) == {"net.ipv4.ip_forward": "0x1"}
    assert dict(topology.pods[0].labels) == {"mac": "52.54.00", "empty": ""}


def test_what_yaml_takes_for_a_number_stays_text() -> None:
    topology = read("pods:\n- {name: a, sysctls: {net.core.x: 52:54:00:12:34:56}}")
    assert topology.pods[0].sysctls["net.core.x"] == "52:54:00:12:34:56"


def test_null_is_absent() -> None:
    topology = read(
        "name:\nnetworking: ~\nfabric: {segments: null}\nnodes:\npods:\n- {name: a, replicas: ~, node: null}\nhosts: ~\n"
    )
    assert (topology.name, len(topology.nodes), topology.pods[0].name) == ("lab", 2, "a")


def test_what_works_already_may_be_said() -> None:
    text = "internet: false\nfabric: {allowForeignAddresses: true, podRoutes: none}\npods: [{name: a, hostNetwork: false}]"
    assert len(read(text).pods) == 1


def test_ports_and_namespaces() -> None:
    topology = read(
        """
namespaces: [{name: shop, labels: {team: a}}]
pods:
- name: web
  namespace: shop
  ports: [{name: dns, containerPort: 53, protocol: UDP}, {containerPort: 53}]
- name: web
"""
    )
    [shop] = topology.namespaces
    assert (shop.name, dict(shop.labels)) == ("shop", {"team": "a"})
    first, second = topology.pods[0].ports
    assert (first.number, first.protocol, first.name) == (53, Protocol.UDP, "dns")
    assert (second.protocol, second.name) == (Protocol.TCP, "")
    assert [pod.netns for pod in topology.pods] == ["shop.web", "default.web"]


def test_declared_ports_are_served_unless_the_file_says_otherwise() -> None:
    assert [pod.serve for pod in read("pods: [{name: a}, {name: b, serve: false}, {name: c, serve: true}]").pods] == [
        True,
        False,
        True,
    ]
    assert not read("pods: {perNode: 1, serve: false}").pods[0].serve


def test_a_pod_may_have_the_name_of_a_node() -> None:
    assert read("pods: [{name: n1}]").pods[0].netns == "default.n1"


def test_elements_know_their_line() -> None:
    topology = read("nodes:\n- name: a\n- name: b\npods:\n- {name: x, replicas: 2}\n")
    assert [node.mark.line for node in topology.nodes if node.mark] == [2, 3]
    assert [pod.mark.line for pod in topology.pods if pod.mark] == [5, 5]


def test_backend_options_are_read_into_its_class() -> None:
    topology = read("networking:\n  backend: {vxlan: {vni: 7, directRouting: true}}")
    options = topology.networking.backend.options
    assert (options.vni, options.port, options.direct_routing) == (7, 8472, True)
    assert topology.networking.backend.mark
    assert read("networking: {backend: {vxlan: }}").networking.backend.options.vni == 1


def test_another_backend_drops_options_and_the_same_keeps_them() -> None:
    text = "networking: {backend: {vxlan: {vni: 7}}}"
    assert read(text, backend="vxlan").networking.backend.options.vni == 7
    assert read(text, backend="host-gw").networking.backend.name == "host-gw"
    assert read("networking: {backend: host-gw}", backend="vxlan").networking.backend.options.vni == 1


def test_an_unknown_backend_of_the_command_line_is_a_problem() -> None:
    with pytest.raises(SpecError, match='there is no backend called "vxlna"'):
        read("nodes: 1", backend="vxlna")


def test_a_mistake_in_an_anchor_is_told_once() -> None:
    text = "x-a: &a {labels: {app: a b}}\npods:\n- {<<: *a, name: x}\n- {<<: *a, name: y}"
    assert len(problems(text)) == 1


def test_a_subnet_that_hides_many_parts_is_leapt_over() -> None:
    text = "networking: {ipFamily: ipv6, nodePrefix: 126}\nnodes:\n- {name: a, podSubnet: 'fd00:10:244::/57'}\n- {name: b}"
    assert str(read(text).nodes[1].pod_subnets[0]) == "fd00:10:244:80::/126"
