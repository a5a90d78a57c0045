"""A cluster is up when packets pass: the kernel takes devices into service later than it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from cluster_tools import Running, shell

from kemu.kernel.netns import Namespaces
from kemu.kernel.watch import wait_operational
from kemu.plan.operational import find_operational

pytestmark = pytest.mark.kernel

LONG = 60.0


def test_all_devices_are_in_service_when_up_returns(name: str) -> None:
    for _ in range(10):
        cluster = Running.build(name, family="dual", nodes=4, pods=20)
        cluster.up()
        with Namespaces(name) as namespaces:
            namespaces.adopt()
            assert wait_operational(namespaces, find_operational(cluster.plan), seconds=0) == {}
        shell(f"ip netns del {name}.n1")  # the next `up` makes it again, with new devices


@pytest.fixture
def unplugged(name: str) -> Iterator[tuple[Running, Namespaces]]:
    """A cluster with the cable of n1 pulled out."""
    cluster = Running.build(name)
    cluster.up()
    cluster.shell("ip -n @fabric link set n1 down")
    with Namespaces(name) as namespaces:
        namespaces.adopt()
        yield cluster, namespaces


def test_what_is_late_is_named(unplugged: tuple[Running, Namespaces]) -> None:
    cluster, namespaces = unplugged
    late = wait_operational(namespaces, find_operational(cluster.plan), seconds=0.2)
    assert {netns: len(devices) for netns, devices in late.items()} == {"fabric": 1, "n1": 1}


def test_it_hears_of_the_cable_that_is_plugged_in(unplugged: tuple[Running, Namespaces]) -> None:
    cluster, namespaces = unplugged
    plug = threading.Timer(0.3, cluster.shell, ["ip -n @fabric link set n1 up"])
    plug.start()
    try:
        assert wait_operational(namespaces, find_operational(cluster.plan), seconds=LONG) == {}
    finally:
        plug.join()
