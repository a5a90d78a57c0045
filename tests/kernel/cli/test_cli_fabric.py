"""What the fabric lets through and knows, by real packets: a cloud that drops foreign addresses, its route table, a firewall."""

from __future__ import annotations

import json
import subprocess

import pytest
from cli_kemu import Kemu

pytestmark = pytest.mark.kernel

_PODS = "{name: a, node: n1}, {name: b, node: n2}"
_RACKS = """\
fabric: {{podRoutes: {routes}, segments: [{{name: one, subnet: 172.18.1.0/24}}, {{name: two, subnet: 172.18.2.0/24}}]}}
nodes: [{{name: n1, segment: one}}, {{name: n2, segment: two}}]
pods: [{{name: a, node: n1}}, {{name: b, node: n2}}]
hosts: [{{name: client, segment: one}}]
"""


def _file(fabric: str, family: str = "ipv4") -> str:
    return f"networking: {{ipFamily: {family}}}\nfabric: {{{fabric}}}\nnodes: 2\npods: [{_PODS}]\nhosts: [{{name: client}}]\n"


def _in_fabric(kemu: Kemu, *words: str) -> str:
    command = ["ip", "netns", "exec", f"{kemu.name}.fabric", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _dropped(kemu: Kemu, words: str) -> int:
    """Return how many packets the rule with these words has dropped."""
    [line] = [one for one in _in_fabric(kemu, "nft", "list", "table", "bridge", "fabric").splitlines() if words in one]
    return int(line.partition("packets ")[2].split()[0])


def _reached(kemu: Kemu, *words: str) -> set[tuple[str, str, str]]:
    """Return the pairs that reach sees reached, each with its family."""
    done = kemu.call("reach", *words, "-o", "json")
    assert done.returncode in (0, 1), done.stderr
    return {(_short(one["from"]), _short(one["to"]), one["family"]) for one in json.loads(done.stdout)["results"] if one["ok"]}


def _short(endpoint: str) -> str:
    return endpoint.rpartition("/")[2]


def _pings(kemu: Kemu, source: str, *words: str) -> bool:
    return kemu.call("exec", source, "--", "ping", "-nqc1", "-W5", *words).returncode == 0


@pytest.mark.parametrize("family", ["ipv4", "ipv6", "dual"])
def test_cloud_carries_tunnels_and_drops_plain_routes(kemu: Kemu, family: str) -> None:
    text = _file("allowForeignAddresses: false", family)
    families = {"dual": ("ipv4", "ipv6")}.get(family, (family,))
    pairs = {(one, other, version) for version in families for one, other in (("a", "b"), ("b", "a"))}
    kemu.up(text, "--backend", "vxlan", "--verify")
    assert _reached(kemu) == pairs
    done = kemu.call("up", kemu.write(text), "--backend", "host-gw")
    assert done.returncode == 0
    assert "this fabric drops them (allowForeignAddresses: false)" in done.stderr
    assert "already as it should be" in kemu.ok("up", kemu.directory / "topo.yaml", "--backend", "host-gw")
    assert _reached(kemu) == set()
    assert {pair[:2] for pair in _reached(kemu, "--with", "nodes", "--from", "n1", "--to", "n2")} == {("n1", "n2")}
    assert kemu.json("status")["state"] == "ok"


def test_machine_speaks_only_for_itself(kemu: Kemu) -> None:
    for allowed in ("true", "false"):
        kemu.up(_file(f"allowForeignAddresses: {allowed}"))
        kemu.ok("exec", "n1", "--", "ip", "address", "replace", "172.18.9.9/32", "dev", "lo")
        assert _pings(kemu, "n1", "-I", "172.18.9.9", "172.18.0.12") is (allowed == "true")
        assert _pings(kemu, "n1", "172.18.0.12"), "with its own address it always may"
    assert _dropped(kemu, "ip saddr") > 0
    kemu.ok("exec", "n2", "--", "ip", "neigh", "flush", "all")
    assert not _pings(kemu, "n2", "172.18.9.9")
    assert _dropped(kemu, "arp saddr ip") > 0, "n1 answers, and the answer is dropped"


def test_nothing_comes_to_a_machine_that_is_not_for_it(kemu: Kemu) -> None:
    kemu.up(_file("allowForeignAddresses: false"))
    kemu.ok("exec", "client", "--", "ip", "route", "add", "10.244.1.0/24", "via", "172.18.0.12")
    assert not _pings(kemu, "client", "10.244.1.2")
    assert _dropped(kemu, "ip daddr") > 0
    assert not _pings(kemu, "n1", "-b", "172.18.255.255"), "clouds carry no broadcast"


def test_route_table_leads_hosts_to_pods_where_foreign_addresses_may_pass(kemu: Kemu) -> None:
    outcome = {}
    for routes in ("none", "static"):
        for foreign in ("true", "false"):
            kemu.up(_file(f"allowForeignAddresses: {foreign}, podRoutes: {routes}"))
            matrix = kemu.json("reach", "--with", "hosts", "--from", "client", "--to", "b")
            outcome[routes, foreign] = [(one["ok"], one["expected"]) for one in matrix["results"]]
    assert outcome.pop(("static", "true")) == [(True, None)]
    assert list(outcome.values()) == [[(False, "deny")]] * 3


def test_lost_route_of_a_table_is_a_lost_pair_and_is_mended(kemu: Kemu) -> None:
    kemu.up(_file("podRoutes: static", "dual"), "--verify")
    subprocess.run(["ip", "-n", f"{kemu.name}.router", "route", "del", "10.244.1.0/24"], check=True)
    drift = kemu.json("status", code=1)["drift"]
    assert [(one["object"], one["netns"], one["origin"]) for one in drift] == [
        ("route 10.244.1.0/24", f"{kemu.name}.router", "podRoutes (topo.yaml:4)")
    ]
    assert kemu.call("reach", "--with", "hosts").returncode == 1
    kemu.up(_file("podRoutes: static", "dual"))
    assert kemu.call("reach", "--with", "hosts").returncode == 0


def test_route_table_leads_across_segments_where_nodes_have_no_route_of_their_own(kemu: Kemu) -> None:
    for routes, reached in (("none", set()), ("static", {("a", "b", "ipv4"), ("b", "a", "ipv4")})):
        kemu.up(_RACKS.format(routes=routes), "--backend", "host-gw", "--force")
        assert _reached(kemu) == reached


def test_firewall_stops_the_tunnel_and_nothing_else(kemu: Kemu) -> None:
    text = _file("deny: [udp/8472]")
    kemu.up(text, "--backend", "vxlan", "--verify")
    assert _reached(kemu) == set()
    assert _dropped(kemu, "th dport") > 0
    assert _pings(kemu, "n1", "172.18.0.12")
    assert kemu.json("status")["state"] == "ok", "every node is as it should be"
    assert _reached(kemu, "--with", "nodes", "--from", "n1", "--to", "n2", "--protocol", "udp", "--port", "8473")
    assert not _reached(kemu, "--with", "nodes", "--from", "n1", "--to", "n2", "--protocol", "udp", "--port", "8472")
    kemu.up(text, "--backend", "host-gw")
    assert _reached(kemu) == {("a", "b", "ipv4"), ("b", "a", "ipv4")}


def test_firewall_knows_ranges_of_ports_in_both_directions(kemu: Kemu) -> None:
    kemu.up(_file("deny: [tcp/30000-32767, udp/53]", "dual"), "--verify")
    machines = {
        (one, other, family) for family in ("ipv4", "ipv6") for one, other in (("n1", "n2"), ("n2", "n1"), ("client", "n1"))
    }
    for port, passes in ((29999, True), (30000, False), (32767, False), (32768, True)):
        assert (machines <= _reached(kemu, "--with", "nodes,hosts", "--protocol", "tcp", "--port", str(port))) is passes


def test_denied_pings_leave_neighbours_and_connections_alone(kemu: Kemu) -> None:
    kemu.up(_file("deny: [icmp, icmpv6]", "dual"), "--verify")
    for address in ("172.18.0.12", "fd00:172:18::c"):
        assert not _pings(kemu, "n1", address)
    kemu.ok("exec", "n1", "--", "ip", "neigh", "flush", "all")
    kemu.ok("exec", "n1", "--", "ip", "-6", "neigh", "flush", "all")
    found = _reached(kemu, "--with", "nodes", "--from", "n1", "--to", "n2", "--protocol", "tcp", "--port", "80")
    assert {family for *_, family in found} == {"ipv4", "ipv6"}


_HEAR = """
import socket, sys
ears = {int(word): socket.socket(socket.AF_INET, socket.SOCK_RAW, int(word)) for word in sys.argv[1:]}
print("ready", flush=True)
*_, last = ears.values()
last.settimeout(20)
last.recv(99)
for protocol, ear in ears.items():
    ear.setblocking(False)
    try:
        ear.recv(99)
        print(protocol)
    except BlockingIOError:
        if ear is last: print(protocol)
"""
_SAY = """
import socket, sys
for word in sys.argv[1:]:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, int(word)).sendto(bytes(64), ("172.18.0.12", 0))
"""


def test_protocols_are_denied_by_name_and_number(kemu: Kemu) -> None:
    protocols = ["4", "47", "50", "51", "94", "254"]
    kemu.up(_file("deny: [ipip, 47, esp]"))
    python = ["ip", "netns", "exec", f"{kemu.name}.n2", "python3", "-c", _HEAR, *protocols]
    with subprocess.Popen(python, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        kemu.ok("exec", "n1", "--", "python3", "-c", _SAY, *protocols)
        assert listener.stdout.read().split() == ["51", "94", "254"]


def test_damaged_filter_is_named_block_by_block_and_mended(kemu: Kemu) -> None:
    text = _file("allowForeignAddresses: false, deny: [udp/53, esp]", "dual")
    kemu.up(text, "--verify")
    _in_fabric(kemu, "nft", "flush chain bridge fabric denied; delete element bridge fabric own-ipv4 { n1 . 172.18.0.11 }")
    [drift] = kemu.json("status", code=1)["drift"]
    assert drift["object"] == "nft table bridge fabric"
    assert set(drift["want"]) == {"chain denied", "set own-ipv4"}
    assert "1 difference mended" in kemu.up(text)
    _in_fabric(kemu, "nft", "delete table bridge fabric")
    assert kemu.json("status", code=1)["drift"][0]["action"] == "add"
    assert "1 difference mended" in kemu.up(text)
    assert "1 difference mended" in kemu.up(_file("deny: []", "dual")), "what the file no longer asks for goes"
    assert _in_fabric(kemu, "nft", "list", "ruleset") == ""


def test_printed_script_makes_the_same_fabric(kemu: Kemu) -> None:
    file = kemu.write(_file("allowForeignAddresses: false, podRoutes: static, deny: [icmp, icmpv6, udp/8472, tcp/1-2]", "dual"))
    subprocess.run(["bash", "-euc", kemu.ok("plan", file, "-o", "ip")], check=True, capture_output=True)
    assert "already as it should be" in kemu.ok("up", file)
