"""setup.cfg names what there is; the scripts can be run and say what they do."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from .source import FOLDERS, ROOT, modules

SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())


@cache
def _config() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def _packages() -> list[str]:
    return _config()["options"]["packages"].split()


def _names(section: str, key: str) -> set[str]:
    """Return the names of the distributions that a list of requirements holds, small and with dashes."""
    lines = _config()[section][key].strip().splitlines()
    return {re.split(r"[\s<>=!~;\[]", line.strip(), maxsplit=1)[0].lower().replace("_", "-") for line in lines}


def test_every_package_is_listed_and_exists() -> None:
    assert set(_packages()) == {module.name for module in modules() if module.is_package}


def test_packages_are_listed_once() -> None:
    assert len(_packages()) == len(set(_packages()))


def test_folders_have_the_import_names_that_the_tests_think() -> None:
    lines = _config()["options"]["package_dir"].split("\n")
    listed = {name.strip(): folder.strip() for name, _, folder in (line.partition("=") for line in lines if line)}
    assert listed == {name: folder for name, folder in FOLDERS.items() if name != folder}


def test_every_library_that_is_imported_is_required() -> None:
    requirements = _names("options", "install_requires")
    assert requirements == {"click", "iperf3", "pyroute2", "pyyaml"}, "and tests/contracts/layers.py says who may import it"


def test_data_files_are_packaged() -> None:
    data = _config()["options.package_data"]
    assert (ROOT / "kemu/py.typed").exists()
    assert "py.typed" in data["kemu"].split()
    assert "*.yaml" in data["kemu_topologies"].split()


def test_the_installed_command_exists() -> None:
    assert _config()["options.entry_points"]["console_scripts"].split() == ["kemu", "=", "kemu.cli.main:main"]
    assert "def main(" in (ROOT / "kemu/cli/main.py").read_text()


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci/run"], ids=lambda path: path.name)
def test_script_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK), f"chmod +x {script}"
    assert script.read_text().startswith("#!/usr/bin/env ")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_explains_itself(script: Path) -> None:
    command = [sys.executable, script] if "python" in script.read_text().partition("\n")[0] else [script]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=30, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout.lower()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_refuses_what_it_does_not_know(script: Path) -> None:
    command = [sys.executable, script] if "python" in script.read_text().partition("\n")[0] else [script]
    done = subprocess.run([*command, "--no-such-option"], capture_output=True, text=True, timeout=30, check=False, cwd="/")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr or "it takes no arguments" in done.stderr
