"""kemu inspect: one namespace as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import click

from kemu.api import Cluster
from kemu.api.inspecting import View, inspect_all, inspect_endpoint
from kemu.cli import complete, options
from kemu.cli.output import print_json, print_table
from kemu.cli.settings import SETTINGS

_KEEPS = "  (keeps the namespaces of the others)"


@click.command()
@click.argument("endpoint", required=False, shell_complete=complete.endpoints)
@options.namespace
@options.cluster
@options.output("table", "json")
@options.common
def command(endpoint: str | None) -> None:
    """Show everything that is in the namespace of a pod, node or host, or of fabric or router.

    Devices, addresses, routes, neighbours, sockets, rules, settings that are not the kernel's own, and who is inside. Without ENDPOINT
    an overview of all namespaces.
    """
    cluster = Cluster.find(SETTINGS.cluster)
    if endpoint is None:
        _show_all(inspect_all(cluster))
        return
    view = inspect_endpoint(cluster, endpoint, namespace=SETTINGS.namespace)
    if SETTINGS.output == "json":
        print_json(view.to_dict())
    else:
        click.echo("\n".join(_lines(view)))


def _show_all(views: Sequence[View]) -> None:
    if SETTINGS.output == "json":
        print_json({"schema": "kemu.inspect-all/1", "namespaces": [view.to_dict() for view in views]})
        return
    kinds = ("link", "addr", "route", "neigh", "fdb", "nft-table")
    headings = ("NETNS", "DEVICES", "ADDRESSES", "ROUTES", "NEIGHBOURS", "FORWARDING", "NFT TABLES", "SOCKETS", "PROCESSES")
    print_table(
        headings, [(view.netns, *map(view.count, kinds), len(view.data.sockets), len(view.data.processes)) for view in views]
    )


def _lines(view: View) -> list[str]:
    data = view.data
    sections = {
        "": view.lines,
        "settings that are not the kernel's own": view.settings,
        "neighbours met": [f"{address} on {device} {mac or '-'} {state}" for device, address, mac, state in data.learned],
        "sockets": [f"{one.protocol} {one.local} {one.remote} {one.state}" for one in data.sockets],
        "processes": [f"{one.pid} {one.command}{_KEEPS if one.keeps else ''}" for one in data.processes],
    }
    return [view.netns, *(line for heading, rows in sections.items() for line in _section(heading, rows))]


def _section(heading: str, rows: Sequence[str]) -> list[str]:
    if not heading:
        return [f"  {row}" for row in rows]
    return [f"  {heading}:", *(f"    {row}" for row in rows)] if rows else []
