"""The virtual machine itself: its modules, its own namespace, a bridge of its own with somebody at each end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SYSCTLS = Path("/proc/sys/net")
_CHANGING = frozenset({"nf_conntrack_count"})
_COMMANDS = (
    "ip -d address",
    "ip route show table all",
    "ip -6 route show table all",
    "ip rule",
    "ip -6 rule",
    "nft list ruleset",
)
BRIDGE_FILTERS = tuple(f"net/bridge/bridge-nf-call-{name}" for name in ("arptables", "ip6tables", "iptables"))

_OWN_BRIDGE = """
ip link add mine type bridge
ip link set mine up
for n in 1 2; do
    ip netns add somebody$n
    ip link add port$n master mine type veth peer name eth0 netns somebody$n
    ip link set port$n up
    ip -n somebody$n address add 192.0.2.$n/24 dev eth0
    ip -n somebody$n link set eth0 up
done
nft 'add table ip mine; add chain ip mine c { type filter hook forward priority 0; policy drop; }'
"""
_NO_BRIDGE = "ip netns del somebody1; ip netns del somebody2; ip link del mine; nft delete table ip mine"


def shell(script: str) -> str:
    """Run a script, of which every line must succeed, and return what it prints."""
    return subprocess.run(["bash", "-euc", script], check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout


def is_loaded(module: str) -> bool:
    return Path("/sys/module", module).is_dir()


def loaded_modules() -> set[str]:
    return {line.split()[0] for line in Path("/proc/modules").read_text().splitlines()}


def sysctls() -> dict[str, str]:
    """Return every setting of the machine's own namespace that can be read."""
    return {str(path.relative_to(_SYSCTLS.parent)): text for path in _SYSCTLS.rglob("*") if (text := _read(path)) is not None}


def _read(path: Path) -> str | None:
    if not path.is_file() or path.name in _CHANGING:
        return None
    try:
        return path.read_text()
    except OSError:  # some are only written, and a secret is only read once it is set
        return None


def entries() -> dict[str, str]:
    """Return what is in the machine's own namespace, as the tools print it."""
    return {command: shell(command) for command in _COMMANDS}


@contextmanager
def own_bridge() -> Iterator[None]:
    """Have a bridge of the machine's own for the block, and an nft table that forwards nothing: bridged packets are not its business."""
    shell(_OWN_BRIDGE)
    try:
        yield
    finally:
        shell(_NO_BRIDGE)


def is_passed_on() -> bool:
    """Say whether a ping passes that bridge."""
    command = ["ip", "netns", "exec", "somebody1", "ping", "-nqc1", "-W2", "192.0.2.2"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
