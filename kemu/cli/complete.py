"""What the shell offers when Tab is pressed. Must be quick, and silent whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from kemu.cli.settings import SETTINGS


def clusters(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the clusters of this machine."""
    from kemu.api import Cluster  # noqa: PLC0415 (completion of options needs none of it)

    return _items((cluster.name for cluster in Cluster.all()), incomplete)


def endpoints(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the pods, nodes and hosts of the cluster."""
    from kemu.api import Cluster  # noqa: PLC0415
    from kemu.base.errors import KemuError  # noqa: PLC0415

    try:
        found = Cluster.find(SETTINGS.cluster or os.environ.get("KEMU_CLUSTER")).endpoints()
    except KemuError:
        return []
    names = [one.spec.short() for one in found]
    return _items([*names, *(one.full for one in found)] if "/" in incomplete else names, incomplete)


def links(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the nodes, hosts and segments of the cluster, whose links these are."""
    from kemu.api import Cluster  # noqa: PLC0415
    from kemu.base.errors import KemuError  # noqa: PLC0415

    try:
        found = list(Cluster.find(SETTINGS.cluster or os.environ.get("KEMU_CLUSTER")).cables)
    except KemuError:
        return []
    return _items(found if "/" in incomplete else [name.partition("/")[2] for name in found], incomplete)


def backends(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the installed backends."""
    from kemu.api.backends import backend_names  # noqa: PLC0415

    return _items(backend_names(), incomplete)


def files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the bundled topologies, and files."""
    from kemu.api.topology import examples  # noqa: PLC0415

    bundled = [] if "/" in incomplete else _items((example.name for example in examples()), incomplete)
    return [*bundled, CompletionItem(incomplete, type="file")]


def clusters_or_files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the clusters, and files."""
    return [*clusters(ctx, parameter, incomplete), CompletionItem(incomplete, type="file")]


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
