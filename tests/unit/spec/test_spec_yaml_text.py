"""Plain data as YAML: every text comes back as it was, and people like to read it."""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from kemu.base.errors import UsageError
from kemu.spec.source import Source, read_documents
from kemu.spec.yaml_text import find_path, show_yaml

#: What YAML takes for something else, or cannot hold as it stands.
TRICKY = [
    *(
        "no",
        "Yes",
        "on",
        "y",
        "null",
        "~",
        "true",
        "1",
        "0x1f",
        "010",
        "1:30",
        "1e3",
        ".inf",
        "2026-11-24",
        "<<",
        "=",
        "-",
        "?",
        "",
    ),
    *("52:54:00:12:34:56", "fd00::1", "::", "a: b", "a #b", "#a", "- a", "a:", " a", "a ", "a\nb", "a\tb"),
    *("\x07", "\x85", "\u2028", "\ufeff", "é", "日本", "😀"),
    *("'", '"', "\\", "a'b", 'a"b', "a\\nb", "{a}", "[a]", "a, b", "&a", "*a", "!a", "%a", "@a", "`a", "|", ">", "...", "---"),
    *("a -> b:80", "app=web -> [fd00::1]:80", "10.244.0.0/16", "800mbit", "0.1%", "topology.kubernetes.io/zone", "a" * 300),
]


def read(text: str) -> Any:
    """Read as the strict reader does: every scalar is the text that it is."""
    [root] = read_documents(Source(name="x", text=text))

    def plain(node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return {key.value: plain(value) for key, value in node.value}
        return [plain(one) for one in node.value] if isinstance(node, yaml.SequenceNode) else node.value

    return plain(root)


@pytest.mark.parametrize("text", TRICKY, ids=ascii)
def test_a_text_comes_back_as_it_was(text: str) -> None:
    data = {"a": text, "b": [text, {text or "k": text}], "c": {"d": {"e": text, "f": [text]}}}
    shown = show_yaml(data)
    assert read(shown) == data
    assert yaml.load(shown, Loader=yaml.CSafeLoader) == data  # noqa: TID251  (other readers must not see other types either)
    assert yaml.load(shown, Loader=yaml.SafeLoader) == data  # noqa: TID251  (nor the one without libyaml)


def build(source: random.Random, depth: int) -> Any:
    match source.randrange(4 if depth else 1):
        case 0 | 1:
            return "".join(source.choice(TRICKY) for _ in range(source.randint(1, 3)))
        case 2:
            return [build(source, depth - 1) for _ in range(source.randint(0, 4))]
        case _:
            return {f"{source.choice(TRICKY)}{i}": build(source, depth - 1) for i in range(source.randint(0, 4))}


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_inside_what_comes_back(seed: int) -> None:
    data = {f"k{i}": build(random.Random(seed * 10 + i), 4) for i in range(3)}
    assert read(show_yaml(data)) == data


def test_entries_stand_in_one_line_where_they_fit() -> None:
    long = {f"example.com/key-{i}": "a rather long value of a label" for i in range(4)}
    data = {
        "name": "lab",
        "nodes": 2,
        "networking": {"ipFamily": "dual"},
        "fabric": {"mtu": 1500, "segments": [{"name": "a"}, {"name": "b"}]},
        "pods": [{"name": "a", "ports": [{"containerPort": 80}]}, {"name": "b", "labels": long}],
        "internet": True,
        "expect": None,
    }
    assert show_yaml(data).splitlines()[:11] == [
        "name: lab",
        "nodes: 2",
        "networking: {ipFamily: dual}",
        "fabric:",
        "  mtu: 1500",
        "  segments:",
        "  - {name: a}",
        "  - {name: b}",
        "pods:",
        "- {name: a, ports: [{containerPort: 80}]}",
        "- name: b",
    ]
    assert show_yaml(data).splitlines()[-1] == "internet: true"
    assert max(map(len, show_yaml(data).splitlines())) < 110


def test_what_says_itself_what_it_is_may_be_given_as_such() -> None:
    data = {"a": ip_address("fd00::1"), "b": (ip_network("10.0.0.0/8"),), "c": Path("x/y")}
    assert read(show_yaml(data)) == {"a": "fd00::1", "b": ["10.0.0.0/8"], "c": "x/y"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"pods": [{"replicas": 1.5}]}, "pods[0].replicas: a float cannot stand in a topology"),
        ({"pods": {1, 2}}, "pods: a set cannot stand in a topology"),
        ({"pods": [{3: 4}]}, "pods[0]: the key 3 is no text"),
    ],
)
def test_what_cannot_be_written_is_named_by_its_path(data: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        show_yaml(data)
    assert caught.value.message == message


def test_the_path_of_a_place_is_that_of_the_innermost_thing() -> None:
    text = "name: lab\npods:\n- {name: a, ports: [{containerPort: 80}]}\n- name: b\n"
    source = Source(name="x", text=text)
    [root] = read_documents(source)
    places = {
        (0, 6): "name",
        (2, 3): "pods[0].name",
        (2, 2): "pods[0]",
        (2, 37): "pods[0].ports[0].containerPort",
        (3, 8): "pods[1].name",
    }
    assert {place: find_path(root, source.mark(*place)) for place in places} == places
