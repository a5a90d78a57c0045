"""What measure() says when a worker cannot, crashes or hangs; and that no process is left, whatever happens."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from perf_pair import Diary, Pair, is_alive

from kemu.base.errors import MachineError, ProbeError
from kemu.perf import run as run_module
from kemu.perf.run import Protocol, Request, Side, measure

pytestmark = pytest.mark.kernel


class Striker(Diary):
    """Strikes once, at the first second of traffic."""

    def __init__(self, strike: Callable[[Striker], None]) -> None:
        super().__init__()
        self._strike = strike

    def advance(self, count: int = 1) -> None:
        super().advance(count)
        if self.seconds == count:
            self._strike(self)


def assert_nothing_left(diary: Diary, *, workers: int = 2) -> None:
    assert len(diary.process_ids) == workers
    assert not any(is_alive(process_id) for process_id in diary.process_ids)


@pytest.mark.parametrize(("index", "name"), [(0, "server in pod/default/b"), (1, "client in pod/default/a")])
def test_a_killed_worker_is_named(pair: Pair, index: int, name: str) -> None:
    diary = Striker(lambda diary: os.kill(diary.process_ids[index], signal.SIGKILL))
    with pytest.raises(ProbeError, match=rf"iperf3 {name} on n\d \(process \d+\) was killed by SIGKILL"):
        measure(pair.side("a"), pair.side("b"), Request(seconds=5), backend="veth", reporter=diary)
    assert diary.seconds < 5
    assert_nothing_left(diary)


def test_a_crash_of_the_library_is_named(pair: Pair) -> None:
    diary = Striker(lambda diary: os.kill(diary.process_ids[1], signal.SIGSEGV))
    with pytest.raises(ProbeError, match=r"client .* was killed by SIGSEGV"):
        measure(pair.side("a"), pair.side("b"), Request(seconds=5), backend="veth", reporter=diary)
    assert_nothing_left(diary)


def test_a_stopped_server_ends_by_the_time_limit(pair: Pair) -> None:
    diary = Striker(lambda diary: os.kill(diary.process_ids[0], signal.SIGSTOP))
    start = time.monotonic()
    with pytest.raises(ProbeError, match=r"server in pod/default/b .* did not finish 2 s of traffic within 3 s"):
        measure(pair.side("a"), pair.side("b"), Request(seconds=2, grace_seconds=1), backend="veth", reporter=diary)
    assert time.monotonic() - start < 10
    assert_nothing_left(diary)


def test_an_interrupt_leaves_no_worker(pair: Pair) -> None:
    def interrupt(_: Striker) -> None:
        raise KeyboardInterrupt

    diary = Striker(interrupt)
    with pytest.raises(KeyboardInterrupt):
        measure(pair.side("a"), pair.side("b"), Request(seconds=5), backend="veth", reporter=diary)
    assert_nothing_left(diary)


MEASURE_FOR_LONG = """
import sys
from kemu.perf.run import Request, Side, measure
class Teller:
    def step(self, what, *, total=0): pass
    def warn(self, message): pass
    def advance(self, count=1): print("advance", flush=True)
    def note(self, message): print(message.rpartition(" ")[2], flush=True)
sides = [Side(endpoint=name, netns=f"/run/netns/{name}", address=address, node="") for name, address in
         ((sys.argv[1], "10.99.0.1"), (sys.argv[2], "10.99.0.2"))]
measure(*sides, Request(seconds=60), backend="veth", reporter=Teller())
"""


def test_workers_do_not_survive_a_killed_parent(pair: Pair) -> None:
    command = [sys.executable, "-c", MEASURE_FOR_LONG, pair.a, pair.b]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            descriptors = [os.pidfd_open(int(parent.stdout.readline())) for _ in range(2)]
            assert parent.stdout.readline() == "advance\n"
        finally:
            parent.kill()
    for descriptor in descriptors:
        readable, _, _ = select.select([descriptor], [], [], 10)  # readable once the process has ended
        os.close(descriptor)
        assert readable


@pytest.mark.parametrize("protocol", list(Protocol))
def test_a_port_in_use_is_named(pair: Pair, protocol: Protocol) -> None:
    taken, release = threading.Event(), threading.Event()
    kind = socket.SOCK_STREAM if protocol == Protocol.TCP else socket.SOCK_DGRAM

    def hold() -> None:
        enter_netns(pair.b)
        with socket.socket(socket.AF_INET, kind) as holder:
            holder.bind(("", 5201))
            if protocol == Protocol.TCP:
                holder.listen()
            taken.set()
            release.wait(20)

    holder = threading.Thread(target=hold)  # a thread has a network namespace of its own
    holder.start()
    try:
        assert taken.wait(5)
        diary = Diary()
        with pytest.raises(ProbeError, match=r"iperf3 server in pod/default/b.*in use") as caught:
            measure(pair.side("a"), pair.side("b"), Request(protocol=protocol, seconds=1), backend="veth", reporter=diary)
        assert "choose another" in caught.value.hint
        assert_nothing_left(diary, workers=1 if protocol == Protocol.TCP else 2)
        measure(pair.side("a"), pair.side("b"), Request(protocol=protocol, seconds=1, port=5202), backend="veth")
    finally:
        release.set()
        holder.join()


def enter_netns(name: str) -> None:
    with open(f"/run/netns/{name}", "rb") as file:
        assert ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000) == 0


def test_an_address_where_nobody_listens_is_refused_at_once(pair: Pair) -> None:
    wrong = Side(endpoint="pod/default/b", netns=f"/run/netns/{pair.b}", address="10.99.0.1", node="n2")  # a's own address
    diary = Diary()
    with pytest.raises(ProbeError, match="iperf3 client in pod/default/a on n1: unable to connect") as caught:
        measure(pair.side("a"), wrong, Request(seconds=1), backend="veth", reporter=diary)
    assert "NetworkPolicy" in caught.value.hint
    assert_nothing_left(diary)


def test_a_path_that_swallows_everything_is_given_up(pair: Pair) -> None:
    subprocess.run(["ip", "-n", pair.b, "route", "add", "blackhole", "10.99.0.1/32"], check=True)
    start = time.monotonic()
    with pytest.raises(ProbeError, match="unable to connect"):
        measure(pair.side("a"), pair.side("b"), Request(seconds=1), backend="veth")
    assert time.monotonic() - start < 10


def test_a_missing_namespace_is_named(pair: Pair) -> None:
    missing = Side(endpoint="pod/default/x", netns=f"/run/netns/{pair.a}-gone", address="10.99.0.2", node="n1")
    with pytest.raises(ProbeError, match=r"network namespace /run/netns/\S+-gone: No such file"):
        measure(pair.side("a"), missing, Request(seconds=1), backend="veth")


def test_a_missing_library_says_what_to_install(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "LIBRARY", "libiperf.so.99")
    with pytest.raises(MachineError, match=r"libiperf.so.99: cannot open shared object") as caught:
        measure(pair.side("a"), pair.side("b"), Request(seconds=1), backend="veth")
    assert caught.value.hint == "apt-get install libiperf0"
    assert caught.value.exit_code == 3
