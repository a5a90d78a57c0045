"""The names by which a cluster's processes know each other: the text of their /etc/hosts."""

from __future__ import annotations

from collections import Counter

from kemu.spec.endpoints import Endpoint, all_endpoints
from kemu.spec.model import Topology

_HEAD = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"


def show_hosts(topology: Topology) -> str:
    """Return an /etc/hosts with every pod, node and host. A pod is name.namespace, and plain name if nobody else has it."""
    endpoints = sorted(all_endpoints(topology), key=lambda one: one.shares_node)  # the first name of an address is its owner's
    counts = Counter(endpoint.name for endpoint in endpoints)
    lines = [f"{address} {_names(endpoint, counts)}" for endpoint in endpoints for address in endpoint.addresses]
    return _HEAD + "".join(f"{line}\n" for line in lines)


def _names(endpoint: Endpoint, counts: Counter[str]) -> str:
    if not endpoint.namespace:
        return endpoint.name
    full = f"{endpoint.name}.{endpoint.namespace}"
    is_plain = counts[endpoint.name] == 1 or endpoint.namespace == "default"
    return f"{endpoint.name} {full}" if is_plain else full
