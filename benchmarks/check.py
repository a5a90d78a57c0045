"""Whether what somebody made is what the plan says: everything is read back from the kernel, as `kemu status` does.

python -m benchmarks.check TOPOLOGY CLUSTER     prints the differences, and fails if there are any
"""

from __future__ import annotations

import sys

from kemu.api import Topology
from kemu.cluster import lifecycle
from kemu.cluster.state import StateDirectory
from kemu.kernel import messages
from kemu.kernel.enter import inside
from kemu.kernel.netlink import Netlink
from kemu.kernel.netns import mark_of, path_of
from kemu.plan.drift import show_change

_LO = 1


def _mark(cluster: str, name: str) -> None:
    """Mark a namespace as kemu's, so that kemu reads it."""
    with inside(path_of(cluster, name)):
        socket = Netlink()
        socket.send([messages.link_alias(_LO, mark_of(cluster, name), up=False)])
        socket.close()


def main() -> None:
    """Compare a plan with what stands under a cluster's name."""
    file, cluster = sys.argv[1:]
    plan = Topology.load(file).renamed(cluster).plan()
    for name in plan.namespaces:
        _mark(cluster, name)
    changes = lifecycle.compare(cluster, plan).changes
    state = StateDirectory(cluster)
    if state.find_record() is None:  # not kemu's own
        state.remove()
    if changes:
        sys.exit("\n".join(show_change(change, cluster) for change in changes[:5]))


if __name__ == "__main__":
    main()
