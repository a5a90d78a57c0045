"""What this kernel and this user can do, why not, and the fix: tried, not guessed from version numbers."""

from __future__ import annotations

import errno
import os
import shutil
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from kemu.base.errors import MachineError
from kemu.kernel import nft, process, sysctl
from kemu.kernel.messages import MAKE, RTM_NEWLINK, Message, put_qdisc
from kemu.kernel.netlink import Netlink
from kemu.kernel.netns import fresh_namespace
from kemu.plan.objects import Netem, Qdisc, Tbf

_MODULES = Path("/lib/modules") / os.uname().release
#: What a module switches on in the machine's own namespace when it is loaded, where nothing had it before.
_SWITCHED_ON = {"br_netfilter": tuple(f"net/bridge/bridge-nf-call-{name}" for name in ("arptables", "ip6tables", "iptables"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing that the machine can do or not. `module` is the kernel module that brings it, where one does."""

    name: str
    what: str
    available: bool
    reason: str = ""
    fix: str = ""
    module: str = ""


@dataclass(frozen=True, slots=True)
class _Test:
    """A way to find out: `attempt` runs in a namespace of its own, and raises OSError if it fails."""

    what: str
    attempt: Callable[[], None]
    module: str = ""


def find_capabilities(names: Iterable[str] | None = None) -> list[Capability]:
    """Return the state of `names`, or of everything that kemu knows to ask about. Each is tried in a namespace of its own."""
    process.need_root()
    return [_try(name, _TESTS[name]) for name in (_TESTS if names is None else sorted(names))]


def require(names: Iterable[str]) -> None:
    """Raise MachineError, naming each one with its reason and its fix, if the machine lacks one of `names`."""
    missing = [capability for capability in find_capabilities(names) if not capability.available]
    if missing:
        lacks = ", ".join(f"{capability.what} ({capability.name})" for capability in missing)
        reasons, fixes = (
            " ".join(dict.fromkeys(getattr(capability, part) for capability in missing)) for part in ("reason", "fix")
        )
        raise MachineError(f"this machine lacks {lacks}. {reasons}", hint=fixes)


def modules_to_load(names: Iterable[str]) -> list[str]:
    """Return the kernel modules that `names` need, that this machine has, and that are neither built in nor loaded."""
    wanted = dict.fromkeys(module for name in sorted(names) if (module := _TESTS[name].module))
    return [module for module in wanted if is_loadable(module)]


def load(module: str) -> None:
    """Load a kernel module. MachineError says what modprobe said.

    br_netfilter starts to filter on every bridge of the machine; there it is switched off again, and namespaces of ours say for
    themselves what they want.
    """
    program = shutil.which("modprobe")
    if not program:
        raise MachineError(f"the kernel module {module} is not loaded and there is no modprobe", hint="apt-get install kmod")
    done = process.run([program, module])
    if done.returncode:
        raise MachineError(f"the kernel module {module} cannot be loaded: {done.stderr.strip()}", hint=_fix(module))
    for name in _SWITCHED_ON.get(module, ()):
        sysctl.write(name, "0")


def _try(name: str, test: _Test) -> Capability:
    """Try one. An attempt would have the kernel load the module, with what that leaves in the machine's own namespace."""
    if test.module and is_loadable(test.module):
        reason = f"The kernel module {test.module} is not loaded."
        return Capability(name=name, what=test.what, available=False, reason=reason, fix=_fix(test.module), module=test.module)
    try:
        with fresh_namespace() as descriptor:
            try:
                test.attempt()
            finally:
                os.close(descriptor)
    except OSError as error:
        return Capability(
            name=name, what=test.what, available=False, reason=_reason(error), fix=_fix(test.module), module=test.module
        )
    return Capability(name=name, what=test.what, available=True, module=test.module)


def _reason(error: OSError) -> str:
    """Return what the kernel or nft said, as a sentence."""
    text = (error.strerror or str(error)).splitlines()[0].removeprefix("Error: ").rstrip(".")
    return f'The kernel says "{text}".'


def _fix(module: str) -> str:
    if module and _find_file(module):
        return f"Load the module: modprobe {module}."
    where = f"with the module {module}" if module else "that has it"
    return f"Run a kernel {where}: your distribution's own, or a virtual machine with it."


def is_loadable(module: str) -> bool:
    """Say whether this machine has a module that is neither loaded nor built in."""
    return not _is_loaded(module) and not _is_builtin(module) and _find_file(module)


def _is_loaded(module: str) -> bool:
    return Path("/sys/module", module).is_dir()


def _is_builtin(module: str) -> bool:
    """Say whether a module is part of the kernel itself; a kernel without any modules has nothing else."""
    listing = _MODULES / "modules.builtin"
    if not listing.is_file():
        return not Path("/proc/modules").exists()
    return any(line.rpartition("/")[2].startswith(f"{module}.ko") for line in listing.read_text().splitlines())


def _find_file(module: str) -> bool:
    listing = _MODULES / "modules.dep"
    return listing.is_file() and f"/{module}.ko" in listing.read_text()


def _make_link(kind: str, data: bytes = b"") -> Callable[[], None]:
    def attempt() -> None:
        info = _attr(1, kind.encode()) + (_attr(2, data) if data else b"")
        _send(RTM_NEWLINK, bytes(16) + _attr(3, b"kemu-try\0") + _attr(18, info))

    return attempt


def _make_qdisc(detail: Netem | Tbf) -> Callable[[], None]:
    def attempt() -> None:
        _make_link("veth")()
        _ask(put_qdisc(Qdisc(netns="", dev="", parent="root", handle="1:", detail=detail), 2))

    return attempt


def _send(kind: int, body: bytes) -> None:
    _ask((kind, MAKE, body))


def _ask(message: Message) -> None:
    socket = Netlink()
    try:
        for refusal in socket.send([message]):
            raise OSError(refusal.errno, refusal.text or os.strerror(refusal.errno))
    finally:
        socket.close()


def _attr(kind: int, payload: bytes) -> bytes:
    return struct.pack("HH", len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def _nft(rule: str, family: str = "ip") -> Callable[[], None]:
    def attempt() -> None:
        nft.run(f"table {family} kemu-try {{\nchain c {{\ntype nat hook postrouting priority 0\n{rule}\n}}\n}}\n")

    return attempt


def _nft_bridge() -> None:
    nft.run(f"table bridge kemu-try {{\n{_BRIDGE_RULES}\n}}\n")


def _bridge_filter() -> None:
    path = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not path.exists():
        raise OSError(errno.ENOENT, f"there is no {path}")


_VXLAN = _attr(1, struct.pack("I", 1)) + _attr(15, struct.pack(">H", 4789))  # network identifier, UDP port
_GENEVE = _attr(1, struct.pack("I", 1)) + _attr(2, bytes([192, 0, 2, 1]))  # network identifier, remote
_IPIP = _attr(3, bytes([192, 0, 2, 1]))  # remote: one without any is the kernel's own tunl0
_NETEM = Netem(limit_packets=1000)
_TBF = Tbf(rate_bits_per_second=8000, burst_bytes=3000, limit_bytes=3000)

#: What the fabric's filter is made of: names of ports with addresses in sets, ranges of ports, jumps.
_BRIDGE_RULES = """\
set s { type ifname . ipv4_addr; }
chain d { meta l4proto . th dport { tcp . 1-2, udp . 3 } counter drop; }
chain c { type filter hook forward priority filter; iifname . arp saddr ip != @s drop; oifname . ip daddr != @s jump d; }"""

_TESTS: dict[str, _Test] = {
    "br_netfilter": _Test("filters on bridged packets", _bridge_filter, "br_netfilter"),
    "link:bridge": _Test("bridges", _make_link("bridge"), "bridge"),
    "link:veth": _Test("veth pairs", _make_link("veth"), "veth"),
    "link:vxlan": _Test("VXLAN tunnels", _make_link("vxlan", _VXLAN), "vxlan"),
    "link:ipip": _Test("IPIP tunnels", _make_link("ipip", _IPIP), "ipip"),
    "link:geneve": _Test("Geneve tunnels", _make_link("geneve", _GENEVE), "geneve"),
    "link:wireguard": _Test("WireGuard in the kernel", _make_link("wireguard"), "wireguard"),
    "nft:bridge": _Test("nftables on bridges", _nft_bridge, "nft_meta_bridge"),
    "nft:masquerade": _Test("nftables with address translation", _nft("masquerade fully-random"), "nft_masq"),
    "nft:conntrack": _Test("nftables that knows connections", _nft("ct state invalid drop", "inet"), "nft_ct"),
    "qdisc:netem": _Test("delay and loss on links", _make_qdisc(_NETEM), "sch_netem"),
    "qdisc:tbf": _Test("rates of links", _make_qdisc(_TBF), "sch_tbf"),
}
