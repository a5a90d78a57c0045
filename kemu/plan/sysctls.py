"""What the settings below /proc/sys/net of a namespace should be: kemu's own, what follows from them, and the kernel's for the rest.

A fresh namespace copies the IPv4 device settings from the machine's own namespace, so those are stated here, once, as the kernel's
source has them; the rest is measured in a fresh namespace when a cluster comes up, and kept with it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from kemu.plan.objects import Link, Object, Sysctl

LEAST_IPV6_MTU = 1280
#: IPv4 settings that are on, in `all` and in `default`; every other one is off. Source: ipv4_devconf, net/ipv4/devinet.c.
_IPV4_ON = {
    "arp_evict_nocarrier": "1",
    "accept_redirects": "1",
    "secure_redirects": "1",
    "send_redirects": "1",
    "shared_media": "1",
}
_IPV4_KEYS = (
    *_IPV4_ON,
    *(
        "accept_local",
        "accept_source_route",
        "arp_accept",
        "arp_announce",
        "arp_filter",
        "arp_ignore",
        "arp_notify",
        "bc_forwarding",
        "bootp_relay",
    ),
    *(
        "drop_gratuitous_arp",
        "drop_unicast_in_l2_multicast",
        "force_igmp_version",
        "ignore_routes_with_linkdown",
        "medium_id",
        "tag",
    ),
    *("disable_policy", "disable_xfrm", "log_martians", "promote_secondaries", "proxy_arp", "proxy_arp_pvlan", "route_localnet"),
    *("rp_filter", "src_valid_mark", "forwarding"),
)
_IPV4_DEFAULT = "net/ipv4/conf/default/"
_IPV4_ALL = "net/ipv4/conf/all/"


def _ipv4_baseline() -> dict[str, str]:
    values = {f"{place}{key}": _IPV4_ON.get(key, "0") for place in (_IPV4_ALL, _IPV4_DEFAULT) for key in _IPV4_KEYS}
    return values | {f"{_IPV4_DEFAULT}accept_source_route": "1"}


#: The IPv4 settings that a fresh namespace would copy from the machine's own, as the kernel's source has them.
IPV4_BASELINE: Mapping[str, str] = _ipv4_baseline()


def stated(measured: Mapping[str, str]) -> dict[str, str]:
    """Return what the settings of a fresh namespace should be, given what they were in one on this machine."""
    return {name: IPV4_BASELINE.get(name, value) for name, value in measured.items()}


def fresh(name: str, baseline: Mapping[str, str]) -> str:
    """Return the value of a setting that nobody made."""
    if name in baseline:
        return baseline[name]
    parts = name.split("/")
    return baseline.get("/".join([*parts[:3], model_of(parts[2]), *parts[4:]]), "") if len(parts) == 5 else ""


def model_of(part: str) -> str:
    """Return whose settings those of a new device are like: `default`, but for neighbours, where a namespace shows only devices."""
    return "lo" if part == "neigh" else "default"


def implied(sysctls: Iterable[Sysctl], links: Iterable[Link]) -> Iterator[Sysctl]:
    """Yield what the kernel sets on its own when `sysctls` are set in a namespace whose devices are `links`, one namespace's only.

    Source: inet_forward_change in net/ipv4/devinet.c, addrconf_fixup_forwarding in net/ipv6/addrconf.c.
    """
    wanted = {sysctl.name: sysctl for sysctl in sysctls}
    every = list(links)
    devices = [link.name for link in every]
    on_ipv6 = [link.name for link in every if has_ipv6(link)]
    if (forward := wanted.get("net/ipv4/ip_forward")) and forward.value == "1":
        yield _like(forward, "net/ipv4/conf/all/accept_redirects", "0")
        yield from (_like(forward, f"net/ipv4/conf/{name}/forwarding", "1") for name in ("all", "default", "lo", *devices))
    if (forward := wanted.get("net/ipv6/conf/all/forwarding")) and forward.value == "1":
        yield from (_like(forward, f"net/ipv6/conf/{name}/forwarding", "1") for name in ("default", "lo", *on_ipv6))
    for family, names in (("ipv4", devices), ("ipv6", on_ipv6)):
        prefix = f"net/{family}/conf/default/"
        for name, sysctl in wanted.items():
            if name.startswith(prefix):
                yield from (_like(sysctl, f"net/{family}/conf/{dev}/{name.removeprefix(prefix)}", sysctl.value) for dev in names)


def has_ipv6(link: Link) -> bool:
    """Say whether IPv6, its settings included, is on a device at all. Source: IPV6_MIN_MTU, addrconf_notify in net/ipv6/addrconf.c."""
    return link.mtu >= LEAST_IPV6_MTU


def without_ipv6(objects: Iterable[Object]) -> set[tuple[str, str]]:
    """Return (netns, name) of the devices that IPv6 is not on."""
    return {(item.netns, item.name) for item in objects if isinstance(item, Link) and not has_ipv6(item)}


def is_ipv6_setting(item: Object, devices: Container[tuple[str, str]]) -> bool:
    """Say whether an object is an IPv6 setting of one of `devices`."""
    return isinstance(item, Sysctl) and item.name.startswith("net/ipv6/") and (item.netns, device_of(item.name)) in devices


def device_of(name: str) -> str:
    """Return the device that a setting is of, or empty: net/ipv4/conf/<device>/rp_filter. `all` and `default` are none."""
    parts = name.split("/")
    return parts[3] if len(parts) == 5 and parts[3] not in ("all", "default") else ""


def _like(sysctl: Sysctl, name: str, value: str) -> Sysctl:
    return Sysctl(netns=sysctl.netns, name=name, value=value, origin=sysctl.origin)
