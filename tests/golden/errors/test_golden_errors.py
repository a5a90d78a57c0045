"""What readers of a wrong file are told: each file here breaks the rule that it is called after, and its .txt is the whole answer.

KEMU_UPDATE_GOLDEN=1 writes the answers anew. Files that are called stdin-… are read as if they came through a pipe.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kemu.base.errors import SpecError
from kemu.base.render import show_error
from kemu.plan.registry import read_topology
from kemu.spec.source import Source

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.yaml"))


def read(file: Path) -> None:
    path = None if file.stem.startswith("stdin-") else file
    read_topology(Source(name=file.name if path else "<stdin>", text=file.read_bytes().decode(), path=path))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_wrong_file_is_answered_with(file: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read(file)
    said = show_error(caught.value) + "\n"
    expected = file.with_suffix(".txt")
    if os.environ.get("KEMU_UPDATE_GOLDEN"):
        expected.write_text(said)
    assert said == expected.read_text()


def test_every_answer_has_its_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {file.stem for file in FILES}
