"""Endpoints: every way to name a pod, node or host, and what is said of wrong ones."""

from __future__ import annotations

import pytest
from spec_reading import read

from kemu.base.errors import KemuError, NotFoundError, UsageError
from kemu.spec.endpoints import all_endpoints, find_endpoint, find_endpoints
from kemu.spec.hosts import show_hosts

TOPOLOGY = read(
    """
networking: {ipFamily: dual}
nodes: 2
pods:
- {name: web, replicas: 2, labels: {app: web, tier: front}}
- {name: api, namespace: shop, labels: {app: api}}
- {name: db, namespace: my-shop}
- {name: db}
- {name: n1}
hosts: [{name: client}]
"""
)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("web-1", "pod/default/web-1"),
        ("pod/web-1", "pod/default/web-1"),
        ("default/web-1", "pod/default/web-1"),
        ("pod/shop/api", "pod/shop/api"),
        ("shop/api", "pod/shop/api"),
        ("my-shop/db", "pod/my-shop/db"),
        ("db", "pod/default/db"),
        ("n2", "node/n2"),
        ("node/n1", "node/n1"),
        ("pod/n1", "pod/default/n1"),
        ("default/n1", "pod/default/n1"),
        ("client", "host/client"),
        ("host/client", "host/client"),
        ("10.244.0.2", "pod/default/web-1"),
        ("fd00:10:244::2", "pod/default/web-1"),
        ("fd00:10:244:0::0002", "pod/default/web-1"),
        ("172.18.0.11", "node/n1"),
        ("172.18.0.101", "host/client"),
        ("app=api", "pod/shop/api"),
    ],
)
def test_forms(text: str, full: str) -> None:
    assert find_endpoint(TOPOLOGY, text).full == full


def test_the_namespace_of_the_command_line_is_the_default() -> None:
    assert find_endpoint(TOPOLOGY, "api", namespace="shop").full == "pod/shop/api"
    assert find_endpoint(TOPOLOGY, "default/db", namespace="my-shop").full == "pod/default/db"


def test_port_and_protocol() -> None:
    endpoint = find_endpoint(TOPOLOGY, "shop/api:53/UDP")
    assert (endpoint.port, endpoint.protocol, endpoint.netns) == (53, "udp", "shop.api")
    assert find_endpoint(TOPOLOGY, "web-1:80").port == 80
    assert (find_endpoint(TOPOLOGY, "web-1").port, find_endpoint(TOPOLOGY, "web-1").protocol) == (None, "")


@pytest.mark.parametrize("port", ["0", "65536", "http", "²", "1" * 5000])
def test_wrong_ports_are_refused(port: str) -> None:
    with pytest.raises(UsageError, match="is no port"):
        find_endpoint(TOPOLOGY, f"web-1:{port}")


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=web", ["web-1", "web-2"]),
        ("app==web", ["web-1", "web-2"]),
        ("app=web,tier=front", ["web-1", "web-2"]),
        ("app=web, tier!=front", []),
        ("app!=web", ["api", "db", "db", "n1"]),
        ("app=", []),
    ],
)
def test_selectors(selector: str, names: list[str]) -> None:
    assert [endpoint.name for endpoint in find_endpoints(TOPOLOGY, selector)] == names


def test_a_selector_of_several_is_no_single_endpoint() -> None:
    with pytest.raises(UsageError) as caught:
        find_endpoint(TOPOLOGY, "app=web")
    assert "means 2 pods" in caught.value.message
    assert caught.value.hint == "choose from pod/default/web-1, pod/default/web-2"
    with pytest.raises(UsageError, match="means 0 pods"):
        find_endpoint(TOPOLOGY, "app=none")


def test_a_name_that_two_have_must_be_written_in_full() -> None:
    with pytest.raises(UsageError) as caught:
        find_endpoint(TOPOLOGY, "n1")
    assert caught.value.message == '"n1" may be pod/default/n1 or node/n1'


@pytest.mark.parametrize(
    ("text", "kind", "hint"),
    [
        ("web-3", NotFoundError, "did you mean"),
        ("pod/cleint", NotFoundError, 'did you mean "client"?'),
        ("node/web-1", NotFoundError, "did you mean"),
        ("api", NotFoundError, 'did you mean "shop/api"?'),
        ("zzz", NotFoundError, "there are web-1, web-2, shop/api, my-shop/db, db, n1, n1, n2 …"),
        ("10.9.9.9", NotFoundError, "kemu get pods"),
        ("svc/web", UsageError, "pods, nodes and hosts"),
        ("deploy/web", UsageError, "pods, nodes and hosts"),
        ("job/a/b", UsageError, "the kinds are"),
        ("a/b/c/d", UsageError, "selector"),
        ("", UsageError, "selector"),
        ("web-1:", UsageError, "selector"),
        ("=web", UsageError, "key=value"),
    ],
)
def test_wrong_endpoints_have_a_hint(text: str, kind: type[KemuError], hint: str) -> None:
    with pytest.raises(kind) as caught:
        find_endpoint(TOPOLOGY, text)
    assert hint in caught.value.hint


def test_hints_leave_out_the_namespace_that_is_meant_anyway() -> None:
    with pytest.raises(NotFoundError) as caught:
        find_endpoint(TOPOLOGY, "zzz", namespace="shop")
    assert caught.value.hint.startswith("there are default/web-1, default/web-2, api, my-shop/db,")


def test_all_endpoints_by_kind_in_the_order_of_the_file() -> None:
    assert [one.full for one in all_endpoints(TOPOLOGY, ["host", "node"])] == ["node/n1", "node/n2", "host/client"]
    assert [one.kind for one in all_endpoints(TOPOLOGY)] == ["pod"] * 6 + ["node"] * 2 + ["host"]


def test_hosts_file_has_plain_names_where_they_are_nobody_elses() -> None:
    lines = show_hosts(TOPOLOGY).splitlines()
    assert "10.244.0.2 web-1 web-1.default" in lines
    assert "172.18.0.101 client" in lines
    assert [line.split()[1:] for line in lines if "my-shop" in line] == [["db.my-shop"], ["db.my-shop"]]
