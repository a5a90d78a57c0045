"""The parts of the kernel's floor that only turn text and bytes into data."""

from __future__ import annotations

import struct

from kemu.kernel import netlink, nft, sysctl


def test_table_is_replaced_in_one_transaction() -> None:
    assert nft.replace("ip", "t", "\tchain c {\n\t}") == (
        "add table ip t\ndelete table ip t\ntable ip t {\n\tchain c {\n\t}\n}\n"
    )
    assert nft.add("ip", "t", "\tchain c {\n\t}") == "table ip t {\n\tchain c {\n\t}\n}\n"


def test_listing_without_handles_and_empty_lines() -> None:
    assert nft.normal("\n\tchain c {  \n\t\tdrop # handle 7\n\n\t}\n") == "\tchain c {\n\t\tdrop\n\t}"


def test_settings_of_a_device_are_those_of_a_fresh_namespace() -> None:
    names = ["net/ipv4/conf/default/rp_filter", "net/ipv4/conf/all/rp_filter", "net/ipv4/neigh/lo/proxy_delay"]
    assert sysctl.of_device("flannel.1", "ipv4/conf", names) == ["net/ipv4/conf/flannel.1/rp_filter"]
    assert sysctl.of_device("flannel.1", "ipv4/neigh", names) == ["net/ipv4/neigh/flannel.1/proxy_delay"]


def test_settings_are_read_together() -> None:
    found = sysctl.read_all(["kernel/ostype", "kernel/no_such_thing", "no/such/directory"])
    assert found == {"kernel/ostype": "Linux"}
    assert sysctl.find("kernel/ostype") == "Linux"
    assert sysctl.find("kernel/no_such_thing") is None


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("HH", len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def test_attributes_are_found_by_type() -> None:
    data = _attribute(1, b"abc") + _attribute(2 | 0x8000, b"defg")
    assert netlink.attributes(data) == {1: b"abc", 2: b"defg"}


def test_broken_attribute_ends_the_reading() -> None:
    assert netlink.attributes(_attribute(1, b"abcd") + b"\0\0\0\0") == {1: b"abcd"}


def test_datagram_is_split_into_messages() -> None:
    one = struct.pack("IHHII", 19, 16, 2, 5, 0) + b"abc" + b"\0"
    two = struct.pack("IHHII", 16, 3, 0, 6, 0)
    assert list(netlink.split(one + two)) == [(16, 2, 5, b"abc"), (3, 0, 6, b"")]
