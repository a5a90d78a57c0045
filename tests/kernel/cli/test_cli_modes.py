"""What everybody may read of a running cluster and nobody else may change, whatever the umask of who made it."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from cli_kemu import Kemu

pytestmark = pytest.mark.kernel

_FOR_ROOT = ("lock", ".keeper", "agent.sock")


def _modes(kemu: Kemu) -> dict[str, int]:
    top = Path("/run/kemu", kemu.name)
    return {str(path.relative_to(top)): stat.S_IMODE(path.lstat().st_mode) for path in top.rglob("*")}


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_state_is_for_everybody_to_read_and_for_root_to_change(kemu: Kemu, umask: int) -> None:
    done = kemu.call("up", kemu.write(), umask=umask)
    assert done.returncode == 0, done.stderr
    assert kemu.call("exec", "a", "--", "true", umask=umask).returncode == 0
    assert kemu.call("up", kemu.directory / "topo.yaml", umask=umask).returncode == 0
    found = _modes(kemu)
    assert {"topology.yaml", "plan.json", "cluster.json", "events.jsonl", "files/hosts", "lock", "processes"} <= found.keys()
    for name, mode in found.items():
        is_directory = Path("/run/kemu", kemu.name, name).is_dir()
        assert mode == (0o755 if is_directory else 0o600 if name.endswith(_FOR_ROOT) else 0o644), name


_ENTER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.setns(os.open(sys.argv[1], os.O_RDONLY), 0):
    raise PermissionError(os.strerror(ctypes.get_errno()))
"""
_LOCK = "import sys; open(sys.argv[1])"


def _as_nobody(program: str, path: str) -> str:
    command = ["/usr/bin/python3", "-c", program, path]
    return subprocess.run(command, user=65534, group=65534, extra_groups=[], capture_output=True, text=True, check=False).stderr


def test_nobody_else_enters_or_holds_up_a_cluster(kemu: Kemu) -> None:
    kemu.up()
    assert "PermissionError" in _as_nobody(_ENTER, f"/run/netns/{kemu.name}.n1")
    assert "PermissionError" in _as_nobody(_LOCK, f"/run/kemu/{kemu.name}/lock")
    assert _as_nobody(_LOCK, f"/run/kemu/{kemu.name}/topology.yaml") == ""
