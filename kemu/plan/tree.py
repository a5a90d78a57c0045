"""A plan as a tree: every namespace with its devices, their addresses, and what stands beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from kemu.plan.objects import Addr, Fdb, Link, Neigh, Netns, NftTable, Object, Qdisc, Route, Rule, Sysctl, Veth, Vxlan
from kemu.plan.show import kind_word, show_discipline, title


def show_tree(objects: Iterable[Object], cluster: str) -> str:
    """Return the tree as text; each namespace with what is in it, in the plan's order."""
    by_namespace: dict[str, list[Object]] = defaultdict(list)
    for item in objects:
        by_namespace[item.netns].append(item)
    return "\n".join([cluster, *_branches([(name, describe(items)) for name, items in by_namespace.items()])])


def _branches(branches: list[tuple[str, list[str]]]) -> Iterator[str]:
    for i, (name, leaves) in enumerate(branches):
        is_last = i == len(branches) - 1
        yield f"{'└─' if is_last else '├─'} {name}"
        for j, leaf in enumerate(leaves):
            yield f"{'  ' if is_last else '│ '} {'└─' if j == len(leaves) - 1 else '├─'} {leaf}"


def describe(items: Iterable[Object]) -> list[str]:
    """Return a line for each device with its addresses, and for each thing beside them."""
    items = list(items)
    addresses: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if isinstance(item, Addr):
            addresses[item.dev].append(item.address)
    devices = [_device(item, addresses[item.name]) for item in items if isinstance(item, Link)]
    return [*devices, *(_entry(item) for item in items if not isinstance(item, (Netns, Link, Addr)))]


def _device(link: Link, addresses: list[str]) -> str:
    words = [link.name, kind_word(link), *_where(link), f"mtu {link.mtu}", *addresses]
    return "  ".join(words)


def _where(link: Link) -> Iterator[str]:
    match link.detail:
        case Veth(peer_netns=netns, peer=peer):
            yield f"to {peer} in {netns}"
        case Vxlan(vni=vni, port=port, local=local, lower=lower):
            yield f"id {vni} port {port} from {local} over {lower}"
    if link.master:
        yield f"in {link.master}"


def _entry(item: Object) -> str:
    match item:
        case Route():
            if item.type != "unicast":
                return title(item)
            via = f" via {item.via}" if item.via else ""
            return f"{title(item)}{via} dev {item.dev}{' onlink' if item.onlink else ''}"
        case Neigh():
            return f"{title(item)} is {item.mac}"
        case Sysctl():
            return f"{title(item)} = {item.value}"
        case Qdisc():
            return f"qdisc {show_discipline(item)} on {item.dev} {item.parent}"
        case Fdb() | Rule() | NftTable():
            return title(item)
        case _:
            return title(item)


def show_table(table: NftTable) -> list[str]:
    """Return an nft table's rules, a line each, indented below its name."""
    return [title(table), *(f"  {line.expandtabs(2)}" for line in table.body.splitlines() if line.strip())]
