"""The matrix of `kemu reach` as text: a grid for a small cluster, the lost pairs node by node for a large one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from kemu.api.reachability import Matrix, Result

LARGEST_GRID = 30
PAIRS_A_GROUP = 5

_KINDS = {"pod": "pods", "node": "nodes", "host": "hosts", "svc": "services"}
_MARKS = {
    "ok": "ok",
    "timeout": "X",
    "refused": "refused",
    "no-route": "noroute",
    "too-big": "toobig",
    "error": "error",
}
_DENIED, _OPEN, _NONE = "deny", "open!", "."
_LEGEND = {
    "X": "no answer",
    "noroute": "the sender has no route",
    "toobig": "larger than the path's MTU",
    _DENIED: "denied, as intended",
    _OPEN: "reached, and should be denied",
}


def show_matrix(matrix: Matrix) -> str:
    """Return the matrix as text that ends with a sentence such as `240 of 240 pairs reached (pods, icmp)`."""
    endpoints = _endpoints(matrix.results)
    body = _show_grid(matrix.results, endpoints) if len(endpoints) <= LARGEST_GRID else _show_groups(matrix)
    return "\n\n".join(part for part in (body, _show_summary(matrix)) if part)


def _endpoints(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(name for result in results for name in (result.sender, result.receiver)))


def _show_grid(results: Sequence[Result], endpoints: Sequence[str]) -> str:
    if not results:
        return ""
    cells = _cells(results)
    names = _short_names(endpoints)
    senders = [name for name in endpoints if any(result.sender == name for result in results)]
    receivers = [name for name in endpoints if any(result.receiver == name for result in results)]
    numbers = {name: str(number) for number, name in enumerate(endpoints, start=1)}
    rows = [["", "from \\ to", *(numbers[name] for name in receivers)]]
    for sender in senders:
        rows.append([numbers[sender], names[sender], *(cells.get((sender, one), _NONE) for one in receivers)])
    unseen = [f"{numbers[name]} {names[name]}" for name in receivers if name not in senders]
    return "\n".join([*_align(rows), *_key(unseen), *_legend(cells.values())])


def _cells(results: Sequence[Result]) -> dict[tuple[str, str], str]:
    """Return the text of each pair's cell: one mark where its families agree, else one a family."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for result in results:
        found.setdefault((result.sender, result.receiver), {})[result.family] = _mark(result)
    return {pair: _join_families(marks) for pair, marks in found.items()}


def _join_families(marks: Mapping[str, str]) -> str:
    if len(set(marks.values())) == 1:
        return next(iter(marks.values()))
    return "/".join(f"{family[-1]}:{mark}" for family, mark in marks.items())


def _mark(result: Result) -> str:
    if result.expected == "deny":
        return _OPEN if result.ok else _DENIED
    return _MARKS.get(result.reason, result.reason.replace("unreachable-", "!"))


def _short_names(endpoints: Sequence[str]) -> dict[str, str]:
    """Return the last part of each name, or all of it where others end the same."""
    last = {name: name.rpartition("/")[2] for name in endpoints}
    often = Counter(last.values())
    return {name: short if often[short] == 1 else name for name, short in last.items()}


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows with their columns under each other: numbers to the right, names to the left, cells to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        " ".join(_pad(text, width, column) for column, (text, width) in enumerate(zip(row, widths, strict=True))) for row in rows
    ]


def _pad(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 1 else text.rjust(width)


def _key(unseen: Sequence[str]) -> list[str]:
    return [f"to: {', '.join(unseen)}"] if unseen else []


def _legend(cells: Iterable[str]) -> list[str]:
    marks = {part.rpartition(":")[2] for cell in cells for part in cell.split("/")}
    lines = [f"{mark} = {meaning}" for mark, meaning in _LEGEND.items() if mark in marks]
    if any(mark.startswith("!") for mark in marks):
        lines.append("!… = somebody answers that it is unreachable")
    return [", ".join(lines)] if lines else []


def _show_groups(matrix: Matrix) -> str:
    """Return a paragraph for each pair of nodes between which something is lost."""

    def place(result: Result) -> tuple[str, str]:
        return _place(matrix.nodes, result.sender), _place(matrix.nodes, result.receiver)

    totals = Counter(place(result) for result in matrix.results)
    lost = sorted((result for result in matrix.results if result.is_lost), key=place)
    names = _short_names(_endpoints(matrix.results))
    return "\n".join(_show_group(pair, totals[pair], list(group), names) for pair, group in groupby(lost, key=place))


def _place(nodes: Mapping[str, str], endpoint: str) -> str:
    return nodes.get(endpoint, endpoint)


def _show_group(pair: tuple[str, str], total: int, lost: Sequence[Result], names: Mapping[str, str]) -> str:
    head = f"{pair[0]} -> {pair[1]}: {len(lost)} of {total} lost: {_count_reasons(lost)}"
    if len(lost) == total:
        return head
    shown = list(dict.fromkeys(f"{names[result.sender]} -> {names[result.receiver]}" for result in lost))
    more = [f"{len(shown) - PAIRS_A_GROUP} more"] if len(shown) > PAIRS_A_GROUP else []
    return f"{head}\n    {', '.join(shown[:PAIRS_A_GROUP] + more)}"


def _count_reasons(results: Iterable[Result]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in Counter(result.reason for result in results).most_common())


def _show_summary(matrix: Matrix) -> str:
    results = matrix.results
    text = f"{matrix.reached} of {len(results)} pairs reached ({', '.join(_show_terms(matrix))})"
    lost = [result for result in results if result.is_lost]
    denied = sum(not result.ok and not result.is_lost for result in results)
    opened = sum(result.ok and result.expected == "deny" for result in results)
    parts = [_count_reasons(lost)] if lost else []
    parts += [f"{denied} denied as intended"] if denied else []
    parts += [f"{opened} reached that should be denied"] if opened else []
    return text + (f": {', '.join(parts)}" if parts else "")


def _show_terms(matrix: Matrix) -> list[str]:
    """Return what was probed how: the kinds of endpoints, the protocol and its port, the families where there are two."""
    kinds = {name.partition("/")[0] for name in _endpoints(matrix.results)}
    families = sorted({result.family for result in matrix.results})
    port = f" {matrix.probe.port}" if matrix.probe.port else ""
    names = [plural for kind, plural in _KINDS.items() if kind in kinds] + sorted(kinds - _KINDS.keys())
    return [*names, f"{matrix.probe.protocol.value}{port}", *([" and ".join(families)] if len(families) > 1 else [])]
