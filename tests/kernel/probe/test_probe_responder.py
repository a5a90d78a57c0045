"""The responder in a namespace: what answers, what does not, and that nobody can hurt the others."""

from __future__ import annotations

import os
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from responder_lab import TCP, UDP, WEB, Lab, make_namespace, read_all, run

from kemu.base.errors import ProbeError
from kemu.probe import responder as module
from kemu.probe.answer import Speaker, build_line, read_answer
from kemu.probe.responder import Responder
from kemu.reach.model import Probe, Target
from kemu.reach.model import Protocol as ReachProtocol
from kemu.reach.run import measure
from kemu.spec.model import Port, Protocol

pytestmark = pytest.mark.kernel

GET = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.9.9.1", "::1", "fd00:9::1"])
def test_http_and_silence_are_answered_in_both_families(lab: Lab, address: str) -> None:
    assert lab.add(TCP) == ()
    host = f"[{address}]" if ":" in address else address
    with lab.driven():
        assert f"\nserver: {host}:8080\n".encode() in lab.ask(GET, address=address)
        with lab.connect(address) as tcp:
            served = read_answer(read_all(tcp))
    assert served
    assert (served.name, served.seen_as) == ("pod/default/web", address)


def test_client_is_told_its_own_end(lab: Lab) -> None:
    lab.add(TCP)
    with lab.driven(), lab.connect() as tcp:
        tcp.sendall(GET)
        assert f"\nclient: 127.0.0.1:{tcp.getsockname()[1]}\n".encode() in read_all(tcp)


@pytest.mark.parametrize("address", ["10.9.9.1", "10.9.9.2", "fd00:9::1"])
def test_datagrams_are_answered_from_the_address_that_was_asked(lab: Lab, address: str) -> None:
    lab.add(UDP)
    with lab.driven(), lab.socket(socket.SOCK_DGRAM, socket.AF_INET6 if ":" in address else socket.AF_INET) as udp:
        udp.sendto(b"hello", (address, 8080))
        answer, sender = udp.recvfrom(1000)
    served = read_answer(answer)
    assert served
    assert (served.echo, sender[:2]) == (b"hello", (address, 8080))


def test_largest_datagram_comes_back_as_far_as_it_fits(lab: Lab) -> None:
    lab.add(UDP)
    with lab.driven(), lab.socket(socket.SOCK_DGRAM) as udp:
        udp.sendto(b"x" * 65000, ("127.0.0.1", 8080))
        assert len(udp.recv(65535)) == 65000


def test_answer_of_another_server_gets_none(lab: Lab) -> None:
    lab.add(UDP)
    with lab.driven(), lab.socket(socket.SOCK_DGRAM) as udp:
        udp.sendto(build_line("pod/default/x", "", *[lab_end()] * 2), ("127.0.0.1", 8080))
        udp.sendto(b"clientip", ("127.0.0.1", 8080))
        assert udp.recv(1000) == f"127.0.0.1:{udp.getsockname()[1]}".encode()


def lab_end() -> module.End:
    return module.End("127.0.0.1", 8080)


def test_port_of_a_process_is_left_to_it_and_named(lab: Lab) -> None:
    with lab.socket() as server, lab.socket(socket.SOCK_DGRAM) as bound:
        server.bind(("10.9.9.1", 8080))
        server.listen()
        bound.bind(("127.0.0.1", 53))
        dns = Port(number=53, protocol=Protocol.UDP)
        assert lab.add(TCP, UDP, dns) == (TCP, dns)
        assert lab.responder.served(lab.netns) == {(Protocol.TCP, 8080), (Protocol.UDP, 53)}
        with lab.driven():
            assert b"200 OK" in lab.ask(GET, address="::1")
    assert lab.add(TCP) == ()
    assert lab.responder.served(lab.netns) == frozenset()


def test_sctp_is_passed_over(lab: Lab) -> None:
    assert lab.add(Port(number=9, protocol=Protocol.SCTP)) == ()


def test_only_the_families_of_the_cluster_are_served(lab: Lab) -> None:
    lab.add(TCP, versions=[4])
    with pytest.raises(ConnectionRefusedError):
        lab.connect("::1")


def test_ports_come_and_go_while_it_runs(lab: Lab) -> None:
    lab.add(TCP, UDP)
    lab.add(TCP, Port(number=81))
    lab.responder.remove(lab.netns, [TCP])
    with pytest.raises(ConnectionRefusedError):
        lab.connect()
    with lab.driven():
        assert b"200 OK" in lab.ask(GET, port=81)
    lab.responder.remove(lab.netns)
    lab.responder.remove(lab.netns)
    with pytest.raises(ConnectionRefusedError):
        lab.connect(port=81)
    with lab.socket() as server:  # a process can take the port over at once
        server.bind(("0.0.0.0", 8080))
        server.listen()


def test_connections_of_a_removed_port_end(lab: Lab) -> None:
    lab.add(TCP)
    with lab.connect() as tcp:
        lab.responder.turn()
        lab.responder.remove(lab.netns, [TCP])
        assert lab.responder.deadline is None
        assert tcp.recv(10) == b""


def test_two_pods_of_one_namespace_answer_each_for_itself(lab: Lab) -> None:
    other = Speaker(pod="proxy", namespace="default", node="n1", hostname="n1")
    lab.add(TCP)
    lab.add(Port(number=81), speaker=other)
    with lab.driven():
        assert b"\nnode: n1\n" in lab.ask(GET)
        assert lab.ask(b"GET /hostname HTTP/1.0\r\n\r\n", port=81).endswith(b"\r\n\r\nn1")


def test_keep_alive_answers_again_on_one_connection(lab: Lab) -> None:
    lab.add(TCP)
    with lab.driven(), lab.connect() as tcp:
        for _ in range(3):
            tcp.sendall(b"GET /hostname HTTP/1.1\r\n\r\n")
            assert tcp.recv(1000).endswith(b"\r\n\r\nweb")


def test_upload_is_taken_in_whole_before_the_connection_ends(lab: Lab) -> None:
    size = 3_000_000
    lab.add(TCP)
    with lab.driven(), lab.connect() as tcp:
        tcp.sendall(f"PUT / HTTP/1.1\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode())
        tcp.sendall(bytes(size))
        tcp.shutdown(socket.SHUT_WR)
        assert read_all(tcp).startswith(b"HTTP/1.1 200 OK")


def test_client_that_takes_nothing_holds_up_nobody(lab: Lab) -> None:
    lab.add(TCP)
    with lab.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", 8080))
        greedy.setblocking(False)
        with lab.driven():
            _send_until_full(greedy)
            assert b"200 OK" in lab.ask(GET)
            greedy.settimeout(10)
            assert greedy.recv(15) == b"HTTP/1.1 200 OK"


def _send_until_full(tcp: socket.socket) -> None:
    request = b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * 8000)
    while _try_to_send(tcp, request):
        pass


def _try_to_send(tcp: socket.socket, data: bytes) -> bool:
    """Send, and give up when the other side has taken nothing for a while."""
    tcp.settimeout(0.5)
    try:
        return tcp.send(data) > 0
    except TimeoutError:
        return False


def test_clients_that_vanish_are_forgotten(lab: Lab) -> None:
    lab.add(TCP)
    for _ in range(10):
        tcp = lab.connect()
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        lab.responder.turn()
        tcp.close()
    lab.responder.turn()
    lab.responder.turn()
    assert lab.responder.deadline is None


def test_oldest_connection_makes_room_for_the_next(lab: Lab) -> None:
    with Responder(capacity=3) as small:
        small.add(WEB, lab.netns, [TCP], versions=(4,))
        crowd = [lab.connect() for _ in range(4)]
        small.turn()
        assert crowd[0].recv(10) == b""
        crowd[3].sendall(GET)
        small.turn()
        small.turn()
        assert crowd[3].recv(15) == b"HTTP/1.1 200 OK"
        for tcp in crowd:
            tcp.close()


@contextmanager
def no_more_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as free:
        number = free.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_open_files_it_waits_and_then_goes_on(lab: Lab) -> None:
    now = 100.0
    with Responder(clock=lambda: now) as one:
        one.add(WEB, lab.netns, [TCP], versions=(4,))
        with lab.connect() as tcp:
            with no_more_files():
                one.turn()
                one.turn()
            assert one.deadline == now + module.PAUSE_SECONDS
            now += module.PAUSE_SECONDS
            tcp.sendall(GET)
            for _ in range(3):
                one.turn()
            assert tcp.recv(15) == b"HTTP/1.1 200 OK"


def test_without_open_files_the_oldest_connection_makes_room(lab: Lab) -> None:
    lab.add(TCP)
    with lab.connect() as first:
        lab.responder.turn()
        with lab.connect() as second:
            second.sendall(GET)
            with no_more_files():
                for _ in range(3):
                    lab.responder.turn()
            assert first.recv(10) == b""
            assert second.recv(15) == b"HTTP/1.1 200 OK"


def test_silence_lasts_as_long_as_the_clock_says(lab: Lab) -> None:
    now = 100.0
    with Responder(clock=lambda: now) as one:
        one.add(WEB, lab.netns, [TCP], versions=(4,))
        with lab.connect() as tcp:
            one.turn()
            assert one.deadline == 101
            now = 100.9
            one.turn()
            tcp.setblocking(False)
            with pytest.raises(BlockingIOError):
                tcp.recv(10)
            now = 101
            one.turn()
            assert tcp.recv(1000).startswith(b"kemu pod/default/web on n1 saw 127.0.0.1:")
            now = 103
            one.turn()
            assert one.deadline is None


def test_namespace_that_was_made_anew_is_served_anew(lab: Lab) -> None:
    lab.add(TCP, Port(number=81))
    run("ip", "netns", "del", lab.name)
    make_namespace(lab.name)
    lab.add(TCP)
    with lab.driven():
        assert b"200 OK" in lab.ask(GET)
    with pytest.raises(ConnectionRefusedError):
        lab.connect(port=81)


def test_namespace_that_is_gone_is_a_probe_error(lab: Lab) -> None:
    with pytest.raises(ProbeError, match="kt-probe-gone"):
        lab.responder.add(WEB, Path("/run/netns/kt-probe-gone"), [TCP], versions=(4,))


def test_thread_comes_home(lab: Lab) -> None:
    home = os.stat("/proc/thread-self/ns/net").st_ino
    lab.add(TCP, UDP)
    assert os.stat("/proc/thread-self/ns/net").st_ino == home


def test_closing_leaves_no_descriptor(lab: Lab) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Responder() as one:
        one.add(WEB, lab.netns, [TCP, UDP], versions=(4, 6))
        tcp = lab.connect()
        one.turn()
    tcp.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("protocol", [ReachProtocol.TCP, ReachProtocol.UDP])
def test_reach_uses_it_where_it_serves(lab: Lab, protocol: ReachProtocol) -> None:
    lab.add(TCP, UDP)
    ends = [Target(endpoint=f"pod/default/{name}", netns=lab.netns, addresses=("10.9.9.1", "fd00:9::1")) for name in ("web", "x")]
    with lab.driven():
        matrix = measure("demo", [(ends[1], ends[0])], Probe(protocol=protocol))
    assert [result.reason for result in matrix.results] == ["ok", "ok"]
    if protocol is ReachProtocol.UDP:
        assert [result.seen_as for result in matrix.results] == ["10.9.9.1", "fd00:9::1"]


def test_thousands_of_ports_are_served(lab: Lab) -> None:
    ports = [Port(number=number) for number in range(10_000, 11_500)]
    assert lab.add(*ports) == ()
    with lab.driven():
        assert all(b"200 OK" in lab.ask(GET, port=port.number) for port in ports[::100])
