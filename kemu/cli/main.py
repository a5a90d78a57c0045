"""The command line's entrance: finds the verb, runs it, and turns errors into messages and exit codes."""

from __future__ import annotations

import ast
import difflib
import importlib
import json
import os
import pkgutil
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import resources
from types import FrameType
from typing import NoReturn

import click

import kemu
from kemu.base.errors import KemuError, UsageError
from kemu.base.render import show_error
from kemu.cli import verbs
from kemu.cli.options import common
from kemu.cli.settings import SETTINGS

ALIASES = {"deploy": "up", "destroy": "down", "pingall": "reach"}
BUG = 70

#: Verbs that kemu will have. One whose file exists is no later verb any more, whether it stands here or not.
LATER = ("check", "delete", "doctor", "fault", "label", "policy", "ready", "trace")

#: The sections of `kemu --help`. A verb that stands in none is shown at the end.
SECTIONS = {
    "The life of a cluster": ("up", "status", "link", "save", "down", "ls", "apply"),
    "Being inside": ("exec", "shell", "get", "inspect"),
    "Trying and measuring": ("reach", "test", "perf", "compare", "capture"),
    "Before anything is touched": ("plan", "graph", "validate", "schema", "topologies", "backends", "capabilities"),
}


class Verbs(click.Group):
    """The group of all verbs; a verb's file is imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all verbs, sorted."""
        return sorted(info.name.rstrip("_") for info in pkgutil.iter_modules(verbs.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb by its name or alias."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in self.list_commands(ctx):
            return None
        found: click.Command = importlib.import_module(f"kemu.cli.verbs.{_module(name)}").command
        _name_variables(name, found)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; of an unknown one say what it may have been meant to be."""
        known = [*self.list_commands(ctx), *ALIASES]
        if args and args[0] not in known and not args[0].startswith("-"):
            raise _no_verb(args[0], known)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs in sections, each with the first line of its file: no verb need be imported for it."""
        left = [name for name in self.list_commands(ctx) if not any(name in names for names in SECTIONS.values())]
        for heading, names in {**SECTIONS, "More": tuple(left)}.items():
            with formatter.section(heading):
                formatter.write_dl([(name, _summary(name)) for name in names])


def _no_verb(word: str, known: Sequence[str]) -> UsageError:
    """Return what to say of a word that is no verb, or not yet."""
    if word in LATER:
        return UsageError(f"kemu {word}: not yet: this version of kemu cannot do it", hint="kemu --help lists what it can")
    near = difflib.get_close_matches(word, known, 1)
    return UsageError(f'there is no verb "{word}"', hint=f'did you mean "{near[0]}"?' if near else "kemu --help lists the verbs")


def _name_variables(verb: str, command: click.Command) -> None:
    """Give every option that has none a variable called like verb and option: KEMU_UP_YES for `up --yes`, KEMU_LINK_SET_RATE."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            _name_variables(f"{verb}_{name}", one)
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None:
            long = max(option.opts, key=len)
            option.envvar = f"KEMU_{verb}_{long.strip('-')}".upper().replace("-", "_")


def _module(verb: str) -> str:
    """Return the name of a verb's module; Python keeps `exec` for itself."""
    return "exec_" if verb == "exec" else verb


def _summary(verb: str) -> str:
    """Return what the first line of a verb's file says after "kemu up: "."""
    text = resources.files(verbs).joinpath(f"{_module(verb)}.py").read_text()
    return (ast.get_docstring(ast.parse(text)) or "").partition(": ")[2].partition("\n")[0].removesuffix(".")


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Aliases: deploy (up), destroy (down), pingall (reach). Start with: sudo kemu up two-nodes",
)
@click.version_option(kemu.__version__, prog_name="kemu")
@common
def command() -> None:
    """Kubernetes cluster networks on one Linux machine, from one YAML file."""


def main() -> NoReturn:
    """Run the command line of this process, and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))


class _Terminated(BaseException):
    """Somebody asked this process to end: clean up, then go."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        code = command.main(list(arguments), prog_name="kemu", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:  # nothing was asked: the help, as click's users know it
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _fail(UsageError(error.format_message(), hint=_usage(error)))
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 128 + signal.SIGINT
    except _Terminated:
        click.echo("terminated", err=True)
        return 128 + signal.SIGTERM
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KemuError as error:
        return _fail(error)
    except Exception as error:
        return _confess(error)


def _usage(error: click.ClickException) -> str:
    """Return where to read on."""
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help" if context else "kemu --help"


def _fail(error: KemuError) -> int:
    if SETTINGS.debug:
        traceback.print_exc()
    if SETTINGS.output == "json":
        click.echo(json.dumps(error.to_dict(), indent=2))
    else:
        click.echo(show_error(error), err=True)
    return SETTINGS.own_failure or error.exit_code


def _confess(error: Exception) -> int:
    if SETTINGS.debug:
        traceback.print_exc()
    click.echo(f"error: a bug in kemu: {type(error).__name__}: {error}", err=True)
    click.echo("   hint: --debug shows where; please report it with the command and the file", err=True)
    return SETTINGS.own_failure or BUG
