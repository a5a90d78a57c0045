"""Reading `internet:`, the way out through the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kemu.spec import defaults
from kemu.spec.check import Claim, check_families, choose_families
from kemu.spec.model import Internet, IPNetwork
from kemu.spec.tables import Entry


def read_internet(root: Entry, versions: Sequence[int]) -> Internet | None:
    """Return the way out that the file asks for, None if it asks for none; what is wrong with its subnets is noted."""
    said = root.get("internet", False)
    if said is False:
        return None
    mark = root.log.mark(root.nodes["internet"])
    if not isinstance(said, Entry):
        return Internet(mark=mark)
    check_families([said], ("subnet",), versions)
    subnets = choose_families(said.get("subnet", {}), versions)
    for subnet in subnets.values():
        _check_room(said, subnet)
    return Internet(subnets=subnets, mark=mark)


def _check_room(entry: Entry, subnet: IPNetwork) -> None:
    least = defaults.WAY_OUT_PREFIXES[subnet.version]
    if subnet.prefixlen > least:
        entry.wrong(
            "subnet", f"subnet: {subnet} has no room for the machine and the router", f"a /{least}, as {least_example(subnet)}"
        )


def least_example(subnet: IPNetwork) -> IPNetwork:
    """Return the smallest subnet that would do around one that is too small."""
    return subnet.supernet(new_prefix=defaults.WAY_OUT_PREFIXES[subnet.version])


def show_internet(internet: Internet | None) -> Any:
    """Return the way out as plain data in the words of the file; None for none."""
    if internet is None:
        return None
    subnets = list(internet.subnets.values())
    return {"subnet": subnets[0] if len(subnets) == 1 else subnets} if subnets else True


def claims(root: Entry, internet: Internet | None, cluster: str, versions: Sequence[int]) -> Iterator[Claim]:
    """Yield the subnets that nothing else may overlap."""
    if internet is None:
        return
    said = root.part("internet").get("subnet", {})
    for version in versions:
        _, node = said.get(version, (None, None))
        yield Claim(internet.subnets.get(version) or defaults.way_out_subnet(version, cluster), "internet.subnet", node)
