"""A program for a mount namespace of its own with an empty /run: it prints what /run holds after each step of a cluster's life."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cluster_tools import Running

from kemu.cluster import lifecycle


def _look() -> dict[str, object]:
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    names = [fields for fields in mounts if fields[4] == "/run/netns"]
    return {
        "run": sorted(path.name for path in Path("/run").iterdir()),
        "mounts": len(names),
        "shared": all(any(word.startswith("shared:") for word in fields[6:]) for fields in names),
    }


def main(name: str) -> None:
    steps: list[dict[str, object]] = []
    one, other = Running.build(f"{name}a"), Running.build(f"{name}b", backend="host-gw")
    for step in (one.up, other.up, lambda: lifecycle.down(one.name), lambda: lifecycle.down(other.name)):
        step()
        steps.append(_look())
    one.up()
    subprocess.run(["ip", "netns", "add", "somebodys"], check=True)
    drift = one.drift()
    lifecycle.down(one.name)
    steps.append({**_look(), "drift": drift, "left": sorted(path.name for path in Path("/run/netns").iterdir())})
    subprocess.run(["ip", "netns", "del", "somebodys"], check=True)
    sys.stdout.write(json.dumps(steps))


if __name__ == "__main__":
    main(sys.argv[1])
