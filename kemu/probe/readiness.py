"""Whether a container is ready, by the results of its checks. Pure: when to check is for others to know.

Source: Kubernetes, pkg/kubelet/prober/worker.go: not ready until the first success; a result counts when it has come as many times in
a row as its threshold says.
"""

from __future__ import annotations

from kemu.spec.model import Probe


class Readiness:
    """The readiness of one run of a container."""

    def __init__(self, probe: Probe) -> None:
        self._thresholds = {True: probe.success_threshold, False: probe.failure_threshold}
        self._last: bool | None = None
        self._in_a_row = 0
        self.is_ready = False

    def note(self, has_passed: bool) -> bool:
        """Take in the result of a check; return whether the container's readiness changed."""
        self._in_a_row = self._in_a_row + 1 if has_passed == self._last else 1
        self._last = has_passed
        if self._in_a_row < self._thresholds[has_passed] or has_passed == self.is_ready:
            return False
        self.is_ready = has_passed
        return True
