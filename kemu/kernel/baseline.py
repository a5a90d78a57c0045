"""The settings of a fresh network namespace on this machine, and the tables of a plan as this machine's nft prints them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

from kemu.kernel import nft, sysctl
from kemu.kernel.netns import fresh_namespace
from kemu.plan.objects import NftTable, Object


def measure() -> dict[str, str]:
    """Return every setting of a namespace that was made just now."""
    with fresh_namespace() as descriptor:
        os.close(descriptor)
        return sysctl.measure()


def normalise(objects: Iterable[Object]) -> list[Object]:
    """Return the objects with the bodies of their tables as nft lists them, so that they compare with what is read back."""
    items = list(objects)
    listings = _listings({(item.family, item.body) for item in items if isinstance(item, NftTable)})
    return [replace(item, body=listings[item.family, item.body]) if isinstance(item, NftTable) else item for item in items]


def _listings(tables: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return what nft lists for each (family, body), loaded once in a namespace of its own."""
    if not tables:
        return {}
    with fresh_namespace() as descriptor:
        os.close(descriptor)
        listings = {}
        for number, (family, body) in enumerate(sorted(tables)):
            nft.run(f"table {family} t{number} {{\n{body}\n}}")
            listings[family, body] = nft.body(family, f"t{number}")
        return listings
