"""How long to wait before a container is started again. Pure: time is handed in.

Source: Kubernetes, concepts/workloads/pods/pod-lifecycle, "Container restarts": at once after the first end, then after 10 s, 20 s,
40 s … up to 5 minutes; pkg/kubelet/kubelet.go, and HasExpired of k8s.io/client-go/util/flowcontrol: anew after twice as long in peace.
"""

from __future__ import annotations

BASE_SECONDS = 10.0
MOST_SECONDS = 300.0


class BackOff:
    """The waiting times of one container."""

    def __init__(self, base_seconds: float = BASE_SECONDS) -> None:
        self._base = base_seconds
        self._next = 0.0
        self._last: float | None = None

    def after_end(self, now: float) -> float:
        """Return how many seconds to wait, after an end just now."""
        if self._last is None or now - self._last > 2 * MOST_SECONDS:
            self._next = 0.0
        wait, self._last = self._next, now
        self._next = min(max(2 * wait, self._base), MOST_SECONDS)
        return wait
