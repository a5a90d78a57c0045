"""Names: DNS labels, the kernel's 15-character device names, and deterministic MAC addresses."""

from __future__ import annotations

import hashlib
import re

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DEVICE_LENGTH = 15  # IFNAMSIZ is 16 with the terminating zero. Source: include/uapi/linux/if.h
NETNS_LENGTH = 240  # a file name may have 255 bytes; the rest is left for prefixes of other tools

#: Names in a cluster that no node, host or pod namespace may take: kemu's own kernel namespaces, and its word for the machine's.
RESERVED = frozenset({"fabric", "machine", "router"})


def is_label(name: str) -> bool:
    """Return whether `name` is a DNS label: lower case, digits and hyphens, at most 63. Source: RFC 1123, Kubernetes."""
    return LABEL.fullmatch(name) is not None


def device_name(name: str) -> str:
    """Return `name` as a device may be called: itself if it fits, else its head, a dot, and six hex digits of its hash.

    A DNS label holds no dot, so a shortened name never meets another label.
    """
    if len(name) <= DEVICE_LENGTH:
        return name
    return f"{name[: DEVICE_LENGTH - 7]}.{_hash(name)[:6]}"


def veth_name(netns: str) -> str:
    """Return the host-side name of a pod's veth, `veth` and eight hex digits, as the CNI bridge plugin shapes it."""
    return f"veth{_hash(netns)[:8]}"


def way_out_name(cluster: str) -> str:
    """Return the name of a cluster's device in the machine's own namespace."""
    return device_name(f"kemu-{cluster}")


def mac_address(*identity: str) -> str:
    """Return a locally administered unicast MAC that depends on `identity` alone, so that it is the same on every machine."""
    digits = _hash("/".join(identity))
    return ":".join(["02", *(digits[i : i + 2] for i in range(0, 10, 2))])


def _hash(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
