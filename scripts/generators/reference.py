"""The reference pages that the source already knows: verbs from the command line itself, fields from the reader's tables.

`verbs()`, `fields()`, `topologies()`, `backends()` and `decisions()` each return a part of a page as Markdown; scripts/generate puts
them between markers, and `picture()` into a file. To document a new verb: a row in EXAMPLES; and one in ONES, if it exits with 1 to say no.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kemu.spec.schema import Row

#: For every verb the command lines to show, and what each is for. Without `sudo`, which the page explains once.
EXAMPLES: dict[str, Sequence[tuple[str, str]]] = {
    "apply": [("kemu apply -f pods.yaml", "Not yet: of a topology it says that `kemu up` is the verb.")],
    "backends": [
        ("kemu backends", "All of them, a line each."),
        ("kemu backends vxlan", "Why it exists, what it costs, how it fails, and its options."),
    ],
    "capabilities": [("kemu capabilities", "What the kernel lacks, and the fix.")],
    "capture": [
        ("kemu capture a c --way -w walk.pcapng", "Every device from pod a to pod c, in one file for Wireshark."),
        ("kemu capture a c --way -- icmp or udp port 8472", "The same as a line for each packet, filtered as tcpdump does."),
        ("kemu capture n1%flannel.1 n1%eth0", "Two devices of node n1: a tunnel's packets, and what carries them."),
        ("kemu capture app=web fabric --seconds 10 -w -", "Pods by label and the switch, to standard output."),
    ],
    "compare": [
        ("kemu compare two-nodes --backends host-gw,vxlan", "What does the tunnel cost?"),
        ("kemu compare two-racks --backends host-gw,vxlan -t 1 --rounds 1", "Where host-gw does not work, and why not."),
    ],
    "completion": [("kemu completion bash", "The script to put into /etc/bash_completion.d/kemu.")],
    "down": [
        ("kemu down two-nodes", "Removes that cluster."),
        ("kemu down mine.kemu.yaml", "Removes the one that was made from this file."),
        ("kemu down --all", "Removes every cluster of this machine."),
    ],
    "exec": [
        ("kemu exec a -- ping -c1 c", "Names of the cluster are in /etc/hosts."),
        ("kemu exec node/n1 -- tcpdump -ni eth0 udp port 8472", "On the wire of a node."),
        ("kemu exec -n shop db -- ss -tln", "The pod db of the Kubernetes namespace shop."),
    ],
    "get": [
        ("kemu get pods", "A line for each pod."),
        ("kemu get nodes n1 -o json", "One node, for a script."),
        ("kemu get all -o name", "The names alone."),
    ],
    "graph": [
        ("kemu graph two-nodes -w two-nodes.svg", "What a file means, as a picture."),
        ("kemu graph two-nodes -o mermaid", "For a page of GitHub or a wiki."),
        ("kemu graph -w now.html", "The running cluster, what is wrong in red: a page to zoom in."),
    ],
    "inspect": [
        ("kemu inspect", "An overview: a line for each namespace."),
        ("kemu inspect n1", "Everything in the namespace of node n1."),
        ("kemu inspect fabric", "The switch that joins the nodes."),
    ],
    "link ls": [("kemu link ls", "Every link, with what was changed live.")],
    "link reset": [
        ("kemu link reset n1", "That link is again as in the file."),
        ("kemu link reset", "Every link is."),
    ],
    "link set": [
        ("kemu link set n1 --rate 10mbit --delay 20ms", "In each direction."),
        ("kemu link set n1 --loss 5% --in", "Only of what n1 receives."),
        ("kemu link set segment/rack1 --delay 40ms", "The way of a segment to the router."),
        ("kemu link set n1 --down", "Pulls the cable out; --up plugs it in again."),
    ],
    "logs": [
        ("kemu logs web", "What the container of pod web said; of several the first."),
        ("kemu logs web -c proxy --tail 5 -f", "The last five lines of another, and what it says from now on."),
        ("kemu logs web -p", "What it said before it was started again."),
    ],
    "ls": [("kemu ls", "Every cluster of this machine.")],
    "perf": [
        ("kemu perf a c", "One TCP stream for five seconds."),
        ("kemu perf a c --udp --rate 800mbit -t 10", "UDP at a rate, with loss and jitter."),
        ("kemu perf client n1 -P 4 --both", "From a host to a node: four streams each way at once."),
    ],
    "plan": [
        ("kemu plan two-nodes", "Each namespace with what will be in it."),
        ("kemu plan two-nodes -o ip", "The same as a bash script of ip, bridge, sysctl and nft."),
        ("kemu plan two-nodes --for c", "Only what makes pod c reachable."),
        ("kemu plan two-nodes --against host-gw", "What another backend would make instead."),
        ("kemu plan --diff", "What `kemu up` would change in the running cluster."),
    ],
    "reach": [
        ("kemu reach", "Every pod pings every other."),
        ("kemu reach --with nodes,hosts", "Nodes and outside machines, too."),
        ("kemu reach --from app=web --to db --protocol tcp --port 5432", "Pods by label, over TCP."),
    ],
    "save": [
        ("kemu save", "The running cluster as a file, on standard output."),
        ("kemu save -o lab.yaml", "Into a file that is not there yet."),
    ],
    "schema": [("kemu schema", "Save it beside your files, and an editor completes and checks them.")],
    "shell": [("kemu shell a", "A shell in pod a; `exit` leaves it.")],
    "status": [
        ("kemu status", "As it should be, or what is missing, changed or too much."),
        ("kemu status -o json", "The same for a script."),
    ],
    "test": [
        ("kemu test", "What the running cluster was brought up with."),
        ("kemu test checks.yaml", "A file of nothing but `expect:`, on the running cluster."),
        ("kemu test --up lab.yaml -o junit", "On a cluster of its own, for CI."),
    ],
    "topologies": [
        ("kemu topologies", "The examples, with their lessons."),
        ("kemu topologies two-racks", "One of them as a file, to start from."),
    ],
    "up": [
        ("kemu up two-nodes", "An example."),
        ("kemu up mine.kemu.yaml", "A file of your own; again, it repairs and applies what you changed."),
        ("kemu up two-nodes --backend host-gw", "With another backend than the file's."),
        ("kemu up two-nodes --set nodes.n1.address=172.18.0.99", "With another value than the file's."),
    ],
    "validate": [("kemu validate mine.kemu.yaml", "Every problem at once, with its line and column.")],
}

#: What exit code 1 means, for the verbs that say no with it.
ONES: dict[str, str] = {
    "compare": "no backend works",
    "plan": "`up` would change something (with `--diff`)",
    "reach": "a pair is lost",
    "status": "the cluster is not as it should be",
    "test": "an expectation does not hold",
}
#: Values that a key accepts one day; kemu refuses them today and says so. By (place, key).
LATER_VALUES: dict[tuple[str, str], Sequence[str]] = {
    ("fabric", "podRoutes"): ("bgp",),
}
#: Verbs that hand back the exit code of a command inside.
PASSING = ("exec", "shell")

DESIGN = Path(__file__).resolve().parents[2] / "docs" / "design"

_ALIASES = "`deploy` is `up`, `destroy` is `down`, `pingall` is `reach`."
_COMMON = ("debug", "verbose", "quiet")


def commands() -> dict[str, click.Command]:
    """Return every verb by its name; of one that has verbs of its own, such as `link`, those: `link set`."""
    from kemu.cli.main import command as group  # noqa: PLC0415 (only the reference of verbs needs the command line)

    context = click.Context(group, info_name="kemu")
    found = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return dict(one for name, verb in found if verb is not None for one in _inner(name, verb))


def _inner(name: str, verb: click.Command) -> list[tuple[str, click.Command]]:
    if isinstance(verb, click.Group):
        return [(f"{name} {word}", one) for word, one in verb.commands.items()]
    return [(name, verb)]


def verbs() -> str:
    """Return the reference of all verbs: usage, help, examples, options with their variables and defaults, exit codes."""
    found = commands()
    index = ", ".join(f"[{name}](#kemu-{name.replace(' ', '-')})" for name in found)
    parts = [f"{index}.", "", f"Other names: {_ALIASES}", "", "## Options of every verb", "", *_common(found["ls"])]
    for name, verb in found.items():
        parts += ["", *_verb(name, verb)]
    return "\n".join(parts)


def context_of(name: str, verb: click.Command) -> click.Context:
    """Return the context in which click runs a verb; the names of its variables come from there."""
    from kemu.cli.main import command as group  # noqa: PLC0415 (the same)

    parent = click.Context(group, info_name="kemu", max_content_width=110)
    return click.Context(verb, info_name=name, parent=parent)


def options_of(verb: click.Command) -> list[click.Option]:
    """Return the options of a verb that are its own: not those of every verb."""
    return [one for one in verb.params if isinstance(one, click.Option) and one.name not in _COMMON]


def _common(verb: click.Command) -> Iterator[str]:
    options = [one for one in verb.params if isinstance(one, click.Option) and one.name in _COMMON]
    yield "They stand before the verb or after it."
    yield ""
    yield from _table(("option", "variable", "what it does"), [(_names(one), f"`{one.envvar}`", _help(one)) for one in options])


def _verb(name: str, verb: click.Command) -> Iterator[str]:
    context = context_of(name, verb)
    yield f"## kemu {name}"
    yield ""
    yield "```text"
    yield " ".join(["kemu", name, *verb.collect_usage_pieces(context)])
    yield "```"
    yield ""
    yield from _paragraphs(verb.help or "")
    yield ""
    yield from _table(("example", "what it is for"), [(f"`{line}`", why) for line, why in EXAMPLES.get(name, ())])
    yield ""
    options = options_of(verb)
    if options:
        rows = [(_names(one), _default(one), f"`{_variable(one)}`", _help(one)) for one in options]
        yield from _table(("option", "default", "variable", "what it does"), rows)
        yield ""
    yield f"Exit codes: {_exits(name)}"


def _paragraphs(text: str) -> Iterator[str]:
    """Yield a help text as Markdown: its lines, and what is angled or starred as it is written."""
    for line in text.strip().splitlines():
        yield line.strip().replace("*", "\\*").replace("<", "&lt;").replace("#", "\\#")


def _exits(name: str) -> str:
    if name in PASSING:
        return "that of the command inside; kemu's own failure is 125, not executable 126, not found 127."
    no = f"1 if {ONES[name]}; " if name in ONES else ""
    return f"0; {no}2 to 5 and 70 [as everywhere](exit-codes.md)."


def _names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {_metavar(option)}"
    return f"`{', '.join(option.opts)}{value}`"


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return {"integer": "N", "integer range": "N", "path": "PATH"}.get(option.type.name, (option.name or "").upper())


def _default(option: click.Option) -> str:
    if isinstance(option.default, (int, str)) and not option.is_flag and option.default != "":
        return f"`{option.default}`"
    _, found, rest = (option.help or "").partition("[default: ")
    return rest.partition("]")[0] if found else ""


def _variable(option: click.Option) -> str:
    """Return the name of the variable from which click takes the option."""
    assert isinstance(option.envvar, str)  # kemu.cli.main gives every option one
    return option.envvar


def _help(option: click.Option) -> str:
    return _sentence((option.help or "").partition("[default: ")[0].strip().removesuffix("."))


def fields() -> str:
    """Return the reference of a topology file's keys, a table for each place."""
    from kemu.plan.registry import options_classes  # noqa: PLC0415 (only this part needs the backends' options)
    from kemu.spec.schema import field_reference  # noqa: PLC0415 (the same)

    parts: list[str] = []
    for where, rows in field_reference(options_classes()):
        cells = [
            (f"`{row.key}`", "**not yet**" if row.later else _accepts(where, row), row.default, _sentence(row.help))
            for row in rows
        ]
        title = f"`{where}`" if where else "At the top"
        parts += [f"## {title}", "", *_table(("key", "accepts", "default", "what it is"), cells), ""]
    return "\n".join(parts).rstrip()


def _accepts(where: str, row: Row) -> str:
    later = LATER_VALUES.get((where, row.key))
    return _code(row.accepts) + (f" ({', '.join(later)}: **not yet**)" if later else "")


def _code(text: str) -> str:
    return text.replace("<", "&lt;")


def _sentence(text: str) -> str:
    text = _code(text[:1].upper() + text[1:])
    return text if text.endswith((".", "?", "!", ";")) else f"{text}."


def topologies() -> str:
    """Return the examples with the first line of their lessons."""
    from kemu.api.topology import examples  # noqa: PLC0415 (only this part needs them)

    return "\n".join(_table(("example", "what it teaches"), [(f"`{one.name}`", one.lesson[0]) for one in examples()]))


def picture() -> str:
    """Return the picture of the first example."""
    from kemu.api import Topology  # noqa: PLC0415 (each part imports what it needs)
    from kemu.api.picturing import FORMATS, picture_of_topology  # noqa: PLC0415

    return FORMATS["svg"](picture_of_topology(Topology.load("two-nodes")))


def backends() -> str:
    """Return the backends with what they are like."""
    from kemu.api.backends import backend_facts, backend_names  # noqa: PLC0415 (only this part needs them)

    facts = [backend_facts(name) for name in backend_names()]
    headings = ("backend", "family", "pods' addresses", "bytes a packet", "policies", "control plane", "fidelity")
    rows = [
        (f"`{one.name}`", one.family, one.addresses, one.overhead, one.policy, one.control_plane, one.fidelity) for one in facts
    ]
    return "\n".join(_table(headings, rows))


def decisions() -> str:
    """Return a link to every page of docs/design, by its title."""
    pages = sorted(DESIGN.glob("*.md"))
    return "\n".join(f"- [{page.read_text().partition(chr(10))[0].removeprefix('# ')}](design/{page.name})" for page in pages)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |".replace("|  |", "| |") for line in lines]
