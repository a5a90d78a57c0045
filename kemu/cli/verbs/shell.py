"""kemu shell: a shell in a pod, node or host."""

from __future__ import annotations

import os
import shutil
import sys

import click

from kemu.api import Cluster
from kemu.api.endpoint import Endpoint
from kemu.cli import complete, options
from kemu.cli.enter import Entering, attach
from kemu.cli.settings import SETTINGS


@click.command(cls=Entering)
@options.namespace
@options.cluster
@options.common
@click.argument("endpoint", shell_complete=complete.endpoints)
def command(endpoint: str) -> int:
    """Open a shell in a pod, node or host. Its prompt says where it is.

    Processes, host name, /tmp and /run are its own; the rest of the file system is the machine's."""
    place = Cluster.find(SETTINGS.cluster).endpoint(endpoint, namespace=SETTINGS.namespace)
    return attach(place, _shell(), _prompt(place))


def _shell() -> list[str]:
    interactive = ["-i"] if sys.stdin.isatty() else []
    return [shutil.which("bash") or "sh", *interactive]


def _prompt(place: Endpoint) -> dict[str, str]:
    """Return the environment that makes the prompt. bash reads its own PS1 from files first, so it is set just before the first one."""
    node = f" on {place.spec.node}" if place.spec.kind == "pod" else ""
    where = f"[{place.cluster}] {place.full}{node} {place.address}"
    colours = ("\\[\\e[1;32m\\]", "\\[\\e[0m\\]") if "NO_COLOR" not in os.environ else ("", "")
    prompt = f"{colours[0]}{where}{colours[1]} \\W # "
    return {"PS1": f"{where} # ", "PROMPT_COMMAND": f"PS1='{prompt}'; unset PROMPT_COMMAND", "KEMU_CLUSTER": place.cluster}
