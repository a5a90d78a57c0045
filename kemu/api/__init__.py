"""Floor 8: the Python API, a facade over the floors below. The command line uses nothing else.

from kemu import Cluster

with Cluster.up("topo.yaml") as cluster:
    done = cluster.pod("web-1").run(["ping", "-c1", "10.244.1.2"])
    assert done.returncode == 0
    assert cluster.reach().lost == 0
"""

from kemu.api.cluster import Cluster
from kemu.api.topology import Topology

__all__ = ["Cluster", "Topology"]
