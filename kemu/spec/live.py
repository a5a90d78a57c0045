"""The live layer: what kemu's verbs changed in a running cluster. Folded over the file it is what the cluster should be.

Values are kept as they were typed, in a text like the file's own, so that people can read it and `link reset` knows what to forget.
Further kinds of live changes are further fields of Live, with a part each in reading, writing, folding and describing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from kemu.base.errors import NotFoundError, Problem, SpecError, StateError, UsageError
from kemu.spec.fabric import small_mtu
from kemu.spec.fields import LINK_PARSERS, SHAPE_FIELDS
from kemu.spec.links import build_shape, find_conflicts
from kemu.spec.model import Cable, Host, Node, Shape, Topology
from kemu.spec.source import MappingNode, Source, find_close, read_value
from kemu.spec.source import Node as YamlNode

_HEAD = "# What kemu's verbs changed in the running cluster; `kemu up --reset` drops it.\n"
_FIELDS = {"out": "outward", "in": "inward"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """What was said of one link; what was not is the file's. Values by the file's keys, as they were typed."""

    down: bool = False
    mtu: str = ""
    outward: Mapping[str, str] = field(default_factory=dict)
    inward: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.down or self.mtu or self.outward or self.inward)

    def __str__(self) -> str:
        """Return it in words: `down, delay 5ms, in loss 1%`."""
        common = {key: value for key, value in self.outward.items() if self.inward.get(key) == value}
        rest = {
            way: {key: value for key, value in getattr(self, name).items() if key not in common} for way, name in _FIELDS.items()
        }
        words = (["down"] if self.down else []) + ([f"mtu {self.mtu}"] if self.mtu else [])
        words += [f"{key} {value}" for key, value in common.items()]
        return ", ".join([*words, *(f"{way} {key} {value}" for way, values in rest.items() for key, value in values.items())])


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWish:
    """What a person asks of one link now: `up` None leaves it as it is, `ways` are the directions that `values` are for."""

    up: bool | None = None
    mtu: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    ways: Sequence[str] = ("out", "in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Everything that was changed live. `links` are by what they are called: node/n1, host/client, segment/rack1."""

    links: Mapping[str, LinkChange] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.links)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveItem:
    """One live change as `status` lists it."""

    kind: str
    target: str
    change: str

    def __str__(self) -> str:
        return f"{self.kind} {self.target}: {self.change}"


def describe(live: Live) -> tuple[LiveItem, ...]:
    """Return every live change."""
    return tuple(LiveItem(kind="link", target=target, change=str(change)) for target, change in live.links.items())


# --- as text ----------------------------------------------------------------------------------------------------------------------


def read_live(text: str | None) -> Live:
    """Return the layer that `show_live` wrote; an empty one for None. Raises StateError if the text is damaged."""
    try:
        root = read_value(Source(name="live.yaml", text=text or ""))
        data = _plain(root) if root is not None else {}
        return Live(links={target: _read_link(change) for target, change in data.get("links", {}).items()})
    except (SpecError, AttributeError, TypeError, ValueError) as error:
        raise StateError("the record of live changes is damaged", hint="kemu up --reset drops it") from error


def _plain(node: YamlNode) -> Any:
    """Return a tree of our own making as dicts of texts."""
    return {key.value: _plain(value) for key, value in node.value} if isinstance(node, MappingNode) else node.value


def _read_link(data: Mapping[str, Any]) -> LinkChange:
    ways = {name: dict(data.get(way, {})) for way, name in _FIELDS.items()}
    return LinkChange(down=data.get("up") == "false", mtu=data.get("mtu", ""), **ways)


def show_live(live: Live) -> str:
    """Return the layer as YAML."""
    links = {target: _link_data(change) for target, change in live.links.items()}
    return _HEAD + yaml.safe_dump({"links": links} if links else {}, sort_keys=False)


def _link_data(change: LinkChange) -> dict[str, Any]:
    data: dict[str, Any] = {"up": False} if change.down else {}
    data |= {"mtu": change.mtu} if change.mtu else {}
    return data | {way: dict(values) for way, name in _FIELDS.items() if (values := getattr(change, name))}


# --- changing it ------------------------------------------------------------------------------------------------------------------


def find_link(topology: Topology, text: str) -> str:
    """Return what the link of a node, a host or a segment is called: node/n1 for n1. UsageError if it may be two."""
    found = [target for target in links(topology) if text in (target, target.partition("/")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f'"{text}" may be {" or ".join(found)}', hint="write it in full")
    raise NotFoundError(f'{topology.name} has no link "{text}"', hint=find_close(text, links(topology), "links"))


def links(topology: Topology) -> dict[str, Cable]:
    """Return every link by what it is called: nodes', hosts', segments' uplinks."""
    machines: Sequence[Node | Host] = (*topology.nodes, *topology.hosts)
    found = {f"{'node' if isinstance(one, Node) else 'host'}/{one.name}": one.link for one in machines}
    return found | {f"segment/{one.name}": one.uplink for one in topology.fabric.segments}


def with_link(live: Live, target: str, wish: LinkWish) -> Live:
    """Return the layer with a wish for one link added: only what it names changes. UsageError for a value that makes no sense."""
    for key, text in (*wish.values.items(), *([("mtu", wish.mtu)] if wish.mtu else [])):
        _parse(key, text)
    for way in wish.ways:
        if way not in _FIELDS:
            raise UsageError(f'a link has no direction "{way}"', hint="out, in, or both")
    known = live.links.get(target, LinkChange())
    ways = {_FIELDS[way]: {**getattr(known, _FIELDS[way]), **wish.values} for way in wish.ways}
    changed = replace(known, down=known.down if wish.up is None else not wish.up, mtu=wish.mtu or known.mtu, **ways)
    return _with(live, target, changed)


def without_link(live: Live, target: str | None) -> Live:
    """Return the layer without what was said of one link, or, for None, of any."""
    return replace(live, links={}) if target is None else _with(live, target, LinkChange())


def _with(live: Live, target: str, change: LinkChange) -> Live:
    kept = {**live.links, target: change}
    return replace(live, links={name: one for name, one in kept.items() if one})


def _parse(key: str, text: str) -> Any:
    if key not in LINK_PARSERS:
        raise UsageError(f'a link has no "{key}"', hint=find_close(key, LINK_PARSERS, "keys"))
    try:
        return LINK_PARSERS[key](text)
    except ValueError as error:
        raise UsageError(f"{key}: {error}") from None


# --- folding ----------------------------------------------------------------------------------------------------------------------


def without_strangers(topology: Topology, live: Live) -> tuple[Live, tuple[LiveItem, ...]]:
    """Return the layer without what is said of things that a topology does not have, and what that was."""
    known = links(topology)
    kept = replace(live, links={target: change for target, change in live.links.items() if target in known})
    return kept, tuple(item for item in describe(live) if item.target not in known)


def fold(topology: Topology, live: Live) -> Topology:
    """Return a topology with its live changes. Raises SpecError where they do not fit to what the file says."""
    cables = links(topology)
    changed = {target: _fold_link(cables[target], change) for target, change in live.links.items()}
    versions = topology.networking.ip_family.versions
    if problems := [problem for target, cable in changed.items() for problem in _conflicts(target, cable, versions)]:
        raise SpecError(problems)
    cables |= changed
    segments = tuple(replace(one, uplink=cables[f"segment/{one.name}"]) for one in topology.fabric.segments)
    return replace(
        topology,
        nodes=tuple(replace(one, link=cables[f"node/{one.name}"]) for one in topology.nodes),
        hosts=tuple(replace(one, link=cables[f"host/{one.name}"]) for one in topology.hosts),
        fabric=replace(topology.fabric, segments=segments),
    )


def _fold_link(cable: Cable, change: LinkChange) -> Cable:
    mtu = _parse("mtu", change.mtu) if change.mtu else cable.mtu
    outward, inward = _fold_way(cable.outward, change.outward), _fold_way(cable.inward, change.inward)
    return Cable(mtu=mtu, outward=outward, inward=inward, up=not change.down)


def _fold_way(shape: Shape, said: Mapping[str, str]) -> Shape:
    return build_shape({key: _parse(key, text) for key, text in said.items() if key in SHAPE_FIELDS}, shape)


def _conflicts(target: str, cable: Cable, versions: Sequence[int]) -> Iterator[Problem]:
    """Yield what is wrong with a link now; what is wrong with both directions once."""
    said = [message for shape in (cable.outward, cable.inward) for _, message, _ in find_conflicts(shape)]
    small = small_mtu(cable.mtu, versions)
    for message in dict.fromkeys([*said, *([small] if small else [])]):
        yield Problem(
            message=f"{target}, with its live changes: {message}", hint=f"change that, too, or: kemu link reset {target}"
        )
