"""Targets, probes, tasks, results and the JSON contract."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from kemu.base.errors import UsageError
from kemu.reach.model import DEFAULT_PORT, Matrix, Probe, Protocol, Result, Target, all_pairs, read_protocol
from kemu.reach.task import Ledger, Task, build_tasks


def target(name: str, *addresses: str, netns: bool = True) -> Target:
    return Target(endpoint=f"pod/default/{name}", netns=Path("/run/netns", name) if netns else None, addresses=addresses)


def one_task() -> Task:
    return build_tasks([(target("a", "10.0.0.1"), target("b", "10.0.0.2"))], Ledger())[0]


def test_all_pairs_are_ordered_and_without_the_diagonal() -> None:
    a, b, c = target("a"), target("b"), target("c")
    assert all_pairs([a, b, c]) == ((a, b), (a, c), (b, a), (b, c), (c, a), (c, b))


def test_each_family_that_both_have_is_a_task() -> None:
    dual, single = target("dual", "fd00:0::1", "10.0.0.1"), target("single", "10.0.0.2")
    tasks = build_tasks([(dual, single), (dual, dual), (single, target("six", "fd00::3"))], Ledger())
    assert [(task.version, task.address) for task in tasks] == [(4, "10.0.0.2"), (4, "10.0.0.1"), (6, "fd00::1")]
    assert [task.number for task in tasks] == [0, 1, 0]


def test_service_receives_and_cannot_send() -> None:
    service, pod = target("svc", "10.96.0.1", netns=False), target("a", "10.0.0.1")
    assert len(build_tasks([(pod, service)], Ledger())) == 1
    with pytest.raises(UsageError, match="cannot send"):
        build_tasks([(service, pod)], Ledger())


def test_task_is_settled_once() -> None:
    task = one_task()
    assert task.settle("timeout")
    assert not task.settle("ok")
    assert task.to_result().reason == "timeout"
    assert task.ledger.settled == 1


def test_lack_of_room_is_no_outcome_and_other_errors_are() -> None:
    task = one_task()
    task.note_send_error(OSError(errno.ENOBUFS, ""))
    assert not task.reason
    assert task.to_result().reason == "error"
    task.note_send_error(OSError(errno.ENETUNREACH, ""))
    assert task.to_result().reason == "no-route"


def test_clock_that_steps_back_gives_no_negative_round_trip() -> None:
    task = one_task()
    task.sent_ns.append(1000)
    task.take_time(0, 900)
    assert task.rtt_seconds == 0


def test_result_denied_as_intended_is_not_lost() -> None:
    result = Result(sender="a", receiver="b", address="10.0.0.1", family="ipv4", ok=False, reason="timeout", expected="deny")
    assert not result.is_lost


def test_matrix_is_the_json_of_the_contract() -> None:
    ok = Result(
        sender="pod/default/a", receiver="node/n1", address="10.0.0.1", family="ipv4", ok=True, reason="ok", rtt_seconds=0.5
    )
    matrix = Matrix(cluster="demo", probe=Probe(protocol=Protocol.UDP), results=(ok,))
    assert json.loads(json.dumps(matrix.to_dict())) == {
        "schema": "kemu.reach/1",
        "cluster": "demo",
        "probe": {"protocol": "udp", "port": DEFAULT_PORT},
        "results": [
            {
                "from": "pod/default/a",
                "to": "node/n1",
                "address": "10.0.0.1",
                "family": "ipv4",
                "ok": True,
                "expected": None,
                "reason": "ok",
                "rtt_seconds": 0.5,
            }
        ],
        "reached": 1,
        "total": 1,
    }


def test_probes_that_make_no_sense_are_refused() -> None:
    for wrong in ({"timeout_seconds": 0}, {"tries": 0}, {"port": 80}, {"protocol": Protocol.TCP, "port": 65536}):
        with pytest.raises(UsageError):
            Probe(**wrong)  # type: ignore[arg-type]


def test_protocols_are_read_by_name() -> None:
    assert read_protocol("udp") is Protocol.UDP
    for wrong in ("sctp", "http"):
        with pytest.raises(UsageError):
            read_protocol(wrong)
