"""kemu get: tables of pods, nodes, hosts and more."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kemu.api import Cluster
from kemu.api.listing import Listing, list_kind, namespace_names
from kemu.cli import complete, options
from kemu.cli.output import print_json, print_table
from kemu.cli.settings import SETTINGS

_KINDS = {
    "pods": ("pod", "po"),
    "nodes": ("node", "no"),
    "hosts": ("host",),
    "namespaces": ("namespace", "ns"),
    "segments": ("segment",),
}


def _offer(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[click.shell_completion.CompletionItem]:
    return [click.shell_completion.CompletionItem(kind) for kind in (*_KINDS, "all") if kind.startswith(incomplete)]


@click.command()
@click.argument("kind", shell_complete=_offer)
@click.argument("name", required=False, shell_complete=complete.endpoints)
@options.namespace
@options.cluster
@options.output("table", "json", "name")
@options.common
def command(kind: str, name: str | None) -> None:
    """Show tables of pods, nodes, hosts, namespaces or segments, or of all. With NAME, of that one.

    Pods of all namespaces are shown unless -n names one.
    """
    cluster = Cluster.find(SETTINGS.cluster)
    listings = [
        list_kind(cluster.model, one, namespace=_namespace(), name=name, processes=cluster.processes()) for one in _kinds(kind)
    ]
    match SETTINGS.output:
        case "json":
            rows = {listing.kind: [dict(zip(listing.keys, row, strict=True)) for row in listing.rows] for listing in listings}
            print_json({"schema": "kemu.get/1", "cluster": cluster.name, **rows})
        case "name":
            click.echo("\n".join(name for listing in listings for name in _names(listing)))
        case _:
            _print(listings, namespace_names(cluster.model))


def _names(listing: Listing) -> list[str]:
    places = [listing.keys.index(key) for key in ("namespace", "name") if key in listing.keys]
    return ["/".join([listing.kind.removesuffix("s"), *(row[place] for place in places)]) for row in listing.rows]


def _namespace() -> str | None:
    """Return the namespace that -n names, None without it."""
    return SETTINGS.namespace if SETTINGS.namespace_given else None


def _kinds(word: str) -> list[str]:
    if word == "all":
        return list(_KINDS)
    for kind, others in _KINDS.items():
        if word in (kind, *others):
            return [kind]
    raise click.UsageError(f'there is no kind "{word}"; there are {", ".join(_KINDS)} and all')


def _print(listings: Sequence[Listing], namespaces: Sequence[str]) -> None:
    found = [one for one in listings if one.rows]
    for i, listing in enumerate(found):
        if i:
            click.echo()
        print_table([key.upper() for key in listing.keys], [[_show(cell) for cell in row] for row in listing.rows])
    if not found:
        click.echo(_nothing(namespaces), err=True)


def _nothing(namespaces: Sequence[str]) -> str:
    """Say that there is nothing to show, as kubectl does, and whether there is such a namespace at all."""
    namespace = _namespace()
    if namespace is None:
        return "No resources found"
    hint = "" if namespace in namespaces else f": there is no such namespace; there are {', '.join(namespaces)}"
    return f"No resources found in {namespace} namespace{hint}"


def _show(cell: object) -> object:
    return ",".join(f"{key}={value}" for key, value in cell.items()) if isinstance(cell, dict) else cell
