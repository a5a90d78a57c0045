"""What kemu's servers say."""

from __future__ import annotations

import errno
import json

import pytest

from kemu.kernel.neighbours import read_entries
from kemu.probe.answer import End, Served, Speaker, build_datagram, build_json, build_line, build_text, read_answer
from kemu.probe.errors import reason_of_errno
from kemu.probe.responder import speaker_of
from kemu.spec.model import Pod

WEB = Speaker(pod="web-1", namespace="shop", node="n1", hostname="web-1")
CLIENT, SERVER = End("10.244.1.2", 40000), End("10.244.0.2", 8080)


@pytest.mark.parametrize("address", ["10.244.1.2", "fd00:10:244::2", "fe80::1%eth0"])
def test_line_reads_back(address: str) -> None:
    line = build_line("pod/default/web-1", "n1", End(address, 40000), End(address, 80), waited_ns=1234)
    assert read_answer(line + b"\0\n kemu") == Served("pod/default/web-1", address, 1234, b"\0\n kemu")


def test_line_of_what_is_on_no_node_and_waited_for_nothing_reads_back() -> None:
    assert read_answer(build_line("host/client", "", CLIENT, SERVER)) == Served("host/client", "10.244.1.2", 0, b"")


@pytest.mark.parametrize(
    "data", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"kemu web saw 10.0.0.1", b"kemu web saw 10.0.0.1:1 at 10.0.0.2:80", b"\xff\0"]
)
def test_words_of_other_servers_are_no_answer(data: bytes) -> None:
    assert read_answer(data) is None


@pytest.mark.parametrize(("host_network", "hostname"), [(False, "web-1"), (True, "n1")])
def test_pod_speaks_under_the_name_that_its_processes_find(host_network: bool, hostname: str) -> None:
    pod = Pod(name="web-1", namespace="shop", node="n1", addresses=(), host_network=host_network)
    assert speaker_of(pod) == Speaker(pod="web-1", namespace="shop", node="n1", hostname=hostname)


def test_ends_are_written_as_in_urls() -> None:
    assert [str(CLIENT), str(End("fd00::1", 80))] == ["10.244.1.2:40000", "[fd00::1]:80"]


def test_facts_are_text_and_json() -> None:
    text = build_text(WEB, CLIENT, SERVER, "GET / HTTP/1.1")
    facts = json.loads(build_json(WEB, CLIENT, SERVER, "GET / HTTP/1.1"))
    assert text.splitlines()[3:] == ["client: 10.244.1.2:40000", "server: 10.244.0.2:8080", "request: GET / HTTP/1.1"]
    assert facts == {
        "schema": "kemu.answer/1",
        "pod": "web-1",
        "namespace": "shop",
        "node": "n1",
        "client": {"address": "10.244.1.2", "port": 40000},
        "server": {"address": "10.244.0.2", "port": 8080},
        "request": "GET / HTTP/1.1",
    }


@pytest.mark.parametrize(
    ("request_", "answer"), [(b"hostname", b"web-1"), (b" HostName\n", b"web-1"), (b"clientip", b"10.244.1.2:40000")]
)
def test_datagrams_of_agnhost_are_answered_as_agnhost_does(request_: bytes, answer: bytes) -> None:
    assert build_datagram(WEB, CLIENT, SERVER, request_, waited_ns=7) == answer


def test_other_datagrams_come_back_behind_the_line() -> None:
    answer = build_datagram(WEB, CLIENT, SERVER, b"\0hello\n", waited_ns=7)
    assert answer == b"kemu pod/shop/web-1 on n1 saw 10.244.1.2:40000 at 10.244.0.2:8080 after 7 ns\n\0hello\n"


def test_answers_are_not_answered() -> None:
    answer = build_datagram(WEB, CLIENT, SERVER, b"hello", waited_ns=7)
    assert build_datagram(WEB, CLIENT, SERVER, answer, waited_ns=7) == b""


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.ENETUNREACH, "no-route"), (errno.ECONNREFUSED, "refused"), (errno.EMSGSIZE, "too-big"), (errno.ENOTSOCK, "error")],
)
def test_errnos_have_words(code: int, reason: str) -> None:
    assert reason_of_errno(code) == reason


def test_neighbours_are_counted_once_and_not_for_each_cpu() -> None:
    assert read_entries("entries  allocs\n000000ff 00000976\n000000ff 00000001\n") == 255
