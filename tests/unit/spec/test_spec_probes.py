"""Reading readiness probes."""

from __future__ import annotations

import json

import pytest

from kemu.spec.fields import PROBE
from kemu.spec.model import Exec, HttpGet, Port, Probe, Protocol, TcpSocket
from kemu.spec.probes import read_probe, show_probe
from kemu.spec.source import Log, Source, read_value

PORTS = (Port(number=8080, name="http"), Port(number=53, name="dns", protocol=Protocol.UDP))


def read(text: str) -> tuple[Probe | None, list[str]]:
    source = Source(name="x", text=text)
    log, node = Log(source), read_value(source)
    assert node
    probe = read_probe(PROBE.read(node, log, "pod web: container server: readinessProbe"), PORTS)
    return probe, [problem.message for problem in log.problems]


def test_defaults_are_those_of_kubernetes() -> None:
    probe, problems = read("tcpSocket: {port: 80}")
    assert problems == []
    assert probe == Probe(
        check=TcpSocket(port=80),
        initial_delay_seconds=0,
        period_seconds=10,
        timeout_seconds=1,
        success_threshold=1,
        failure_threshold=3,
    )


def test_every_number_is_read() -> None:
    text = "{tcpSocket: {port: 1}, initialDelaySeconds: 2, periodSeconds: 3, timeoutSeconds: 4, successThreshold: 5, failureThreshold: 6}"
    probe = Probe(
        check=TcpSocket(port=1),
        initial_delay_seconds=2,
        period_seconds=3,
        timeout_seconds=4,
        success_threshold=5,
        failure_threshold=6,
    )
    assert read(text) == (probe, [])


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("httpGet: {port: 80}", HttpGet(port=80)),
        ("httpGet: {port: http, path: /ready?x=1}", HttpGet(port=8080, path="/ready?x=1")),
        ("httpGet: {port: 80, path: ready}", HttpGet(port=80, path="/ready")),
        ("tcpSocket: {port: http}", TcpSocket(port=8080)),
        ("exec: {command: [cat, /tmp/ready]}", Exec(command=("cat", "/tmp/ready"))),
    ],
)
def test_checks_are_read(text: str, check: TcpSocket | HttpGet | Exec) -> None:
    probe, problems = read(text)
    assert problems == []
    assert probe
    assert probe.check == check


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("periodSeconds: 5", "one of tcpSocket, httpGet, exec is needed, not 0 of them"),
        ("{exec: {command: [a]}, tcpSocket: {port: 1}}", "one of tcpSocket, httpGet, exec is needed, not 2 of them"),
        ("tcpSocket: {port: web}", 'the pod has no port called "web"'),
        ("tcpSocket: {port: dns}", 'the port "dns" is 53/UDP, and a probe speaks TCP'),
        ("tcpSocket: {port: 65536}", 'port: expected a whole number from 1 to 65535, or a name, not "65536"'),
        ("tcpSocket: {}", "the key port is missing"),
        ("httpGet: {port: 80, path: /a b}", "a path has no spaces and only ASCII characters"),
        ("httpGet: {port: 80, scheme: HTTPS}", 'there is no key "scheme"'),
        ("exec: {command: []}", "command: the list is empty"),
        ("exec: {command: [[a]]}", "command: expected a text, not a list"),
        ("{tcpSocket: {port: 80}, periodSeconds: 0}", 'periodSeconds: expected a whole number from 1 to 1000000, not "0"'),
    ],
)
def test_mistakes_are_noted(text: str, problem: str) -> None:
    [said] = read(text)[1]
    assert said.endswith(problem)


@pytest.mark.parametrize(
    "probe",
    [
        Probe(check=TcpSocket(port=80), period_seconds=3),
        Probe(check=HttpGet(port=80)),
        Probe(check=HttpGet(port=80, path="/a"), initial_delay_seconds=1, timeout_seconds=4, success_threshold=5),
        Probe(check=Exec(command=("a", "b")), failure_threshold=6),
    ],
)
def test_what_is_written_is_read_again(probe: Probe) -> None:
    assert read(json.dumps(show_probe(probe))) == (probe, [])


def test_defaults_are_not_written() -> None:
    assert show_probe(Probe(check=TcpSocket(port=80), period_seconds=10)) == {"tcpSocket": {"port": 80}}
