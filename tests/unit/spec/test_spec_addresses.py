"""Subnets, addresses and prefix lengths as values."""

from __future__ import annotations

from typing import Any

import pytest

from kemu.spec.address_kinds import Addresses, Prefixes, Subnets
from kemu.spec.kinds import BAD, Kind
from kemu.spec.source import Log, Source, read_value


def _read(kind: Kind, text: str) -> tuple[Any, list[str]]:
    source = Source("test", text)
    log = Log(source)
    node = read_value(source)
    assert node is not None
    return kind.read(node, log, "it"), [problem.message for problem in log.problems]


def _plain(found: Any) -> dict[int, str]:
    return {version: str(value) for version, (value, _) in found.items()}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.0/8", {4: "10.0.0.0/8"}),
        ("[fd00::/64, 10.0.0.0/8]", {6: "fd00::/64", 4: "10.0.0.0/8"}),
    ],
)
def test_subnets_are_known_by_their_version(text: str, found: dict[int, str]) -> None:
    assert _plain(_read(Subnets(), text)[0]) == found


def test_an_address_is_no_subnet_and_a_subnet_no_address() -> None:
    for kind, text in ((Subnets(), "10.0.0.1"), (Subnets(), "10.0.0.1/8"), (Addresses(), "10.0.0.0/8"), (Addresses(), "ten")):
        value, problems = _read(kind, text)
        assert value is BAD
        assert len(problems) == 1


def test_prefix_lengths_are_one_or_two() -> None:
    assert _read(Prefixes(), "24")[0] == (24,)
    assert _read(Prefixes(), "[24, 64]")[0] == (24, 64)
    assert _read(Prefixes(), "[24, 64, 80]")[0] is BAD
