"""Reading `expect:`, and checking that every expectation is about somebody: in a topology, or in a file that holds nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kemu.base.errors import KemuError, SpecError
from kemu.base.units import read_duration, read_rate, write_duration, write_rate
from kemu.spec.check import check_unique
from kemu.spec.fields import EXPECTATIONS
from kemu.spec.model import Expectation, Figure, FigureExpectation, ReachExpectation, Topology, Way
from kemu.spec.source import Log, MappingNode, Source, read_documents, shorten
from kemu.spec.tables import Entry
from kemu.spec.ways import ANY, attempts_of, count_pairs, find_end, find_place

MOST_PAIRS = 100_000  # of one way: a run of a minute or so
MOST_MEASURED = 100  # of one way, each of which takes its seconds
SECONDS = 3


def is_alone(source: Source) -> bool:
    """Say whether a file holds expectations and no topology."""
    documents = read_documents(source)
    return len(documents) == 1 and isinstance(documents[0], MappingNode) and _is_alone(documents[0])


def _is_alone(node: MappingNode) -> bool:
    keys = [key.value for key, _ in node.value]
    return "expect" in keys and all(key == "expect" or str(key).startswith("x-") for key in keys)


def read_alone(source: Source) -> tuple[Expectation, ...]:
    """Return the expectations of a file that holds nothing else. Raises SpecError with every problem."""
    log = Log(source)
    root = EXPECTATIONS.read(read_documents(source)[0], log, "")
    found = read_expectations(root)
    if log.problems:
        raise SpecError(log.problems)
    return found


def read_expectations(root: Entry) -> tuple[Expectation, ...]:
    """Return the expectations below the key `expect`; what is wrong with the others is noted."""
    entries = [one for one in root.get("expect") or () if isinstance(one, Entry)]
    check_unique(entries, "name", "expectation")
    return tuple(found for entry in entries if (found := _read(entry)) is not None)


def _read(entry: Entry) -> Expectation | None:
    kinds = [key for key in ("allow", "deny", "perf", "rtt", "model") if entry.said(key)]
    if entry.bad(*kinds, "name", "seconds", "above", "below"):
        return None
    if not kinds:
        entry.log.wrong(entry.node, f"{entry.title}: it expects nothing", "give it allow, deny, perf or rtt")
        return None
    if len(kinds) > 1 and kinds != ["allow", "deny"]:
        entry.wrong(kinds[-1], f"{kinds[0]} and {kinds[-1]} are two expectations", "make a second entry")
        return None
    return _figure(entry, Figure(kinds[0])) if kinds[0] in set(Figure) else _reach(entry)


def _reach(entry: Entry) -> ReachExpectation | None:
    for key in ("above", "below", "seconds"):
        if entry.said(key):
            entry.wrong(key, f"{key} belongs to perf or rtt", f"leave {key} out")
            return None
    found = ReachExpectation(name="", allow=entry.get("allow", ()), deny=entry.get("deny", ()), mark=entry.log.mark(entry.node))
    return replace(found, name=entry.get("name", name_of(found)))


def _figure(entry: Entry, figure: Figure) -> FigureExpectation | None:
    way: Way = entry.get(figure)
    unit = _UNITS[figure]
    limits = {key: value for key in ("above", "below") if (value := _limit(entry, key, unit)) is not None}
    if len(limits) < entry.said("above") + entry.said("below"):
        return None
    if not limits:
        entry.wrong(figure, f"{figure} of {way} is to be above or below what?", unit.example)
        return None
    if figure is Figure.RTT and entry.said("seconds"):
        entry.wrong("seconds", "a round trip is measured with a few pings, not for seconds", "leave seconds out")
    if way.port is not None:
        entry.wrong(figure, f"{figure} takes no port: {way}", f"{figure}: {way.senders} -> {way.receivers}")
    if limits.get("above", 0) > limits.get("below", float("inf")):
        entry.wrong("above", "nothing is above this and below the other", "exchange them")
    seconds, mark = entry.get("seconds", SECONDS), entry.log.mark(entry.node)
    found = FigureExpectation(name="", figure=figure, way=way, seconds=seconds, mark=mark, **limits)
    return replace(found, name=entry.get("name", name_of(found)))


@dataclass(frozen=True, slots=True)
class _Unit:
    """The unit of a figure's limits."""

    read: Callable[[str], float]
    write: Callable[[Any], str]
    example: str


_UNITS: dict[Figure, _Unit] = {
    Figure.PERF: _Unit(read_rate, write_rate, "above: 800mbit"),
    Figure.RTT: _Unit(read_duration, write_duration, "below: 5ms"),
}


def _limit(entry: Entry, key: str, unit: _Unit) -> float | None:
    try:
        value = unit.read(entry.get(key)) if entry.said(key) else None
    except ValueError as error:
        entry.wrong(key, f"{key}: {error}")
        return None
    if value is not None and unit.read(unit.write(value)) != value:
        entry.wrong(key, f"{key}: {entry.get(key)} is finer than anything that is measured", "whole nanoseconds")
        return None
    return value


def name_of(expectation: Expectation) -> str:
    """Return what an expectation without a name is called: what it says."""
    match expectation:
        case ReachExpectation(allow=allow, deny=deny):
            return "; ".join([*(f"allow {way}" for way in allow), *(f"deny {way}" for way in deny)])
        case FigureExpectation():
            return " ".join(f"{key} {value}" for key, value in _said(expectation).items())


def _said(expectation: FigureExpectation) -> dict[str, Any]:
    write = _UNITS[expectation.figure].write
    limits = {"above": expectation.above, "below": expectation.below}
    return {str(expectation.figure): str(expectation.way), **{key: write(one) for key, one in limits.items() if one is not None}}


def show_expectation(expectation: Expectation) -> dict[str, Any]:
    """Return an expectation as plain data in the words of the file."""
    name = {"name": expectation.name} if expectation.name != name_of(expectation) else {}
    match expectation:
        case ReachExpectation(allow=allow, deny=deny):
            return {**name, **{key: _ways(ways) for key, ways in (("allow", allow), ("deny", deny)) if ways}}
        case FigureExpectation(seconds=seconds):
            return {**name, **_said(expectation), **({"seconds": seconds} if seconds != SECONDS else {})}


def _ways(ways: Sequence[Way]) -> Any:
    return str(ways[0]) if len(ways) == 1 else [str(way) for way in ways]


def require(topology: Topology, expectations: Iterable[Expectation]) -> None:
    """Raise SpecError if expectations, which may be those of another file, are wrong about `topology`."""
    log = Log(Source(name="", text=""))
    check_expectations(topology, expectations, log)
    if log.problems:
        raise SpecError(log.problems)


def check_expectations(topology: Topology, expectations: Iterable[Expectation], log: Log) -> None:
    """Note every expectation about somebody who does not exist, about nobody, or that contradicts itself."""
    for one in expectations:
        title = f"expectation {shorten(one.name)}"
        match one:
            case ReachExpectation():
                good = [_check_way(topology, way, log, title, most=MOST_PAIRS) for way in (*one.allow, *one.deny)]
                if one.deny and all(good):
                    _check_denied(topology, one, log, title)
            case FigureExpectation():
                _check_way(topology, one.way, log, title, most=MOST_MEASURED)


def _check_way(topology: Topology, way: Way, log: Log, title: str, *, most: int) -> bool:
    """Return whether a way is about somebody, and not about too many."""
    ends = [_check_end(topology, way, side, log, title) for side in (way.senders, way.receivers)]
    if not all(ends):
        return False
    pairs = count_pairs(topology, way)
    if not pairs:
        log.wrong(way.mark, f"{title}: {way} is only about {way.receivers} itself", "a way leads from one to another")
    if pairs > most:
        log.wrong(way.mark, f"{title}: {way} are {pairs:,} pairs, and {most:,} are the most", "name fewer")
    return 0 < pairs <= most


def _check_end(topology: Topology, way: Way, side: str, log: Log, title: str) -> bool:
    try:
        find_end(topology, side)
    except KemuError as error:
        log.wrong(find_place(way, side), f"{title}: {error.message}", error.hint)
        return False
    return True


def _check_denied(topology: Topology, one: ReachExpectation, log: Log, title: str) -> None:
    """Note what an entry both allows and denies, and an `any` that leaves nobody."""
    allowed = {attempt.key for attempt in attempts_of(topology, one.allow, "allow")}
    for way in one.deny:
        denied = {attempt.key for attempt in attempts_of(topology, [way], "deny")}
        if denied <= allowed:
            log.wrong(way.mark, f"{title}: {way} denies nothing: the same entry allows all of it", "allow less, or deny more")
        elif denied & allowed and ANY not in (way.senders, way.receivers):
            sender, receiver, *_ = sorted(denied & allowed)[0]
            log.wrong(way.mark, f"{title}: {sender} -> {receiver} is both allowed and denied", "any leaves out what is allowed")
