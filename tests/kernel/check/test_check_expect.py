"""Expectations of real clusters, whole and damaged."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from kemu import Cluster, Topology
from kemu.check.model import Report

pytestmark = pytest.mark.kernel

_COUNTER = itertools.count()
SILENT = """
import socket, sys
server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
server.bind(("::", 53))
print(flush=True)
sys.stdin.read()
"""
TEXT = """\
nodes: 2
pods:
- {name: api, labels: {app: api}, node: n1}
- {name: web, replicas: 2, labels: {app: web}}
- {name: db, labels: {app: db}, node: n2}
hosts: 1
expect:
- name: only the API reaches the database
  allow: app=api -> app=db:5432
  deny: any -> app=db:5432
"""


@pytest.fixture
def shop() -> Iterator[Cluster]:
    topology = Topology.parse(f"name: kck{os.getpid()}-{next(_COUNTER)}\n{TEXT}", sets=["networking.ipFamily=dual"])
    with Cluster.up(topology) as cluster:
        yield cluster


def ask(cluster: Cluster, expect: str) -> Report:
    return cluster.test(Topology.parse(TEXT.partition("expect:")[0] + f"name: lab\nexpect:\n{expect}").model.expect)


def said(report: Report) -> list[tuple[str, str, str]]:
    failures = [failure for one in report.outcomes for failure in one.failures]
    return [(one.sender.rpartition("/")[2], one.family, one.reason) for one in failures]


def drop(cluster: Cluster, rule: str, *, at: str = "db") -> None:
    for command in ("add table inet t", "add chain inet t c { type filter hook input priority 0; }", f"add rule inet t c {rule}"):
        cluster.endpoint(at).run(["nft", command], check=True)


def test_everybody_reaches_everybody_over_every_protocol(shop: Cluster) -> None:
    report = ask(shop, "- allow: [any -> any, any -> any:80, any -> any:53/udp, node/n1 -> any, node/n1 -> h1]\n")
    assert said(report) == []
    assert report.outcomes[0].total == 3 * 12 + 4 + 1


def test_the_clusters_own_file_is_tried(shop: Cluster) -> None:
    assert said(shop.test()) == [(one, family, "reached") for one in ("web-1", "web-2") for family in ("ipv4", "ipv6")]


def test_a_denial_holds_where_a_rule_denies(shop: Cluster) -> None:
    addresses = [[web.addresses[i] for web in shop.endpoints("app=web")] for i in (0, 1)]
    for family, row in zip(("ip", "ip6"), addresses, strict=True):
        drop(shop, f"{family} saddr {{ {', '.join(row)} }} tcp dport 5432 drop")
    assert shop.test().holds


def test_a_rule_for_one_family_leaves_the_other_open(shop: Cluster) -> None:
    drop(shop, f"ip saddr {{ {', '.join(web.address for web in shop.endpoints('app=web'))} }} tcp dport 5432 drop")
    assert said(shop.test()) == [("web-1", "ipv6", "reached"), ("web-2", "ipv6", "reached")]


def test_a_pod_that_nobody_reaches_is_not_denied(shop: Cluster) -> None:
    shop.pod("db").run(["ip", "link", "set", "eth0", "down"], check=True)
    report = ask(shop, "- deny: app=web -> db:5432\n")
    assert {reason for *_, reason in said(report)} == {"unproven"}
    assert len(report.outcomes[0].failures) == 4


def test_a_server_that_answers_nobody_is_not_denied(shop: Cluster) -> None:
    with shop.pod("db").start(["python3", "-c", SILENT], stdout=-1, stdin=-1) as server:
        assert server.stdout is not None
        server.stdout.readline()
        assert {reason for *_, reason in said(ask(shop, "- deny: app=web -> db:53/udp\n"))} == {"unproven"}
        server.kill()


def test_hosts_have_no_way_to_pods_and_nodes_show_that_the_pods_answer(shop: Cluster) -> None:
    assert ask(shop, "- deny: h1 -> any\n").holds


def test_machines_deny_as_pods_do(shop: Cluster) -> None:
    drop(shop, "tcp dport 22 iifname eth0 ip saddr 172.18.0.101 reject with tcp reset", at="node/n1")
    drop(shop, "tcp dport 22 iifname eth0 ip6 saddr fd00:172:18::65 reject with tcp reset", at="node/n1")
    addresses = shop.host("h1").addresses
    assert addresses[0] == "172.18.0.101"
    report = ask(shop, "- deny: h1 -> 172.18.0.11:22\n")
    assert said(report) == []


def test_rates_and_round_trips_are_measured_and_judged(shop: Cluster) -> None:
    report = ask(
        shop,
        "- {name: a, perf: api -> db, above: 1mbit, seconds: 1}\n- {name: b, perf: api -> db, above: 100tbit, seconds: 1}\n"
        "- {name: c, rtt: api -> db, below: 1min}\n- {name: d, rtt: api -> db, above: 1min}\n",
    )
    assert [one.holds for one in report.outcomes] == [True, False, True, False]
    fast, _, near, _ = (one.measured for one in report.outcomes)
    assert (fast[0].bits_per_second or 0) > 1e6
    assert [one.family for one in near] == ["ipv4", "ipv6"]
    assert all(0 < (one.rtt_seconds or 0) < 60 for one in near)


def test_a_rate_that_cannot_be_measured_fails_with_the_reason(shop: Cluster) -> None:
    drop(shop, "tcp dport 5201 reject with tcp reset")
    report = ask(shop, "- {perf: api -> db, above: 1mbit, seconds: 1}\n- allow: api -> db\n")
    assert [one.holds for one in report.outcomes] == [False, True]
    assert report.outcomes[0].failures[0].reason == "error"
    assert "refused" in report.outcomes[0].failures[0].message
