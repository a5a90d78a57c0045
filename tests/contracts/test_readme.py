"""The documentation is whole: every verb and option is explained, every link leads somewhere, and what is shown is what there is.

What needs a running cluster is in tests/kernel/docs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from .source import ROOT

sys.path.insert(0, str(ROOT / "scripts"))  # the generators are no package of kemu
sys.path.insert(0, str(ROOT / "tests" / "kernel" / "docs"))

from docs_blocks import find_steps, first_missing
from docs_shapes import examples, find_differences
from generators import reference

from kemu.api import Topology
from kemu.api.topology import examples as topologies
from kemu.base import errors
from kemu.base.errors import KemuError, KernelError, Problem, SpecError
from kemu.cli.settings import SETTINGS
from kemu.plan.registry import options_classes
from kemu.spec.schema import field_reference

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
VERBS = reference.commands()
OPTIONS = [
    (name, one) for name, verb in VERBS.items() for one in verb.params if isinstance(one, click.Option) and one.name != "help"
]
LINES = [(name, line) for name, rows in reference.EXAMPLES.items() for line, _ in rows]

# --- pages ---------------------------------------------------------------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("| `")]) <= 200  # the rows of tables are generated


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [target for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page.read_text())) if not _leads(page, target)]
    assert broken == []


def _prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def _leads(page: Path, target: str) -> bool:
    if target.startswith("https://"):
        return True
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    return path.is_file() and (not anchor or anchor in _anchors(path.read_text()))


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if path.name != "index.md"]
    assert [str(path) for path in pages if f"]({path})" not in index] == []


def test_no_page_is_wider_than_the_source() -> None:
    wide = [
        f"{page.relative_to(ROOT)}:{number}"
        for page in PAGES
        for number, line in enumerate(page.read_text().splitlines(), 1)
        if len(line) > 140 and not line.lstrip().startswith("|") and not line.startswith("[apply]")
    ]
    assert wide == []


def test_shown_output_is_compared_in_earnest() -> None:
    [step] = find_steps("$ ping\n64 bytes: ttl=62 time=0.080 ms\n")
    assert first_missing(step.shown, "PING\n64 bytes: ttl=62 time=12 ms\n") is None
    assert first_missing(step.shown, "64 bytes: ttl=63 time=0.080 ms\n") == step.shown[0]
    assert first_missing(("b", "a"), "a\nb\n") == "a"


# --- verbs ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VERBS)
def test_verb_has_a_help_text_and_an_example(name: str) -> None:
    assert (VERBS[name].help or "").strip()
    assert reference.EXAMPLES.get(name), f"EXAMPLES of scripts/generators/reference.py has no row for {name}"


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[f"{name} {one.opts[-1]}" for name, one in OPTIONS])
def test_option_has_a_help_text(name: str, option: click.Option) -> None:
    assert (option.help or "").strip().endswith((".", "]")), f"kemu {name} {option.opts[-1]}: no help text, or no full stop"


def test_every_example_is_of_a_verb() -> None:
    assert set(reference.EXAMPLES) == set(VERBS)
    assert set(reference.ONES) | set(reference.PASSING) <= set(VERBS)


@pytest.fixture
def settings() -> Iterator[None]:
    """Put the settings of the command line back: parsing changes them."""
    before = dataclasses.asdict(SETTINGS)
    yield
    for name, value in before.items():
        setattr(SETTINGS, name, value)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(("name", "line"), LINES, ids=[line for _, line in LINES])
def test_example_can_be_typed(name: str, line: str) -> None:
    assert _type(line) == name


def _type(line: str) -> str:
    """Parse a line that calls kemu, as the command line would, and return its verb."""
    words = shlex.split(line)
    name = next(name for name in (" ".join(words[1:3]), words[1]) if name in VERBS)
    VERBS[name].make_context(name, words[1 + len(name.split()) :], parent=reference.context_of(name, VERBS[name]).parent)
    return name


def test_exit_codes_are_those_of_the_errors() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    codes = {str(one.exit_code) for one in vars(errors).values() if isinstance(one, type) and issubclass(one, KemuError)}
    documented = {row.split("|")[1].strip() for row in page.splitlines() if re.match(r"\| \d", row)}
    assert codes | {"0"} == documented


# --- fields --------------------------------------------------------------------------------------------------------------------------

_PLACES = {
    "": "{key}: {value}",
    "networking": "networking: {{{key}: {value}}}",
    "fabric": "fabric: {{{key}: {value}}}",
    "pods[]": "pods: [{{name: a, {key}: {value}}}]",
}


def test_values_that_are_not_yet_are_those_on_the_page() -> None:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for where, rows in field_reference(options_classes()):
        for row in rows if where in _PLACES else ():
            refused = tuple(
                value for value in row.accepts.split(" | ") if " | " in row.accepts and _is_later(where, row.key, value)
            )
            found |= {(where, row.key): refused} if refused else {}
    assert found == reference.LATER_VALUES


def _is_later(where: str, key: str, value: str) -> bool:
    try:
        Topology.parse("name: lab\n" + _PLACES[where].format(key=key, value=value))
    except SpecError as error:
        return any("not yet" in problem.message for problem in error.problems)
    return False


# --- examples ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", topologies(), ids=lambda example: str(example.name))
def test_example_opens_with_its_lesson(example: Any) -> None:
    first, *rest = example.lesson
    assert first.endswith(".")
    assert rest[0] == "", "the lesson is one line; what follows stands apart"
    assert any(line.endswith("Try:") for line in rest)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("example", topologies(), ids=lambda example: str(example.name))
def test_what_an_example_offers_to_try_can_be_typed(example: Any) -> None:
    lines = [line.removeprefix("#").strip() for line in example.path.read_text().splitlines() if line.startswith("#   kemu ")]
    assert lines
    for line in lines:
        for command in re.split(r"\s*(?:&&|;)\s*", re.split(r"\s{2,}", line)[0]):
            _type(command)


# --- JSON of what needs no root ----------------------------------------------------------------------------------------------------

TOPOLOGY = "name: docs\nnodes: 2\npods: {perNode: 1}\nhosts: [{name: client}]\n"
ASKED = {
    "kemu.plan/1": ("plan", "lab.yaml"),
    "kemu.plan-against/1": ("plan", "lab.yaml", "--against", "host-gw"),
    "kemu.validate/1": ("validate", "lab.yaml", "wrong.yaml"),
    "kemu.backends/1": ("backends",),
    "kemu.topologies/1": ("topologies",),
    "SpecError": ("plan", "wrong.yaml"),
}


def _ask(folder: Path, *words: str) -> Any:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KEMU_")}
    done = subprocess.run(
        [sys.executable, "-m", "kemu", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lab.yaml").write_text(TOPOLOGY)
    (tmp_path / "wrong.yaml").write_text(TOPOLOGY + "podz: 1\n")
    return tmp_path


@pytest.mark.parametrize("schema", ASKED)
def test_json_is_as_documented(schema: str, folder: Path) -> None:
    real = _ask(folder, *ASKED[schema], "-o", "json")
    assert schema in (real.get("schema"), real.get("error"))
    [documented] = examples()[schema]
    assert list(find_differences(documented, real)) == []


def test_every_kind_of_object_is_documented(folder: Path) -> None:
    [documented] = examples()["kemu.plan/1"]
    plan = _ask(folder, "plan", "lab.yaml", "-o", "json")
    assert {_kind(item) for item in documented["objects"]} == {_kind(item) for item in plan["objects"]}


def _kind(item: dict[str, Any]) -> tuple[str, str]:
    return item["kind"], item.get("detail", {}).get("kind", "")


def test_list_of_clusters_is_as_documented(folder: Path) -> None:
    real = _ask(folder, "ls", "-o", "json")
    assert real["schema"] == "kemu.ls/1"
    assert list(find_differences(examples()["kemu.ls/1"][0], real)) == []


def test_schema_is_as_documented(folder: Path) -> None:
    schema = _ask(folder, "schema")
    assert {"$schema", "title", "type", "properties"} <= schema.keys()
    assert schema["$schema"].endswith("/2020-12/schema")


def test_errors_of_the_kernel_are_as_documented() -> None:
    [documented] = examples()["KernelError"]
    assert KernelError("refused").to_dict().keys() == documented.keys()
    [wrong] = examples()["SpecError"]
    assert SpecError([Problem(message="wrong")]).to_dict()["problems"][0].keys() == wrong["problems"][0].keys()


def test_every_schema_in_the_source_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "json.md").read_text()
    inside = {"kemu.cluster/1", "kemu.work/1"}  # files of the state directory, for nobody else
    said = {name for path in (ROOT / "kemu").rglob("*.py") for name in re.findall(r'"(kemu\.[a-z-]+/\d+)"', path.read_text())}
    assert {name for name in said - inside if name not in page} == set()
