from __future__ import annotations

from pathlib import Path

import pytest

from kemu.kernel import resolvers
from kemu.kernel.resolvers import find_resolvers, read_resolvers

_TEXT = """\
# a comment
search example.org
nameserver 127.0.0.53
nameserver 192.0.2.53
nameserver fe80::1%eth0
nameserver ::1
nameserver 2001:db8::53
nameserver nonsense
nameserver
options edns0
"""


def test_servers_that_only_the_machine_reaches_are_left_out() -> None:
    assert list(read_resolvers(_TEXT.splitlines(), (4, 6))) == ["192.0.2.53", "2001:db8::53"]


def test_servers_of_the_clusters_families_only() -> None:
    assert list(read_resolvers(_TEXT.splitlines(), (6,))) == ["2001:db8::53"]


def test_behind_the_stub_of_systemd_are_the_real_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr(resolvers, "FILES", (stub, real))
    assert find_resolvers((4,)) == []
    real.write_text("nameserver 192.0.2.53\n")
    assert find_resolvers((4,)) == ["192.0.2.53"]
