"""What is not the cluster's stays as it is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cluster_tools import Running, inode_of, machine, processes_in, traces

from kemu.base.errors import KernelError, LockedError, StateError
from kemu.base.marks import Mark, Origin
from kemu.base.reporter import Silent
from kemu.cluster import lifecycle
from kemu.cluster.lock import locked
from kemu.cluster.state import ROOT, Record, StateDirectory
from kemu.kernel.enter import inside
from kemu.kernel.netns import path_of
from kemu.plan import sysctls
from kemu.plan.objects import NftTable, Object, Route, Sysctl

pytestmark = pytest.mark.kernel

_HOLDER = """
import sys
from kemu.cluster.lock import locked
from kemu.cluster.state import StateDirectory
from kemu.base.reporter import SILENT
with locked(StateDirectory(sys.argv[1]), patience_seconds=5, reporter=SILENT):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("backend", ["host-gw", "vxlan"])
def test_machine_is_the_same_before_during_and_after(name: str, backend: str) -> None:
    before = machine()
    cluster = Running.build(name, backend=backend, family="dual")
    cluster.up()
    cluster.ping("default.p1", "10.244.1.2")
    assert machine() == before
    cluster.shell("ip netns del @n1; ip -n @n2 link del cni0")
    cluster.up()
    assert machine() == before
    lifecycle.down(name)
    assert machine() == before


def test_this_thread_comes_home(name: str) -> None:
    home = os.stat("/proc/thread-self/ns/net").st_ino
    cluster = Running.build(name)
    cluster.up()
    cluster.compare()
    lifecycle.down(name)
    assert os.stat("/proc/thread-self/ns/net").st_ino == home


def test_no_descriptor_is_left_open(name: str) -> None:
    cluster = Running.build(name)
    cluster.up()
    cluster.compare()
    before = sorted(os.listdir("/proc/self/fd"))
    cluster.up()
    cluster.compare()
    lifecycle.down(name)
    cluster.up()
    assert sorted(os.listdir("/proc/self/fd")) == before


# --- namespaces of others -------------------------------------------------------------------------------------------------------


def test_foreign_namespace_in_the_way_is_refused_and_left_alone(name: str) -> None:
    cluster = Running.build(name)
    cluster.shell("ip netns add @n1; ip -n @n1 link add mine type bridge; ip -n @n1 addr add 1.2.3.4/24 dev mine")
    before = cluster.shell("ip -n @n1 -d addr")
    with pytest.raises(StateError, match="exists and is not kemu's") as caught:
        cluster.up()
    assert f"ip netns del {name}.n1" in caught.value.hint
    assert cluster.shell("ip -n @n1 -d addr") == before
    assert all(trace.endswith(".n1") or f"{name}.n1 " in trace for trace in traces(name)), (
        "the refused `up` left nothing of its own"
    )


def test_down_leaves_a_foreign_namespace_alone(name: str) -> None:
    cluster = Running.build(name)
    cluster.up()
    cluster.shell("ip netns add @mine; ip -n @mine link set lo alias 'somebody else'")
    lifecycle.down(name)
    assert [Path(trace).name for trace in traces(name) if trace.startswith("/run/netns")] == [f"{name}.mine"]
    cluster.shell("ip -n @mine link show lo")


def test_cluster_whose_name_begins_like_another_is_left_alone(make_name: Callable[[], str]) -> None:
    one = Running.build(make_name())
    other = Running.build(f"{one.name}x")
    try:
        one.up()
        other.up()
        lifecycle.down(one.name)
        assert other.drift() == []
    finally:
        lifecycle.down(other.name)


# --- a plan that the kernel refuses -----------------------------------------------------------------------------------------------

_BAD = Route(
    netns="n1",
    dst="99.0.0.0/8",
    dev="eth0",
    via="203.0.113.1",
    origin=Origin(part="test", mark=Mark(file="a.yaml", line=7, column=3)),
)


def _with(cluster: Running, item: Object) -> Running:
    return Running(cluster.name, replace(cluster.plan, objects={**cluster.plan.objects, item.key: item}))


def test_refused_object_is_named_and_nothing_is_left(name: str) -> None:
    with pytest.raises(KernelError) as caught:
        _with(Running.build(name), _BAD).up()
    error = caught.value
    assert error.object_title == "route 99.0.0.0/8"
    assert error.netns == f"{name}.n1"
    assert error.command == f"ip -n {name}.n1 route add 99.0.0.0/8 via 203.0.113.1 dev eth0"
    assert str(error.origin) == "test (a.yaml:7)"
    assert "Nexthop has invalid gateway" in error.message
    assert traces(name) == []


def test_refused_repair_leaves_the_cluster(name: str) -> None:
    cluster = Running.build(name)
    cluster.up()
    with pytest.raises(KernelError):
        _with(cluster, _BAD).up()
    assert cluster.drift() == []
    assert cluster.ping("default.p1", "10.244.1.2") == 62


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (Sysctl(netns="n1", name="net/ipv4/ip_forward", value="what"), "refused setting net/ipv4/ip_forward"),
        (
            Sysctl(netns="n1", name="net/ipv4/conf/eth0/no_such_thing", value="1"),
            "refused setting net/ipv4/conf/eth0/no_such_thing",
        ),
        (NftTable(netns="n1", family="ip", name="mine", body="no such thing"), "refused nft table ip mine"),
    ],
)
def test_refused_setting_or_table_is_named(name: str, item: Object, words: str) -> None:
    with pytest.raises(KernelError, match=words):
        _with(Running.build(name), item).up()
    assert traces(name) == []


# --- the lock ---------------------------------------------------------------------------------------------------------------------


@contextmanager
def _holding(name: str) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the cluster's lock."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "locked\n"
        yield holder
    finally:
        holder.communicate()


@pytest.mark.parametrize("verb", ["up", "compare", "down"])
def test_second_command_gives_up_and_names_the_first(name: str, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "PATIENCE_SECONDS", 0.1)
    cluster = Running.build(name)
    verbs = {"up": cluster.up, "compare": cluster.compare, "down": lambda: lifecycle.down(name)}
    with _holding(name) as holder, pytest.raises(LockedError, match=rf"process {holder.pid}\b"):
        verbs[verb]()


class _Waiter(Silent):
    """Lets go of what it is told to wait for."""

    def __init__(self, holder: subprocess.Popen[str]) -> None:
        self.holder = holder
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)
        assert self.holder.stdin is not None
        self.holder.stdin.close()
        self.holder.stdin = None


def test_second_command_waits_for_the_first(name: str) -> None:
    cluster = Running.build(name)
    with _holding(name) as holder:
        waiter = _Waiter(holder)
        lifecycle.up(cluster.plan, Record(cluster=name, file=""), "", reporter=waiter)
    assert len(waiter.notes) == 1
    assert f"(process {holder.pid})" in waiter.notes[0]
    assert cluster.drift() == []


def test_lock_of_a_dead_process_is_free(name: str) -> None:
    with _holding(name) as holder:
        holder.kill()
        holder.wait()
        with locked(StateDirectory(name), patience_seconds=0, reporter=Silent()):
            assert StateDirectory(name).lock.exists()


def test_two_commands_at_once_make_one_cluster(name: str) -> None:
    cluster = Running.build(name)
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(cluster.up().made)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, True]
    assert cluster.drift() == []


# --- what is left -----------------------------------------------------------------------------------------------------------------


def test_down_works_with_the_state_directory_lost(name: str) -> None:
    cluster = Running.build(name)
    cluster.up()
    shutil.rmtree(ROOT / name)
    assert cluster.compare().state == "ok"
    shutil.rmtree(ROOT / name)
    assert name in lifecycle.find_clusters()
    assert lifecycle.down(name) is True
    assert traces(name) == []


def test_down_works_with_namespaces_half_gone(name: str) -> None:
    cluster = Running.build(name)
    cluster.up()
    cluster.shell(
        "ip netns del @n1; umount /run/netns/@default.p1; rm -f /run/netns/@default.p2 || umount /run/netns/@default.p2"
    )
    assert lifecycle.down(name) is True
    assert traces(name) == []


def test_comparing_what_does_not_exist_leaves_nothing(name: str) -> None:
    assert Running.build(name).compare().changes
    assert traces(name) == []


def test_forgotten_process_is_ended_and_no_other(name: str) -> None:
    cluster = Running.build(name)
    cluster.up()
    inode = inode_of(name, "default.p1")
    forgotten = subprocess.Popen(["ip", "netns", "exec", f"{name}.default.p1", "sleep", "600"])
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        while not processes_in(inode):
            assert forgotten.poll() is None
        assert lifecycle.down(name) is True
        assert forgotten.wait(timeout=30) == -signal.SIGTERM
        assert bystander.poll() is None
        assert processes_in(inode) == []
        assert traces(name) == []
    finally:
        for process in (forgotten, bystander):
            process.kill()
            process.wait()


def test_process_that_ignores_politeness_is_ended_too(name: str) -> None:
    cluster = Running.build(name)
    cluster.up()
    stubborn = subprocess.Popen(
        [
            "ip",
            "netns",
            "exec",
            f"{name}.n1",
            sys.executable,
            "-c",
            "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        assert lifecycle.down(name) is True
        assert stubborn.wait(timeout=30) == -signal.SIGKILL
    finally:
        stubborn.kill()
        stubborn.communicate()


def test_settings_that_the_machine_has_otherwise_are_corrected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stated = {**sysctls.IPV4_BASELINE, "net/ipv4/conf/default/rp_filter": "2", "net/ipv4/conf/all/log_martians": "1"}
    monkeypatch.setattr(sysctls, "IPV4_BASELINE", stated)
    cluster = Running.build(name)
    cluster.up()
    assert cluster.drift() == []
    with inside(path_of(name, "default.p1")):
        assert Path("/proc/sys/net/ipv4/conf/eth0/rp_filter").read_text() == "2\n"
        assert Path("/proc/sys/net/ipv4/conf/all/log_martians").read_text() == "1\n"
    cluster.shell("ip netns del @default.p1")
    cluster.up()
    assert cluster.drift() == []
