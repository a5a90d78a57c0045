"""Firewalls of the machine that would drop what a cluster sends through it. They are looked at, never changed.

A packet passes only if every table lets it pass: accepting it in a table of one's own helps nothing against another that drops.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from kemu.kernel import nft, process

_CHAIN = re.compile(r"^table (\S+) (\S+) \{|^\tchain (\S+) \{|^\t\ttype filter hook forward .* policy (drop);", re.MULTILINE)
_VERSIONS = {"ip": (4,), "ip6": (6,), "inet": (4, 6)}
_PROGRAMS = {4: "iptables", 6: "ip6tables"}


def find_obstacles(device: str, versions: Iterable[int]) -> Iterator[str]:
    """Yield a warning, with the line to type, for each firewall that drops forwarded packets and has no rule that names `device`."""
    wanted = set(versions)
    tables = nft.tables()
    for family, table, chain in read_dropping(nft.run("list chains")):
        if wanted & set(_VERSIONS.get(family, ())) and not _mentions(family, table, device):
            yield _warning(f"{family} {table} {chain}", show_way_out(family, table, chain, device, tables_chains(family, table)))
    if ("inet", "firewalld") in tables and not _mentions("inet", "firewalld", device):
        yield _warning("firewalld", f"firewall-cmd --zone=trusted --add-interface={device}")
    for version in sorted(wanted):
        if _is_legacy_dropping(version, device):
            yield _warning(f"{_PROGRAMS[version]}-legacy FORWARD", _insertions(f"{_PROGRAMS[version]}-legacy", "FORWARD", device))


def _warning(who: str, line: str) -> str:
    return f"the machine's firewall ({who}) drops what it forwards, also for this cluster. To let it pass: {line}"


def read_dropping(listing: str) -> list[tuple[str, str, str]]:
    """Return (family, table, chain) of every chain in nft's listing that drops forwarded packets unless a rule accepts them."""
    found: list[tuple[str, str, str]] = []
    family = table = chain = ""
    for match in _CHAIN.finditer(listing):
        if match[1]:
            family, table = match[1], match[2]
        elif match[3]:
            chain = match[3]
        else:
            found.append((family, table, chain))
    return found


def tables_chains(family: str, table: str) -> list[str]:
    """Return the names of a table's chains."""
    return re.findall(r"^\tchain (\S+) \{", nft.run(f"list table {family} {table}"), re.MULTILINE)


def show_way_out(family: str, table: str, chain: str, device: str, chains: Iterable[str]) -> str:
    """Return the line that lets a cluster's packets pass a chain. Docker keeps a chain for what people add; ufw has a command."""
    if (table, chain) != ("filter", "FORWARD"):
        accept = f"nft insert rule {family} {table} {chain}"
        return f"{accept} iifname {device} accept; {accept} oifname {device} ct state established,related accept"
    if any(one.startswith("ufw") for one in chains):
        return f"ufw route allow in on {device}"
    return _insertions(_PROGRAMS[_VERSIONS[family][0]], "DOCKER-USER" if "DOCKER-USER" in chains else chain, device)


def _insertions(program: str, chain: str, device: str) -> str:
    answers = f"{program} -I {chain} -o {device} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
    return f"{program} -I {chain} -i {device} -j ACCEPT; {answers}"


def _mentions(family: str, table: str, device: str) -> bool:
    return f'"{device}"' in nft.run(f"list table {family} {table}")


def _is_legacy_dropping(version: int, device: str) -> bool:
    """Say whether the older iptables, which nft does not list, is in use and drops. Without its program nobody can tell."""
    names = Path("/proc/thread-self/net", "ip_tables_names" if version == 4 else "ip6_tables_names")
    program = shutil.which(f"{_PROGRAMS[version]}-legacy")
    if program is None or not names.exists() or "filter" not in names.read_text().split():
        return False
    rules = process.run([program, "-S", "FORWARD"]).stdout
    return "-P FORWARD DROP" in rules and device not in rules
