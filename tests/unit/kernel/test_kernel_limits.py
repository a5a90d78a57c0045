"""The machine's limits, and the sockets that /proc lists."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest

from kemu.base.errors import MachineError
from kemu.kernel import limits
from kemu.kernel.sockets import find_sockets

HERE = Path("/proc/thread-self/ns/net")


def test_what_the_machine_allows_is_no_error() -> None:
    limits.check(1)


def test_too_many_processes_are_refused_with_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    limits.check_processes(1)
    monkeypatch.setattr(limits, "_read", lambda name: 100 if name == "kernel/pid_max" else None)
    with pytest.raises(MachineError, match=r"this needs \d+ processes, and the machine allows 100") as caught:
        limits.check_processes(1000)
    assert "sysctl -w kernel.pid_max=" in caught.value.hint


def test_too_many_open_files_are_refused_with_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.resource, "getrlimit", lambda kind: (1024, 4096))
    with pytest.raises(MachineError, match="20200 open files") as caught:
        limits.check(10_000)
    assert "ulimit -Hn 20200" in caught.value.hint


def test_the_soft_limit_of_open_files_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(limits.resource, "getrlimit", lambda kind: (64, 4096))
    monkeypatch.setattr(limits.resource, "setrlimit", lambda kind, pair: seen.append(pair))
    limits.check(10)
    assert seen == [(220, 4096)]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0


@pytest.mark.parametrize(
    ("setting", "allowed", "message"),
    [
        ("user/max_net_namespaces", 5, "network namespaces, and the machine allows 5"),
        ("fs/mount-max", 7, "mounts, and the machine allows 7"),
    ],
)
def test_small_limits_of_the_kernel_are_named(monkeypatch: pytest.MonkeyPatch, setting: str, allowed: int, message: str) -> None:
    monkeypatch.setattr(limits, "_read", lambda name: allowed if name == setting else None)
    with pytest.raises(MachineError, match=message) as caught:
        limits.check(50)
    assert caught.value.hint.startswith(f"sysctl -w {setting.replace('/', '.')}=")


def test_many_pods_are_warned_of_a_small_neighbour_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_read", lambda name: 1024)
    assert limits.warnings([20, 20], 4) == []
    assert "sysctl -w net.ipv4.neigh.default.gc_thresh3=3972" in limits.warnings([30, 32], 4)[0]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("family", "host", "shown"), [(socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::1", "[::1]")]
)
def test_a_listening_socket_is_found_with_its_address(family: int, host: str, shown: str) -> None:
    with socket.create_server((host, 0), family=family) as server:  # type: ignore[arg-type]
        port = server.getsockname()[1]
        found = {(one.protocol, one.local, one.state) for one in find_sockets(HERE)}
    assert ("tcp", f"{shown}:{port}", "listening") in found
