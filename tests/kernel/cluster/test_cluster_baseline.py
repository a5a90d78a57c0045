"""What kemu holds for the kernel's own is what this kernel has."""

from __future__ import annotations

from pathlib import Path

import pytest

from kemu.kernel import baseline
from kemu.plan.sysctls import IPV4_BASELINE

pytestmark = pytest.mark.kernel

#: Not copied from the machine's own namespace by writing, or not writable at all.
_NOT_STATED = {"igmpv2_unsolicited_report_interval", "igmpv3_unsolicited_report_interval", "mc_forwarding"}


def _untouched() -> bool:
    """Say whether the machine's own settings, which a fresh namespace copies, are the kernel's."""
    return all(Path("/proc/sys", name).read_text().strip() == value for name, value in IPV4_BASELINE.items())


def test_every_setting_that_a_namespace_copies_is_stated() -> None:
    measured = baseline.measure()
    for place in ("all", "default"):
        prefix = f"net/ipv4/conf/{place}/"
        found = {name.removeprefix(prefix) for name in measured if name.startswith(prefix)}
        stated = {name.removeprefix(prefix) for name in IPV4_BASELINE if name.startswith(prefix)}
        assert found - _NOT_STATED == stated


def test_stated_settings_are_those_of_a_machine_that_nobody_changed() -> None:
    if not _untouched():
        pytest.skip("this machine's own IPv4 settings are not the kernel's")
    measured = baseline.measure()
    assert {name: measured[name] for name in IPV4_BASELINE} == dict(IPV4_BASELINE)
