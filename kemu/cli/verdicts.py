"""What came of expectations, as people, GitHub and other CI systems read it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from kemu.api.expectations import Failure, Outcome, Report
from kemu.base.errors import Problem
from kemu.base.marks import Mark
from kemu.base.units import show_bits_per_second, show_seconds
from kemu.cli.output import count

FEW = 10  # failures of one expectation that are shown

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # Source: XML 1.0, production 2 (Char)


def show_report(report: Report) -> str:
    """Return a line for each expectation, those that fail with their pairs, and the sentence that sums it up."""
    lines = [line for one in report.outcomes for line in _lines(report, one)]
    return "\n".join([*lines, show_sum(report)])


def show_sum(report: Report) -> str:
    """Return the last line: `7 of 8 expectations hold`."""
    return f"{report.held} of {count(len(report.outcomes), 'expectation')} {'holds' if len(report.outcomes) == 1 else 'hold'}"


def _lines(report: Report, one: Outcome) -> Iterator[str]:
    said = ", ".join(filter(None, (_figures(one), _place(report, one) if one.failures else "")))
    yield f"{'ok' if one.holds else 'FAIL':<4}  {one.name}{f' ({said})' if said else ''}"
    yield from (f"      {line}" for line in _failures(one))


def _failures(one: Outcome) -> Iterator[str]:
    yield from (f"{failure.way}: {failure.message}" for failure in one.failures[:FEW])
    if len(one.failures) > FEW:
        yield f"… and {len(one.failures) - FEW:,} more; {len(one.failures):,} in all, of {count(one.total, 'pair')}"


def _figures(one: Outcome) -> str:
    """Return the smallest and the largest of what was measured."""
    rates = sorted(item.bits_per_second for item in one.measured if item.bits_per_second is not None)
    times = sorted(item.rtt_seconds for item in one.measured if item.rtt_seconds is not None)
    texts = [show_bits_per_second(rate) for rate in rates] + [show_seconds(seconds) for seconds in times]
    return " … ".join(dict.fromkeys([texts[0], texts[-1]])) if texts else ""


def _place(report: Report, one: Outcome) -> str:
    return f"{Path(report.file).name or '<stdin>'}:{one.mark.line}" if one.mark else ""


def next_command(report: Report, option: str = "") -> str:
    """Return the command that looks closer at the first failure; `option` is how it names the cluster. Empty if all holds."""
    failure = next((failure for one in report.outcomes for failure in one.failures), None)
    return f"kemu {_closer(failure)}{option}" if failure else ""


def _closer(failure: Failure) -> str:
    sender, receiver = failure.sender, failure.receiver
    if failure.expected in ("allow", "deny"):
        port = f" --protocol {failure.protocol} --port {failure.port}" if failure.port else ""
        return f"reach --from {sender} --to {receiver}{port}"
    return f"perf {sender} {receiver}" if failure.protocol == "tcp" else f"reach --from {sender} --to {receiver} -o json"


# --- JUnit ---------------------------------------------------------------------------------------------------------------------------


def show_junit(report: Report) -> str:
    """Return the report as JUnit XML: a testcase for each expectation. Source: the schema that Jenkins' xUnit plugin publishes."""
    failed = len(report.outcomes) - report.held
    numbers = {"tests": str(len(report.outcomes)), "failures": str(failed), "errors": "0", "time": f"{report.seconds:.3f}"}
    root = ElementTree.Element("testsuites", {"name": "kemu", **numbers})
    suite = ElementTree.SubElement(root, "testsuite", {"name": f"kemu {report.cluster}", **numbers, "skipped": "0"})
    for one in report.outcomes:
        suite.append(_case(report, one))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _case(report: Report, one: Outcome) -> ElementTree.Element:
    facts = {"classname": f"kemu.{report.cluster}", "name": _clean(one.name), "time": f"{one.seconds:.3f}"}
    place = {"file": _clean(_relative(report.file)), "line": str(one.mark.line)} if one.mark and report.file else {}
    case = ElementTree.Element("testcase", {**facts, **place})
    if one.failures:
        failure = ElementTree.SubElement(case, "failure", {"type": one.kind, "message": _clean(_headline(one))})
        failure.text = _clean("\n".join(f"{one.way}: {one.message}" for one in one.failures))
    if figures := _figures(one):
        ElementTree.SubElement(case, "system-out").text = figures
    return case


def _headline(one: Outcome) -> str:
    first = one.failures[0]
    more = f" (and {len(one.failures) - 1:,} more)" if len(one.failures) > 1 else ""
    return f"{first.way}: {first.message}{more}"


def _clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold, not even escaped."""
    return _FORBIDDEN.sub("�", text)


def _relative(file: str) -> str:
    """Return a path from this directory on if it is in it, as CI systems link files."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


# --- GitHub --------------------------------------------------------------------------------------------------------------------------


def show_annotations(report: Report) -> str:
    """Return the report for people, and for every expectation that fails a line that GitHub shows beside the file."""
    failed = [one for one in report.outcomes if one.failures]
    return "\n".join([show_report(report), *(_annotation(report, one) for one in failed)])


def _annotation(report: Report, one: Outcome) -> str:
    place = _properties(report.file, one.mark) if one.mark and report.file else {}
    return show_annotation({**place, "title": one.name}, "\n".join(_failures(one)))


def show_problem(problem: Problem) -> str:
    """Return what is wrong in a file as a line that GitHub shows beside it."""
    place = _properties(str(Path(problem.mark.file).resolve()), problem.mark) if problem.mark else {}
    return show_annotation(place, "\n".join(filter(None, (problem.message, problem.hint))))


def _properties(file: str, mark: Mark) -> dict[str, str]:
    return {"file": _workspace(file), "line": str(mark.line), "col": str(mark.column)}


def show_annotation(properties: Mapping[str, str], message: str) -> str:
    """Return an `::error` command of GitHub's. Source: actions/toolkit, packages/core/src/command.ts."""
    said = ",".join(f"{key}={_escape(value, ':,')}" for key, value in properties.items())
    return f"::error {said}::{_escape(message)}" if said else f"::error::{_escape(message)}"


def _escape(text: str, more: str = "") -> str:
    """Return a text with `%`, line ends and `more` as GitHub's runner decodes them."""
    return "".join(f"%{ord(letter):02X}" if letter in f"%\r\n{more}" else letter for letter in text)


def _workspace(file: str) -> str:
    """Return a path as GitHub knows it: from the checkout's top, else from this directory on."""
    top = os.environ.get("GITHUB_WORKSPACE", "")
    path = Path(file)
    return str(path.relative_to(top)) if top and path.is_relative_to(top) else _relative(file)
