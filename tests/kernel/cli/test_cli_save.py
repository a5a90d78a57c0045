"""kemu save: a running cluster as a file."""

from __future__ import annotations

import pytest
from cli_kemu import TWO_NODES, Kemu

pytestmark = pytest.mark.kernel


def test_what_is_saved_is_the_running_cluster(kemu: Kemu) -> None:
    kemu.up(f"# a comment\n{TWO_NODES}", "--backend", "host-gw", "--set", "nodes.n1.address=172.18.0.99")
    assert kemu.ok("save") == (
        f"name: {kemu.name}\n"
        "networking: {backend: host-gw}\n"
        "nodes:\n"
        "- {name: n1, address: 172.18.0.99}\n"
        "- {name: n2}\n"
        "pods:\n"
        "- {name: a, node: n1, labels: {app: web}, ports: [{containerPort: 80}]}\n"
        "- {name: b, node: n1}\n"
        "- {name: c, node: n2, labels: {app: web}}\n"
        "- {name: d, node: n2, namespace: shop}\n"
        "hosts:\n"
        "- {name: client}\n"
    )
    kemu.ok("save", "-o", "saved.yaml")
    assert "already as it should be" in kemu.ok("up", "saved.yaml", "--replace")


def test_a_file_that_is_there_is_kept(kemu: Kemu) -> None:
    file = kemu.write(f"# a comment\n{TWO_NODES}")
    kemu.ok("up", file)
    done = kemu.call("save", "-o", file)
    assert done.returncode == 4
    assert "--force" in done.stderr
    assert "# a comment" in file.read_text()
    kemu.ok("save", "-o", file, "--force")
    assert "# a comment" not in file.read_text()
    assert kemu.call("save", "-o", "no/such/folder.yaml").returncode == 2


def test_what_was_changed_live_is_saved_and_what_a_file_cannot_say_is_said(kemu: Kemu) -> None:
    kemu.up("nodes: 2\n")
    kemu.ok("link", "set", "n1", "--out", "--rate", "10mbit")
    kemu.ok("link", "set", "n2", "--down")
    done = kemu.call("save")
    assert done.stdout == f"name: {kemu.name}\nnodes:\n- {{name: n1, link: {{out: {{rate: 10mbit}}}}}}\n- {{name: n2}}\n"
    assert "the link of n2 is down" in done.stderr
