"""Reports as people, GitHub and other CI systems read them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from kemu.api.expectations import Failure, Outcome, Report
from kemu.base.errors import Problem
from kemu.base.marks import Mark
from kemu.check.model import Measured
from kemu.cli.verdicts import next_command, show_annotation, show_annotations, show_junit, show_problem, show_report

HERE = Path.cwd()


def failure(number: int = 1, *, port: int | None = 5432, expected: str = "deny") -> Failure:
    return Failure(
        sender=f"pod/default/web-{number}",
        receiver="pod/default/db",
        address="10.244.0.2",
        family="ipv4",
        protocol="tcp" if port else "icmp",
        port=port,
        expected=expected,
        reason="reached",
        message="reached, and is to be denied",
    )


def report(*failures: Failure, name: str = 'only "A & B" <reach> it: 100%, really', file: str = str(HERE / "lab.yaml")) -> Report:
    bad = Outcome(name=name, kind="reach", mark=Mark(file="lab.yaml", line=7, column=3), total=20, seconds=0.5, failures=failures)
    rate = Measured(sender="pod/default/a", receiver="pod/default/b", address="10.0.0.1", family="ipv4", bits_per_second=9.41e9)
    good = Outcome(name="fast", kind="perf", mark=None, total=1, seconds=3.0, measured=(rate,))
    return Report(cluster="lab", file=file, outcomes=(bad, good))


def test_the_table_names_what_fails_and_sums_up() -> None:
    lines = show_report(report(failure())).splitlines()
    assert lines == [
        'FAIL  only "A & B" <reach> it: 100%, really (lab.yaml:7)',
        "      pod/default/web-1 -> pod/default/db, tcp 5432: reached, and is to be denied",
        "ok    fast (9.41 Gbit/s)",
        "1 of 2 expectations hold",
    ]
    assert show_report(report()).splitlines()[-1] == "2 of 2 expectations hold"


def test_many_failures_are_counted() -> None:
    lines = show_report(report(*map(failure, range(15)))).splitlines()
    assert lines[11] == "      … and 5 more; 15 in all, of 20 pairs"


@pytest.mark.parametrize(
    ("one", "command"),
    [
        (failure(), "kemu reach --from pod/default/web-1 --to pod/default/db --protocol tcp --port 5432 -C lab"),
        (failure(port=None), "kemu reach --from pod/default/web-1 --to pod/default/db -C lab"),
        (failure(expected="above"), "kemu perf pod/default/web-1 pod/default/db -C lab"),
        (failure(port=None, expected="below"), "kemu reach --from pod/default/web-1 --to pod/default/db -o json -C lab"),
    ],
)
def test_the_next_command_looks_closer(one: Failure, command: str) -> None:
    assert next_command(report(one), " -C lab") == command
    assert next_command(report()) == ""


def test_junit_is_xml_with_a_case_for_each_expectation() -> None:
    root = ElementTree.fromstring(show_junit(report(failure(1), failure(2), name='a "b" <c> & \x1b\x00d')))
    suite = root.find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped", "time")} == {
        "name": "kemu lab",
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
        "time": "3.500",
    }
    bad, good = suite.findall("testcase")
    assert (bad.get("classname"), bad.get("name"), bad.get("time")) == ("kemu.lab", 'a "b" <c> & ��d', "0.500")
    assert (bad.get("file"), bad.get("line")) == ("lab.yaml", "7")
    [failed] = bad.findall("failure")
    assert failed.get("message") == "pod/default/web-1 -> pod/default/db, tcp 5432: reached, and is to be denied (and 1 more)"
    assert len((failed.text or "").splitlines()) == 2
    assert not good.findall("failure")
    assert good.findtext("system-out") == "9.41 Gbit/s"


def test_annotations_are_escaped_as_github_decodes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    last = show_annotations(report(failure(1), failure(2))).splitlines()[-1]
    assert last == (
        '::error file=lab.yaml,line=7,col=3,title=only "A & B" <reach> it%3A 100%25%2C really::'
        "pod/default/web-1 -> pod/default/db, tcp 5432: reached, and is to be denied%0A"
        "pod/default/web-2 -> pod/default/db, tcp 5432: reached, and is to be denied"
    )
    assert show_annotation({}, "a\r\nb: c, d") == "::error::a%0D%0Ab: c, d"


def test_paths_are_from_the_checkout_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", "/work/shop")
    assert "file=net/lab.yaml,line=7" in show_annotations(report(failure(), file="/work/shop/net/lab.yaml"))
    assert "::error title=" in show_annotations(report(failure(), file=""))


def test_a_wrong_file_is_annotated_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    mark = Mark(file="lab.yaml", line=3, column=9)
    assert show_problem(Problem(message="no", mark=mark, hint="yes")) == "::error file=lab.yaml,line=3,col=9::no%0Ayes"
    assert show_problem(Problem(message="no")) == "::error::no"
