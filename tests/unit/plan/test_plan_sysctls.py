from __future__ import annotations

import pytest

from kemu.plan.objects import Bridge, Link, Sysctl
from kemu.plan.sysctls import IPV4_BASELINE, device_of, fresh, implied, model_of, stated

_BASELINE = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv6/conf/default/accept_ra": "1",
    "net/ipv4/neigh/lo/proxy_delay": "80",
}
_DEVICES = [Link(netns="n1", name="flannel.1", index=4, mac="", mtu=1450, detail=Bridge())]


def _implied(**settings: str) -> dict[str, str]:
    asked = [Sysctl(netns="n1", name=name.replace("__", "/"), value=value) for name, value in settings.items()]
    return {item.name: item.value for item in implied(asked, _DEVICES)}


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("net/ipv4/ip_forward", ""),
        ("net/ipv4/conf/all/rp_filter", ""),
        ("net/ipv4/conf/default/rp_filter", ""),
        ("net/ipv4/conf/flannel.1/rp_filter", "flannel.1"),
        ("net/ipv4/neigh/eth0/proxy_delay", "eth0"),
    ],
)
def test_device_of_a_setting(name: str, device: str) -> None:
    assert device_of(name) == device


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv6/conf/flannel.1/accept_ra", "1"),
        ("net/ipv4/neigh/flannel.1/proxy_delay", "80"),
        ("net/ipv4/no_such_thing", ""),
    ],
)
def test_fresh_value_of_a_setting(name: str, value: str) -> None:
    assert fresh(name, _BASELINE) == value


def test_devices_are_like_default_and_neighbours_like_lo() -> None:
    assert (model_of("conf"), model_of("neigh")) == ("default", "lo")


def test_what_the_machine_has_changed_is_stated_as_the_kernel_has_it() -> None:
    measured = {"net/ipv4/conf/default/rp_filter": "2", "net/ipv4/conf/all/forwarding": "1", "net/core/somaxconn": "77"}
    assert stated(measured) == {
        "net/ipv4/conf/default/rp_filter": "0",
        "net/ipv4/conf/all/forwarding": "0",
        "net/core/somaxconn": "77",
    }


def test_forwarding_sets_every_device_and_refuses_redirects() -> None:
    assert _implied(net__ipv4__ip_forward="1") == {
        "net/ipv4/conf/all/accept_redirects": "0",
        **{f"net/ipv4/conf/{dev}/forwarding": "1" for dev in ("all", "default", "lo", "flannel.1")},
    }
    assert _implied(net__ipv6__conf__all__forwarding="1") == {
        f"net/ipv6/conf/{dev}/forwarding": "1" for dev in ("default", "lo", "flannel.1")
    }


def test_no_forwarding_implies_nothing() -> None:
    assert _implied(net__ipv4__ip_forward="0", net__ipv6__conf__all__forwarding="0") == {}


def test_default_is_passed_on_to_devices() -> None:
    assert _implied(net__ipv6__conf__default__accept_dad="0") == {"net/ipv6/conf/flannel.1/accept_dad": "0"}


def test_baseline_is_the_kernels_own() -> None:
    on = {name.rpartition("/")[2] for name, value in IPV4_BASELINE.items() if value != "0" and "/default/" in name}
    assert on == {
        "accept_redirects",
        "accept_source_route",
        "arp_evict_nocarrier",
        "secure_redirects",
        "send_redirects",
        "shared_media",
    }
    assert {name.rpartition("/")[2] for name in IPV4_BASELINE if "/all/" in name} >= on
