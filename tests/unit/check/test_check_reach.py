"""The judgement of what is allowed and denied, on a network of the test's own."""

from __future__ import annotations

import pytest
from check_network import Network, Rule

from kemu.api import Topology
from kemu.check import figures, reach, witness
from kemu.check.model import Outcome, Report
from kemu.check.run import check
from kemu.spec.endpoints import find_endpoint

TEXT = """\
name: shop
nodes: 3
pods:
- {name: api, labels: {app: api}, node: n1}
- {name: db, labels: {app: db}, node: n2}
- {name: cache, node: n2}
- {name: web, replicas: 2, labels: {app: web}, node: n3}
hosts: [{name: client}]
expect:
"""


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    one = Network(lambda *_: "ok")
    monkeypatch.setattr(reach, "measure", one.measure)
    monkeypatch.setattr(figures, "measure_reach", one.measure)
    return one


def ask(network: Network, expect: str, rule: Rule, *, sets: tuple[str, ...] = ()) -> Report:
    network.rule = rule
    model = Topology.parse(TEXT + expect, sets=sets).model
    return check("shop", model, model.expect)


def only(report: Report) -> Outcome:
    [outcome] = report.outcomes
    return outcome


def said(outcome: Outcome) -> list[tuple[str, str, str, str]]:
    return [
        (one.sender.rpartition("/")[2], one.receiver.rpartition("/")[2], one.expected, one.reason) for one in outcome.failures
    ]


API_ONLY = "- {name: api only, allow: app=api -> db:5432, deny: any -> db:5432}\n"


def test_what_is_as_expected_holds(network: Network) -> None:
    outcome = only(ask(network, API_ONLY, lambda sender, *_: "ok" if sender == "api" else "timeout"))
    assert (outcome.holds, outcome.total) == (True, 4)
    assert len(network.runs) == 1, "what is allowed shows that the database answers"


def test_a_lost_pair_and_an_open_one_are_named_with_reasons(network: Network) -> None:
    outcome = only(ask(network, API_ONLY, lambda sender, *_: "ok" if sender == "web-2" else "refused"))
    assert said(outcome) == [("api", "db", "allow", "refused"), ("web-2", "db", "deny", "reached")]


def test_a_denial_counts_if_the_node_of_the_denied_gets_through(network: Network) -> None:
    outcome = only(ask(network, "- deny: app=web -> db:5432\n", lambda sender, *_: "ok" if sender == "n2" else "timeout"))
    assert outcome.holds
    assert network.runs[1] == [("n2", "db"), ("cache", "db"), ("n1", "db"), ("n3", "db")]


def test_a_denial_is_unproven_where_nobody_gets_through(network: Network) -> None:
    outcome = only(ask(network, "- deny: app=web -> db:5432\n", lambda *_: "timeout"))
    assert said(outcome) == [("web-1", "db", "deny", "unproven"), ("web-2", "db", "deny", "unproven")]
    assert "answers nobody else either" in outcome.failures[0].message


def test_what_another_entry_saw_shows_that_the_denied_answers(network: Network) -> None:
    expect = "- deny: app=web -> db:5432\n- allow: api -> db:5432\n"
    assert ask(network, expect, lambda sender, *_: "ok" if sender == "api" else "timeout").holds
    assert len(network.runs) == 1


def test_another_port_shows_nothing(network: Network) -> None:
    expect = "- deny: app=web -> db:5432\n- allow: api -> db:80\n"

    def rule(sender: str, *_: str) -> str:
        return "ok" if network.probes[-1].port == 80 else "timeout"

    report = ask(network, expect, rule)
    assert [one.holds for one in report.outcomes] == [False, True]


def test_each_protocol_and_port_is_one_run(network: Network) -> None:
    expect = "- allow: [any -> any, any -> any:80]\n- allow: [api -> any, any -> db:80, any -> db:53/udp]\n"
    assert ask(network, expect, lambda *_: "ok").holds
    assert [(str(one.protocol), one.port) for one in network.probes] == [("icmp", None), ("tcp", 80), ("udp", 53)]
    assert [len(run) for run in network.runs] == [20, 20, 4]


def test_each_family_counts_and_is_named(network: Network) -> None:
    rule: Rule = lambda _, __, address: "timeout" if ":" in address else "ok"  # noqa: E731
    outcome = only(ask(network, "- allow: api -> db\n", rule, sets=("networking.ipFamily=dual",)))
    assert [(one.family, one.address) for one in outcome.failures] == [("ipv6", "fd00:10:244:1::2")]
    assert outcome.total == 1


def test_the_seconds_of_a_run_are_shared_out(network: Network) -> None:
    report = ask(network, "- allow: any -> db\n- allow: api -> cache\n", lambda *_: "ok")
    first, second = (one.seconds for one in report.outcomes)
    assert first == pytest.approx(4 * second)


def test_witnesses_are_neighbours_and_never_those_who_must_not() -> None:
    model = Topology.parse(TEXT + "- allow: any -> any\n").model

    def witnesses(receiver: str, *denied: str) -> list[str]:
        found = witness.find_witnesses(model, find_endpoint(model, receiver), {f"node/{one}" for one in denied})
        return [one.name for one in found]

    assert witnesses("db") == ["n2", "cache", "n1", "n3"]
    assert witnesses("db", "n2") == ["cache", "n1", "n3"]
    assert witnesses("node/n1") == ["n2", "n3", "client"]
    assert witnesses("client", "n1", "n2", "n3") == ["client"]


def test_round_trips_are_compared_with_their_limits(network: Network) -> None:
    limits = ("below: 3ms", "below: 1ms", "above: 1ms", "above: 3ms")
    expect = "".join(f"- {{rtt: api -> db, {limit}}}\n" for limit in limits)
    report = ask(network, expect, lambda *_: "ok")
    assert [one.holds for one in report.outcomes] == [True, False, True, False]
    assert report.outcomes[1].failures[0].message == "2 ms, and at most 1 ms is expected"
    assert [one.rtt_seconds for one in report.outcomes[1].measured] == [0.002]


def test_a_round_trip_without_answers_fails_with_the_reason(network: Network) -> None:
    outcome = only(ask(network, "- {rtt: api -> db, below: 3ms}\n", lambda *_: "no-route"))
    assert said(outcome) == [("api", "db", "below", "no-route")]
    assert outcome.measured == ()
