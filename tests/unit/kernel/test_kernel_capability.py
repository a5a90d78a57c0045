from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from kemu.base.errors import MachineError
from kemu.kernel import capability, messages
from kemu.kernel.capability import Capability


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the modules vxlan and br_netfilter, and veth built in."""
    (tmp_path / "modules.builtin").write_text("kernel/drivers/net/veth.ko\nkernel/net/bridge/bridge.ko.xz\n")
    (tmp_path / "modules.dep").write_text("kernel/drivers/net/vxlan/vxlan.ko.xz: x.ko\nkernel/net/bridge/br_netfilter.ko:\n")
    monkeypatch.setattr(capability, "_MODULES", tmp_path)
    monkeypatch.setattr(capability, "_is_loaded", lambda module: False)
    return tmp_path


def test_modules_that_the_machine_has_and_needs_are_loaded(modules: Path) -> None:
    assert capability.modules_to_load(["link:veth", "link:bridge", "link:vxlan", "link:ipip", "br_netfilter"]) == [
        "br_netfilter",
        "vxlan",
    ]


def test_loaded_module_is_not_loaded_again(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capability, "_is_loaded", lambda module: True)
    assert capability.modules_to_load(["link:vxlan"]) == []


def test_fix_names_the_module_or_another_kernel(modules: Path) -> None:
    assert capability._fix("vxlan") == "Load the module: modprobe vxlan."
    assert capability._fix("ipip").startswith("Run a kernel with the module ipip")


def test_module_is_not_loaded_by_asking(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capability, "fresh_namespace", lambda: pytest.fail("tried"))
    found = capability._try("link:vxlan", capability._TESTS["link:vxlan"])
    assert not found.available
    assert (found.reason, found.fix) == ("The kernel module vxlan is not loaded.", "Load the module: modprobe vxlan.")


def _machine(monkeypatch: pytest.MonkeyPatch, returncode: int) -> tuple[list[list[str]], list[tuple[str, str]]]:
    """Let modprobe be called, and note what is called and written."""
    called: list[list[str]] = []
    written: list[tuple[str, str]] = []

    def run(command: list[str]) -> SimpleNamespace:
        called.append(command)
        return SimpleNamespace(returncode=returncode, stderr="modprobe: FATAL: no\n")

    monkeypatch.setattr("kemu.kernel.process.run", run)
    monkeypatch.setattr("shutil.which", lambda name: f"/sbin/{name}")
    monkeypatch.setattr("kemu.kernel.sysctl.write", lambda name, value: written.append((name, value)))
    return called, written


def test_filters_on_the_machines_own_bridges_stay_off(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called, written = _machine(monkeypatch, 0)
    capability.load("br_netfilter")
    assert called == [["/sbin/modprobe", "br_netfilter"]]
    assert written == [(f"net/bridge/bridge-nf-call-{name}", "0") for name in ("arptables", "ip6tables", "iptables")]


def test_other_modules_switch_nothing_on(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, written = _machine(monkeypatch, 0)
    capability.load("vxlan")
    assert written == []


def test_module_that_does_not_load_says_why(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, written = _machine(monkeypatch, 1)
    with pytest.raises(MachineError, match="br_netfilter cannot be loaded: modprobe: FATAL: no"):
        capability.load("br_netfilter")
    assert written == []


def test_what_is_missing_is_named_with_reason_and_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Capability(name="link:ipip", what="IPIP tunnels", available=False, reason='The kernel says "no".', fix="Buy one.")
    there = Capability(name="link:veth", what="veth pairs", available=True)
    monkeypatch.setattr(capability, "find_capabilities", lambda names: [there, missing])
    with pytest.raises(MachineError) as caught:
        capability.require(["link:ipip", "link:veth"])
    assert caught.value.message == 'this machine lacks IPIP tunnels (link:ipip). The kernel says "no".'
    assert caught.value.hint == "Buy one."


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(95, "Unknown device type."), 'The kernel says "Unknown device type".'),
        (OSError(22, "Error: No such file\nmore\n^^^"), 'The kernel says "No such file".'),
        (OSError("odd"), 'The kernel says "odd".'),
    ],
)
def test_reason_is_a_sentence(error: OSError, reason: str) -> None:
    assert capability._reason(error) == reason


def test_tunnel_that_is_tried_has_a_number_and_a_port() -> None:
    body = bytes(16) + capability._attr(18, capability._attr(1, b"vxlan") + capability._attr(2, capability._VXLAN))
    decoded = ifinfmsg(struct.pack("IHHII", len(body) + 16, messages.RTM_NEWLINK, 0, 1, 0) + body)
    decoded.decode()
    data = decoded.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    assert dict(data["attrs"]) == {"IFLA_VXLAN_ID": 1, "IFLA_VXLAN_PORT": 4789}
