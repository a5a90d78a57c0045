"""What kemu's servers say: who answers, whom they saw, and where they were asked. Pure: opens nothing.

As a line, with which UDP and a TCP connection without a request are answered:

    kemu pod/default/web-1 on n1 saw 10.244.2.7:43210 at 10.244.1.2:8080 after 51200 ns

A UDP answer says how long the request lay before it was read, and repeats the request behind the line. The nanoseconds let the asker
take the server's own delay off the round trip.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

SCHEMA = "kemu.answer/1"

_LINE = re.compile(rb"kemu (\S+)(?: on \S+)? saw \[?([^\s\]]+)\]?:\d+ at \S+(?: after (\d+) ns)?\n")


class End(NamedTuple):
    """One end of a conversation."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A pod that kemu's responder answers for. `hostname` is what a process of it would call its machine."""

    pod: str
    namespace: str
    node: str
    hostname: str

    @property
    def full(self) -> str:
        """Its endpoint in full: pod/default/web-1."""
        return f"pod/{self.namespace}/{self.pod}"


@dataclass(frozen=True, slots=True)
class Served:
    """What a server of kemu's said. `waited_ns` is 0 where it did not say."""

    name: str
    seen_as: str
    waited_ns: int
    echo: bytes


def build_line(name: str, node: str, client: End, server: End, *, waited_ns: int | None = None) -> bytes:
    """Return the line of the endpoint called `name` in full; `node` is empty for what is on none."""
    where = f" on {node}" if node else ""
    after = "" if waited_ns is None else f" after {waited_ns} ns"
    return f"kemu {name}{where} saw {client} at {server}{after}\n".encode()


def read_answer(data: bytes) -> Served | None:
    """Return what the answer says; None if somebody else than kemu wrote it."""
    match = _LINE.match(data)
    if match is None:
        return None
    name, seen_as, waited = match.groups()
    return Served(name.decode(), seen_as.decode(), int(waited or 0), data[match.end() :])


def build_text(speaker: Speaker, client: End, server: End, request: str) -> str:
    """Return the facts for people, which are YAML too."""
    return (
        f"pod: {speaker.pod}\nnamespace: {speaker.namespace}\nnode: {speaker.node}\n"
        f"client: {client}\nserver: {server}\nrequest: {request}\n"
    )


def build_json(speaker: Speaker, client: End, server: End, request: str) -> str:
    """Return the facts as `kemu.answer/1`."""
    facts = {
        "schema": SCHEMA,
        "pod": speaker.pod,
        "namespace": speaker.namespace,
        "node": speaker.node,
        "client": client._asdict(),
        "server": server._asdict(),
        "request": request,
    }
    return json.dumps(facts) + "\n"


def build_datagram(speaker: Speaker, client: End, server: End, request: bytes, *, waited_ns: int) -> bytes:
    """Return the answer to a datagram: of `hostname` and `clientip` just that, as agnhost does, else the line and the request again.

    An answer of kemu's own gets none, so that two servers never talk to each other for ever.

    Source: Kubernetes, test/images/agnhost/netexec/netexec.go.
    """
    match request.strip().lower():
        case b"hostname":
            return speaker.hostname.encode()
        case b"clientip":
            return str(client).encode()
    if read_answer(request):
        return b""
    return build_line(speaker.full, speaker.node, client, server, waited_ns=waited_ns) + request
