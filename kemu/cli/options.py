"""Options that every verb has, before or after its name, and options that several share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kemu.cli import complete
from kemu.cli.settings import SETTINGS

Function = TypeVar("Function", bound=Callable[..., Any])


def _set(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and value is not False and parameter.name:
        setattr(SETTINGS, parameter.name, value)
        SETTINGS.namespace_given |= parameter.name == "namespace"


def _option(*names: str, help: str, **settings: Any) -> Callable[[Function], Function]:
    return click.option(*names, help=help, expose_value=False, callback=_set, is_eager=True, **settings)


def common(function: Function) -> Function:
    """Give a command the options that all have."""
    for option in (
        _option("--debug", is_flag=True, default=None, envvar="KEMU_DEBUG", help="Show where in kemu an error arose."),
        _option("-v", "--verbose", is_flag=True, default=None, envvar="KEMU_VERBOSE", help="Say each step."),
        _option("-q", "--quiet", is_flag=True, default=None, envvar="KEMU_QUIET", help="Show no progress and no warnings."),
    ):
        function = option(function)
    return function


cluster = _option(
    "-C",
    "--cluster",
    envvar="KEMU_CLUSTER",
    shell_complete=complete.clusters,
    help="The cluster; else the one made here, or the only one.",
)
namespace = _option("-n", "--namespace", envvar="KEMU_NAMESPACE", help="The Kubernetes namespace of pods named without one.")
backend = click.option(
    "--backend",
    envvar="KEMU_BACKEND",
    shell_complete=complete.backends,
    metavar="NAME",
    help="This backend instead of the file's.",
)
sets = click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a value of the file: nodes.n1.address=172.18.0.9."
)
force = click.option("--force", is_flag=True, help="Bring up what the backend can, where it cannot do all.")


def output(*choices: str) -> Callable[[Function], Function]:
    """Give a command `-o`, with these choices; the first is the default."""
    return _option("-o", "--output", type=click.Choice(choices), help=f"How to print [default: {choices[0]}].")


file = click.argument("file", required=False, shell_complete=complete.files)
