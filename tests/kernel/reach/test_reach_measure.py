"""measure() over real namespaces: what reaches, what does not, and why."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from reach_star import Star, Warnings, address_4, filter_in, run_in

from kemu.base.errors import ProbeError
from kemu.kernel.enter import inside
from kemu.probe.sockets import open_tcp_server, open_udp_server
from kemu.reach.model import Matrix, Probe, Protocol, Target, all_pairs
from kemu.reach.run import measure

pytestmark = pytest.mark.kernel

PROTOCOLS = list(Protocol)
SHORT = 0.3


def probe_all(star: Star, protocol: Protocol, *, seconds: float = 2.0) -> Matrix:
    return measure("demo", all_pairs(star.targets), Probe(protocol=protocol, timeout_seconds=seconds))


def probe_one(star: Star, protocol: Protocol, *, receiver: Target | None = None, seconds: float = 2.0) -> Matrix:
    pair = (star.target(0), receiver or star.target(1))
    return measure("demo", [pair], Probe(protocol=protocol, timeout_seconds=seconds))


def reasons(matrix: Matrix) -> dict[str, str]:
    return {result.family: result.reason for result in matrix.results}


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def served(star: Star, opener: Callable[[str, int], socket.socket], port: int = 8080) -> Iterator[socket.socket]:
    with inside(f"/run/netns/{star.pod(1)}"):
        server = opener(address_4(1), port)
    with server:
        yield server


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_healthy_pods_reach_each_other_in_both_families(star: Star, protocol: Protocol) -> None:
    before, home = open_descriptors(), os.stat("/proc/thread-self/ns/net").st_ino
    matrix = probe_all(star, protocol)
    assert matrix.reached == len(matrix.results) == 12
    assert Counter(result.family for result in matrix.results) == {"ipv4": 6, "ipv6": 6}
    assert all(result.rtt_seconds and result.rtt_seconds < 5 for result in matrix.results)
    assert matrix.nodes["pod/default/p1"] == "n1"
    assert open_descriptors() == before
    assert os.stat("/proc/thread-self/ns/net").st_ino == home


def test_echo_replies_tell_the_routers_on_the_way(star: Star) -> None:
    assert {result.ttl for result in probe_all(star, Protocol.ICMP).results} == {63}


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_server_tells_whom_it_saw(star: Star, protocol: Protocol) -> None:
    for result in probe_all(star, protocol).results:
        sender = star.target(int(result.sender[-1]))
        assert result.seen_as == sender.addresses[result.family == "ipv6"]


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_source_nat_shows(star: Star, protocol: Protocol) -> None:
    _masquerade(star, "10.99.99.99")
    ipv4, ipv6 = probe_one(star, protocol).results
    assert (ipv4.ok, ipv4.seen_as) == (True, "10.99.99.99")
    assert ipv6.seen_as == star.target(0).addresses[1]


def _masquerade(star: Star, address: str) -> None:
    run_in(
        star.router,
        "nft",
        "add table ip t; add chain ip t c { type nat hook postrouting priority 100; }; "
        f"add rule ip t c ip saddr {address_4(0)} snat to {address}",
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dropped_packets_are_a_timeout(star: Star, protocol: Protocol) -> None:
    filter_in(star.pod(1), "input", "meta l4proto { icmp, tcp, udp } drop")
    assert reasons(probe_one(star, protocol, seconds=SHORT)) == {
        "ipv4": "timeout",
        "ipv6": "ok" if protocol == "icmp" else "timeout",
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_blackhole_at_the_router_is_a_timeout_of_this_pair_alone(star: Star, protocol: Protocol) -> None:
    run_in(star.router, "ip", "route", "replace", "blackhole", address_4(1))
    matrix = probe_all(star, protocol, seconds=SHORT)
    lost = {(result.sender[-2:], result.receiver[-2:], result.reason) for result in matrix.results if not result.ok}
    assert {pair for pair in lost if pair[1] == "p1"} == {("p0", "p1", "timeout"), ("p2", "p1", "timeout")}
    assert {pair for pair in lost if pair[0] != "p1" and pair[1] != "p1"} == set()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_router_says_what_is_unreachable(star: Star, protocol: Protocol) -> None:
    for address in star.target(1).addresses:
        run_in(star.router, "ip", "route", "replace", "unreachable", address)
    assert reasons(probe_one(star, protocol)) == {"ipv4": "unreachable-host", "ipv6": "unreachable-net"}  # "no route", Linux says


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_reject_of_a_policy_is_unreachable_admin(star: Star, protocol: Protocol) -> None:
    filter_in(star.router, "forward", "reject with icmpx type admin-prohibited")
    assert reasons(probe_one(star, protocol)) == {"ipv4": "unreachable-admin", "ipv6": "unreachable-admin"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sender_without_a_route_says_so(star: Star, protocol: Protocol) -> None:
    for family in ("-4", "-6"):
        run_in(star.pod(0), "ip", family, "route", "del", "default")
    assert reasons(probe_one(star, protocol)) == {"ipv4": "no-route", "ipv6": "no-route"}


def test_reset_is_refused(star: Star) -> None:
    filter_in(star.pod(1), "input", "meta l4proto tcp reject with tcp reset")
    assert reasons(probe_one(star, Protocol.TCP)) == {"ipv4": "refused", "ipv6": "refused"}


@pytest.mark.parametrize(("protocol", "reason"), [(Protocol.TCP, "refused"), (Protocol.UDP, "unreachable-port")])
def test_port_that_kemu_cannot_serve_is_refused_by_the_kernel(star: Star, protocol: Protocol, reason: str) -> None:
    receiver = replace(star.target(1), netns=None)
    assert reasons(probe_one(star, protocol, receiver=receiver)) == {"ipv4": reason, "ipv6": reason}


def test_closed_ports_of_some_do_not_blur_the_others(star: Star) -> None:
    receivers = [replace(star.target(1), netns=None), star.target(2)]
    matrix = measure("demo", [(star.target(0), one) for one in receivers] * 5, Probe(protocol=Protocol.UDP))
    assert {(result.receiver[-2:], result.reason) for result in matrix.results} == {("p1", "unreachable-port"), ("p2", "ok")}


def test_server_that_only_accepts_is_reached(star: Star) -> None:
    with served(star, open_tcp_server):
        matrix = probe_one(star, Protocol.TCP)
    assert reasons(matrix) == {"ipv4": "ok", "ipv6": "ok"}
    assert [result.seen_as for result in matrix.results] == [None, star.target(0).addresses[1]]


def test_server_that_hangs_up_at_once_is_reached(star: Star) -> None:
    def hang_up(server: socket.socket) -> None:
        connection, _ = server.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    with served(star, open_tcp_server) as server:
        server.settimeout(10)
        thread = threading.Thread(target=hang_up, args=(server,))
        thread.start()
        assert reasons(probe_one(star, Protocol.TCP)) == {"ipv4": "ok", "ipv6": "ok"}
        thread.join()


def test_udp_server_of_somebody_else_is_reached_if_it_answers(star: Star) -> None:
    def answer(server: socket.socket) -> None:
        server.sendto(b"pong", server.recvfrom(100)[1])

    with served(star, open_udp_server) as server:
        server.settimeout(10)
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        ipv4, _ = probe_one(star, Protocol.UDP).results
        thread.join()
    assert (ipv4.reason, ipv4.seen_as) == ("ok", None)
    assert ipv4.rtt_seconds is not None


def test_udp_server_that_keeps_silent_is_a_timeout(star: Star) -> None:
    with served(star, open_udp_server):
        assert reasons(probe_one(star, Protocol.UDP, seconds=SHORT)) == {"ipv4": "timeout", "ipv6": "ok"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_address_that_nobody_has_is_lost(star: Star, protocol: Protocol) -> None:
    receiver = star.target(1, addresses=("10.250.77.77",))
    assert reasons(probe_one(star, protocol, receiver=receiver)) in ({"ipv4": "unreachable-net"}, {"ipv4": "unreachable-host"})


def test_pod_reaches_itself(star: Star) -> None:
    for protocol in PROTOCOLS:
        assert reasons(probe_one(star, protocol, receiver=star.target(0))) == {"ipv4": "ok", "ipv6": "ok"}


def test_namespace_that_is_gone_is_a_probe_error(star: Star) -> None:
    gone = replace(star.target(0), netns=Path("/run/netns/kt-reach-gone"))
    with pytest.raises(ProbeError, match="kt-reach-gone"):
        measure("demo", [(gone, star.target(1))], Probe())


def test_nothing_to_probe_is_an_empty_matrix() -> None:
    assert measure("demo", [], Probe()).to_dict()["total"] == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_thousands_of_pairs_are_all_reached(make_star: Callable[[int], Star], protocol: Protocol) -> None:
    star, reporter = make_star(36), Warnings()
    matrix = measure("demo", all_pairs(star.targets), Probe(protocol=protocol), reporter=reporter)
    assert matrix.reached == len(matrix.results) == 2520
    assert reporter.warnings == []
    assert reporter.done == reporter.total == 2520
