"""kemu status: is the cluster as it should be?"""

from __future__ import annotations

import click

from kemu.api import Cluster
from kemu.api.status import Status
from kemu.cli import options
from kemu.cli.output import count, print_json
from kemu.cli.progress import reporting
from kemu.cli.settings import SETTINGS

MANY = 40  # differences: more than a screen


@click.command()
@options.cluster
@options.output("table", "json")
@options.common
def command() -> int:
    """Say whether the cluster is as its file wants it, and name everything that is missing, changed or too much.

    Exits with 1 if anything is. kemu up mends it.
    """
    with reporting() as progress:
        status = Cluster.find(SETTINGS.cluster).status(reporter=progress)
    if SETTINGS.output == "json":
        print_json(status.to_dict())
    else:
        click.echo("\n".join(_lines(status)))
    return 0 if status.state == "ok" else 1


def _lines(status: Status) -> list[str]:
    size = f"{count(status.nodes, 'node')}, {count(status.pods, 'pod')}, {status.backend}, {count(status.objects, 'object')}"
    lines = [f"{status.cluster}: {_WORDS[status.state]} ({size})"]
    lines += [f"  {line}" for line in status.drift[:MANY]]
    lines += [f"  … and {count(len(status.drift) - MANY, 'more difference')}" for _ in status.drift[MANY : MANY + 1]]
    lines += [f"  live: {item}" for item in status.live]
    lines += [f"  {one.title}: {one.reason}" for one in status.unmet[:MANY]]
    lines += [f"  … and {len(status.unmet) - MANY} more that are not ready" for _ in status.unmet[MANY : MANY + 1]]
    lines += [f"  warning: {warning}" for warning in status.warnings]
    return lines if status.state == "ok" else [*lines, _ADVICE.get(status.state, "kemu up mends it.")]


_WORDS = {
    "ok": "as it should be",
    "drifted": "not as it should be",
    "degraded": "as it should be, but for processes that are not ready",
    "starting": "not complete: its last `up` was interrupted, or is still at work",
}

_ADVICE = {"degraded": "kemu logs POD tells what they said; kemu up starts again what ended."}
