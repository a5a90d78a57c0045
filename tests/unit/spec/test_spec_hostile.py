"""Files that mean harm: they lead nowhere but to what the page on security says."""

from __future__ import annotations

import shlex

import pytest
from spec_reading import problems, read

from kemu.plan.build import build_plan
from kemu.plan.objects import Sysctl
from kemu.plan.show import command

_NAMES = ("../etc", "a/b", "..", ".", "a.b", "-rf", "a b", "$(id)", "a\\nb", "ünï", "a;b")


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize(
    "text",
    [
        'name: "{}"',
        'nodes: [{{name: "{}"}}]',
        'pods: [{{name: "{}"}}]',
        'pods: [{{name: a, namespace: "{}"}}]',
        'hosts: [{{name: "{}"}}]',
        'fabric: {{segments: [{{name: "{}"}}]}}',
    ],
)
def test_no_name_is_a_path_an_option_or_a_command(text: str, name: str) -> None:
    assert any("cannot be a name" in one for one in problems(text.format(name)))


@pytest.mark.parametrize(
    "key",
    [
        "kernel.core_pattern",
        "net/../kernel/core_pattern",
        "net.ipv4.conf...kernel",
        "net//ipv4/ip_forward",
        "/proc/sys/net/ipv4/ip_forward",
        "net",
        "net.ipv4.ip_forward\\n",
        "net.$(id)",
    ],
)
def test_no_setting_is_outside_of_the_network_namespace(key: str) -> None:
    [message] = problems(f'nodes: [{{name: a, sysctls: {{"{key}": 1}}}}]')
    assert "is no setting of a network namespace" in message


@pytest.mark.parametrize("value", ["1'; touch /tmp/x; '", "$(touch /tmp/x)", "1\\nEND\\ntouch /tmp/x", '"', "`id`"])
def test_value_stays_one_word_of_the_printed_script(value: str) -> None:
    text = f"nodes: [{{name: a, sysctls: {{net.ipv4.ip_forward: {_quoted(value)}}}}}]"
    [setting] = [one for one in build_plan(read(text)) if isinstance(one, Sysctl) and one.origin and one.origin.part == "sysctls"]
    assert shlex.split(command(setting, "lab"))[-1] == f"net/ipv4/ip_forward={setting.value}"
    assert setting.value == value.replace("\\n", "\n")


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '\\"') + '"'


def test_anchors_that_multiply_cost_no_more_than_their_length() -> None:
    lists = "\n".join(f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40))
    merges = "\n".join(f"x-m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}" for i in range(1, 40))
    text = f"x-0: &a0 [lol]\n{lists}\nx-m0: &m0 {{a: b}}\n{merges}\n"
    assert read(f"{text}pods: [{{name: a}}]").pods[0].name == "a"
    assert problems(f"{text}pods: *a39")


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system [id]", "!!python/name:os.system", "!include /etc/passwd", "!!binary aGk="]
)
def test_tags_make_nothing(tag: str) -> None:
    assert any("has no place in a topology" in one for one in problems(f"x-a: {tag}"))


def test_message_sends_no_control_characters_to_the_terminal() -> None:
    for message in problems('pods: [{name: "\\e[2J\\a\\x9b"}]\n'):
        assert message.isprintable()
