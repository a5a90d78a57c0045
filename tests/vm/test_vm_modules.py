"""A kernel of a distribution, where nothing is loaded yet: in the order of this file."""

from __future__ import annotations

import re

import pytest
from cli_kemu import Kemu
from vm_machine import BRIDGE_FILTERS, entries, is_loaded, is_passed_on, loaded_modules, own_bridge, shell, sysctls

pytestmark = pytest.mark.vm

_NEEDED = ("br_netfilter", "bridge", "veth", "vxlan", "nft_masq")
_TUNNELS = ("ipip", "sit", "ip_gre", "ip_vti", "ip6_tunnel", "ip6_gre", "ip6_vti")  # each puts a device into every namespace
_DUAL = """\
networking: {ipFamily: dual}
nodes: 2
pods: {perNode: 1}
"""


def _named(text: str) -> set[str]:
    return set(re.findall(r"^warning: loading the kernel module (\w+)$", text, re.MULTILINE))


def test_capabilities_say_what_to_load_and_load_nothing(kemu: Kemu) -> None:
    assert [module for module in _NEEDED if is_loaded(module)] == [], "the machine is to be a fresh one: scripts/vm"
    before = loaded_modules()
    found = kemu.json("capabilities")["capabilities"]
    assert loaded_modules() == before
    for one in found:
        module = one["module"]
        assert (one["available"], one["reason"]) == (False, f"The kernel module {module} is not loaded.")
        assert one["fix"] == f"Load the module: modprobe {module}."


@pytest.mark.vm("br_netfilter", "link:bridge", "link:veth", "link:vxlan", "nft:masquerade")
def test_first_cluster_names_the_modules_and_leaves_the_machine_as_it_was(kemu: Kemu) -> None:
    settings, things = sysctls(), entries()
    done = kemu.call("up", kemu.write(), "--backend", "vxlan", "--verify")
    assert done.returncode == 0, done.stderr
    assert _named(done.stderr) == set(_NEEDED)
    assert entries() == things
    now = sysctls()
    assert {name: now.get(name) for name in settings} == settings
    new = now.keys() - settings.keys()
    assert {name for name in new if not name.startswith(("net/bridge/", "net/netfilter/", "net/nf_conntrack_max"))} == set()
    assert {name: now[name].strip() for name in BRIDGE_FILTERS} == dict.fromkeys(BRIDGE_FILTERS, "0")
    assert "12 of 12 pairs reached" in kemu.ok("reach")
    assert "as it should be" in kemu.ok("status")
    kemu.ok("down")
    assert entries() == things
    assert sysctls() == now


def test_bridge_of_the_machine_goes_on_working(kemu: Kemu) -> None:
    shell("modprobe -r br_netfilter")
    with own_bridge():
        assert is_passed_on()
        done = kemu.call("up", kemu.write(_DUAL), "--backend", "host-gw", "--verify")
        assert done.returncode == 0, done.stderr
        assert _named(done.stderr) == {"br_netfilter"}
        assert is_passed_on()
        assert "4 of 4 pairs reached" in kemu.ok("reach")
        assert "as it should be" in kemu.ok("status")
        shell("sysctl -qw net.bridge.bridge-nf-call-iptables=1")
        assert not is_passed_on(), "the test itself: this is what the module does where nobody stops it"
        shell("sysctl -qw net.bridge.bridge-nf-call-iptables=0")


@pytest.mark.vm("nft:bridge")
def test_filter_of_a_fabric_is_not_the_machines(kemu: Kemu) -> None:
    things, settings = entries(), sysctls()
    with own_bridge():
        done = kemu.call("up", kemu.write(f"fabric: {{allowForeignAddresses: false, deny: [icmp, icmpv6]}}\n{_DUAL}"), "--verify")
        assert done.returncode == 0, done.stderr
        assert _named(done.stderr) == {"nft_meta_bridge"}
        assert "bridge fabric" not in shell("nft list tables")
        assert is_passed_on(), "pings, which the fabric denies"
        between = ("--with", "nodes", "--from", "n1", "--to", "n2")
        assert kemu.call("reach", *between).returncode == 1
        assert "2 of 2 pairs reached" in kemu.ok("reach", *between, "--protocol", "tcp", "--port", "80")
        assert "as it should be" in kemu.ok("status")
        kemu.ok("down")
    assert entries() == things
    assert sysctls() == settings


def test_tunnels_that_the_kernel_puts_into_every_namespace_are_none_of_ours(kemu: Kemu) -> None:
    shell("\n".join(f"modprobe {module}" for module in _TUNNELS))
    kemu.up(_DUAL, "--verify")
    assert "tunl0" in kemu.ok("exec", "node/n1", "--", "ip", "link")
    assert "as it should be" in kemu.ok("status")


@pytest.mark.vm("link:geneve", "link:ipip", "link:wireguard", "nft:conntrack")
def test_everything_is_available_once_it_is_loaded(kemu: Kemu) -> None:
    modules = [one["module"] for one in kemu.json("capabilities")["capabilities"] if not one["available"]]
    assert {"wireguard", "geneve", "sch_netem"} <= set(modules)
    shell("\n".join(f"modprobe {module}" for module in modules))
    assert [one for one in kemu.json("capabilities")["capabilities"] if not one["available"]] == []


def test_printed_script_makes_the_planned_cluster(kemu: Kemu) -> None:
    file = kemu.write("nodes: 2\npods: {perNode: 2}\nhosts: 1\n")
    shell(kemu.ok("plan", file, "-o", "ip"))
    assert "already as it should be" in kemu.ok("up", file)
