"""The line that kemu's servers answer with."""

from __future__ import annotations

import errno

import pytest

from kemu.kernel.neighbours import read_entries
from kemu.probe.answer import Served, build_answer, read_answer
from kemu.probe.errors import reason_of_errno


@pytest.mark.parametrize("address", ["10.244.1.2", "fd00:10:244::2"])
def test_answer_reads_back(address: str) -> None:
    data = build_answer("pod/default/web-1", address, waited_ns=1234, echo=b"\0\n kemu")
    assert read_answer(data) == Served("pod/default/web-1", address, 1234, b"\0\n kemu")


@pytest.mark.parametrize("data", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"kemu web saw 10.0.0.1", b"\xff\0"])
def test_words_of_other_servers_are_no_answer(data: bytes) -> None:
    assert read_answer(data) is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.ENETUNREACH, "no-route"), (errno.ECONNREFUSED, "refused"), (errno.EMSGSIZE, "too-big"), (errno.ENOTSOCK, "error")],
)
def test_errnos_have_words(code: int, reason: str) -> None:
    assert reason_of_errno(code) == reason


def test_neighbours_are_counted_once_and_not_for_each_cpu() -> None:
    assert read_entries("entries  allocs\n000000ff 00000976\n000000ff 00000001\n") == 255
