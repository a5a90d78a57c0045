"""What the processes of an endpoint find themselves in."""

from __future__ import annotations

from kemu.cluster.state import StateDirectory
from kemu.kernel.netns import path_of
from kemu.kernel.surroundings import Surroundings
from kemu.spec.endpoints import Endpoint


def surroundings(cluster: str, endpoint: Endpoint) -> Surroundings:
    """Return the surroundings of a pod's, node's or host's processes in a running cluster."""
    state = StateDirectory(cluster)
    return Surroundings(
        netns=path_of(cluster, endpoint.netns),
        hostname=endpoint.hostname,
        files=state.files,
        record=state.keeper(own_name(endpoint)),
    )


def own_name(endpoint: Endpoint) -> str:
    """Return what an endpoint's own files are called. A pod may share its node's network, but never its name."""
    return f"{endpoint.namespace}.{endpoint.name}" if endpoint.kind == "pod" else endpoint.name
