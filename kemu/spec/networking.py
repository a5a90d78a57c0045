"""Reading `networking:` and checking it in itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kemu.spec import defaults
from kemu.spec.check import Claim, choose_families
from kemu.spec.fields import snake_case
from kemu.spec.model import Backend, IpFamily, IPNetwork, KubeProxyMode, Networking, PolicyEngine
from kemu.spec.source import find_close
from kemu.spec.tables import Entry

DEFAULT_BACKEND = "vxlan"
POD_BITS = 2  # that a node's subnet leaves at least


def read_networking(part: Entry, backends: Mapping[str, type[Any]], backend: str | None) -> Networking:
    """Return what the file says of the network, with defaults for what it leaves out or says wrong.

    `backends` are the Options classes by name; `backend` replaces the file's.
    """
    family = part.get("ipFamily", IpFamily.IPV4)
    return Networking(
        backend=_backend(part, backends, backend),
        ip_family=family,
        pod_subnets=_subnets(part, "podSubnet", family.versions, defaults.POD_SUBNETS),
        service_subnets=_subnets(part, "serviceSubnet", family.versions, defaults.SERVICE_SUBNETS),
        node_prefixes=_node_prefixes(part, family.versions),
        kube_proxy_mode=part.get("kubeProxyMode", KubeProxyMode.NFTABLES),
        policy_engine=part.get("policyEngine", PolicyEngine.AUTO),
    )


def _backend(part: Entry, backends: Mapping[str, type[Any]], override: str | None) -> Backend:
    name, values, node = part.get("backend") or (DEFAULT_BACKEND, {}, None)
    if override is not None and override != name:
        name, values = override, {}
    if name not in backends:
        part.log.wrong(None, f'there is no backend called "{name}"', find_close(name, backends, "backends"))
        name, values = next(iter(backends)), {}
    options = backends[name](**{snake_case(key): value for key, value in values.items()})
    return Backend(name=name, options=options, mark=part.log.mark(node) if node is not None else None)


def _subnets(part: Entry, key: str, versions: Sequence[int], texts: Mapping[int, str]) -> tuple[IPNetwork, ...]:
    said = choose_families(part.get(key, {}), versions)
    return tuple(said.get(version) or defaults.network(texts[version]) for version in versions)


def _node_prefixes(part: Entry, versions: Sequence[int]) -> tuple[int, ...]:
    by_version = dict(zip(versions, part.get("nodePrefix", ()), strict=False))
    return tuple(by_version.get(version, defaults.NODE_PREFIXES[version]) for version in versions)


def check_prefixes(part: Entry, networking: Networking) -> bool:
    """Return whether nodes' subnets can be cut out of podSubnet; note why not."""
    said = part.get("nodePrefix", ())
    if len(said) > len(networking.pod_subnets):
        part.wrong("nodePrefix", "nodePrefix: two prefix lengths, and the cluster has one IP version", "one number")
        return False
    pairs = zip(networking.pod_subnets, networking.node_prefixes, strict=True)
    good = [_check_prefix(part, subnet, prefix) for subnet, prefix in pairs]
    return all(good)


def _check_prefix(part: Entry, subnet: IPNetwork, prefix: int) -> bool:
    longest = subnet.max_prefixlen - POD_BITS
    if subnet.prefixlen <= prefix <= longest:
        return True
    if subnet.prefixlen > longest:
        part.wrong("podSubnet", f"podSubnet: {subnet} has no room for pods", f"at most /{longest}")
        return False
    key = "nodePrefix" if part.said("nodePrefix") else "podSubnet"
    message = f"{key}: {subnet} cannot be cut into nodes' subnets of /{prefix}"
    part.wrong(key, message, f"nodePrefix: a number from {subnet.prefixlen} to {longest}")
    return False


def claims(part: Entry, networking: Networking) -> Iterator[Claim]:
    """Yield the subnets that nothing else may overlap, but for those that the file says wrong."""
    for key, row in (("podSubnet", networking.pod_subnets), ("serviceSubnet", networking.service_subnets)):
        for subnet in row:
            if not part.bad(key):
                _, node = part.get(key, {}).get(subnet.version, (None, None))
                yield Claim(subnet, f"networking.{key}", node)
