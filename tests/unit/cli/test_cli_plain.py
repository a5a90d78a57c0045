"""Verbs that need no rights, in this process: output, errors and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kemu.cli import enter, main, settings

TWO = "name: two\nnodes: 2\npods:\n- {name: a, node: n1}\n- {name: b, node: n1}\n- {name: c, node: n2}\n"
BAD = "name: bad\nnodes: 2\npods:\n- {name: a, node: n7}\n- {name: A}\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    fresh = settings.Settings()
    for name in settings.Settings.__slots__:
        monkeypatch.setattr(settings.SETTINGS, name, getattr(fresh, name))
    (tmp_path / "two.kemu.yaml").write_text(TWO)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def run(*words: str) -> int:
    return main.run(words)


def test_validate_says_what_a_file_describes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate") == 0
    assert capsys.readouterr().out.startswith("two is fine: 2 nodes, 3 pods, 0 hosts, vxlan, ")


def test_validate_shows_every_problem_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", "bad.yaml", "two.kemu.yaml") == 2
    out, err = capsys.readouterr()
    assert (
        'bad.yaml:4:19: error: pod a: node "n7" does not exist\n   4 | - {name: a, node: n7}\n     |                   ^^\n'
        in err
    )
    assert "bad.yaml:5:10: error:" in err
    assert "two is fine" in out


def test_validate_in_json_has_the_same_problems(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", "bad.yaml", "-o", "json") == 2
    [file] = json.loads(capsys.readouterr().out)["files"]
    assert [(one["line"], one["column"]) for one in file["problems"]] == [(4, 19), (5, 10)]


def test_an_error_in_json_has_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "nosuch", "-o", "json") == 2
    error = json.loads(capsys.readouterr().out)
    assert (error["error"], error["exit_code"]) == ("UsageError", 2)


def test_plan_counts_and_lists_the_same_objects(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "-o", "json") == 0
    objects = json.loads(capsys.readouterr().out)["objects"]
    assert run("plan", "-o", "count") == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["total", str(len(objects))]


def test_plan_is_a_tree_of_namespaces(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan") == 0
    out = capsys.readouterr().out
    assert "├─ n1\n" in out
    assert "└─ default.c\n" in out
    assert "│  ├─ flannel.1  vxlan  id 1 port 8472 from 172.18.0.11 over eth0  mtu 1450  10.244.0.0/32\n" in out


def test_plan_for_an_endpoint_leaves_other_pods_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--for", "c", "-o", "ip") == 0
    out = capsys.readouterr().out
    assert "two.default.c" in out
    assert "two.default.a" not in out
    assert out.startswith("# What serves pod/default/c in the cluster two. ")
    assert "\nip netns add two.default.c && ip -n two.default.c link set lo alias kemu:two.default.c up\n" in out
    assert "rp_filter" not in out
    assert "route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink" in out


def test_plan_against_another_backend_shows_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--against", "host-gw") == 0
    out = capsys.readouterr().out
    assert "- ip -n two.n1 route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink" in out
    assert "+ ip -n two.n1 route add 10.244.1.0/24 via 172.18.0.12 dev eth0" in out


def test_plan_diff_without_a_cluster_would_make_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--diff", "--set", "name=nosuch-cluster") == 1
    out, err = capsys.readouterr()
    assert "there is no cluster nosuch-cluster: up would make all of it" in err
    assert {"nosuch-cluster.n1: namespace is missing", "nosuch-cluster.n1: vxlan flannel.1 is missing"} <= set(out.splitlines())


def test_plan_diff_without_a_cluster_in_json_is_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--diff", "--set", "name=nosuch-cluster", "-o", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["state"], {one["action"] for one in found["drift"]}) == ("kemu.status/1", "drifted", {"add"})


def test_a_setting_of_the_file_that_outranks_one_of_kemus_is_warned_of(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "two.kemu.yaml").write_text('name: two\nnodes:\n- {name: n1, sysctls: {net.ipv4.ip_forward: "0"}}\n')
    assert run("validate") == 0
    assert capsys.readouterr().err == (
        "warning: net/ipv4/ip_forward of n1 is 0, as the file's sysctls (two.kemu.yaml:3) want it; "
        "nodes (two.kemu.yaml:3) need it to be 1, and the network may not work\n"
    )


def test_a_setting_that_says_the_same_as_kemu_is_no_warning(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "two.kemu.yaml").write_text('name: two\nnodes:\n- {name: n1, sysctls: {net.ipv4.ip_forward: "1"}}\n')
    assert run("validate") == 0
    assert capsys.readouterr().err == ""


def test_set_changes_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--set", "networking.backend.vxlan.vni=7", "--set", "name=other") == 0
    out = capsys.readouterr().out
    assert out.startswith("other\n")
    assert "flannel.7  vxlan  id 7" in out


def test_without_a_file_it_says_what_to_type(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "two.kemu.yaml").unlink()
    assert run("plan") == 2
    assert "kemu up two-nodes" in capsys.readouterr().err


def test_two_candidates_for_the_file_are_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "more.kemu.yaml").write_text(TWO)
    assert run("plan") == 2
    assert "more.kemu.yaml, two.kemu.yaml" in capsys.readouterr().err


def test_an_unknown_verb_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("statsu") == 2
    assert 'did you mean "status"?' in capsys.readouterr().err


LATER = sorted(set(main.LATER) - set(main.command.list_commands(None)))  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", LATER)
def test_a_later_verb_is_not_yet_whatever_follows_it(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "a", "--some", "option") == 2
    assert capsys.readouterr().err.startswith(f"error: kemu {verb}: not yet")


def test_a_verb_that_is_there_is_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "LATER", (*main.LATER, "schema"))
    assert run("schema") == 0


def test_kemu_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert capsys.readouterr().err.startswith("Usage: kemu [OPTIONS] COMMAND [ARGS]...\n")


@pytest.mark.parametrize("words", [["exec", "a"], ["exec"], ["exec", "a", "--"], ["exec", "a", "--nosuch", "true"], ["shell"]])
def test_wrong_usage_of_exec_and_shell_is_125_for_other_codes_are_the_commands(words: list[str]) -> None:
    assert run(*words) == enter.OWN_FAILURE


@pytest.mark.parametrize(
    ("line", "endpoint", "command", "options"),
    [
        ("a ls -l", "a", ["ls", "-l"], {}),
        ("a -- ls -l", "a", ["ls", "-l"], {}),
        ("-it a -- sh -c true", "a", ["sh", "-c", "true"], {"stdin": True, "tty": True}),
        ("a -c x -- sh -c true", "a", ["sh", "-c", "true"], {"container": "x"}),
        ("-c x a -it sh -c true", "a", ["sh", "-c", "true"], {"container": "x", "stdin": True, "tty": True}),
        ("a git log -- file", "a", ["git", "log", "--", "file"], {}),
        ("a -- -c", "a", ["-c"], {}),
        ("a --container=x -- env -- ls", "a", ["env", "--", "ls"], {"container": "x"}),
    ],
)
def test_the_options_of_exec_end_where_the_command_begins(
    line: str, endpoint: str, command: list[str], options: dict[str, object]
) -> None:
    verb = main.command.get_command(None, "exec")  # type: ignore[arg-type]
    found = verb.make_context("exec", line.split()).params  # type: ignore[union-attr]
    said = {key: value for key, value in found.items() if value}
    assert said == {"endpoint": endpoint, "words": tuple(command), **options}


def test_an_unknown_option_says_where_to_read_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--nosuch") == 2
    assert "hint: kemu plan --help" in capsys.readouterr().err


def test_help_lists_every_verb_without_importing_any(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    for name in main.command.list_commands(None):  # type: ignore[arg-type]
        assert f"\n  {name} " in out


@pytest.mark.parametrize("alias", ["deploy", "destroy", "pingall"])
def test_aliases_show_the_help_of_their_verb(alias: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(alias, "--help") == 0
    assert "Usage: kemu" in capsys.readouterr().out


def test_apply_sends_a_topology_to_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply", "-f", "two.kemu.yaml") == 2
    assert "hint: kemu up two.kemu.yaml" in capsys.readouterr().err


def test_schema_is_json_with_every_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("schema") == 0
    backend = json.loads(capsys.readouterr().out)["properties"]["networking"]["properties"]["backend"]
    assert {"host-gw", "vxlan"} <= set(backend["anyOf"][0]["enum"])


def test_backends_in_a_table_and_one_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backends") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["vxlan", "overlay"] in [row[:2] for row in rows]
    assert run("backends", "vxlan") == 0
    out = capsys.readouterr().out
    assert "Fails as:" in out
    assert "directRouting" in out


def test_topologies_prints_an_example_verbatim(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("topologies", "two-nodes") == 0
    assert capsys.readouterr().out == Path(main.__file__).parents[2].joinpath("topologies/two-nodes.yaml").read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", shell) == 0
    assert "_KEMU_COMPLETE" in capsys.readouterr().out


def test_a_bug_is_confessed_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("kemu.cli.verbs.schema.schema", lambda: 1 / 0)
    assert run("schema") == main.BUG
    err = capsys.readouterr().err
    assert "a bug in kemu: ZeroDivisionError" in err
    assert "Traceback" not in err
    assert run("--debug", "schema") == main.BUG
    assert "Traceback" in capsys.readouterr().err


def test_graph_writes_a_file_whose_ending_says_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("graph", "two-nodes", "-w", str(tmp_path / "a.mmd")) == 0
    assert "flowchart" in (tmp_path / "a.mmd").read_text()
    assert run("graph", "two-nodes") == 0
    assert capsys.readouterr().out.startswith("<svg")
    assert run("graph", "two-nodes", "-w", str(tmp_path / "a.pdf")) == 2
    assert 'what ends with "pdf" is no format' in capsys.readouterr().err
    assert not (tmp_path / "a.pdf").exists()
