"""That the machine forwards packets for clusters: which of its settings kemu switched on, for whom, and how they come back.

What was there before is written down before it is changed, in /run/kemu and outside of any cluster's directory, for settings belong
to nobody in particular: the last cluster that needs one gives it back. All functions act on the namespace that the thread is in.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kemu.kernel import files, messages, sysctl
from kemu.kernel.netlink import Netlink, attributes

_DIRECTORY = Path("/run/kemu")
_PREFIX = ".forwarding-"
_THIS = "/proc/thread-self/ns/net"
_IPV4_ALL = "net/ipv4/ip_forward"
_IPV6_ALL = "net/ipv6/conf/all/forwarding"
_IPV6_FORCE_ALL = "net/ipv6/conf/all/force_forwarding"
_RTN_UNICAST = 1
_RTA_OIF, _RTA_MULTIPATH = 4, 9


@dataclass(slots=True)
class _Record:
    """Who needs forwarding: IP versions by cluster. And the settings as they were, by IP version, in the order of being written."""

    clusters: dict[str, list[int]] = field(default_factory=dict)
    before: dict[str, dict[str, str]] = field(default_factory=dict)


def claims(cluster: str) -> list[int]:
    """Return the IP versions for which a cluster had forwarding switched on, or found it on."""
    return _read().clusters.get(cluster, [])


def find_clusters() -> list[str]:
    """Return the clusters that have claims."""
    return list(_read().clusters)


def find_elsewhere(cluster: str) -> str | None:
    """Return the other network namespace in which a cluster has claims, as /proc/<pid>/ns/net names it."""
    others = (path for path in _DIRECTORY.glob(f"{_PREFIX}*[0-9]") if path != _path())
    return next((f"net:[{path.name.removeprefix(_PREFIX)}]" for path in others if cluster in _read(path).clusters), None)


def missing(family: int, device: str) -> list[str]:
    """Return the settings that are off and must be on, for packets to pass between `device` and the default routes' devices.

    IPv4 has such a setting for each device. IPv6 has one since Linux 6.17; before, there is only one for all of them.
    Source: Documentation/networking/ip-sysctl.rst; ip6_forward in net/ipv6/ip6_output.c.
    """
    devices = [device, *ways_out(family)]
    if family == 4:
        names = [f"net/ipv4/conf/{one}/forwarding" for one in devices]
    elif sysctl.find(_IPV6_ALL) == "1":
        names = []
    elif can_force():
        names = [f"net/ipv6/conf/{one}/force_forwarding" for one in devices]
    else:
        names = [_IPV6_ALL]
    return [name for name in dict.fromkeys(names) if sysctl.find(name) == "0"]


def can_force() -> bool:
    """Say whether single devices can forward IPv6."""
    return sysctl.find(_IPV6_FORCE_ALL) is not None


def claim(cluster: str, family: int, device: str) -> None:
    """Switch on what is missing, and remember for whom, and what it was. Raises OSError."""
    with _locked():
        record = _read()
        record.clusters[cluster] = sorted({*record.clusters.get(cluster, []), family})
        before = record.before.setdefault(str(family), {})
        wanted = missing(family, device)
        for name in wanted:
            if f"/{device}/" not in name:  # the cluster's own device takes its settings along
                before.update({one: value for one, value in _affected(name).items() if one not in before})
        _write(record)
        for name in wanted:
            sysctl.write(name, "1")


def _affected(name: str) -> dict[str, str]:
    """Return the values of a setting and of those that the kernel changes together with it."""
    names = [name, *_forwarding_devices()] if name == _IPV6_ALL else [name]
    return sysctl.read_all(names)


def _forwarding_devices() -> list[str]:
    """Return the settings of devices that are on. Source: addrconf_forward_change, net/ipv6/addrconf.c."""
    places = sorted(path.name for path in Path("/proc/sys/net/ipv6/conf").iterdir())
    names = [f"net/ipv6/conf/{place}/forwarding" for place in places if place != "all"]
    return [name for name in names if sysctl.find(name) == "1"]


def release(cluster: str, family: int) -> None:
    """Forget a cluster's claim; if it was the last, give the settings their values back, but where somebody rules over them since."""
    with _locked():
        record = _read()
        left = [one for one in record.clusters.pop(cluster, []) if one != family]
        record.clusters |= {cluster: left} if left else {}
        if not any(family in families for families in record.clusters.values()):
            _restore(record.before.pop(str(family), {}))
        _write(record)


def _restore(before: Mapping[str, str]) -> None:
    for name, value in before.items():
        if sysctl.find(name) not in (None, value) and not _is_overruled(name):
            sysctl.write(name, value)


def _is_overruled(name: str) -> bool:
    """Say whether forwarding was switched on for all devices since: then each has to stay on, whatever it was before."""
    if name.startswith("net/ipv4/"):
        return sysctl.find(_IPV4_ALL) == "1"
    return name.endswith("/force_forwarding") and sysctl.find(_IPV6_FORCE_ALL) == "1"


def ways_out(family: int) -> list[str]:
    """Return the devices of the default routes of all tables."""
    with Netlink() as netlink:
        return sorted({name for data in default_routes(netlink, family) for name in devices_of(data)})


def default_routes(netlink: Netlink, family: int) -> list[bytes]:
    """Return the messages of the default routes of an IP version."""
    body = bytes([socket.AF_INET if family == 4 else socket.AF_INET6]) + bytes(11)
    dump = netlink.dump(messages.RTM_GETROUTE, body)
    return [data for data in dump if leads_anywhere(data) and data[23] == _RTN_UNICAST]


def leads_anywhere(data: bytes) -> bool:
    """Say whether a route is a default route, or a half of one as VPNs set them: 0.0.0.0/1; in IPv6 all that is public, 2000::/3."""
    return data[17] <= (1 if data[16] == socket.AF_INET else 3)


def devices_of(data: bytes) -> list[str]:
    """Return the names of a route's devices."""
    return [name for index in _indexes(data) if (name := _name(index)) != "lo"]


def _indexes(data: bytes) -> list[int]:
    """Return the indexes of a route's devices; those of several gateways stand in a list of `struct rtnexthop`."""
    found = attributes(data[28:])
    indexes = [struct.unpack("I", found[_RTA_OIF])[0]] if _RTA_OIF in found else []
    hops = found.get(_RTA_MULTIPATH, b"")
    while len(hops) >= 8:
        length, _, _, index = struct.unpack_from("HBBi", hops)
        indexes.append(index)
        hops = hops[(length + 3) & ~3 :]
    return indexes


def _name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:  # it went a moment ago
        return "lo"


def _path() -> Path:
    """Return the file that belongs to the namespace of the thread: what is "the machine" may itself be a namespace among others."""
    return _DIRECTORY / f"{_PREFIX}{os.stat(_THIS).st_ino}"


def _read(path: Path | None = None) -> _Record:
    try:
        return _Record(**json.loads((path or _path()).read_text()))
    except FileNotFoundError:
        return _Record()


def _write(record: _Record) -> None:
    """Replace the file as a whole; without claims there is none."""
    path = _path()
    if not record.clusters:
        path.unlink(missing_ok=True)
        return
    files.replace(path, json.dumps({"clusters": record.clusters, "before": record.before}))


@contextmanager
def _locked() -> Iterator[None]:
    """Be the only kemu at these settings for the block. The lock is on the namespace itself, so it leaves no file."""
    descriptor = os.open(_THIS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
