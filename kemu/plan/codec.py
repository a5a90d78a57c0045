"""Objects as JSON and back: one dict an object, its kind's name and its fields; `origin` as text, and only outwards."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from kemu.plan.objects import (
    Addr,
    Bridge,
    BridgePort,
    Fdb,
    Foreign,
    Forwarding,
    Link,
    Loopback,
    Neigh,
    Netem,
    Netns,
    NftTable,
    Object,
    Pfifo,
    Process,
    Qdisc,
    Route,
    Rule,
    Stray,
    Sysctl,
    Tbf,
    Veth,
    Vxlan,
)

SCHEMA = "kemu.plan/1"

#: Fields that are called otherwise in JSON, where `kind` says which kind of object it is.
_OUTSIDE = {"kind": "type"}

KINDS: dict[str, type[Object]] = {
    "netns": Netns,
    "link": Link,
    "addr": Addr,
    "route": Route,
    "rule": Rule,
    "neigh": Neigh,
    "fdb": Fdb,
    "sysctl": Sysctl,
    "qdisc": Qdisc,
    "nft-table": NftTable,
    "forwarding": Forwarding,
    "stray": Stray,
    "process": Process,
}
_DETAILS: dict[str, type[Any]] = {
    "veth": Veth,
    "bridge": Bridge,
    "vxlan": Vxlan,
    "loopback": Loopback,
    "foreign": Foreign,
    "tbf": Tbf,
    "netem": Netem,
    "pfifo": Pfifo,
}
_NAMES: dict[type[Any], str] = {kind: name for name, kind in (*KINDS.items(), *_DETAILS.items())}
_FIELDS: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind) if field.name != "origin") for kind in (*_NAMES, BridgePort)
}


def kind_of(item: Object) -> str:
    """Return the name of an object's kind, as JSON and tables have it."""
    return _NAMES[type(item)]


def to_dict(item: Object) -> dict[str, Any]:
    """Return an object as JSON."""
    data = {"kind": _NAMES[type(item)], **_plain(item)}
    if isinstance(item, Link | Qdisc):
        data["detail"] = {"kind": _NAMES[type(item.detail)], **_plain(item.detail)}
    if isinstance(item, Link):
        data["port"] = _plain(item.port) if item.port else None
    data["origin"] = str(item.origin) if item.origin else None
    return data


def _plain(item: Any) -> dict[str, Any]:
    return {_OUTSIDE.get(name, name): getattr(item, name) for name in _FIELDS[type(item)]}


def from_dict(data: dict[str, Any]) -> Object:
    """Return the object that `to_dict` described, without its origin. Raises KeyError or TypeError if it did not."""
    kind = KINDS[data["kind"]]
    values = _fields(kind, data)
    if "detail" in data:
        detail = _DETAILS[data["detail"]["kind"]]
        values["detail"] = detail(**_fields(detail, data["detail"]))
    if kind is Link:
        values["port"] = BridgePort(**data["port"]) if data["port"] else None
    return kind(**values)


def _fields(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    outside = ((name, _OUTSIDE.get(name, name)) for name in _FIELDS[kind])
    return {name: _frozen(data[key]) for name, key in outside if key in data}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
