"""The name servers of the machine that can be asked from elsewhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

#: The second is systemd-resolved's, which in the first puts only itself, on 127.0.0.53. Source: systemd-resolved.service(8).
FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def find_resolvers(versions: Collection[int]) -> list[str]:
    """Return the addresses of the machine's name servers, of these IP versions; those of the first file that has any."""
    for path in FILES:
        if path.is_file() and (found := list(read_resolvers(path.read_text().splitlines(), versions))):
            return found
    return []


def read_resolvers(lines: Iterable[str], versions: Collection[int]) -> Iterator[str]:
    """Yield the servers in the lines of a resolv.conf that are not the machine itself, nor named with a device of it."""
    for line in lines:
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver" or "%" in words[1]:
            continue
        try:
            address = ipaddress.ip_address(words[1])
        except ValueError:
            continue
        if address.version in versions and not address.is_loopback and not address.is_unspecified:
            yield str(address)
