"""`kemu capture` as it is typed: how it begins, how it ends, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from capture_file import read_capture
from cli_kemu import Kemu

pytestmark = pytest.mark.kernel

LIMIT_SECONDS = 60


@contextmanager
def _started(kemu: Kemu, *words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have `kemu capture` at work for the block: it has said that it is."""
    environment = {**os.environ, "KEMU_CLUSTER": kemu.name}
    command = [sys.executable, "-m", "kemu", "capture", *map(str, words)]
    with subprocess.Popen(
        command, env=environment, cwd=kemu.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said.startswith(b"capturing on "), said
            yield process
        finally:
            process.kill()


def _ping(kemu: Kemu, count: int = 2) -> None:
    kemu.ok("exec", "a", "--", "ping", f"-c{count}", "-i0.05", "-W5", "c")


def _end(process: subprocess.Popen[bytes]) -> tuple[bytes, str]:
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 0, err
    return out, err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_whole_file_with_everything_before_it(kemu: Kemu, number: signal.Signals) -> None:
    file = kemu.directory / "f.pcapng"
    with _started(kemu, "a", "c", "--way", "-w", file, "--", "icmp") as process:
        _ping(kemu)
        process.send_signal(number)
        _, said = _end(process)
    found = read_capture(file)
    assert len(found.packets) == 2 * 2 * 8
    assert set(found.lost) == set(found.names)
    assert f"32 packets of 12 devices in {file}, none lost" in said
    assert "n1%flannel.1" in said


def test_taking_the_cluster_down_ends_the_capture(kemu: Kemu) -> None:
    with _started(kemu, "a", "c", "--way", "-w", "f.pcapng", "-f", "icmp") as process:
        _ping(kemu)
        assert kemu.ok("down") == f"{kemu.name} is gone\n"
        _end(process)
    assert len(read_capture(kemu.directory / "f.pcapng").packets) == 32
    assert not list(Path("/run/netns").glob(f"{kemu.name}.*"))


def test_so_many_packets_and_no_more(kemu: Kemu) -> None:
    with _started(kemu, "a", "c", "-w", "f.pcapng", "-c", "3", "-f", "icmp", "-o", "json") as process:
        _ping(kemu)
        out, _ = _end(process)
    assert len(read_capture(kemu.directory / "f.pcapng").packets) == 3
    summary = json.loads(out)
    assert (summary["ended_by"], summary["packets"], summary["dropped"]) == ("count", 3, 0)
    assert [one["name"] for one in summary["devices"]] == ["a%eth0", "c%eth0"]
    assert [one["netns"] for one in summary["devices"]] == [f"{kemu.name}.default.{pod}" for pod in "ac"]


def test_so_long_and_no_longer(kemu: Kemu) -> None:
    summary = kemu.json("capture", "router", "--seconds", "0.3")
    assert summary["ended_by"] == "seconds"
    assert summary["seconds"] >= 0.3
    assert summary["file"] is None


def test_a_reader_may_leave(kemu: Kemu) -> None:
    with _started(kemu, "a", "c", "-w", "-", "-f", "icmp") as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == bytes.fromhex("0a0d0d0a")
        process.stdout.close()
        assert process.wait(LIMIT_SECONDS) == 0


def test_standard_output_is_live_and_tcpdump_reads_it(kemu: Kemu) -> None:
    with _started(kemu, "a", "c", "--way", "-w", "-", "-f", "icmp") as process:
        reader = subprocess.Popen(
            ["tcpdump", "-lnr", "-"], stdin=process.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        with reader:
            _ping(kemu)
            assert reader.stdout is not None
            lines = [reader.stdout.readline() for _ in range(32)]  # while the capture goes on
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
    assert all("ICMP echo" in line for line in lines)


def test_without_a_file_each_packet_is_a_line(kemu: Kemu) -> None:
    with _started(kemu, "a", "c", "--way", "--", "icmp", "or", "udp", "port", "8472") as process:
        _ping(kemu, 1)
        process.send_signal(signal.SIGINT)
        out, said = _end(process)
    lines = out.decode().splitlines()
    assert len(lines) == 2 * 12
    assert [line.split()[1] for line in lines[:12]] == [
        "a%eth0",
        *("n1%" + name for name in (lines[1].split()[1].removeprefix("n1%"), "cni0", "flannel.1", "eth0")),
        "fabric%n1",
        "fabric%n2",
        *("n2%" + name for name in ("eth0", "flannel.1", "cni0", lines[10].split()[1].removeprefix("n2%"))),
        "c%eth0",
    ]
    assert "out  10.244.0.2 > 10.244.1.2 icmp echo request id" in lines[0]
    assert "udp vxlan 1 | 10.244.0.2 > 10.244.1.2 icmp echo request id" in lines[4]
    assert [line.rpartition("ttl ")[2] for line in lines[:12]] == ["64"] * 3 + ["63"] * 6 + ["62"] * 3
    assert said == "24 packets of 12 devices, none lost\n"


def test_a_new_file_belongs_to_who_called_sudo(kemu: Kemu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "12345")
    monkeypatch.setenv("SUDO_GID", "12346")
    for file, owner in (("new", (12345, 12346)), ("old", (0, 0))):
        if file == "old":
            (kemu.directory / file).write_text("what was there")
        kemu.ok("capture", "router", "-w", file, "--seconds", "0.05")
        stat = (kemu.directory / file).stat()
        assert (stat.st_uid, stat.st_gid) == owner
        assert read_capture(kemu.directory / file).names == ["router%eth0"]


def test_a_device_that_is_not_there_is_named_and_the_rest_captured(kemu: Kemu) -> None:
    kemu.ok("exec", "n1", "--", "ip", "link", "del", "flannel.1")
    done = kemu.call("capture", "a", "c", "--way", "--seconds", "0.05", "-o", "json")
    assert "warning: n1%flannel.1 is not there" in done.stderr
    assert len(json.loads(done.stdout)["devices"]) == 11


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("a", "-w", "-", "-o", "json"), 2, "both be on standard output"),
        (("a", "-w", "/proc/nowhere/f"), 2, "/proc/nowhere/f cannot be written"),
        (("a", "-w", "f", "-f", "icmpp"), 2, 'the filter "icmpp" cannot be used'),
        (("a%wlan0",), 4, 'a has no device "wlan0"'),
        ((), 2, "Missing argument"),
    ],
)
def test_what_makes_no_sense_is_one_error(kemu: Kemu, words: tuple[str, ...], code: int, message: str) -> None:
    done = kemu.call("capture", *words)
    assert done.returncode == code
    assert message in done.stderr + done.stdout
    assert not (kemu.directory / "f").exists()


def test_a_full_disk_is_an_error_and_not_a_traceback(kemu: Kemu) -> None:
    done = kemu.call("capture", "router", "-w", "/dev/full", "--seconds", "0.05")
    assert done.returncode == 3
    assert "the packets cannot be written: No space left on device" in done.stderr


def test_no_file_goes_to_a_terminal(kemu: Kemu) -> None:
    code, screen = kemu.on_terminal("capture", "a", "-w", "-", typed="")
    assert code == 2
    assert "a terminal cannot show a pcapng file" in screen
