"""Live changes: applied at once, kept by `up`, shown by `status`, and a link that is down and up again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cli_kemu import Kemu

from kemu import Cluster

pytestmark = pytest.mark.kernel


def _nodes(backend: str, family: str) -> str:
    return f"""\
networking: {{backend: {backend}, ipFamily: {family}}}
fabric: {{segments: [{{name: east}}, {{name: west}}]}}
nodes:
- {{name: n1, segment: east}}
- {{name: n2, segment: east}}
pods: [{{name: a, node: n1}}, {{name: b, node: n1}}, {{name: c, node: n2}}]
hosts: [{{name: client, segment: west}}]
"""


def _pairs(kemu: Kemu) -> set[str]:
    """Return which pods reach which, in every family."""
    report = json.loads(kemu.call("reach", "-o", "json").stdout)
    by_pair: dict[str, list[bool]] = {}
    for one in report["results"]:
        by_pair.setdefault(f"{one['from'][-1]}{one['to'][-1]}", []).append(one["ok"])
    assert all(len(set(found)) == 1 for found in by_pair.values()), report
    return {pair for pair, found in by_pair.items() if found[0]}


_ALL = {"ab", "ba", "ac", "ca", "bc", "cb"}


@pytest.mark.parametrize(
    ("backend", "family"), [("host-gw", "dual"), ("vxlan", "dual"), ("host-gw", "ipv4"), ("kindnet", "ipv6")]
)
def test_a_link_goes_down_and_up(kemu: Kemu, backend: str, family: str) -> None:
    kemu.up(_nodes(backend, family))
    assert _pairs(kemu) == _ALL
    assert "down" in kemu.ok("link", "set", "n1", "--down")
    assert "as it should be" in kemu.ok("status")
    assert _pairs(kemu) == {"ab", "ba"}, "pods of one node need no link"
    assert "already as it should be" in kemu.ok("up", kemu.directory / "topo.yaml")
    kemu.ok("link", "set", "n1", "--up")
    assert "as it should be" in kemu.ok("status")
    assert _pairs(kemu) == _ALL
    assert "live" not in kemu.ok("status")


def test_damage_beside_a_link_that_is_down_is_mended(kemu: Kemu) -> None:
    kemu.up(_nodes("vxlan", "dual"))
    kemu.ok("link", "set", "n2", "--down")
    script = "ip -n @n2 link set eth0 up; ip -n @n1 route del 10.244.1.0/24; ip -n @n2 route add 9.9.9.0/24 via 172.18.1.1"
    subprocess.run(["bash", "-euc", script.replace("@", f"{kemu.name}.")], check=True)
    assert "veth eth0: up is on, should be off" in kemu.call("status").stdout
    kemu.ok("up", kemu.directory / "topo.yaml")
    assert "as it should be" in kemu.ok("status")


def test_a_link_that_somebody_took_down_is_drift_and_mended(kemu: Kemu) -> None:
    kemu.up(_nodes("host-gw", "dual"))
    subprocess.run(["ip", "-n", f"{kemu.name}.n1", "link", "set", "eth0", "down"], check=True)
    assert "veth eth0: up is off, should be on" in kemu.call("status").stdout
    kemu.ok("up", kemu.directory / "topo.yaml")
    assert _pairs(kemu) == _ALL


def test_a_change_stays_through_up_and_reset_drops_it(kemu: Kemu) -> None:
    kemu.up(_nodes("host-gw", "ipv4"))
    file = kemu.directory / "topo.yaml"
    kemu.ok("link", "set", "n1", "--rate", "10mbit")
    kemu.ok("link", "set", "n1", "--rate", "20mbit", "--in")
    kemu.ok("link", "set", "segment/west", "--mtu", "1400")
    kemu.ok("up", file)
    status = kemu.json("status")
    assert (status["state"], status["drift"]) == ("ok", [])
    assert status["live"] == [
        {"kind": "link", "target": "node/n1", "change": "out rate 10mbit, in rate 20mbit"},
        {"kind": "link", "target": "segment/west", "change": "mtu 1400"},
    ]
    links = {one["name"]: one for one in kemu.json("link", "ls")["links"]}
    assert links["node/n1"]["out"]["rate_bits_per_second"] == 10_000_000
    assert links["node/n1"]["in"]["rate_bits_per_second"] == 20_000_000
    assert links["segment/west"]["mtu"] == 1400
    assert kemu.call("plan", file, "--diff").stdout.strip() == "nothing would change"
    assert "2 links as in the file again" in kemu.ok("link", "reset")
    kemu.ok("link", "set", "n2", "--down")
    done = kemu.call("up", file, "--reset")
    assert "a live change goes: link node/n2: down" in done.stderr
    assert kemu.json("status")["live"] == []
    assert not Path("/run/kemu", kemu.name, "live.yaml").exists()


def test_another_backend_keeps_the_changes(kemu: Kemu) -> None:
    kemu.up(_nodes("host-gw", "ipv4"))
    kemu.ok("link", "set", "n1", "--down")
    kemu.ok("up", kemu.directory / "topo.yaml", "--backend", "vxlan")
    assert "live: link node/n1: down" in kemu.ok("status")
    assert _pairs(kemu) == {"ab", "ba"}


def test_a_machine_that_leaves_the_file_takes_its_changes_along(kemu: Kemu) -> None:
    text = _nodes("host-gw", "ipv4")
    kemu.up(text)
    kemu.ok("link", "set", "client", "--rate", "1mbit")
    done = kemu.call("up", kemu.write(text.partition("hosts:")[0]))
    assert "a live change goes, for the file no longer has it: link host/client: rate 1mbit" in done.stderr
    assert kemu.json("status")["live"] == []


def test_pods_follow_a_links_mtu(kemu: Kemu) -> None:
    kemu.up(_nodes("vxlan", "ipv4"))
    for mtu in ("1400", "9000", "1300"):
        kemu.ok("link", "set", "n1", "--mtu", mtu)
        assert "as it should be" in kemu.ok("status")
        shown = subprocess.run(["ip", "-n", f"{kemu.name}.default.a", "link", "show", "eth0"], check=True, capture_output=True)
        assert f"mtu {int(mtu) - 50} " in shown.stdout.decode()
        assert _pairs(kemu) == _ALL


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("n1", "--rate", "800"), 'rate: "800" is no rate'),
        (("n1", "--jitter", "1ms"), "jitter needs a delay"),
        (("n1",), "nothing is to change"),
        (("n1", "--down", "--in"), "--out and --in go with what can differ"),
        (("n1", "--queue", "5packets"), "queue needs a rate"),
    ],
)
def test_what_makes_no_sense_changes_nothing(kemu: Kemu, words: tuple[str, ...], said: str) -> None:
    kemu.up("nodes: 2\n")
    done = kemu.call("link", "set", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert kemu.json("status")["live"] == []


def test_an_unknown_link_is_not_found(kemu: Kemu) -> None:
    kemu.up("nodes: 2\n")
    done = kemu.call("link", "set", "n7", "--down")
    assert done.returncode == 4
    assert 'has no link "n7"' in done.stderr
    assert "node/n1" in done.stderr


def test_changes_from_python(kemu: Kemu) -> None:
    kemu.up(_nodes("host-gw", "ipv4"))
    cluster = Cluster.find(kemu.name)
    assert not cluster.reach().lost
    cluster.link("n2").set(up=False)
    assert (cluster.link("n2").cable.up, cluster.link("n1").cable.up) == (False, True)
    assert cluster.reach().lost
    cluster.link("n2").set(up=True, rate="50mbit", ways=("out",))
    assert [link.live for link in cluster.links() if link.live] == ["out rate 50mbit"]
    cluster.link("n2").reset()
    assert not cluster.live
    assert cluster.status().state == "ok"
